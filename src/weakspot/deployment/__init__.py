"""Deployment of adapters: one module for each target, and the proof that a served model answers as the trained one.

Reading order: ``types`` (what a target gets and returns), ``parity_check``, ``served_prompt`` and ``adapter_effect``
(the proof), ``openai_client`` (asks a server), ``targets`` (merged, vllm, gguf, ollama, mlx, gateway),
``vllm_command`` (starts a server), ``vllm_sleep`` (puts it to sleep), ``control`` (merges zeros), ``gguf`` (the file
format), ``releases`` (what is live).
"""
