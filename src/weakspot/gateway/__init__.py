"""The gateway: a proxy in front of the local model that recognises consultations and stores them.

Read it in this order: ``app`` has the endpoints, and ``paths`` their names; ``middleware`` and ``schemas`` check a
request, ``clients`` names the program that sent it; ``local_model`` and ``routing`` choose the model that answers,
``upstream`` is the client of its server, and ``content_encoding`` decodes its bodies; ``passthrough`` and ``bridge``
send its answer to the client, ``response_cache`` has those that a client continues; ``consult`` asks a teacher instead,
with ``answer_cache`` for an attempt that the client left out; ``write_queue`` stores what was captured,
``feedback`` what readers think of it, and ``metrics`` counts all of it.
"""
