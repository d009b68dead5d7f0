"""The stages, one module for each command, in the order of the flow.

Reading order: ``collect``, ``process``, ``validate``, ``train``, ``evaluate``, ``deploy``; ``run`` runs all that are
due, ``watch`` does so repeatedly, ``status`` says what is due, ``doctor`` what stands in the way; ``ask`` asks a model,
``forget`` erases an interaction.
"""
