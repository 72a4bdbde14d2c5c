"""The keys of a verb under Hydra, and the values of those that have a list of them, from the text of conf/ alone."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from rnnvision.cli.frame.command_line.files import Line, bases_of, lines_of, merged_lines, option_file, options_of
from rnnvision.cli.frame.command_line.refused import REFUSED

CHOICE = re.compile(r"- override /?(\w+): (\w+)")
PACKAGE = re.compile(r"# @package (\S+)")
PROSE = re.compile(r"\b(a|an|and|are|as|at|by|for|from|in|is|it|more|no|of|on|or|per|than|that|the|to|where|with)\b")


class Keys:
    """The keys of a command, given the words that it has so far.

    Args:
        verb: the name of a file in conf/.
        words: of the command; a group that they choose brings the keys of that option.
        folders: conf/, and the user's own folder where there is one.
    """

    def __init__(self, verb: str, words: Sequence[str], folders: Sequence[Path]) -> None:
        self.verb = verb
        self.words = words
        self.folders = folders

    def next(self, typed: str) -> Iterator[str]:
        """The keys that begin like this, up to the next dot or the end: model. model= model.norm= ..."""
        for key in [*self._groups, *self._lines]:
            if key.startswith(typed) and key not in REFUSED.get(self.verb, {}):
                at = key.find(".", len(typed))
                if at < 0:
                    yield f"{key}="
                elif typed or not key.startswith("hydra."):
                    yield key[: at + 1]

    def values(self, key: str) -> list[str]:
        """The options of a group, or the values of a key that are listed beside it; [] where there is no list."""
        if key in self._groups:
            return options_of(self.folders, key)
        if key == "models" and self.verb == "compare":
            return options_of(self.folders, "model")
        line = self._lines.get(key)
        return listed(line) if line else []

    @cached_property
    def _files(self) -> list[Path]:
        """The file of the verb, after those of verbs that it begins with."""
        found, waiting = list[Path](), [self.verb]
        while waiting:
            file = self.folders[0] / f"{waiting.pop()}.yaml"
            found.insert(0, file)
            waiting += bases_of(file)
        return found

    @cached_property
    def _groups(self) -> dict[str, str]:
        """The groups of the verb, each with the option that is chosen: by a word, an experiment, or by default."""
        found = {
            line.key.partition(".")[2]: line.value
            for file in self._files
            for line in lines_of(file)
            if line.key.startswith("defaults.")
        }
        typed = {key: value for word in self.words for key, _, value in [word.partition("=")] if key in found}
        for group in ("experiment", "sweep", "debug"):
            for option in _names(typed.get(group, "")):
                found |= {key: value for key, value in self._chosen_by(group, option) if key in found}
        return found | typed

    def _chosen_by(self, group: str, option: str) -> Iterator[tuple[str, str]]:
        file = option_file(self.folders, group, option)
        if file is not None:
            for base in bases_of(file):
                yield from self._chosen_by(group, base)
            yield from CHOICE.findall(file.read_text(encoding="utf-8"))

    @cached_property
    def _lines(self) -> dict[str, Line]:
        """Every key but the groups, dotted."""
        own = [line for file in self._files for line in lines_of(file) if not line.key.startswith("defaults")]
        found = {line.key: line for line in own if line.value}
        for group, options in self._groups.items():
            for option in _names(options):
                for line in merged_lines(self.folders, group, option):
                    key = f"{self._package(group, option)}{line.key}"
                    found[key] = line if line.comment or key not in found else found[key]
        return {key: line for key, line in found.items() if not key.rpartition(".")[2].startswith("_")}

    def _package(self, group: str, option: str) -> str:
        """Where the keys of an option lie: in a mapping named like its group, unless its file says otherwise."""
        file = option_file(self.folders, group, option)
        match = PACKAGE.search(file.read_text(encoding="utf-8")) if file else None
        name = match[1] if match else group
        return "" if name == "_global_" else f"{name}."


def _names(options: str) -> list[str]:
    """The options of OPTION, [OPTION,OPTION], or OPTION,OPTION."""
    return [name for name in options.strip("[]").split(",") if name]


def listed(line: Line) -> list[str]:
    """The values that the comment beside a key begins with, as in `readout: last  # last mean max`.

    Examples:
        >>> listed(Line("readout", "last", "last mean max first_last attention"))
        ['last', 'mean', 'max', 'first_last', 'attention']
        >>> listed(Line("norm", "false", "of plain blocks"))
        ['true', 'false']
        >>> listed(Line("hidden_size", "128", "features of a state"))
        []
    """
    if line.value in ("true", "false"):
        return ["true", "false"]
    first = re.split(r"[:;,.]", line.comment)[0]
    words = first.split()
    names = len(words) > 1 and all(re.fullmatch(r"[a-z]\w*", word) for word in words)
    is_list = line.value in words or (line.value == "null" and not PROSE.search(first))
    return words if names and is_list else []
