"""Loggers whose errors do not end a training: a server may go away for longer than a training is worth."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

CALLED = ("log_metrics", "log_graph", "save", "finalize", "after_save_checkpoint")  # by Lightning, while it trains


@cache
def unfailing(made: Any) -> Any:
    """A logger class that says the first error of what Lightning calls, and is silent from there on.

    The run log is a part of the run itself: a disk on which it cannot be written ends the run.
    Its objects have `lost`, whether there was one. They can be pickled, as a process that is spawned needs.
    """
    names = {} if made.__name__ == "RunLog" else {name: _method(made, name) for name in CALLED}
    return type(made.__name__, (made,), {**names, "lost": False, "__reduce__": lambda self: _pickled(made, self)})


def attempt(logger: Any, call: Callable[..., None], *arguments: Any) -> None:
    """Call it, unless the logger is lost; if it fails, it is."""
    if getattr(logger, "lost", False):
        return
    try:
        call(*arguments)
    except Exception as error:
        logger.lost = True
        kind = type(logger).__name__.removesuffix("Logger")
        print(f"tracking  {kind} is lost, the run goes on: {said(error)}", flush=True)


def said(error: BaseException) -> str:
    """An error on one line, without a password of an address in it."""
    return without_password(" ".join(str(error).split()))


def without_password(text: str) -> str:
    """A text without NAME:PASSWORD@ in its addresses.

    Examples:
        >>> without_password("from https://me:secret@server/mlflow")
        'from https://server/mlflow'
    """
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)


def _method(made: Any, name: str) -> Callable[..., None]:
    def method(self: Any, *arguments: Any, **options: Any) -> None:
        attempt(self, lambda: getattr(made, name)(self, *arguments, **options))

    return method


def _pickled(made: Any, logger: Any) -> tuple[Any, ...]:
    state = logger.__getstate__() if hasattr(logger, "__getstate__") else logger.__dict__
    return _remade, (made,), state


def _remade(made: Any) -> Any:
    kind = unfailing(made)
    return kind.__new__(kind)
