"""Access to the three servers, gateway, MCP server and review page: who may call them.

``request_guard`` decides from the facts of a request, ``adapters`` read those facts from an aiohttp or an ASGI request,
``token`` is what clients send to a server that other machines can reach, and ``client_keys`` are named clients'.
``connections`` and ``bodies`` limit how many connections one address has, and how slowly a request may come.
"""
