"""Language models: loading bases and adapters, tokenization, generation, quantised weights, and merging.

Read it in this order: ``loading`` loads a base from its ``weight_files`` while the ``garbage_collector`` waits,
``demo_model`` downloads the small one, and ``device`` chooses the GPU; ``chat_template`` writes a conversation as a
server does, ``turn_forms`` gives it the form that a strict template wants, ``rendering`` splits an example into prompt
and answer, and ``tokenization`` makes ids of both; ``target_modules`` chooses the layers that LoRA adapts, and
``vllm_names`` knows them by vLLM's names; ``packed_attention`` keeps packed sequences apart;
``generation``, ``kv_cache`` and ``threads`` generate answers; ``quantised_weights`` reads the formats of bits,
``quantised_loading`` loads them into ``frozen_layers``, and ``quantise_experts`` writes them; ``adapter_files`` and
``adapters`` read trained adapters, and ``merge`` adds one to the weights of its base.
"""
