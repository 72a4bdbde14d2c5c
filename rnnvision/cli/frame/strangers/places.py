"""Places that the configuration of a run names beside its folder: where to write, and which server to speak to.

Whoever resumes a run of others has not chosen these. Each has to be typed again, or lies in the folder of the run.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnvision.checks import one_line
from rnnvision.cli.frame.arguments import plain, typed_words
from rnnvision.cli.frame.command_line.words import command, key_of, override
from rnnvision.cli.frame.strangers.reach import CACHE, FOLDERS, NAMES, SERVERS, leads_out
from rnnvision.cli.frame.strangers.rules import TRUST, is_trusted
from rnnvision.errors import UsageError
from rnnvision.runs.read import CONFIG

OF_PLACES = re.compile(rf"{CACHE}|(logger|callbacks)\.\w+\.({'|'.join((*FOLDERS, *NAMES, *SERVERS))})")
SQLITE = "sqlite:///"


def places_among(words: Iterable[str]) -> tuple[str, ...]:
    """The words of a command that choose such a place, which a job that goes on with its run is told again."""
    return tuple(f"++{word.lstrip('+')}" for word in words if OF_PLACES.fullmatch(key_of(word)))


def check_places(config: DictConfig, folder: Path, own: DictConfig) -> None:
    """Refuse a place outside of the folder of a run that is gone on with, unless the command itself names it.

    Args:
        config: of the run, which others may have written.
        folder: of the run.
        own: what the command asks for, composed.

    Raises:
        UsageError: that says what to type.
    """
    if is_trusted():
        return
    for key, value in _outside(config, folder.resolve()):
        if OmegaConf.select(own, key) != value:
            again = command([*typed_words(), override(f"++{key}", value)])
            raise UsageError(
                f"{one_line(folder / CONFIG)}: {key}={one_line(value)[:200]} lies outside of the folder of the run; if "
                f"you want that, type {again}; if you trust whoever wrote all of it: {TRUST}=1"
            )


def _outside(config: DictConfig, folder: Path) -> Iterator[tuple[str, str]]:
    """The places that are not below a folder: key and value."""
    if isinstance(cache := OmegaConf.select(config, CACHE), str):
        yield CACHE, cache
    for group in ("logger", "callbacks"):
        for name, made_of in (plain(config.get(group)) or {}).items():
            if isinstance(made_of, dict):
                yield from ((f"{group}.{name}.{key}", value) for key, value in _strange(made_of, folder))


def _strange(made_of: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    texts = {key: value for key, value in made_of.items() if isinstance(value, str)}
    for key in FOLDERS:
        if key in texts and not Path(texts[key]).resolve().is_relative_to(folder):
            yield key, texts[key]
    for key in NAMES:
        if key in texts and leads_out(texts[key]):
            yield key, texts[key]
    for key in SERVERS:
        if key in texts and not _is_above(texts[key], folder):
            yield key, texts[key]


def _is_above(address: str, folder: Path) -> bool:
    """Whether an address is the user's, or a database in a file above the run, as that of all runs of log_dir."""
    if address == os.environ.get("MLFLOW_TRACKING_URI"):
        return True
    if not address.startswith(SQLITE) or "?" in address:
        return False
    return folder.is_relative_to(Path(address.removeprefix(SQLITE)).resolve().parent)
