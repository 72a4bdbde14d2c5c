"""What a check of this machine has found."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One line.

    Attributes:
        state: ok; warn: it works, but slowly or not for long; fail: something does not work; - : a fact, or a choice.
        text: what was found.
        todo: what to do about it, if anything.
    """

    state: Literal["ok", "warn", "fail", "-"]
    text: str
    todo: str = ""
