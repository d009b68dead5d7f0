"""Training of many small LoRA adapters on one base: packed batches, one pass over the base, and a memory plan.

Read it in this order: ``preparation`` tokenizes the examples of a run and plans it, with ``memory_plan``,
``activation_memory`` and ``preflight``; ``packing`` lays sequences end to end; ``lora_layout``, ``lora_layers``,
``lora_matmul`` and ``lora_moe`` hold the adapters; ``logprobs``, ``chunked_cross_entropy`` and ``objectives`` turn a
batch into losses; ``schedule`` plans the steps of a run; ``adapter_trainer`` trains one adapter, and ``loop`` trains
all of them; ``checkpoints``, ``metrics``, ``adapter_export`` and ``model_card`` write files; ``sweep`` tries several
settings; ``distributed``, ``fsdp`` and ``ray_cluster`` share the work among processes.
"""
