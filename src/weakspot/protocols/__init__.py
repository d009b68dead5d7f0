"""The chat protocols of OpenAI and Anthropic, and the common form that answers have in between.

Read it in this order: ``parts`` is the common form of an answer; ``sse`` decodes event streams, ``reading`` turns
their events into parts, and ``thoughts`` tells thoughts from text; ``media`` and ``tools`` have what both protocols
make of pictures, documents and tools; ``openai_chat`` and ``anthropic_messages`` read and write answers,
``anthropic_requests`` converts requests.
"""
