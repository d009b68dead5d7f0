"""The checks of ``validate``: integrity of the files, and quality of the dataset.

Reading order: ``types`` (input and output), ``integrity``, ``quality``.
"""
