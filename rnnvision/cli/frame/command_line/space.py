"""KEY=A,B and KEY=interval(A,B) of a verb that searches: its space, given to Hydra as one setting, space=[...]."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override, Quote, QuotedString

from rnnvision.cli.frame.command_line.groups import default_options, options_in
from rnnvision.cli.frame.command_line.words import parsed
from rnnvision.errors import UsageError

SEARCHES = ("tune",)  # verbs for which several values of a key are a space, without -m


def with_space(words: Sequence[str], verb: str, conf: Path) -> list[str]:
    """The words, those with several values in one, and of a group the first option, so that its keys are there.

    Raises:
        UsageError: where the space is typed twice.
    """
    if verb not in SEARCHES:
        return list(words)
    axes = [word for word in words if (found := parsed(word)) and found.is_sweep_override()]
    if not axes:
        return list(words)
    rest = [word for word in words if word not in axes]
    if typed := next((word for word in rest if word.startswith("space=")), None):
        raise UsageError(f"{typed}: the space is {axes[0]} already; write the other keys beside it, as KEY=A,B")
    quoted = ",".join(QuotedString(axis, Quote.double).with_quotes() for axis in axes)
    return [*rest, *_first_options(axes, verb, conf), f"space=[{quoted}]"]


def _first_options(axes: Sequence[str], verb: str, conf: Path) -> list[str]:
    found = []
    for word in axes:
        axis = parsed(word)
        if axis is None or axis.key_or_group not in default_options(conf, verb) or not axis.is_choice_sweep():
            continue
        options = options_in(axis)
        if options and options[0] is not None and hasattr(axis.value(), "list"):
            found.append(f"{axis.key_or_group}={Override._get_value_element_as_str(options[0])}")
    return found
