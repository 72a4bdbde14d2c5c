"""The one way in which a YAML file is read: bounded in bytes, values and depth before anything is made of it.

An alias counts as much as what it stands for: 400 bytes of aliases of aliases would keep OmegaConf busy for ever.
"""

from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from rnnvision.checks import one_line
from rnnvision.errors import UsageError
from rnnvision.regular import CONFIGURATION, read_bounded

MOST_VALUES = 20_000  # aliases filled in
MOST_LETTERS = 2**20  # aliases filled in
DEEPEST = 40
LONGEST_NUMBER = 400  # digits
PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq", "merge")}


def read_yaml(file: Path) -> DictConfig | ListConfig:
    """The content of a YAML file; an empty one holds no keys.

    Raises:
        UsageError: with the file, the line and what is wrong there.
    """
    text = _text(file)
    try:
        content = _parsed(file, text)
        return OmegaConf.create(content if isinstance(content, (dict, list)) else _pairs(file, content))
    except UsageError:
        raise
    except RecursionError as error:  # of OmegaConf's own grammar
        raise UsageError(f"{file}: is nested too deeply") from error
    except Exception as error:  # of YAML's and OmegaConf's many kinds
        raise UsageError(f"{file}{_where(error, text)}: {_why(error)}") from error


def read_pairs(file: Path) -> DictConfig:
    """The content of a YAML file of KEY: VALUE pairs.

    Raises:
        UsageError: with the file, the line and what is wrong there.
    """
    content = read_yaml(file)
    if not isinstance(content, DictConfig):
        raise UsageError(f"{file}: is no YAML of KEY: VALUE pairs but a list")
    return content


def yaml_fault(error: Exception) -> str | None:
    """An error of YAML's own, in a file that Hydra reads, on one line; None for other errors."""
    mark, position = getattr(error, "problem_mark", None), getattr(error, "position", None)
    if mark is not None:
        return f"{mark.name}, line {mark.line + 1}: {_why(error)}"
    if isinstance(position, int):  # of yaml's ReaderError, a character that cannot be
        return f"{getattr(error, 'name', 'a file')}, character {position + 1}: {_why(error)}"
    return None


def _text(file: Path) -> str:
    try:
        content = read_bounded(file, CONFIGURATION)
    except OSError as error:
        raise UsageError(f"{file}: is no YAML: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{file}: {error}") from error
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(f"{file}, line {line}: is not UTF-8; save it as UTF-8") from error


def _parsed(file: Path, text: str) -> Any:
    loader = _loader()(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return {}
        _size(node, file, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


@cache
def _loader() -> Any:
    """OmegaConf's loader, which here stops as soon as a file is too deep or has too many values."""
    import yaml
    from omegaconf._utils import get_yaml_loader

    class Bounded(get_yaml_loader()):  # type: ignore[misc]  # a class that is made at run time
        depth = values = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.values += 1
            self.depth += 1
            event = self.peek_event()
            if self.depth > DEEPEST or self.values > MOST_VALUES:
                what = f"deeper than {DEEPEST}" if self.depth > DEEPEST else f"more than {MOST_VALUES:,} values"
                raise yaml.MarkedYAMLError(problem=f"{what}, which no configuration is", problem_mark=event.start_mark)
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    return Bounded


def _size(node: Any, file: Path, known: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
    """The values and letters of a node with its aliases filled in.

    Raises:
        UsageError: where they are too many, where a node holds itself, and for a tag that makes an object.
    """
    if id(node) in known:
        if (found := known[id(node)]) is None:
            raise UsageError(f"{file}, line {node.start_mark.line + 1}: holds itself")
        return found
    known[id(node)] = None
    where = f"{file}, line {node.start_mark.line + 1}"
    if node.tag not in PLAIN:
        raise UsageError(f"{where}: the tag {_tag(node.tag)} has no place in a configuration")
    values, letters = 1, 0
    if isinstance(node.value, str):
        letters = len(node.value)
        if letters > LONGEST_NUMBER and node.tag.endswith((":int", ":float")):
            raise UsageError(f"{where}: is a number of {letters:,} digits")
    for item in node.value if isinstance(node.value, list) else ():
        for part in item if isinstance(item, tuple) else (item,):
            more = _size(part, file, known)
            values, letters = values + more[0], letters + more[1]
    if values > MOST_VALUES or letters > MOST_LETTERS:
        raise UsageError(f"{where}: its aliases (*) stand for more than any configuration holds")
    known[id(node)] = values, letters
    return values, letters


def _tag(tag: str) -> str:
    return one_line(tag.replace("tag:yaml.org,2002:", "!!"))[:60]


def _pairs(file: Path, content: object) -> dict[Any, Any]:
    if content is None:
        return {}
    raise UsageError(f"{file}: is no YAML of KEY: VALUE pairs but one value")


def _where(error: Exception, text: str) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f", line {mark.line + 1}"
    position = getattr(error, "position", None)  # of yaml's ReaderError
    return f", line {text[:position].count(chr(10)) + 1}" if isinstance(position, int) else ""


def _why(error: Exception) -> str:
    """What a parser has to say, on one line."""
    of_reader = getattr(error, "reason", None)  # a character that cannot be
    said = getattr(error, "problem", None) or of_reader
    if said is None:
        return f"is no configuration: {one_line(str(error).strip().partition(chr(10))[0])[:200]}"
    hint = "; indent with spaces" if "\\t" in str(said) else ""
    return f"is no YAML: {one_line(str(said))[:200]}{hint}"
