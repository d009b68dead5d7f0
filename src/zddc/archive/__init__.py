"""An archive: folders of files whose names say which document they are.

To be read in this order: ``tree`` walks the folders, ``names`` takes names apart fast, ``index`` puts the files of a
document together, ``rows`` are what filters are asked about, ``contents`` reads the bytes of files, ``resolution``
finds the file that a link means, ``findings`` says what is odd, ``register`` and ``mdl`` say what is missing, and
``links`` writes the links as pages for an archive without a server.
"""
