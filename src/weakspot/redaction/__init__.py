"""Redaction: finds secrets and personal data in texts, and replaces them with placeholders.

Reading order: ``redact`` replaces what the rules find; ``rules`` applies a list of rules to a text; ``token_patterns``
and ``context_patterns`` are the rules, ``iban`` is one of bank accounts, ``entropy`` tells random values from words;
``views`` are the texts behind a text, in which they are sought too; ``betterleaks`` adds the rules of a library, where
it is installed.
"""
