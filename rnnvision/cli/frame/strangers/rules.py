"""What a configuration of others may say: values, and options of groups; nothing of Hydra's own, and no objects."""

import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnvision.checks import one_line
from rnnvision.cli.frame.arguments import ALLOWED_TARGETS
from rnnvision.cli.frame.command_line.words import command
from rnnvision.cli.frame.strangers.interpolations import check_growth, check_texts
from rnnvision.cli.frame.strangers.reading import read_pairs
from rnnvision.errors import UsageError
from rnnvision.runs.read import CONFIG

TRUST = "RNNVISION_TRUST_CONFIG"
OF_INSTANTIATE = ("_args_", "_partial_", "_convert_", "_recursive_")
MISUSE = "could make Hydra write elsewhere, or run code"


def is_trusted() -> bool:
    """Whether the user vouches for the configurations that are read."""
    return os.environ.get(TRUST) == "1"


def read_run_config(folder: Path, replaced: Collection[str] = ()) -> DictConfig:
    """The configuration of a run folder, whoever made that; of the `replaced` keys the user has given values anew.

    Raises:
        UsageError: for what cannot be read, and for what it may not ask for.
    """
    file = folder / CONFIG
    found = read_pairs(file)
    content = OmegaConf.to_container(found, resolve=False)
    if not is_trusted():
        _check_objects(content, one_line(file))
        check_texts(content, one_line(file), but=replaced)
    check_growth(content, one_line(file))
    return found


def check_option(content: DictConfig | Any, file: Path, name: str, package: str | None) -> None:
    """Check a file of a folder of configurations that Hydra is about to use.

    Args:
        content: of the file.
        file: where it lies.
        name: of the file as Hydra asks for it, with its group: experiment/mine.
        package: what its header says.

    Raises:
        UsageError: for what it may not ask for; with what lets it.
    """
    if is_trusted():
        return
    values = OmegaConf.to_container(content, resolve=False)
    shown = one_line(file)
    if name.strip("/").partition("/")[0] == "hydra":
        _refuse(shown, f"is an option of Hydra's own, which {MISUSE}")
    if package is not None and "hydra" in package.replace("@", ".").split("."):
        _refuse(shown, f"its package {package} is Hydra's own, which {MISUSE}")
    if isinstance(values, dict):
        for key in _of_hydra(values.get("hydra")):
            _refuse(shown, f"{one_line(key)[:100]} is Hydra's own, which {MISUSE}")
        for entry in _defaults(values.get("defaults")):
            if "hydra" in _parts(entry):
                _refuse(shown, f"its defaults choose {one_line(entry)[:100]}, an option of Hydra's, which {MISUSE}")
            if ".." in entry or "://" in entry or "\0" in entry:
                _refuse(shown, f"its defaults name {one_line(entry)[:100]}, a file outside of the folder")
    _check_objects(values, shown)
    check_texts(values, shown)
    if (sweep := _sweep_params(values)) is not None:
        for key, value in sweep.items():
            if "hydra" in _parts(str(key)) or "hydra" in _parts(str(value)):
                _refuse(shown, f"hydra.sweeper.params: {one_line(key)[:100]} is Hydra's own, which {MISUSE}")


def _of_hydra(node: Any) -> Iterator[str]:
    """The keys of Hydra's own that are set, but for the several values of a sweep."""
    if not isinstance(node, dict):
        if node is not None:
            yield "hydra"
        return
    for key, value in node.items():
        if key != "sweeper" or not isinstance(value, dict):
            yield f"hydra.{key}"
        else:
            yield from (f"hydra.sweeper.{inner}" for inner in value if inner != "params")


def _sweep_params(values: Any) -> dict[Any, Any] | None:
    sweeper = values.get("hydra", {}).get("sweeper") if isinstance(values.get("hydra"), dict) else None
    params = sweeper.get("params") if isinstance(sweeper, dict) else None
    return params if isinstance(params, dict) else None


def _defaults(listed: Any) -> Iterator[str]:
    """Every word of a defaults list: GROUP, OPTION, of both, and packages."""
    for entry in listed if isinstance(listed, list) else []:
        for key, value in entry.items() if isinstance(entry, dict) else [(entry, "")]:
            for option in value if isinstance(value, list) else [value]:
                yield f"{key}: {option}" if option not in ("", None) else str(key)


def _parts(text: str) -> list[str]:
    """A word of a defaults list, or a key, cut into names."""
    for letter in "/@.: =+~":
        text = text.replace(letter, " ")
    return text.split()


def _check_objects(node: Any, where: str, above: str = "") -> None:
    """Refuse an object that is not on the list, wherever it stands."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        place = f"{above}.{key}" if above else str(key)
        if key in OF_INSTANTIATE:
            _refuse(where, f"{one_line(place)[:100]} changes how an object is made, which {MISUSE}")
        if key == "_target_" and value not in ALLOWED_TARGETS:
            target = one_line(value)[:80]
            raise UsageError(
                f"{where}: {one_line(place)[:100]}={target}: choose one of {', '.join(sorted(ALLOWED_TARGETS))}"
            )
        if isinstance(value, (dict, list)):
            _check_objects(value, where, place)


def _refuse(where: str, why: str) -> None:
    trusted = f"{TRUST}=1 {command(sys.argv[1:])}"
    raise UsageError(f"{where}: {why}; if you trust whoever wrote it: {trusted}")
