"""rnnvision diff RUN_A RUN_B: in what two runs differ: settings, environment, scores, and the answers to each image."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rnnvision.cli.diff.text import page
from rnnvision.cli.frame.command_line.plain import read_settings, run_plain
from rnnvision.cli.frame.paths import expanded
from rnnvision.errors import UsageError
from rnnvision.runs import Run
from rnnvision.runs.read import CONFIG

if TYPE_CHECKING:
    from rnnvision.report.two_runs import Answers

USAGE = """Compares two runs: the settings and the environment that differ, the scores side by side, and, where both
have a predictions.csv, the answers to each image, with McNemar's exact test of whether one network is better.

  rnnvision diff logs/train/runs/A logs/train/runs/B
  rnnvision diff a=logs/train/runs/A b=logs/train/latest json=true

  a: null      # a run folder
  b: null      # the other one
  json: false  # true: print one JSON object"""


def main() -> None:
    run_plain("diff", USAGE, diff)


def diff(words: list[str]) -> None:
    """Print in what the two runs differ."""
    given = read_settings("diff", words)
    as_json = given.get("json", "false")
    if as_json not in ("true", "false"):
        raise UsageError(f"json={as_json}: must be true or false")
    a, b = _run("a", given), _run("b", given)
    if a.path.resolve() == b.path.resolve():
        raise UsageError(f"b={given['b']}: is the same run as a={given['a']}")
    found = compared(a, b)
    print(json.dumps(found | {"answers": _plain(found["answers"])}, indent=2) if as_json == "true" else page(found))


def compared(a: Run, b: Run) -> dict[str, Any]:
    """Everything in which two runs differ, by name; `answers` is null, with a `note`, where they cannot be compared.

    `same_images` is false where the answers show that the scores are of other images, whose difference says nothing.
    """
    from rnnvision.report.two_runs import OtherImagesError, answers, differing, environments, scores

    found: dict[str, Any] = {
        "a": str(a.path),
        "b": str(b.path),
        "settings": differing(_settings(a), _settings(b)),
        "environment": environments(a, b),
        "scores": scores(a, b),
        "same_images": True,
        "answers": None,
        "note": None,
    }
    try:
        found["answers"] = answers(a, b)
    except (OSError, ValueError) as error:
        found["note"], found["same_images"] = str(error), not isinstance(error, OtherImagesError)
    return found


def _plain(answers: "Answers | None") -> dict[str, Any] | None:
    return None if answers is None else {**asdict(answers), "meaning": answers.meaning()}


def _run(key: str, given: dict[str, str]) -> Run:
    """The run folder that a setting names.

    Raises:
        UsageError: if it is none; with the run that it lies in, if any.
    """
    typed = given.get(key, "null")
    if typed == "null":
        raise UsageError(f"{key}=null: give two run folders: rnnvision diff logs/train/runs/A logs/train/runs/B")
    path = Path(expanded(typed))
    if (path / CONFIG).is_file():
        return Run(path)
    inside = next((folder for folder in path.parents if (folder / CONFIG).is_file()), None)
    lacks = f"it has no {CONFIG}" if path.is_dir() else "there is no such folder"
    raise UsageError(f"{key}={typed}: is no run folder ({lacks}){f'; try: {key}={inside}' if inside else ''}")


def _settings(run: Run) -> dict[str, Any]:
    """The configuration of a run, as it was composed, by dotted key."""
    from omegaconf import OmegaConf

    from rnnvision.cli.frame.strangers.reading import read_pairs
    from rnnvision.report.two_runs import flat

    file = run.path / CONFIG
    return flat(cast(dict[str, Any], OmegaConf.to_container(read_pairs(file), resolve=False)))
