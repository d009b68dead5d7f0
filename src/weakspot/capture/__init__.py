"""Capture: recognises consultations, stores them as interactions, and logs what people decide about them.

Read it in this order: ``trigger_phrases`` recognises a request for a teacher, ``consultation`` parses the conversation
around it and builds the record, ``recorder`` writes it; ``ask_teacher`` does all of it for one question;
``decisions`` is the log that ``approval`` and ``review`` write; ``redact_stored`` mends what is stored already.
"""
