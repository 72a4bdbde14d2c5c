"""Progress of long work, such as reading files: a room counts what it does, and whoever runs it may show the counts.

    with work("reading images", total=len(paths)):
        for path in paths:
            ...
            done()

Where nobody shows it, nothing happens. Work within work is counted as a part of the outer one.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Count = Callable[[int], object]  # called with how much more is done
Show = Callable[[str, int | None], AbstractContextManager[Count]]  # what is done, as "reading images", and how much

_show: ContextVar[Show | None] = ContextVar("_show", default=None)
_count: ContextVar[Count | None] = ContextVar("_count", default=None)


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
    show = _show.get()
    if show is None or _count.get() is not None:
        yield
        return
    with show(what, total) as count:
        token = _count.set(count)
        try:
            yield
        finally:
            _count.reset(token)


def done(count: int = 1) -> None:
    """So much more of the work is done; to be called in the thread that began it."""
    if (of_work := _count.get()) is not None:
        of_work(count)


def counted_as(what: str, items: Iterable[Item], total: int | None = None) -> Iterator[Item]:
    """The items, each counted when the next one is asked for; work that is begun to make one counts by itself."""
    show = _show.get()
    if show is None:
        yield from items
        return
    with show(what, total) as count:
        for item in items:
            yield item
            count(1)
