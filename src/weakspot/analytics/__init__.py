"""Analytics: how often the expert was needed, what that cost, and which interactions taught an answer.

Reading order: ``usage`` counts questions and consultations, ``release_effects`` compares the time before and after a
release, ``savings`` puts both together; ``lineage`` goes from an answer back to the examples that taught it, and
``interaction_lineage`` from an interaction to the adapters and releases that it went into.
"""
