"""An archive: folders of files whose names say which document they are.

To be read in this order: ``tree`` walks the folders, ``names`` takes names apart fast, ``index`` puts the files of a
document together, ``resolution`` finds the file that a link means, ``findings`` says what is odd, and ``links`` writes
the links as pages for an archive without a server.
"""
