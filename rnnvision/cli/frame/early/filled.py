"""What a composed configuration has to hold whatever the verb: each ${...} stands for something, each path is one."""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnvision.cli.frame.command_line.words import yaml_text
from rnnvision.cli.frame.paths import OR_WORDS, PATH_KEYS, PATH_LISTS
from rnnvision.errors import UsageError

LONGEST_TEXT = 4096  # characters, as a path of Linux
SHOWN = 60
OR_OTHERS = ("invert", "average")  # true, false, or a word
NEEDED = ("log_dir", "hydra.run.dir")  # paths that cannot be null
BELOW_ROOT = ("data.labels", "data.images")
LATER = ("hydra:runtime.output_dir", "hydra:job.")  # what is known only when there is a run folder


def check_filled(config: DictConfig) -> None:
    """Refuse a ${...} that stands for nothing, and ???, before something needs its value.

    Raises:
        UsageError: with the key, and the text as it is written, since what it stands for may be secret.
    """
    for key in map(str, config):
        if key != "hydra":
            _check_entry(config, key, key)


def _check_entry(node: Any, key: Any, name: str) -> None:
    if OmegaConf.is_missing(node, key):
        raise UsageError(f"{name}=???: has no value; give one")
    written = node._get_node(key)
    if OmegaConf.is_interpolation(node, key):
        text = str(written._value())
        if any(part in text for part in LATER):
            return
        try:
            written = node[key]
        except (OmegaConfBaseException, RecursionError) as error:
            why = (
                str(error)
                .strip()
                .partition("\n")[0]
                .rpartition(" raised while resolving interpolation: ")[2]
                .strip('"')
            )
            raise UsageError(f"{name}={text}: {why or 'refers to itself'}; give a value") from error
        if written is None and "hydra:" in text:  # of which Hydra makes null
            raise UsageError(f"{name}={text}: Hydra has no such setting; give a value")
    for inner, part in _entries(written):
        _check_entry(written, inner, f"{name}{part}")


def _entries(node: Any) -> Iterator[tuple[Any, str]]:
    """The keys of a mapping, the places of a list, each as it is written after the node's own name."""
    if isinstance(node, DictConfig) and not (node._is_none() or node._is_missing()):
        yield from ((key, f".{key!s}") for key in node)
    elif isinstance(node, ListConfig) and not (node._is_none() or node._is_missing()):
        yield from ((place, f"[{place}]") for place in range(len(node)))


def check_sizes(node: Any, name: str = "") -> None:
    """Refuse a text that is longer than a path or any word can be.

    Raises:
        UsageError: with the key, and how long it is.
    """
    for key, part in _entries(node):
        if name or key != "hydra":
            value = None if OmegaConf.is_missing(node, key) else node[key]
            check_sizes(value, f"{name}{part}")
            if isinstance(value, str) and len(value) > LONGEST_TEXT:
                full = f"{name}{part}".removeprefix(".")
                raise UsageError(
                    f"{full}={value[:SHOWN]!s}...: has {len(value):,} characters; at most {LONGEST_TEXT:,}"
                )


def check_switches(config: DictConfig, usual: Mapping[str, Any]) -> None:
    """Refuse anything but true and false for the keys of a verb whose usual value is one of them.

    Raises:
        UsageError: with the key.
    """
    for key, value in usual.items():
        if isinstance(value, bool) and key not in OR_OTHERS and key in config and not isinstance(config[key], bool):
            raise UsageError(f"{key}={yaml_text(config[key])}: must be true or false")


def check_path_values(config: DictConfig) -> None:
    """Refuse what is no path where one is meant: nothing at all, or KEY: VALUE pairs.

    Raises:
        UsageError: with the key.
    """
    for key in (*PATH_KEYS, *OR_WORDS, *BELOW_ROOT):
        if (key.startswith("hydra.") and key != "hydra.run.dir") or key.partition(".")[0] not in config:
            continue
        value = OmegaConf.select(config, key)
        needed = "give a path" if key in NEEDED else "give a path, or null"
        if isinstance(value, str):
            if not value.strip():
                raise UsageError(f"{key}=: names no folder or file; {needed}")
            if "\0" in value or any(len(part.encode(errors="replace")) > 255 for part in value.split("/")):
                raise UsageError(f"{key}={value[:SHOWN]!s}...: is no path; a name has 255 bytes at most")
        elif isinstance(value, ListConfig) and key in PATH_LISTS:
            if not all(isinstance(one, str) and one.strip() for one in value):
                raise UsageError(f"{key}={list(value)}: must be a list of paths")
        elif not (value is None and key not in NEEDED) and not (key in OR_WORDS and isinstance(value, bool)):
            raise UsageError(f"{key}={yaml_text(value)}: must be a path; {needed}")
