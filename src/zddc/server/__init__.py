"""Gives an archive to browsers and programs over HTTP, to each person what the rules of its folders allow.

In the order in which to read the files: ``answer`` says what a request and an answer are. ``content_types`` and
``conditions`` know HTTP, ``answers`` answers with a file, ``listing`` with what is in a folder, ``zips`` with a folder
as one zip, and ``zip_members`` with what is in a zip.
"""
