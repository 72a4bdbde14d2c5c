"""Requests that never end: a connection waits so long for the rest of one, and no longer."""

import asyncio
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = 10.0  # for the first line and the headers of a request


@cache
def patient_protocol() -> "type[H11Protocol]":
    """uvicorn's protocol, which closes a connection that has not said within `SECONDS` what it asks for.

    Without it a few silent connections fill the server for as long as they like.
    """
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Patient(H11Protocol):
        _waits: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
            super().connection_made(transport)
            self._look()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._look()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._stop()

        def _look(self) -> None:
            """Wait from the first byte of a request on, not anew with each; uvicorn does so between two requests."""
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop()
            elif self._waits is None:
                self._waits = self.loop.call_later(SECONDS, self._give_up)

        def _give_up(self) -> None:
            self._waits = None
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

        def _stop(self) -> None:
            if self._waits is not None:
                self._waits.cancel()
                self._waits = None

    return Patient
