"""Importers of other programs' conversations: one module per format, each of which yields conversation trees.

Read it in this order: ``format_detection`` finds out what a file holds; ``json_stream``, ``sqlite``, ``messages``,
``response_items``, ``event_streams`` and ``times`` are what the formats share; ``chat_logs``, ``chatgpt``,
``claude_code``, ``cline``, ``codex``, ``open_webui``, ``opencode``, ``preferences``, ``sharegpt`` and ``native`` are
the formats; ``conversation_tree`` is what they yield, ``extraction`` finds the consultations in it with
``model_names``, and ``importer`` stores them.
"""
