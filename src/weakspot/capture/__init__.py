"""Capture: recognises consultations, stores them as interactions, and logs what people decide about them.

Read it in this order: ``conversation`` is what a client sent, and ``frames`` takes off what the client wrote around the
user's words; ``trigger_phrases`` recognises a request for a teacher: ``speech`` divides the words into tokens,
``wish_grammar`` finds the request, ``new_questions`` tells whether it brings a question of its own. ``consultation``
parses the request and builds the record, ``recorder`` writes it, ``unfitted`` tries again what did not fit;
``ask_teacher`` asks a teacher one question and stores the answer. ``decisions`` is the log that ``approval`` and
``review`` write; ``redact_stored`` replaces secrets in what is stored already.
"""
