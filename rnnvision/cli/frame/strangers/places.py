"""Places that the configuration of a run names beside its folder: where to write, and which server to speak to.

Whoever resumes a run of others has not chosen these. Each has to be typed again, or lies in the folder of the run.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from rnnvision.checks import one_line
from rnnvision.cli.frame.arguments import plain, typed_words
from rnnvision.cli.frame.command_line.words import command, key_of, override
from rnnvision.cli.frame.strangers.reach import CACHE, FOLDERS, NAMES, SERVERS, leads_out
from rnnvision.cli.frame.strangers.rules import TRUST, is_trusted
from rnnvision.errors import UsageError
from rnnvision.runs.read import CONFIG

SQLITE = "sqlite:///"
PLACELESS = ("seed", "model", "optimizer", "scheduler", "augmentation", "trainer", "loss", "label_smoothing")


def places_of(config: DictConfig) -> tuple[str, ...]:
    """The words that name the places of a configuration of the user's own once more, where its run is gone on with."""
    keys = [CACHE]
    for group in ("logger", "callbacks"):
        made = OmegaConf.to_container(node, resolve=False) if OmegaConf.is_dict(node := config.get(group)) else {}
        for name, made_of in cast(dict[str, Any], made).items():
            keys += [f"{group}.{name}.{key}" for key, value in _texts(made_of) if "${hydra:" not in value]
    values = {key: OmegaConf.select(config, key) for key in keys}
    return tuple(override(f"++{key}", value) for key, value in values.items() if isinstance(value, str))


def _texts(made_of: Any) -> Iterator[tuple[str, str]]:
    """The folders and servers of an object, and names that lead out of a folder."""
    for key, value in made_of.items() if isinstance(made_of, dict) else ():
        if isinstance(value, str) and (key in (*FOLDERS, *SERVERS) or (key in NAMES and leads_out(value))):
            yield key, value


class Places:
    """The places of jobs, by their words; composed once for all that do not differ in what could name a place."""

    def __init__(self, compose: Callable[[Sequence[str]], DictConfig]) -> None:
        self._compose = compose
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}

    def __call__(self, words: Sequence[str]) -> tuple[str, ...]:
        which = tuple(word for word in words if key_of(word).partition(".")[0] not in PLACELESS)
        if which not in self._known:
            self._known[which] = places_of(self._compose(words))
        return self._known[which]


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
            yield from ((f"{group}.{name}.{key}", value) for key, value in _strange(made_of, folder))


def _strange(made_of: Any, folder: Path) -> Iterator[tuple[str, str]]:
    for key, value in _texts(made_of):
        is_own = Path(value).resolve().is_relative_to(folder) if key in FOLDERS else _is_above(value, folder)
        if key in NAMES or not is_own:
            yield key, value


def _is_above(address: str, folder: Path) -> bool:
    """Whether an address is the user's, or a database in a file where that of all runs lies, see conf/logger."""
    if address == os.environ.get("MLFLOW_TRACKING_URI"):
        return True
    if not address.startswith(SQLITE) or "?" in address:
        return False
    file = Path(address.removeprefix(SQLITE))
    is_usual = file.name == "mlflow.db" and not leads_out(str(file))  # below the folder of the command, as in logs/
    return is_usual or folder.is_relative_to(file.resolve().parent)
