"""Training of many small adapters on one base: packed rows, one pass, a plan for the memory.

Read it in this order: ``rows`` lays sequences end to end, ``attention`` keeps them apart, ``layers`` holds the adapters,
``scoring`` and ``objectives`` make losses of a row, ``bins`` and ``schedule`` say what goes into which forward pass,
``learner`` is one adapter in training, ``loop`` trains all of them, ``memory`` plans it beforehand.
"""
