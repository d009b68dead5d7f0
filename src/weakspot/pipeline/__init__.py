"""The stages, one module for each command, in the order of the flow.

Reading order: ``collect``, ``process``, ``validate``, ``quantize``, ``train``, ``evaluate``, ``deploy``; ``run`` runs
all that are due, ``watch`` does so repeatedly, and ``gpu_handover`` frees the GPU for both; ``status`` says what is
due, ``doctor`` what stands in the way; ``ask`` asks a model, ``forget`` erases an interaction.
"""
