"""The rules that stand in the folders of an archive, and who may read what by them.

In the order in which to read the files: :mod:`patterns` (who is meant), :mod:`strict_yaml` and :mod:`rules` (one rule
file), :mod:`decide` (a chain of them decides), :mod:`policy` (the chain of a path on the disk), :mod:`findings` (what is
wrong with the rules of an archive).
"""
