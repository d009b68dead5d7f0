"""A server with the endpoints of vLLM's sleep mode, as well or as badly as a test tells it to."""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class SleepingVLLM:
    """What is asked of the server, and its state; ``stubborn`` is one that does not do as it is told."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    sleeping: bool = False
    stubborn: bool = False
    status: int = 200


@contextlib.contextmanager
def sleeping_vllm() -> Iterator[SleepingVLLM]:
    """Serve until the block ends; ``url`` ends in ``/v1``, and sleep mode is beside that, as vLLM has it."""
    state = SleepingVLLM()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            state.asked.append(f"{self.command} {self.path}")
            path = self.path.partition("?")[0]
            known = {"POST": ("/sleep", "/wake_up"), "GET": ("/is_sleeping",)}[self.command]
            if self.command == "POST" and not state.stubborn:
                state.sleeping = path == "/sleep"
            self.send_response(state.status if path in known else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"is_sleeping": state.sleeping} if self.command == "GET" else {}).encode())

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
