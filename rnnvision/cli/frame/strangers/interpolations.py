"""What stands in ${...} in a configuration of others: the functions and variables it may name, and how far it grows."""

import os
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from rnnvision.checks import one_line
from rnnvision.errors import UsageError

ALLOWED = "RNNVISION_ALLOW_ENV"  # further variables, with commas between
ENVIRONMENT = frozenset(  # what a configuration may read of the environment; none of it is a secret
    {
        *("RNNVISION_DATA", "RNNVISION_CACHE", "HOME", "USER", "TMPDIR", "HOSTNAME", "CUDA_VISIBLE_DEVICES"),
        *("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "WANDB_PROJECT", "WANDB_ENTITY"),
        *("SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_PROCID"),
        *("SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS", "SLURM_NNODES", "SLURM_CPUS_PER_TASK", "SLURM_TMPDIR"),
    }
)
FUNCTIONS = frozenset({"hydra", "now", "oc.env", "run_dir", "config_subdir"})
MOST_LETTERS = 100_000  # of all values together, once every ${...} is filled in
NAMED = re.compile(r"\$\{oc\.env:([A-Za-z_]\w*)")
LONGEST = 2_000  # of a text with ${...} in it


def allowed_variables() -> frozenset[str]:
    """The variables that a configuration of others may read."""
    return ENVIRONMENT | {name.strip() for name in os.environ.get(ALLOWED, "").split(",") if name.strip()}


def allow_typed(words: Iterable[str]) -> None:
    """Let the processes that this one starts read what the user's own words name in ${oc.env:...}."""
    if new := _named(words) - allowed_variables():
        os.environ[ALLOWED] = ",".join(filter(None, [os.environ.get(ALLOWED, ""), *sorted(new)]))


def allowing(words: Iterable[str]) -> str:
    """What a command that goes on has to begin with, so that its runs may read what these words name."""
    names = sorted(_named(words) - ENVIRONMENT)
    return f"{ALLOWED}={','.join(names)} " if names else ""


def _named(words: Iterable[str]) -> set[str]:
    return {name for word in words for name in NAMED.findall(word)}


def check_texts(content: Any, where: str, but: Collection[str] = ()) -> None:
    """Check every ${...} of a file by itself, but those of some keys.

    Raises:
        UsageError: for a function or a variable that is not on the list; the message begins with `where` and the key.
    """
    for key, text in texts(content):
        if "${" not in text or key in but:
            continue
        place = f"{where}: {one_line(key)[:100]}"
        if "\\${" in text:
            raise UsageError(f"{place}: holds a \\${{, which would be filled in later")
        for function, variable in _calls(text, place):
            if function not in FUNCTIONS:
                legal = ", ".join(sorted(FUNCTIONS))
                raise UsageError(f"{place}: the function {one_line(function)[:60]} has no place here, only {legal}")
            if function == "oc.env" and variable not in allowed_variables():
                name = one_line(variable)[:60]
                raise UsageError(
                    f"{place}: reads the environment variable {name}, which is not on the list of docs/extend.md; "
                    f"{ALLOWED}={name if name.isidentifier() else 'NAME'} allows it"
                )


def check_growth(content: Any, where: str) -> None:
    """Check how long the values of a whole configuration would be with every ${...} filled in.

    Raises:
        UsageError: where they hold themselves, or grow beyond what a configuration is.
    """
    try:
        _Growth(content, where).check()
    except RecursionError as error:
        raise UsageError(f"{where}: a chain of its ${{...}} is too long") from error


def texts(content: Any, above: str = "") -> Iterator[tuple[str, str]]:
    """Every text of plain values, with its dotted key; of a mapping the keys too."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield f"{above}.{key}" if above else str(key), str(key)
            yield from texts(value, f"{above}.{key}" if above else str(key))
    elif isinstance(content, list):
        for i, value in enumerate(content):
            yield from texts(value, f"{above}.{i}" if above else str(i))
    elif isinstance(content, str):
        yield above, content


class _Growth:
    def __init__(self, content: Any, where: str) -> None:
        self._content, self._where = content, where
        self._known: dict[str, int | None] = {}

    def check(self) -> None:
        total = 0
        for key, text in texts(self._content):
            total += self._letters(key, text)
            if total > MOST_LETTERS:
                raise UsageError(f"{self._where}: {one_line(key)[:100]}: its ${{...}} stand for too much")

    def _letters(self, key: str, text: str) -> int:
        if "${" not in text:
            return len(text)
        place = f"{self._where}: {one_line(key)[:100]}"
        name = f"{key}\0{text}"
        if name in self._known:
            if (known := self._known[name]) is None:
                raise UsageError(f"{place}: its ${{...}} stand for itself")
            return known
        self._known[name] = None
        found = len(text) + sum(map(self._of_node, _references(text, key, place)))
        if found > MOST_LETTERS or len(self._known) > MOST_LETTERS:
            raise UsageError(f"{place}: its ${{...}} stand for too much")
        self._known[name] = found
        return found

    def _of_node(self, key: str) -> int:
        node: Any = self._content
        for part in filter(None, key.split(".")):
            if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
                node = node[int(part)]
            elif isinstance(node, dict) and part in {str(own) for own in node}:
                node = next(value for own, value in node.items() if str(own) == part)
            else:
                return 1  # it is not there, or behind another ${...}, which counts where it stands
        return sum(self._letters(inner, text) for inner, text in texts(node, key)) + 1


def _tree(text: str, place: str) -> Any:
    from omegaconf.errors import GrammarParseError
    from omegaconf.grammar_parser import parse

    if len(text) > LONGEST:
        raise UsageError(f"{place}: is longer than {LONGEST:,} letters, with ${{...}} in it")
    try:
        return parse(text)
    except (GrammarParseError, RecursionError) as error:
        raise UsageError(f"{place}: its ${{...}} cannot be read") from error


def _walk(node: Any) -> Iterator[Any]:
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(getattr(found, "children", None) or ())


def _calls(text: str, place: str) -> Iterator[tuple[str, str]]:
    """The functions that a text calls, each with its first argument as it is written."""
    for node in _walk(_tree(text, place)):
        kind = type(node).__name__
        if kind == "InterpolationResolverContext":
            sequence = node.sequence()
            yield node.resolverName().getText(), sequence.element(0).getText() if sequence else ""
        elif kind == "InterpolationNodeContext" and any(
            type(inner).__name__ == "InterpolationContext" for part in node.configKey() for inner in _walk(part)
        ):
            raise UsageError(f"{place}: has a ${{...}} within the name in another one")


def _references(text: str, key: str, place: str) -> Iterator[str]:
    """The dotted keys that a text stands for, relative ones as seen from the root."""
    for node in _walk(_tree(text, place)):
        if type(node).__name__ == "InterpolationNodeContext":
            name = node.getText()[2:-1]
            dots = len(name) - len(name.lstrip("."))
            above = key.split(".")[:-dots] if dots else []
            yield ".".join([*above, name.lstrip(".").replace("[", ".").replace("]", "")])
