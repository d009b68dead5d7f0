"""The protocols of OpenAI and Anthropic, and the common form that answers have in between.

Read it in this order: ``turns`` is the common form of a conversation, ``parts`` that of an answer; ``sse`` decodes
event streams, ``reading`` turns their events into parts, and ``thoughts`` tells thoughts from text; ``notice`` is the
line that we add to an answer; ``media`` and ``tools`` have what the protocols make of pictures, documents and tools;
``openai_chat`` and ``anthropic_messages`` read and write answers, ``responses`` writes them; ``anthropic_requests`` and
``responses_requests`` convert requests.
"""
