"""One training of a comparison: a run of `train` and a measurement of what it costs, each a process of its own."""

import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnvision.cli.compare.comparison import Comparison, Entrant
from rnnvision.cli.frame.command_line.words import override
from rnnvision.runs import Run, RunFolder, last_line, read_json, run_child
from rnnvision.runs.process import Child

TRIAL_SHARE, SHORTEST_TRIAL, LONGEST_TRIAL = 0.1, 1.0, 10.0  # of the budget; seconds
ENDLESS = ("trainer.max_steps=-1", "trainer.max_time=null")  # the budget counts, whatever trainer= says


class Task:
    """One training of a comparison: what it is told, what of it is done, and what failed."""

    def __init__(
        self,
        root: Path,
        comparison: Comparison,
        entrant: Entrant,
        seed: int,
        cfg: DictConfig,
        log_dir: str,
        start: Callable[[list[str]], Child],
    ) -> None:
        self.root, self.comparison, self.entrant, self.seed, self.cfg = root, comparison, entrant, seed, cfg
        self.folder = folder_of(root, entrant, seed)
        self.log = root / "output" / f"{self.folder.name}.log"
        self.log_dir = log_dir
        self.start = start

    def run(self) -> None:
        """Train and measure, each unless it is done; a failure is written down and printed."""
        if not Run(self.folder).completed:
            length = self._length()
            if length is None or not self._train(length):
                return
        score = read_json(self.folder / "metrics.json").get("test/accuracy", math.nan)
        if not (self.folder / "costs.json").is_file() and not self._measure():
            return
        print(f"          test accuracy {score:.4f}", flush=True)

    def _train(self, length: list[str]) -> bool:
        if (self.folder / "checkpoints" / "last.ckpt").is_file():
            words = [*self.comparison.config_dir, override("resume", self.folder)]
        else:
            shutil.rmtree(self.folder, ignore_errors=True)  # it stopped before an epoch ended
            words = [
                *self.comparison.config_dir,
                *self.comparison.words(self.entrant),
                *ENDLESS[: 2 if "max_time" in self.cfg.trainer else 1],
                *length,
                f"seed={self.seed}",
                override("name", self.folder.name),
                override("log_dir", self.log_dir),
                override("hydra.run.dir", self.folder),
            ]
        return self._succeeds("rnnvision.cli.train", *words)

    def _measure(self) -> bool:
        wanted = self.comparison
        words = [f"--rounds={wanted.rounds}", f"--latency-rounds={wanted.latency_rounds}"]
        words += [] if wanted.anytime_samples is None else [f"--anytime-samples={wanted.anytime_samples}"]
        (self.folder / "costs_error.json").unlink(missing_ok=True)
        return self._succeeds("rnnvision.cli.compare.costs", str(self.folder), *words)

    def _length(self) -> list[str] | None:
        """What makes the training as long as the budget says; None where the trial for it failed."""
        from rnnvision.nn import fits_in_one_go

        if fits_in_one_go(self.cfg.model.name):
            print("          fitted in one go, to its end: the budget does not limit it", flush=True)
            return []
        if self.comparison.epochs is not None:
            return [f"trainer.max_epochs={self.comparison.epochs}"]
        path = self.root / "trials" / f"{self.entrant.slug}.json"
        budget = 60 * self.comparison.minutes
        if not (found := read_json(path)):
            seconds = min(LONGEST_TRIAL, max(SHORTEST_TRIAL, TRIAL_SHARE * budget))
            path.parent.mkdir(exist_ok=True)
            config = path.with_suffix(".yaml")
            asked = self.cfg.copy()
            asked.callbacks, asked.logger = None, None  # they lead to a run folder, and a trial has none
            OmegaConf.save(asked, config)
            if not self._succeeds("rnnvision.cli.compare.trial", str(config), str(seconds), str(path)):
                return None
            found = read_json(path)
        epochs, batches = steps_within(budget, found)
        print(
            f"          {epochs * batches:,} steps fit into {self.comparison.minutes:g} min, {epochs:,} x {batches:,} "
            f"with a validation after each (a trial of {found['steps']} steps took {found['seconds']:.1f} s)",
            flush=True,
        )
        return [f"trainer.max_epochs={epochs}", f"trainer.limit_train_batches={batches}"]

    def _succeeds(self, module: str, *words: str) -> bool:
        code = run_child([sys.executable, "-m", module, *words], self.log, self.start)
        if code == 0:
            return True
        status = read_json(self.folder / "status.json")
        error = status.get("error") if module.endswith(".train") and status.get("status") == "failed" else None
        if code < 0:
            error = f"ended by signal {-code}"
        error = error or last_line(self.log) or f"ended with exit code {code}"
        self.folder.mkdir(exist_ok=True)
        if module.endswith(".costs"):
            (self.folder / "costs_error.json").write_text(json.dumps({"error": error}) + "\n")
        else:
            who = "" if module.endswith(".train") else f"{module.rpartition('.')[2]}: "
            kept = {"status": "failed", "error": f"{who}{error}"}
            RunFolder(self.folder, self.log_dir, "train").write("status.json", {**status, **kept})
        print(f"          failed: {error} (see {self.log})", flush=True)
        return False


def folder_of(root: Path, entrant: Entrant, seed: int) -> Path:
    """The run folder of an entrant and a seed."""
    return root / f"{entrant.slug}_{seed}"


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
