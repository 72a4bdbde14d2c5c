"""Progress of long work, such as reading files: a room counts what it does, and whoever runs it may show the counts.

    with work("reading images", total=len(paths)):
        for path in paths:
            ...
            done()

Where nobody shows it, nothing happens. Work within work of the same name is a part of that.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

Count = Callable[[int], object]  # called with how much more is done
Show = Callable[[str, int | None], AbstractContextManager[Count]]  # what is done, as "reading images", and how much

_show: ContextVar[Show | None] = ContextVar("_show", default=None)
_open: ContextVar[tuple[str, Count] | None] = ContextVar("_open", default=None)  # the innermost work


@contextmanager
def shown_by(show: Show | None) -> Iterator[None]:
    """Within, work is shown by `show`; None shows nothing."""
    token = _show.set(show)
    try:
        yield
    finally:
        _show.reset(token)


@contextmanager
def work(what: str, total: int | None = None) -> Iterator[None]:
    """Within, `done` counts this work, of which there is `total`, if that is known."""
    show, outer = _show.get(), _open.get()
    if show is None or (outer is not None and outer[0] == what):
        yield
        return
    with show(what, total) as count:
        token = _open.set((what, count))
        try:
            yield
        finally:
            _open.reset(token)


def done(count: int = 1) -> None:
    """So much more of the work is done; to be called in the thread that began it."""
    if (innermost := _open.get()) is not None:
        innermost[1](count)
