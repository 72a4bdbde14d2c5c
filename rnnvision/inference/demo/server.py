"""An address that is taken before anything is loaded, and the server that answers there until Ctrl-C."""

import errno
import logging
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from rnnvision.errors import UsageError
from rnnvision.inference.demo.guard import is_loopback
from rnnvision.inference.demo.patience import patient_protocol

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

MAX_OPEN = 64  # requests at a time; more are told to come back


def listen(host: str, port: int) -> socket.socket:
    """A socket on this address; port 0 takes a free one.

    Raises:
        UsageError: if it is taken, or none of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        code = getattr(error, "errno", None)
        if code == errno.EADDRINUSE:
            raise UsageError(f"port={port}: is in use; try port={_free_port(host)}") from error
        if code == errno.EACCES:
            raise UsageError(f"port={port}: needs rights that you do not have; try port=8000") from error
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"host={host}: is no address of this machine ({reason}); try host=127.0.0.1") from error


def address(taken: socket.socket, host: str) -> str:
    """What to type into a browser on this machine."""
    name = host if host not in ("", "0.0.0.0", "::") else "localhost"
    return f"http://{f'[{name}]' if ':' in name else name}:{taken.getsockname()[1]}"


def make_server(app: "Starlette") -> "uvicorn.Server":
    """A server for so many requests at a time, which waits for none without end."""
    import uvicorn

    options = uvicorn.Config(
        app,
        http=patient_protocol(),
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        limit_concurrency=MAX_OPEN,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(options)


def serve(app: "Starlette", taken: socket.socket) -> None:
    """Answer until Ctrl-C."""
    server = make_server(app)
    # Of requests that Ctrl-C cuts off it would print tracebacks.
    logging.getLogger("uvicorn.error").addFilter(lambda record: not server.should_exit)
    with suppress(KeyboardInterrupt):  # the way to end it
        server.run(sockets=[taken])


def everybody(host: str) -> str | None:
    """What to say of an address that others reach; None for one of this machine alone."""
    return None if is_loopback(host) else f"host={host}: everybody who reaches this machine can use the page"


def _free_port(host: str) -> int:
    family = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0][0]
    with socket.create_server((host, 0), family=family) as free:
        return int(free.getsockname()[1])
