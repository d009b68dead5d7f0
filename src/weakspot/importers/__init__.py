"""Importers of other programs' conversations: one module per format, each of which yields conversation trees.

Read it in this order: ``format_detection`` finds out what a file holds; ``json_stream``, ``sqlite`` and ``messages``
are what the formats share; ``chat_logs``, ``claude_code``, ``open_webui``, ``opencode`` and ``native`` are the formats;
``conversation_tree`` is what they yield, ``extraction`` finds the consultations in it, and ``importer`` stores them.
"""
