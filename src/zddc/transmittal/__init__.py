"""Transmittals: one HTML file that lists the files of a delivery with their SHA-256, and can be signed.

In the order of the reading: ``block`` finds the data in a page, ``data`` reads it, ``signatures`` judges it, ``keys``
and ``known_keys`` are the files of keys, ``checks`` and ``writing`` make a transmittal, ``page`` makes the HTML,
``delivery`` compares it with a folder, ``publishing`` writes it into one, ``acknowledgement`` confirms it.
"""
