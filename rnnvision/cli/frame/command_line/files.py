"""The files of conf/ and of the user's own folder, read as text: options, headings, keys with values and comments.

Nothing here imports Hydra or OmegaConf, so that a listing or a completion answers at once.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rnnvision.cli.frame.paths import expanded
from rnnvision.errors import UsageError

LINE = re.compile(r"(?P<indent>\s*)(?P<item>- )?(?P<key>[\w]+):(?P<value>[^#]*?)(?:\s+#\s*(?P<comment>.*))?$")
BASE = re.compile(r"\s*- (\w+)")


class Line(NamedTuple):
    """A key of a file, dotted, with its value and the comment beside it as they are written."""

    key: str
    value: str
    comment: str


def config_dir() -> Path:
    """The folder conf/: inside the installed package, else at the top of the checkout."""
    package = Path(__file__).resolve().parents[3]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise UsageError(f"conf/: not found in {package} or {package.parent}; install the package anew")


def own_folder(words: Sequence[str] | None = None) -> Path | None:
    """The folder that --config-dir names among the words, by default those of the command; absolute."""
    words = sys.argv if words is None else words
    for word, following in zip(words, [*words, ""][1:], strict=True):
        flag, equals, value = word.partition("=")
        if flag in ("--config-dir", "-cd"):
            return Path(expanded(value if equals else following)).absolute()
    return None


def options_of(folders: Sequence[Path], group: str) -> list[str]:
    """The options that a user may choose; those that begin with _ are parts of others."""
    files = [file for folder in folders for file in (folder / group).glob("*.yaml")]
    return sorted({file.stem for file in files if not file.stem.startswith("_")})


def lines_of(file: Path) -> list[Line]:
    """The keys of one file, not those of the files that it begins with; defaults.GROUP is an entry of its defaults."""
    found: list[Line] = []
    path: list[tuple[int, str]] = []
    for text in file.read_text(encoding="utf-8").splitlines():
        if (match := LINE.fullmatch(text)) is None:
            continue
        depth = len(match["indent"]) + len(match["item"] or "")
        path = [*(part for part in path if part[0] < depth), (depth, match["key"])]
        key = ".".join(name for _, name in path)
        found.append(Line(key, match["value"].strip(), match["comment"] or ""))
    return found


def bases_of(file: Path) -> list[str]:
    """The files that this one begins with: the plain names in its defaults list."""
    listed = file.read_text(encoding="utf-8").partition("defaults:\n")[2].splitlines()
    found = []
    for text in listed:
        if not text.lstrip().startswith("- "):
            break
        if (match := BASE.fullmatch(text.partition("#")[0].rstrip())) and match[1] != "_self_":
            found.append(match[1])
    return found


def heading_of(file: Path) -> list[str]:
    """The comment that a file opens with, line by line, without what is written for Hydra."""
    found = []
    for text in file.read_text(encoding="utf-8").splitlines():
        if not text.startswith("#"):
            break
        if not text.startswith("# @package"):
            found.append(text.removeprefix("#").strip())
    return found


def option_file(folders: Iterable[Path], group: str, option: str) -> Path | None:
    """The file of an option; that of the user's own folder, where it comes later, takes the place of ours."""
    files = [folder / group / f"{option}.yaml" for folder in folders]
    return next((file for file in reversed(files) if file.is_file()), None)


def merged_lines(folders: Sequence[Path], group: str, option: str) -> list[Line]:
    """The innermost keys of an option, those of the files that it begins with included; a later file's value counts."""
    file = option_file(folders, group, option)
    if file is None:
        return []
    found = {line.key: line for base in bases_of(file) for line in merged_lines(folders, group, base)}
    for line in lines_of(file):
        if line.key.partition(".")[0] != "defaults":
            before = found.get(line.key)
            found[line.key] = line if line.comment or before is None else line._replace(comment=before.comment)
    parents = {key.rpartition(".")[0] for key in found}
    return [line for line in found.values() if line.key not in parents]
