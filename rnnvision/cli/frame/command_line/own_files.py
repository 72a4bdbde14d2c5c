"""The user's own YAML files: what is wrong in one, with its line."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from rnnvision.cli.frame.command_line.groups import options_in
from rnnvision.cli.frame.command_line.words import parsed
from rnnvision.errors import UsageError

PACKAGE = re.compile(r"^(?:\s*#.*\n|\s*\n)*?\s*#\s*@package\s+(\S+)")  # among the comments at the top


def yaml_fault(error: Exception) -> str | None:
    """A parser's error on one line: FILE, line N: what is wrong; None for other errors."""
    mark = getattr(error, "problem_mark", None)  # of yaml.MarkedYAMLError; yaml itself is a package of omegaconf's
    if mark is None:
        return None
    why = str(getattr(error, "problem", None) or "cannot be read")
    hint = "; indent with spaces" if "\\t" in why else ""
    return f"{mark.name}, line {mark.line + 1}: is no YAML: {why}{hint}"


def check_own_files(words: Iterable[str], folder: Path | None, conf: Path) -> None:
    """Read every option of the user's own that the words choose, so that a fault in one is told before anything runs.

    Raises:
        UsageError: with the file, and the line where the parser says it.
    """
    if folder is None:
        return
    for word in words:
        found = parsed(word)
        if found is None or found.is_delete():
            continue
        for option in options_in(found):
            for name in option if isinstance(option, list) else [option]:
                file = folder / found.key_or_group / f"{name}.yaml"
                if isinstance(name, str) and file.is_file():
                    check_file(file)
                    _check_package(file, package_of(found.key_or_group, conf))


def check_file(file: Path) -> None:
    """Check that a file is YAML, and KEY: VALUE pairs.

    Raises:
        UsageError: with the file, and the line where the parser says it.
    """
    try:
        file.read_bytes().decode()
        content = OmegaConf.load(file)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError(f"{file}, line {line}: is not UTF-8; save it as UTF-8") from error
    except OSError as error:
        raise UsageError(f"{file}: is no YAML: {error.strerror or error}") from error
    except Exception as error:
        if (fault := yaml_fault(error)) is None:
            raise
        raise UsageError(fault) from error
    if not isinstance(content, DictConfig):
        raise UsageError(f"{file}: is no YAML of KEY: VALUE pairs but a list")


@cache
def package_of(group: str, conf: Path) -> str | None:
    """Where the values of a group's options belong, if not under the group's own name."""
    for file in sorted((conf / group).glob("*.yaml")):
        if found := PACKAGE.search(file.read_text(encoding="utf-8")):
            return found[1]
    return None


def _check_package(file: Path, package: str | None) -> None:
    found = PACKAGE.match(file.read_text(encoding="utf-8"))
    if package and (found is None or found[1] != package):
        raise UsageError(f"{file}: its values would be of no use; its first line has to be: # @package {package}")
