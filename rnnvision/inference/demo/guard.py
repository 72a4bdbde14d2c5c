"""Who may ask a server on this machine: its own page, and no page of another site that the browser has open."""

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_from(origin: str, host: str) -> bool:
    """Whether an Origin header is of a page of this host."""
    try:
        return urlsplit(origin).netloc == host
    except ValueError:  # as http://[
        return False


class Guard:
    """Middleware: refuses requests that name another host, or come from another site's page, and adds `HEADERS`.

    A site can have its own name resolve to this machine (DNS rebinding) and would then count as the same site. Such a
    request still carries that name; so names are few, and addresses cannot be used for it.
    """

    def __init__(self, app: "ASGIApp", host: str) -> None:
        self.app = app
        self.names = LOOPBACK | {host.lower()}
        self.addresses = not is_loopback(host)
        if self.addresses:
            self.names.add(socket.gethostname().lower())

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        from starlette.datastructures import Headers, MutableHeaders
        from starlette.responses import PlainTextResponse

        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")

        async def send_with_headers(message: "Message") -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if not self.knows(host):
            refused = "the request names a host that this server is not"
        elif origin is not None and not is_from(origin, host):
            refused = "the request comes from the page of another site"
        else:
            return await self.app(scope, receive, send_with_headers)
        return await PlainTextResponse(f"{refused}\n", status_code=403)(scope, receive, send_with_headers)

    def knows(self, host: str) -> bool:
        """Whether a Host header, with or without a port, may be this server's."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in self.names or (self.addresses and ip_address(name) is not None)
        except ValueError:
            return False
