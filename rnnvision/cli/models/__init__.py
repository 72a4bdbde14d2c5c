"""rnnvision models [NAME]: the networks, layers, scans, data sets and recipes there are, and what each can be told."""

from collections.abc import Sequence
from pathlib import Path

from rnnvision.checks import nearest
from rnnvision.cli.frame.command_line.files import config_dir, own_folder
from rnnvision.cli.frame.command_line.plain import read_settings, run_plain
from rnnvision.cli.frame.early.starting import announce
from rnnvision.cli.models.pages import closing, listing, page
from rnnvision.cli.models.parts import GROUPS, TITLES, Part, options, registered
from rnnvision.errors import UsageError

USAGE = """Lists what a command can choose, a line each: networks, layers, readouts, scans, orders, data sets, recipes.

  rnnvision models                        all of them
  rnnvision models experiment             of one kind
  rnnvision models lstm                   what lstm is, the command that trains it, and its options
  rnnvision models plugins=[my_module]    with the parts of a module of your own

  name: null           # a part, or a kind of parts; null: all of them
  plugins: []          # modules of your own that register networks, layers, scans, data sets (docs/extend.md)
  --config-dir FOLDER  # options of your own: FOLDER/GROUP/OPTION.yaml"""


def main() -> None:
    run_plain("models", USAGE, models)


def models(words: list[str]) -> None:
    """Print the list, or the page of each part of one name."""
    given = read_settings("models", words, flags=("--config-dir",))
    folders = [config_dir(), *filter(None, [own_folder(words)])]
    plugins = [name for name in given.get("plugins", "").strip("[]").split(",") if name]
    name = given.get("name", "null")
    announce("models", "")
    parts = _parts(folders, plugins)
    if name == "null":
        print("\n".join([*listing(parts), closing()]))
        return
    if name in GROUPS:
        print("\n".join(listing(options(name, folders))))
        return
    if name in TITLES:
        print("\n".join(listing([part for part in parts if part.kind == name])))
        return
    parts += [part for group in GROUPS for part in options(group, folders)]
    found = [part for part in parts if part.name == name]
    if not found:
        raise UsageError(_no_such(name, parts, words))
    print("\n\n".join("\n".join(page(part, folders)) for part in found).rstrip())


def _parts(folders: Sequence[Path], plugins: Sequence[str]) -> list[Part]:
    """All parts, in the order of `TITLES`."""
    found = [part for group in TITLES for part in options(group, folders)] + registered(folders, plugins)
    return sorted(found, key=lambda part: list(TITLES).index(part.kind))


def _no_such(name: str, parts: Sequence[Part], words: Sequence[str]) -> str:
    names = [*(part.name for part in parts), *TITLES, *GROUPS]
    near = next((other for other in names if len(name) > 2 and name in other), None) or nearest(name, names)
    if near is None:
        return f"{name}: there is no such part; rnnvision models lists them"
    right = " ".join(word.replace(name, near, 1) for word in words)
    return f"{name}: there is no such part; did you mean {near}? Try: rnnvision models {right}"
