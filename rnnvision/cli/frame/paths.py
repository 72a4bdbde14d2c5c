"""Paths in a configuration: `~`, and relative to the folder of the command, in every key alike."""

import os
import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from rnnvision.runs.ranks import name_of_ranks

if TYPE_CHECKING:
    from omegaconf import DictConfig

# Keys that hold one path. Any text on the command line is a path there: spaces and brackets need no quotes of Hydra's.
PATH_KEYS = (
    *("data.root", "ckpt", "run", "resume", "log_dir", "to", "check", "source", "output", "save", "weights"),
    *("hydra.run.dir", "hydra.sweep.dir", "resume_sweep"),
)
READ = ("ckpt", "run", "check", "source", "weights")  # those of them that a run reads
OR_WORDS = ("data.cache",)  # keys that hold a path or a word; on the command line they are written as Hydra reads them
STAMP = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{6}")  # in the name of a run folder: when the process began
PATH_LISTS = ("ckpt", "source")  # those of them that also take a list


def expanded(path: str) -> str:
    """The path with `~` replaced by the home folder."""
    return os.path.expanduser(path)  # noqa: PTH111  # Path would take "." and doubled slashes out


def is_path(word: str) -> bool:
    """Whether a word is a file or folder that is there, such as that of a job of a sweep: model=lstm,seed=0."""
    return os.path.exists(expanded(word))  # noqa: PTH110  # False also for what no path can be


def pin_latest(word: str, keys: Collection[str] = ("weights",)) -> str:
    """A word KEY=.../latest, or several such values, with the run that `latest` points to: a run takes that name."""
    key, _, text = word.partition("=")
    if key not in keys or "latest" not in text:
        return word
    # And with it Hydra, which completion does without.
    from rnnvision.cli.frame.command_line.words import override, parsed

    read = parsed(word)
    if read is None:
        return word
    if read.is_sweep_override():
        values = [parsed(f"{key}={value}") for value in read.sweep_string_iterator()]
        typed = [str(value.value()) for value in values if value is not None]
    else:
        listed = read.value()
        typed = [str(path) for path in listed] if isinstance(listed, list) else [str(listed)]
    pinned = [_pinned(path) for path in typed]
    if pinned == typed:
        return word
    text = ",".join(override(key, path).removeprefix(f"{key}=") for path in pinned)
    return f"{key}=[{text}]" if isinstance(read.value(), list) else f"{key}={text}"


def _pinned(typed: str) -> str:
    path = Path(expanded(typed))
    for link in (path, *path.parents):
        if link.name == "latest" and link.is_symlink():
            return str(link.parent / link.readlink() / path.relative_to(link))
    return typed


def elsewhere(which: str) -> str:
    """What lets a run be written into another folder: the key that has been typed for it, or a copy of what goes on.

    Args:
        which: what is to be said of that folder, such as "on another disk".
    """
    typed = {word.lstrip("+").partition("=")[0] for word in sys.argv[1:]}
    if not typed.isdisjoint(("resume", "resume_sweep")):
        return f"copy it to a folder {which}, and go on there"
    key = next((key for key in ("hydra.run.dir", "hydra.sweep.dir") if key in typed), "log_dir")
    return f"choose a folder {which}: {key}=FOLDER"


def locate_paths(cfg: "DictConfig", folder: str | Path) -> None:
    """Make the paths in a job's configuration mean what they mean in `folder`, where the command was typed.

    A relative path stays as it was typed where the job runs in that folder, as it does without hydra.job.chdir=true.
    """
    from omegaconf import ListConfig, OmegaConf, open_dict

    has_moved = Path(folder) != Path.cwd()
    with open_dict(cfg):
        for key in (*PATH_KEYS, *OR_WORDS):
            value = None if key.startswith("hydra.") else OmegaConf.select(cfg, key)
            start = folder if has_moved else ""
            if isinstance(value, str):
                OmegaConf.update(cfg, key, _literal(_from(start, value)))
            elif isinstance(value, ListConfig):
                OmegaConf.update(cfg, key, [_literal(_from(start, str(path))) for path in value])
    if has_moved:
        os.environ.setdefault("RNNVISION_DATA", os.path.join(folder, "data"))  # noqa: PTH118  # what ./data means


def _from(folder: str | Path, path: str) -> str:
    """A path as seen from a folder; - is no path."""
    return path if path == "-" else os.path.join(folder, expanded(path))  # noqa: PTH118


def _literal(text: str) -> str:
    """A text that OmegaConf reads back as exactly this one: what was filled in is not filled in once more."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)


def register_resolvers() -> None:
    """Teach OmegaConf the two functions that conf/ calls by ${NAME:...}."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("run_dir", run_dir, replace=True)
    OmegaConf.register_new_resolver("config_subdir", config_subdir, replace=True)


def run_dir(resume: str | None, new: str) -> str:
    """The folder of a run: a resumed run goes on in its own. Ranks of one run have one, named after their launcher."""
    if resume is not None:
        return str(Path(resume).expanduser().resolve())
    name = name_of_ranks()
    return expanded(STAMP.sub(name, new) if name else new)


def config_subdir(resume: str | None) -> str:
    """Where Hydra writes the configuration of a run; a resumed run keeps the one it began with."""
    return ".hydra" if resume is None else ".hydra/resume"
