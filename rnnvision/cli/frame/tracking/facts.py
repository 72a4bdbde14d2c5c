"""What a tracker is told of a run besides its figures: every value of the configuration, tags, commit, folder."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from rnnvision.checks import one_line
from rnnvision.cli.frame.arguments import plain, typed_words
from rnnvision.cli.frame.command_line.groups import SEVERAL
from rnnvision.cli.frame.command_line.words import parsed, yaml_text
from rnnvision.errors import UsageError
from rnnvision.masking import is_secret_key, masked, masked_values, masked_word
from rnnvision.runs import RunFolder, read_json

TAG = re.compile(r"[\w.][\w .:/-]{0,63}")  # what each of the trackers takes
# Keys that say nothing of a result; the addresses of trackers may hold a password.
LEFT_OUT = ("logger", "tags", "resume")
# Files that a folder with several runs has: of a sweep, of Hydra's launchers, of a study, of a comparison.
OF_SEVERAL = ("sweep.json", "multirun.yaml", "study.json", "comparison.json")


def checked_tags(cfg: Mapping[str, Any] | DictConfig) -> list[str]:
    """The tags in a configuration.

    Raises:
        UsageError: for what is no list of words.
    """
    tags = plain(cfg.get("tags"))
    if tags is None:
        return []
    listed = tags if isinstance(tags, list) else [tags]
    if any(_holds_secret(str(tag)) for tag in listed):
        raise UsageError("tags=***: one of them looks like a secret, and they are told to trackers; leave it out")
    wrong = [tag for tag in listed if isinstance(tag, bool) or not TAG.fullmatch(str(tag))]
    if not isinstance(tags, list) or wrong:
        shown = f"[{','.join(map(str, tags))}]" if isinstance(tags, list) else yaml_text(tags)
        raise UsageError(
            f"tags={one_line(shown)}: must be a list of words of letters, digits and . _ - : / with at most 64 "
            f"characters each; write tags=[baseline,draft]"
        )
    return list(dict.fromkeys(map(str, tags)))


def _holds_secret(tag: str) -> bool:
    key, *value = re.split(r"\s*[:=]\s*", tag, maxsplit=1)
    return masked(tag) != tag or (any(value) and is_secret_key(key))


def choices_of(choices: Mapping[Any, Any], words: Iterable[str] = ()) -> dict[str, Any]:
    """The option that is chosen of each of our groups; of a list of them Hydra says nothing, and `words` are read.

    Examples:
        >>> choices_of({"model": "lstm", "hydra/output": "default"}, ["logger=[tensorboard,wandb]", "seed=1"])
        {'model': 'lstm', 'logger': ['tensorboard', 'wandb']}
    """
    found = {str(group): option for group, option in choices.items() if not str(group).startswith("hydra/")}
    for word in words:
        group = word.partition("=")[0]
        if group in SEVERAL and group not in found and (read := parsed(word)) is not None:
            found[group] = read.value()
    return found


def parameters_of(cfg: DictConfig) -> dict[str, Any]:
    """Every value of a configuration by its key as it is typed, model.hidden_size; no secrets."""
    from rnnvision.report.two_runs import flat

    return flat(masked_values({str(key): value for key, value in plain(cfg).items() if key not in LEFT_OUT}))


def facts_of(run: RunFolder, tags: list[str]) -> dict[str, str]:
    """What a run is, beside its configuration; what is not known is left out."""
    git = read_json(run.path / "environment.json").get("git") or {}
    facts = {
        "run.folder": str(run.path.absolute()),
        "run.commit": f"{git['commit']}{' (changed)' if git.get('dirty') else ''}" if git.get("commit") else "",
        "run.group": group_of(run.path),
        "run.tags": ", ".join(tags),
    }
    return {key: value for key, value in facts.items() if value}


def typed_facts(config: DictConfig, run: RunFolder) -> dict[str, object]:
    """What was chosen of the configuration; a run that is resumed keeps what it began with."""
    hydra_config = HydraConfig.get()
    found = {
        "overrides": list(map(masked_word, typed_words())),
        "choices": choices_of(hydra_config.runtime.choices, typed_words()),
        "tags": checked_tags(config),
    }
    before = read_json(run.path / "environment.json") if config.get("resume") is not None else {}
    kept = {key: before[key] for key in found if key in before and not (key == "tags" and found["tags"])}
    return found | kept


def group_of(folder: Path) -> str:
    """The name of the sweep, the study or the comparison that a run is part of; "" for one of its own."""
    above = folder.absolute().parents[:2]
    return next((path.name for path in above if any((path / name).is_file() for name in OF_SEVERAL)), "")
