"""A person's mistake becomes one message: what is wrong, what is legal, the nearest spelling, the corrected command."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnvision.checks import choose_one, nearest

CONFIG_ERRORS = (HydraException, OmegaConfBaseException)
LAYER = "model.layer."


def corrected(wrong: str, right: str) -> str:
    """The command that was typed, with `right` in place of `wrong`, ready to copy."""
    return " ".join([_program(), *(_quote(_replaced(word, wrong, right)) for word in sys.argv[1:])])


def _replaced(word: str, wrong: str, right: str) -> str:
    key, _, value = word.partition("=")
    wrong_key, _, wrong_option = wrong.partition("=")
    if key.lstrip("+~") != wrong_key:
        return word
    if not wrong_option:
        return word.replace(wrong, right, 1)
    return f"{key}=" + re.sub(rf"(?<!\w){re.escape(wrong_option)}(?!\w)", right.partition("=")[2], value)


def _program() -> str:
    """What was typed before the settings: the script of a checkout, or the verb."""
    called = Path(sys.argv[0])
    if called.name == "train.py" and called.is_file():
        return "python train.py"
    return f"rnnvision {called.parent.name if called.stem == '__main__' else called.stem}"


def _quote(word: str) -> str:
    return word if re.fullmatch(r"[\w@%+=:,./\[\]-]+", word) else shlex.quote(word)


def explain(error: Exception, config_dir: Path, config_name: str) -> str:
    """The message for an error that Hydra or OmegaConf raised while the configuration was put together."""
    if isinstance(error, MissingConfigException) and error.options is not None and error.missing_cfg_file:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        legal = [o for o in error.options if not o.startswith("_")]
        near = nearest(option, legal)
        return no_such(f"{group}={option}", legal, near and f"{group}={near}", f"{group}={option}")
    text = str(error)
    if isinstance(error, ConfigCompositionException) and (match := re.search(r"Could not override '([^']+)'", text)):
        key = match.group(1)
        config = _composed(config_dir, config_name)
        if key.startswith(LAYER) and "recurrence" in config.get("model", {}):
            return _layer_option(key, config)
        legal = _keys(config, config_dir, config_name)
        if below := _below(key, legal):
            return f"{key}: cannot be replaced as a whole; choose one of {', '.join(below)}"
        group, _, name = key.partition(".")
        if group in _chosen(config_dir, config_name) and (options := _options_with(name, config_dir / group)):
            others = f"those that have it are {group}={', '.join(options)}"
            return f"{key}: this {group} has no such key, {others}; choose one of {', '.join(_below(group, legal))}"
        near = nearest(key, (k for k in legal if k not in (key, group)))
        if near is None and "." in key:
            legal = [k for k in legal if k.startswith(key.partition(".")[0] + ".")]
        parent = (near or key).rpartition(".")[0]
        shown = dict.fromkeys(k for k in legal if k.rpartition(".")[0] == parent)
        return no_such(key, list(shown or dict.fromkeys(k.partition(".")[0] for k in legal)), near, key)
    if isinstance(error, OverrideParseException):
        return f"{error.override}: is not KEY=VALUE; {_as_it_should_be(str(error.override), config_name)}"
    if match := re.search(r"Ambiguous value for argument '([^']*)'", text):
        is_group = (config_dir / match[1].partition("=")[0]).is_dir()
        a_list = "" if is_group else f", or write a list as '{_as_list(match[1])}'"
        return f"{match[1]}: several values; add -m for a run each{a_list}"
    if cause := re.search(r"ValueError raised while resolving interpolation: (.*)", text):
        return cause.group(1)
    return text.strip().splitlines()[0]


def _as_it_should_be(word: str, verb: str) -> str:
    """What to type in place of a word that cannot be parsed."""
    if "=" not in word and Path(word).exists() and verb in ("evaluate", "benchmark"):
        return f"a checkpoint or the folder of a run is ckpt={word}"
    if word.startswith("models="):
        return """quote each network that has options, as 'models=[gru,"lstm model.scan=columns"]'"""
    return "quote what has spaces or brackets"


def _as_list(word: str) -> str:
    key, _, values = word.partition("=")
    return f"{key}=[{values}]"


def no_such(wrong: str, legal: list[str], near: str | None, typed: str) -> str:
    """A key or an option (KEY=VALUE) that there is not; `near` replaces `typed` in the corrected command."""
    hint = f"; did you mean {near}? Try: {corrected(typed, near)}" if near else ""
    return f"{wrong}: there is no such {'option' if '=' in wrong else 'key'}; choose one of {', '.join(legal)}{hint}"


def _below(key: str, keys: list[str]) -> list[str]:
    return [k for k in keys if k.rpartition(".")[0] == key]


def _chosen(config_dir: Path, config_name: str) -> set[str]:
    """The groups of which an option can be chosen for this verb."""
    defaults = cast(DictConfig, OmegaConf.load(config_dir / f"{config_name}.yaml")).get("defaults", [])
    return {str(name) for entry in defaults if OmegaConf.is_dict(entry) for name in entry}


def _options_with(key: str, group: Path) -> list[str]:
    """The options of a group whose files, or those that they begin with, have the key."""

    def has(file: Path) -> bool:
        node = cast(DictConfig, OmegaConf.load(file))
        bases = [group / f"{base}.yaml" for base in node.get("defaults", []) if isinstance(base, str)]
        return key in node or any(has(base) for base in bases if base.is_file())

    return sorted(file.stem for file in group.glob("*.yaml") if not file.stem.startswith("_") and has(file))


def _composed(config_dir: Path, config_name: str) -> DictConfig:
    """The configuration that the group choices on the command line give, else the default one."""
    from hydra import compose, initialize_config_dir

    groups = {p.name for p in config_dir.iterdir() if p.is_dir()}
    choices = [a for a in sys.argv[1:] if a.partition("=")[0] in {*groups, "model.recurrence"} and "," not in a]
    own = _typed_config_dir()
    found = [f"hydra.searchpath=['file://{own}']"] if own else []
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir)):
        try:
            return compose(config_name, overrides=[*found, *choices])
        except HydraException:
            return compose(config_name)


def _typed_config_dir() -> Path | None:
    """The folder that --config-dir names, absolute."""
    for word, following in zip(sys.argv, [*sys.argv[1:], ""], strict=True):
        if word in ("--config-dir", "-cd"):
            return Path(following).absolute()
        if word.startswith("--config-dir="):
            return Path(word.partition("=")[2]).absolute()
    return None


def _keys(config: DictConfig, config_dir: Path, config_name: str) -> list[str]:
    """Every key of a configuration, and the groups that a verb chooses from."""
    groups = {p.name for p in config_dir.iterdir() if p.is_dir()}
    groups = groups if config_name in ("train", "compare") else set()  # the other verbs read what a checkpoint says
    return [*_walk(OmegaConf.to_container(config, resolve=False)), *sorted(groups)]


def _layer_option(key: str, config: DictConfig) -> str:
    """A key of model.layer that the configuration does not have: what the layer is, and what it has."""
    from rnnvision.nn import RECURRENCES
    from rnnvision.nn.layers import no_such_option

    recurrence, name = str(config.model.recurrence), key.removeprefix(LAYER)
    if recurrence in RECURRENCES:
        if name in RECURRENCES[recurrence].options():
            return f"{key}: is not in this model's file; write it as +{key}=VALUE"
        return f"{key}: {no_such_option(name, recurrence)}"
    has = [f"{LAYER}{own}" for own in config.model.get("layer") or {}]  # of a plugin that is not imported yet
    known = f"; {choose_one(key, has)}" if has else ""
    return f"{key}: the file of this model (recurrence {recurrence}) has no such key{known}; +{key}=VALUE adds it"


def _walk(node: Any, prefix: str = "") -> Iterator[str]:
    for key, value in node.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _walk(value, f"{prefix}{key}.")
