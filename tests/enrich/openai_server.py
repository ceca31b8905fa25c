"""A small server that speaks the protocol and answers as a test says: what a real one does on its bad days."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], bytes]


def text(answer: str | None) -> Reply:
    """A whole answer, in the forms of both interfaces."""
    choice = {"message": {"role": "assistant", "content": answer}, "text": answer}
    return 200, {}, json.dumps({"choices": [choice]}).encode()


@dataclass
class Scripted:
    """Where the server is, and what it was asked: path, headers and body of each request."""

    url: str = ""
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    @property
    def prompts(self) -> list[str]:
        return [body["messages"][0]["content"] if "messages" in body else body["prompt"] for _, _, body in self.asked]


@contextmanager
def serving(reply: Callable[[str, int], Reply]) -> Iterator[Scripted]:
    """Run a server on a free port. ``reply`` is given the prompt, and how often it has been asked before."""
    scripted = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            scripted.asked.append((self.path, dict(self.headers), body))
            prompt = scripted.prompts[-1]
            status, headers, content = reply(prompt, scripted.prompts.count(prompt) - 1)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    scripted.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield scripted
    finally:
        server.shutdown()
        server.server_close()
