"""The chat protocols of OpenAI and Anthropic, and the common form that answers have in between.

Read it in this order: ``parts`` is the common form of an answer; ``sse`` decodes event streams, and ``reading`` turns
their events into parts; ``openai_chat`` and ``anthropic_messages`` read and write answers, ``anthropic_requests``
converts requests.
"""
