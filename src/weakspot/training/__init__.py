"""Training of many small adapters on one base: packed rows, one pass, a plan for the memory.

Read it in this order: ``rows`` lays sequences end to end and ``attention`` keeps them apart; ``layers``, ``products``
and ``experts`` hold the adapters; ``scoring`` and ``objectives`` make losses of a row; ``bins`` and ``schedule`` say
what goes into which forward pass; ``learner`` is one adapter in training, and ``loop`` trains all of them; ``memory``
plans it beforehand, ``sweep`` tries several settings, ``ranks`` shares the work among processes.
"""
