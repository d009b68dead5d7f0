"""Gives an archive to browsers and programs over HTTP, to each person what the rules of its folders allow.

In the order in which to read the files: ``answer`` says what a request and an answer are, and ``app`` makes one of the
other. For that, ``guard`` and ``origins`` refuse requests, ``identity`` and ``tokens`` tell who asks, ``paths`` what
for, and ``opening`` opens it by the rules; ``asked`` holds what ``audit`` and ``metrics`` will say.

``content_types`` and ``conditions`` know HTTP, ``answers`` answers with a file, ``listing`` with what is in a folder,
``recursive`` with all below it, ``zips`` with a folder as one zip, and ``zip_members`` with what is in a zip;
``virtual`` and ``hash_links`` follow links, ``watching`` and ``inotify`` keep the index for them. ``pages``,
``projects``, ``profile`` and ``admin`` are what the pages ask for. ``dropping`` takes what is handed in, with
``content``, ``drop_names`` and ``drop_place``; ``stale_parts`` removes what never came whole.

``settings``, with ``environment``, says what ``run`` starts, with one of the ``certificates``; ``threads`` wait for the
disk, ``direct`` has them answer without the event loop, and ``sending`` sends what they answered.
"""
