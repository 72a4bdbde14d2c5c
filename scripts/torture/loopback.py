"""A server on this machine that hands out files badly: cut, changed, as a web page, slowly, or not at all."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAYS = ("whole", "cut", "cut", "cut", "changed", "page", "busy", "silent", "reset", "no length")


@contextmanager
def served(files: dict[str, bytes], seed: int, good: float) -> Iterator[str]:
    """Within, a process of its own serves these files; yields its address.

    Args:
        files: by their names.
        seed: of how each request is answered.
        good: the share of requests that are answered as they should be, beside the one in `WAYS`.
    """
    server = _Server(("127.0.0.1", 0), _handler(files, random.Random(seed), good))
    process = os.fork()
    if process == 0:
        server.serve_forever()
    server.socket.close()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


class _Server(ThreadingHTTPServer):
    def handle_error(self, *args: object) -> None:
        """Say nothing of a client that was killed."""


def _handler(files: dict[str, bytes], chance: random.Random, good: float) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            way = "whole" if chance.random() < good else chance.choice(WAYS if good else WAYS[1:-1])
            content = files[self.path.rpartition("/")[2]]
            asked = self.headers.get("Range")
            begin = int(asked[6:-1]) if asked else 0
            if begin and chance.random() < 0.3:  # it does not go on where it ended
                begin = 0
            content = content[begin:]
            if way == "silent":
                time.sleep(30)
                return
            if way == "reset":
                self.connection.close()
                return
            if way == "changed":
                at = chance.randrange(len(content))
                content = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
            content = b"<!DOCTYPE html><p>Log in to the network" if way == "page" else content
            self.send_response(503 if way == "busy" else 206 if begin else 200)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{begin + len(content) - 1}/{begin + len(content)}")
            if way != "no length":
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: chance.randrange(len(content))] if way == "cut" else content)

        def log_message(self, *args: object) -> None:
            pass

    return Handler
