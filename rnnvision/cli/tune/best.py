"""best.yaml: the best trial as an experiment, which can be copied into a conf/experiment."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from rnnvision.atomic import whole
from rnnvision.cli.frame.command_line.files import config_dir
from rnnvision.cli.frame.command_line.groups import default_options
from rnnvision.cli.frame.command_line.words import parsed
from rnnvision.report.study.scores import command_of
from rnnvision.runs.study import StudyRecord, TrialRow

FILE = "best.yaml"


def write_best(folder: Path, record: StudyRecord, trial: TrialRow) -> Path:
    """Write the settings of a trial as an experiment."""
    scores = ", ".join(f"{name} {value:g}" for name, value in zip(record.metrics, trial.values, strict=True))
    words = [*record.words, *trial.overrides]
    without = [word for word in words if (found := parsed(word)) is not None and found.is_delete()]
    text = "\n".join(
        [
            "# @package _global_",
            f"# {command_of(record, trial)}",
            *([f"# What a file cannot leave out has to be typed beside it: {' '.join(without)}"] if without else []),
            f"# Trial {trial.number} of a study of {len(record.trials)}: {scores}",
            OmegaConf.to_yaml(OmegaConf.create(_experiment(words))),
        ]
    )
    path = folder / FILE
    with whole(path) as file:
        file.write(text)
    return path


def _experiment(words: Iterable[str]) -> dict[str, Any]:
    groups = default_options(config_dir(), "train")
    defaults: list[Any] = []
    values = OmegaConf.create({})
    for word in words:
        found = parsed(word)
        if found is None or found.is_delete():
            continue
        if found.key_or_group == "experiment":
            defaults.insert(0, found.value())
        elif found.key_or_group in groups:
            defaults.append({f"override /{found.key_or_group}": found.value()})
        else:
            OmegaConf.update(values, found.key_or_group, found.value(), force_add=True)
    found_values = OmegaConf.to_container(values)
    assert isinstance(found_values, dict)
    return {**({"defaults": [*defaults, "_self_"]} if defaults else {}), **{str(k): v for k, v in found_values.items()}}
