"""The trainings of a comparison and the measurements of what they cost, as jobs of a place."""

import json
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnvision.atomic import replaced, whole
from rnnvision.checks import at_least, number, positive
from rnnvision.cli.compare.comparison import Comparison, Entrant
from rnnvision.cli.frame.command_line.words import override
from rnnvision.cli.frame.strangers.places import places_of
from rnnvision.cli.frame.sweep.run import Queue
from rnnvision.cli.frame.sweep.show import shown
from rnnvision.errors import FailureError
from rnnvision.runs import Run, RunFolder, last_line, read_json
from rnnvision.search import Job
from rnnvision.search.job import OUTPUT
from rnnvision.search.places import Place

TRIAL_SHARE, SHORTEST_TRIAL, LONGEST_TRIAL = 0.1, 1.0, 10.0  # of the budget; seconds
ENDLESS = ("trainer.max_steps=-1", "trainer.max_time=null")  # the budget counts, whatever trainer= says
SHORTEST_STEP = 1e-7  # seconds: no step is shorter
LOOK = 1.0  # seconds between two looks at a measurement


@dataclass(frozen=True)
class Cell:
    """One training of a comparison: an entrant and a seed."""

    root: Path
    comparison: Comparison
    entrant: Entrant
    seed: int

    @property
    def folder(self) -> Path:
        """Its run folder."""
        return self.root / f"{self.entrant.slug}_{self.seed}"

    def training(self, cfg: DictConfig, length: Sequence[str], log_dir: str) -> Job:
        """The job that trains, for as long as `length` says."""
        own = self.comparison.config_dir
        fresh = (
            *self.comparison.words(self.entrant),
            *ENDLESS[: 2 if "max_time" in cfg.trainer else 1],
            *length,
            f"seed={self.seed}",
            override("name", self.folder.name),
            override("log_dir", log_dir),
            override("hydra.run.dir", self.folder),
        )
        resume = (*own, override("resume", self.folder), *places_of(cfg))
        name = f"{self.entrant.label}, seed {self.seed}"
        return Job(name, self.folder, "rnnvision.cli.train", (*own, *fresh), resume)

    def measure(self, place: Place) -> None:
        """Measure what the trained network costs; a failure is written down and printed."""
        wanted = self.comparison
        words = [str(self.folder), f"--rounds={wanted.rounds}", f"--latency-rounds={wanted.latency_rounds}"]
        words += [] if wanted.anytime_samples is None else [f"--anytime-samples={wanted.anytime_samples}"]
        failed = self.folder / "costs_error.json"
        failed.unlink(missing_ok=True)
        if error := run_alone(place, self._job("costs", self.folder.name, words)):
            with whole(failed) as file:
                file.write(json.dumps({"error": error}) + "\n")

    @property
    def is_measured(self) -> bool:
        return (self.folder / "costs.json").is_file()

    def length(self, cfg: DictConfig, place: Place) -> list[str]:
        """What makes the training as long as the budget says.

        Raises:
            FailureError: where the trial for it fails.
        """
        from rnnvision.nn import fits_in_one_go

        if fits_in_one_go(cfg.model.name):
            print(
                f"          {self.entrant.label}: fitted in one go, to its end: the budget does not limit it",
                flush=True,
            )
            return []
        if self.comparison.epochs is not None:
            return [f"trainer.max_epochs={self.comparison.epochs}"]
        path = self.root / "trials" / f"{self.entrant.slug}.json"
        budget = 60 * self.comparison.minutes
        if (found := read_trial(path)) is None:
            seconds = min(LONGEST_TRIAL, max(SHORTEST_TRIAL, TRIAL_SHARE * budget))
            path.parent.mkdir(exist_ok=True)
            config = path.with_suffix(".yaml")
            asked = cfg.copy()
            asked.callbacks, asked.logger = None, None  # they lead to a run folder, and a trial has none
            with replaced(config) as temporary:
                OmegaConf.save(asked, temporary)
            words = [str(config), str(seconds), str(path)]
            if error := run_alone(place, self._job("trial", self.entrant.slug, words)):
                raise FailureError(f"trial: {error}")
            if (found := read_trial(path)) is None:
                raise FailureError(f"trial: {path} does not say how long a step takes")
        epochs, batches = steps_within(budget, found)
        print(
            f"          {self.entrant.label}: {epochs * batches:,} steps fit into {self.comparison.minutes:g} min, "
            f"{epochs:,} x {batches:,} with a validation after each (a trial of {found['steps']} steps took "
            f"{found['seconds']:.1f} s)",
            flush=True,
        )
        return [f"trainer.max_epochs={epochs}", f"trainer.limit_train_batches={batches}"]

    def _job(self, what: str, name: str, words: list[str]) -> Job:
        """A measurement, whose output has a folder of its own: that of the run has been left alone since it ended."""
        folder = self.root / f"{what.removesuffix('s')}s" / name
        return Job(f"{what} of {name}", folder, f"rnnvision.cli.compare.{what}", tuple(words))

    def write_failure(self, error: str, log_dir: str) -> None:
        self.folder.mkdir(exist_ok=True)
        status = read_json(self.folder / "status.json")
        RunFolder(self.folder, log_dir, "train").write("status.json", {**status, "status": "failed", "error": error})


def measure(cells: Sequence[Cell], place: Place) -> None:
    """Measure what is trained and not measured yet, one after the other."""
    for cell in cells:
        if Run(cell.folder).completed and not cell.is_measured:
            cell.measure(place)


def run_alone(place: Place, job: Job) -> str | None:
    """Run one job while no other runs in the place; None, or the error that it ended with, which is printed."""
    place.start(job)
    while not (ended := place.ended(LOOK)):
        pass
    code = ended[0].code
    if code == 0:
        return None
    output = job.folder / OUTPUT
    said = last_line(output) if output.is_file() else ""
    error = f"ended by signal {-code}" if code < 0 else said or f"ended with exit code {code}"
    print(f"          {job.name} failed: {error} (see {output})", flush=True)
    return error


def train(cells: Sequence[Cell], configs: dict[str, DictConfig], place: Place, log_dir: str) -> None:
    """Train what is not trained yet; a failure is written down and printed."""
    jobs, todo = [], deque[Job]()
    lengths: dict[str, list[str] | str] = {}  # or why there is none
    for cell in cells:
        label = cell.entrant.label
        job = cell.training(configs[label], (), log_dir)
        if not Run(cell.folder).completed:
            if label not in lengths:
                lengths[label] = _length(cell, configs[label], place)
            length = lengths[label]
            if isinstance(length, str):
                cell.write_failure(length, log_dir)
            else:
                todo.append(job := cell.training(configs[label], length, log_dir))
        jobs.append(job)
    failed = sum(isinstance(lengths.get(cell.entrant.label), str) for cell in cells)
    with shown(len(cells), len(cells) - len(todo) - failed, failed) as show:
        Queue(place, jobs, todo, show, "train").run()


def _length(cell: Cell, cfg: DictConfig, place: Place) -> list[str] | str:
    try:
        return cell.length(cfg, place)
    except FailureError as error:
        return str(error)


def read_trial(path: Path) -> dict[str, Any] | None:
    """What a trial found; None where it was not made, or holds what is no count or no time."""
    found = read_json(path)
    try:
        for name, least in (("epoch_steps", 1), ("validate_every", 1), ("steps", 0)):
            at_least(name, found.get(name), least)
        for name in ("seconds", "validation_seconds"):
            number(name, found.get(name))
        positive("step_seconds", found.get("step_seconds"))
    except ValueError:
        return None
    return found if found["step_seconds"] >= SHORTEST_STEP else None


def steps_within(seconds: float, trial: dict[str, Any]) -> tuple[int, int]:
    """Epochs, and steps of each, that take so long with a validation after each, by what a trial found.

    A validation follows every epoch, and the best of them is kept: so that the last steps, at the smallest learning
    rate, are seen too, the steps are dealt out in epochs of equal length, none longer than the data.
    """
    epoch = trial["epoch_steps"]
    step = trial["step_seconds"] + trial["validation_seconds"] / (epoch * trial["validate_every"])
    steps = max(1, int(seconds / step))
    epochs = math.ceil(steps / epoch)
    return epochs, max(1, steps // epochs)
