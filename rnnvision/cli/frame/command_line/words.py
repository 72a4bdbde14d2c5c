"""Words of a command line as they are written: quoted so that the shell and Hydra read back the same values."""

import re
import shlex
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from rnnvision.cli.frame.paths import PATH_KEYS

# Those of Hydra 1.3; the second ones take a value.
SHORT_FLAGS = ("-h", "-r", "-m", "-sc")
FLAGS = ("--help", "--hydra-help", "--version", "--resolve", "--run", "--multirun", "--shell-completion", *SHORT_FLAGS)
FOLDER_FLAGS = ("--config-dir", "-cd", "--config-path", "-cp")
NAME_FLAGS = ("--config-name", "-cn", "--cfg", "-c", "--info", "-i", "--package", "-p")
VALUE_FLAGS = (*FOLDER_FLAGS, *NAME_FLAGS)
MULTIRUN = ("-m", "--multirun")
NO_RUNS = {*FLAGS, "--cfg", "-c", "--info", "-i"} - {*MULTIRUN}  # flags that ask for something else than runs

QUOTED_PATH = re.compile(r'"[\w./][\w./=+@%-]*"')


@cache
def _parser() -> OverridesParser:
    return OverridesParser.create()


def parsed(word: str) -> Override | None:
    """What Hydra reads in a word; None where it cannot."""
    try:
        return _parser().parse_override(word)
    except HydraException:
        return None


def key_of(word: str) -> str:
    """The key of KEY=VALUE, +KEY=VALUE or ~KEY."""
    return word.lstrip("+~").partition("=")[0]


def override(key: str, text: object) -> str:
    """KEY=TEXT as a word that Hydra reads back as exactly this text, quoted only where it has to be.

    Examples:
        >>> override("resume", "logs/train/latest")
        'resume=logs/train/latest'
        >>> override("data.root", "my pics (1)")
        'data.root="my pics (1)"'
        >>> override("name", "2026")
        'name="2026"'
    """
    text = str(text)
    bare = f"{key}={text}"
    read = parsed(bare)
    if text and read is not None and not read.is_sweep_override() and read.value() == text and "${" not in text:
        return bare
    literal = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)  # no interpolation of OmegaConf's
    return f"{key}={QuotedString(literal, Quote.double).with_quotes()}"


def command(words: Iterable[str], program: str | None = None) -> str:
    """A whole command, ready to copy into a shell; by default of the program that was called."""
    return " ".join([program or program_typed(), *(shlex.quote(_without_quotes(word)) for word in words)])


def _without_quotes(word: str) -> str:
    """A path without the quotes that Hydra needs: the command line takes any text for one, see `read_command`."""
    key, _, text = word.partition("=")
    plain = key in PATH_KEYS and QUOTED_PATH.fullmatch(text)
    return f"{key}={text[1:-1]}" if plain and text != '"null"' else word


def program_typed() -> str:
    """What was typed before the settings: the script of a checkout, or the verb."""
    called = Path(sys.argv[0])
    if called.name == "train.py" and called.is_file():
        return "python train.py"
    return f"rnnvision {called.parent.name if called.stem == '__main__' else called.stem}"


def yaml_text(value: object) -> str:
    """A value as it is written in a configuration.

    Examples:
        >>> yaml_text(None), yaml_text(True), yaml_text(1.0)
        ('null', 'true', '1.0')
    """
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
