"""The keys and choices of a composed configuration: whether they are a verb's, whoever wrote them."""

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from rnnvision.checks import choose_one
from rnnvision.cli.frame.command_line.files import config_dir
from rnnvision.cli.frame.command_line.groups import SEVERAL, default_options
from rnnvision.cli.frame.command_line.own_files import misplaced, package_of, written
from rnnvision.cli.frame.command_line.words import yaml_text
from rnnvision.errors import UsageError


def check_keys(config: DictConfig, verb: str, choices: Mapping[Any, Any]) -> None:
    """Refuse a key that the verb does not read: one added with +, or misspelt in a file.

    Raises:
        UsageError: also for a file of a group whose header does not say where its values belong.
    """
    legal = _keys_of_file(verb)
    for key, value in written(config).items():
        if why := misplaced(key, value, verb, config_dir()):
            raise UsageError(f"{key}={yaml_text(value)}: {why}")
        if key in legal or key == "hydra":
            continue
        option = choices.get(key)
        if option is not None and (package := package_of(key, config_dir())):
            raise UsageError(
                f"{key}={option}: its values would be of no use; let the file begin with the line # @package {package}"
            )
        raise UsageError(f"{key}: there is no such key; {choose_one(key, legal)}")


@cache
def usual_values(verb: str) -> dict[str, Any]:
    """What stands in conf/<verb>.yaml, and in the file of a verb that it begins with; nothing is filled in."""
    file = cast(DictConfig, OmegaConf.load(config_dir() / f"{verb}.yaml"))
    parts = [entry for entry in file.get("defaults", []) if isinstance(entry, str) and entry != "_self_"]
    found = {key: value for part in parts for key, value in usual_values(part).items()}
    return found | {key: value for key, value in written(file).items() if key not in ("defaults", "hydra")}


def _keys_of_file(verb: str) -> list[str]:
    """The top-level keys of conf/<verb>.yaml, and of the file of a verb that it begins with."""
    keys = list(usual_values(verb))
    keys += [group for group in default_options(config_dir(), verb) if not package_of(group, config_dir())]
    keys += ["trainer"] if "device" in default_options(config_dir(), verb) else []
    return list(dict.fromkeys(keys))


def check_choices(config: DictConfig, verb: str) -> None:
    """What a file's defaults list chooses is held to the same rules as a word of the command line."""
    choices = config.hydra.runtime.choices
    for group in default_options(config_dir(), verb):
        option = choices.get(group)
        if str(option).startswith("_"):
            raise UsageError(f"{group}={option}: is a part of other options; choose one that does not begin with _")
        if option is None and group not in SEVERAL and package_of(group, config_dir()) is None and config.get(group):
            raise UsageError(f"{group}: a file chooses several options; {group} takes one")
