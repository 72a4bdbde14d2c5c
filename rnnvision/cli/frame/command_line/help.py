"""--help: the examples of a verb, its groups with their options, and every key with its value and what it means."""

import string
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from rnnvision.cli.frame.command_line.files import lines_of, options_of, own_folder
from rnnvision.cli.frame.command_line.groups import OFF, default_options
from rnnvision.cli.frame.command_line.known import composed
from rnnvision.cli.frame.command_line.words import yaml_text

WIDTH = 120
FLAGS = """\
  -m, --multirun         a run for each combination of values: KEY=A,B
  --config-dir FOLDER    options of your own: FOLDER/GROUP/OPTION.yaml (docs/extend.md)
  --cfg job              show the configuration and stop
  -h, --help             this page; with GROUP=OPTION it shows the keys of that option"""


def help_text(verb: str, conf: Path) -> str:
    """The page for a verb, with the options that are chosen on the command line."""
    cfg = composed(conf, verb, with_hydra=True)
    template = string.Template(str(cfg.hydra.help.template))
    choices = dict(cfg.hydra.runtime.choices)
    with_keys = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    folders = [conf, *filter(None, [own_folder()])]
    return template.substitute(
        APP_CONFIG_GROUPS=_groups(verb, conf, folders),
        CONFIG=_keys(with_keys, comments_of(verb, conf, folders, choices)),
        FLAGS_HELP=FLAGS,
    ).rstrip()


def _groups(verb: str, conf: Path, folders: list[Path]) -> str:
    about = _of_verb(verb, conf)
    lines = []
    for group, default in default_options(conf, verb).items():
        own = sorted({path.stem for folder in folders[1:] for path in (folder / group).glob("[!_]*.yaml")})
        options = [*options_of(folders[:1], group), *own, *(["null"] if default is None or group in OFF else [])]
        what = f"{words}: " if (words := about.get(f"defaults.{group}")) else ""
        text = what + ", ".join(options)
        lines.append(textwrap.fill(text, WIDTH, initial_indent=f"  {group:13}", subsequent_indent=" " * 15))
    return "\n".join([*lines, ""])


def _keys(cfg: DictConfig, comments: dict[str, str]) -> str:
    """The configuration as YAML, a comment beside each key."""
    lines = _lines(OmegaConf.to_container(cfg), comments)
    return "\n".join(f"{line:<38}  # {comment}" if comment else line for line, comment in lines)


def _lines(node: Any, comments: dict[str, str], prefix: str = "") -> Iterator[tuple[str, str]]:
    indent = "  " * (prefix.count(".") + 1)
    for key, value in node.items():
        comment = comments.get(f"{prefix}{key}", "")
        if isinstance(value, dict) and value:
            yield f"{indent}{key}:", comment
            yield from _lines(value, comments, f"{prefix}{key}.")
        elif not str(key).startswith("_"):
            yield f"{indent}{key}: {yaml_text(value)}", comment


def comments_of(verb: str, conf: Path, folders: list[Path], choices: dict[str, Any]) -> dict[str, str]:
    """What the files that make up a configuration say beside each key; a later file's word counts."""
    found: dict[str, str] = {}
    for group, option in choices.items():
        for name in option if isinstance(option, list) else [option]:
            for folder in folders:
                file = folder / group / f"{name}.yaml"
                if file.is_file():
                    found |= _of_file(file, "trainer" if group == "device" else group)
    return found | _of_verb(verb, conf)


def _of_verb(verb: str, conf: Path) -> dict[str, str]:
    file = conf / f"{verb}.yaml"
    node = cast(DictConfig, OmegaConf.load(file))
    parts = [entry for entry in node.get("defaults", []) if isinstance(entry, str) and entry != "_self_"]
    found = {key: words for part in parts for key, words in _of_verb(part, conf).items()}
    return found | _comments(file)


def _of_file(file: Path, package: str) -> dict[str, str]:
    node = OmegaConf.load(file)
    bases = node.get("defaults", []) if isinstance(node, DictConfig) else []
    found: dict[str, str] = {}
    for base in bases:
        if isinstance(base, str) and base != "_self_" and (file.parent / f"{base}.yaml").is_file():
            found |= _of_file(file.parent / f"{base}.yaml", package)
    if "@package _global_" in file.read_text(encoding="utf-8"):
        return found | _comments(file)
    return found | {f"{package}.{key}": words for key, words in _comments(file).items()}


def _comments(file: Path) -> dict[str, str]:
    """The comment beside each key of a file, by its dotted key."""
    return {line.key: line.comment for line in lines_of(file) if line.comment}
