"""Whether a command ended as it may: in one line that names what is wrong, or accepted where it is legal."""

import re
import shlex

from torture.fuzz.cases import Case
from torture.fuzz.forked import Tried

LONGEST = 2_000  # characters of a message: the list of what is legal is part of it
AGAIN = re.compile(r"(?:[Tt]ry|run each|try|go on): (rnnvision .*?)(?=; choose one of|$)")
UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # what steers a terminal


def fault(case: Case, tried: Tried) -> str | None:
    """What is wrong with how a command ended; None where nothing is."""
    if tried.code is None:
        return "did not end"
    if "Traceback (most recent call last)" in tried.out + tried.err:
        return f"traceback: {_lines(tried)[-1:]}"
    if tried.accepted:
        return None if case.may_pass else f"accepted ({tried.code})"
    if tried.code not in (1, 2):
        return f"exit code {tried.code}"
    lines = _lines(tried)
    if len(lines) != 1:
        return f"{len(lines)} lines: {lines[:3]}"
    message = lines[0]
    if len(message) > LONGEST:
        return f"a line of {len(message):,} characters"
    if UNSEEN.search(message):
        return f"control characters: {message[:200]!r}"
    if not message.startswith(f"rnnvision {case.verb}: "):
        return f"does not begin with the verb: {message[:200]}"
    listed = message + tried.out if case.verb == "predict" else message  # where what is not read stands
    if case.names and not any(name in listed for name in case.names):
        return f"names none of {', '.join(case.names)}: {message[:300]}"
    return None


def advice(tried: Tried) -> list[str] | None:
    """The words of the corrected command in a message."""
    found = AGAIN.search(tried.err)
    if found is None:
        return None
    try:
        return shlex.split(found[1])
    except ValueError:
        return ["?"]


def advice_fault(tried: Tried, again: Tried) -> str | None:
    """What is wrong with a corrected command: it may be wrong in another way, but neither in the same nor a defect."""
    if again.code is None or "Traceback (most recent call last)" in again.out + again.err:
        return "the corrected command does not end in a message"
    if not again.accepted and _lines(again)[-1:] == _lines(tried)[-1:]:
        return f"the corrected command is refused alike: {_lines(again)[-1:]}"
    return None


def _lines(tried: Tried) -> list[str]:
    return [line for line in tried.err.split("\n") if line.strip()]
