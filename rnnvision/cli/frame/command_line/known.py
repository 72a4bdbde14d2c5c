"""The keys and options that there are: of conf/, and of the user's own folder (--config-dir)."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from rnnvision.checks import nearest
from rnnvision.cli.frame.command_line.files import own_folder
from rnnvision.cli.frame.command_line.groups import default_options
from rnnvision.cli.frame.command_line.refused import NO_SWEEPS, REFUSED
from rnnvision.cli.frame.command_line.words import command, override
from rnnvision.cli.frame.paths import expanded

SYNONYMS = {  # what other programs call a key
    "data": ("dataset",),
    "data.root": ("folder", "path", "dir", "directory", "data_dir", "data_path"),
    "data.batch_size": ("batch", "bs"),
    "data.num_workers": ("workers",),
    "model": ("network", "net", "arch", "architecture"),
    "model.hidden_size": ("hidden", "units", "hidden_dim"),
    "model.num_layers": ("layers", "depth"),
    "optimizer": ("optim", "opt"),
    "optimizer.lr": ("learning_rate",),
    "optimizer.weight_decay": ("decay", "wd"),
    "trainer.max_epochs": ("epochs", "epoch", "num_epochs"),
    "trainer.max_steps": ("steps", "num_steps"),
    "trainer.devices": ("gpus",),
    "augmentation": ("augment", "aug"),
    "ckpt": ("checkpoint", "weights", "model_path"),
}
OTHER_OPTIONS = {"device=cuda": "gpu", "scheduler=none": "constant", "data=folder": "image_folder"}


def makes_sweeps(verb: str) -> bool:
    """Whether -m is of use to a verb."""
    return verb not in NO_SWEEPS


def refusal(key: str, verb: str, legal: Iterable[str] = ()) -> str | None:
    """What to do in place of a key, or of one that is meant by this spelling, that the verb sets itself."""
    refused = REFUSED.get(verb, {})
    near = key if key in refused else near_key(key, [*refused, *legal])
    return refused.get(near or "")


def near_key(key: str, legal: Iterable[str]) -> str | None:
    """The key that is meant by another name or spelling; None if none is close."""
    names = list(legal)
    word = key.rpartition(".")[2].lower()
    other = next((name for name, others in SYNONYMS.items() if word in others and name in names), None)
    return other or nearest(key, names)


def composed(conf: Path, verb: str, *, with_hydra: bool = False) -> DictConfig:
    """The configuration that the group choices on the command line give, else the default one."""
    from hydra import compose, initialize_config_dir

    choices = [word for word in sys.argv[1:] if _chooses(word, conf) and "," not in word]
    own = own_folder()
    found = [f"hydra.searchpath=['file://{own}']"] if own else []
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf)):
        try:
            return compose(verb, overrides=[*found, *choices], return_hydra_config=with_hydra)
        except HydraException:
            return compose(verb, return_hydra_config=with_hydra)


def _chooses(word: str, conf: Path) -> bool:
    key, equals, value = word.partition("=")
    return bool(equals and value) and (key == "model.recurrence" or (conf / key).is_dir())


def keys_of(verb: str, conf: Path) -> list[str]:
    """Every key of a verb's configuration, and the groups from which it chooses."""
    return keys(composed(conf, verb), conf, verb)


def keys(config: DictConfig, conf: Path, verb: str) -> list[str]:
    """Every key of a configuration, and the groups from which the verb chooses."""
    found = [*walk(OmegaConf.to_container(config, resolve=False)), *sorted(default_options(conf, verb))]
    return [key for key in found if key not in REFUSED.get(verb, {})]


def walk(node: Any, prefix: str = "") -> Iterator[str]:
    """The dotted keys of nested mappings."""
    for key, value in node.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from walk(value, f"{prefix}{key}.")


def below(key: str, keys: list[str]) -> list[str]:
    """Those of the dotted keys that lie directly below `key`."""
    return [k for k in keys if k.rpartition(".")[0] == key]


def options_with(key: str, group: Path) -> list[str]:
    """The options of a group whose files, or those that they begin with, have the key."""

    def has(file: Path) -> bool:
        node = cast(DictConfig, OmegaConf.load(file))
        bases = [group / f"{base}.yaml" for base in node.get("defaults", []) if isinstance(base, str)]
        return key in node or any(has(base) for base in bases if base.is_file())

    return sorted(file.stem for file in group.glob("*.yaml") if not file.stem.startswith("_") and has(file))


def unchosen(node: DictConfig | None, group: str, name: str, conf: Path) -> str | None:
    """Of a key that the callback or logger of an option would have which is not chosen: the option, what to type."""
    part, _, inner = name.partition(".")
    if node is None or part in node or not (options := options_with(part, conf / group)):
        return None
    option = part if part in options else options[0]
    has = cast(DictConfig, OmegaConf.load(conf / group / f"{option}.yaml"))[part]
    if inner not in has:
        return f"is of {group}={option}, which is not chosen; it has {', '.join(k for k in has if k != '_target_')}"
    typed = next((word for word in sys.argv[1:] if word.startswith(f"{group}=")), "")
    value = typed.partition("=")[2]
    if "," in value and not value.startswith("["):
        return f"is of {group}={option}, which is not chosen in every run"
    chosen = [one for one in value.strip("[]").split(",") if one not in ("", "none", "null")]
    right = f"{group}=[{','.join([*chosen, option])}]" if chosen else f"{group}={option}"
    words = [right if word == typed else word for word in sys.argv[1:]]
    return f"is of {group}={option}, which is not chosen. Try: {command(words if typed else [right, *words])}"


def places_of(group: str, option: str, conf: Path) -> tuple[list[str], str, str] | None:
    """Where an option is that the group does not have: the flags to add, the word to type, and what it is.

    It may be an option of another group, or a file of the user's in a folder that --config-dir would name.
    """
    name = Path(option).stem if option.endswith((".yaml", ".yml")) else option
    if not name or Path(option).name != option:
        return _place_of_path(group, option)
    own = own_folder()
    here = [] if own else [path for path in (Path(), *sorted(Path().glob("*/"))) if not path.name.startswith(".")]
    for folder in here:
        if (folder / group / f"{name}.yaml").is_file():
            file = folder / group / f"{name}.yaml"
            return ["--config-dir", str(folder)], f"{group}={name}", f"{file} is found with --config-dir"
    for other in sorted(path.parent.name for path in conf.glob(f"*/{name}.yaml")):
        return [], f"{other}={name}", f"{name} is an option of {other}"
    return None


def _place_of_path(group: str, option: str) -> tuple[list[str], str, str] | None:
    """Where an option is that was typed as a path: a folder of images, or a file of the user's own."""
    path = Path(expanded(option))
    if group == "data" and path.is_dir():
        return [override("data.root", option)], "data=image_folder", f"{option} is a folder"
    file = path if path.suffix in (".yaml", ".yml") else Path(f"{path}.yaml")
    if not file.is_file():
        return None
    folder = str(file.parent.parent) if file.parent.name == group else "FOLDER"
    place = f"{file} is found" if folder != "FOLDER" else f"move {file.name} to FOLDER/{group}/, where it is found"
    flags = [] if own_folder() == Path(folder).absolute() else ["--config-dir", folder]
    return flags, f"{group}={file.stem}", f"{place} with --config-dir"


def own_file_with(text: str) -> Path | None:
    """The file of the user's own, chosen on the command line, that has this text."""
    own = own_folder()
    for word in sys.argv[1:] if own else []:
        group, _, options = word.lstrip("+").partition("=")
        for option in options.strip("[]").split(","):
            file = Path(own or "") / group / f"{option}.yaml"
            if file.is_file() and text in file.read_text(encoding="utf-8"):
                return file
    return None
