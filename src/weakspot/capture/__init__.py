"""Capture: recognises consultations, stores them as interactions, and logs what people decide about them.

Read it in this order: ``conversation`` is what a client sent, ``trigger_phrases`` recognises a request for a teacher,
``consultation`` parses the request and builds the record, ``recorder`` writes it; ``ask_teacher`` asks a teacher one
question and stores the answer; ``decisions`` is the log that ``approval`` and ``review`` write; ``redact_stored``
replaces secrets in what is stored already.
"""
