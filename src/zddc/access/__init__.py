"""The rules that stand in the folders of an archive, and who may read what by them.

In the order in which to read the files: :mod:`patterns` says who is meant, :mod:`strict_yaml` and :mod:`rules` read a
rule file, :mod:`decide` decides by a chain of them, :mod:`policy` finds the chain of a path on the disk, and
:mod:`findings` tells what is wrong with the rules of an archive.
"""
