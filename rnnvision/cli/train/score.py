"""The score of a training: the best weights on the test split, and what is written and printed of it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from rnnvision.cli.frame.arguments import plain
from rnnvision.cli.frame.command_line.words import command, override
from rnnvision.cli.frame.results import keep_answers, list_skipped, results_line, score_line
from rnnvision.cli.frame.setup import Training
from rnnvision.cli.frame.trainer.environment import interruption_told
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import RunFolder, read_epochs

if TYPE_CHECKING:
    import lightning as L
    import torch
    from torch import nn


def make_tester(training: Training) -> "L.Trainer":
    """The Trainer of the test, in one process and in full precision.

    It is made before the training, so that what Lightning refuses is refused then.
    """
    from rnnvision.cli.frame.device import make_trainer

    alone = {"devices": 1, "num_nodes": 1, "strategy": "auto", "precision": "32-true", "profiler": None}
    return make_trainer({**plain(training.cfg.trainer), **alone}, training.run)


def score(training: Training, tester: "L.Trainer", figures: dict[str, float]) -> float:
    """Test the best weights on the data that is here, and say what to do next; returns their val/accuracy.

    The figures of the training are written before anything else, and printing comes last.

    Raises:
        FailureError: for a best checkpoint that cannot be read any more, a test that fails, a score that is not finite.
    """
    from rnnvision.training import VerifiedCheckpointIO, read_checkpoint
    from rnnvision.training.checkpoint import require_same_weights
    from rnnvision.training.failures import require_finite

    run, learner, data = training.run, training.learner, training.data
    best = run.path / "checkpoints" / "best.ckpt"
    figures |= learner.validation  # of the last weights
    run.write("metrics.json", figures)
    if best.is_file():
        try:
            checkpoint = read_checkpoint(best)
            require_same_weights(checkpoint, learner.state_dict())
        except UsageError as error:
            raise FailureError(str(error)) from error
        learner.load_state_dict(checkpoint["state_dict"])
        figures = {k: v for k, v in figures.items() if not k.startswith("val/")} | _validation(checkpoint, run)
        run.write("metrics.json", figures)
    learner.float()  # a training in another precision leaves its weights in it
    if best.is_file() and (fitted := _calibrated(tester, training)):
        learner.scores.temperature = figures["temperature"] = fitted["temperature"]
        checkpoint["rnnvision"] |= fitted
        VerifiedCheckpointIO().save_checkpoint(checkpoint, best)
    tested = {k: float(v) for k, v in _tested(tester, training).items()}
    require_finite(tested)
    figures |= tested | _costs(learner.network, data.input_shape, tester.strategy.root_device)
    figures |= {"data/skipped_files": len(data.bad_files)} if data.bad_files else {}
    run.write("metrics.json", figures)
    training.trackers.end(figures, training.trainer.global_step)
    keep_answers(learner, data, run)
    about = f"{_chosen_by(training, figures)}; {figures['train/seconds']:.1f} s of training"
    about = about if best.is_file() else "of the last weights; no best checkpoint was saved"
    print(f"\n{score_line(figures)}   ({about})\nresults   {results_line(run)}")
    list_skipped(data.bad_files, run)
    if (profile := run.path / "fit-profile.txt").is_file():
        print(f"profile   {os.path.relpath(profile)}")
    if best.is_file() or (run.path / "checkpoints" / "last.ckpt").is_file():
        plugins = plain(training.cfg.get("plugins"))
        needed = [f"plugins=[{','.join(plugins)}]"] if plugins else []
        print(f"next      {command([override('ckpt', run.shown()), *needed], 'rnnvision evaluate')}")
    return figures.get("val/accuracy", float("nan"))


def _calibrated(tester: "L.Trainer", training: Training) -> dict[str, Any]:
    """What of a checkpoint says how sure the network is, fitted on the validation split; {} where there is none."""
    from rnnvision.training import Calibration

    calibration = training.learner.calibration = Calibration()
    try:
        with _enough_memory(training), interruption_told():
            tester.validate(training.learner, datamodule=training.data, verbose=False)
    finally:
        training.learner.calibration = None
    return calibration.fit()


def _tested(tester: "L.Trainer", training: Training) -> "Mapping[str, float]":
    from rnnvision.data import DataError

    try:
        with _enough_memory(training), interruption_told():
            return tester.test(training.learner, datamodule=training.data, verbose=False)[0]
    except DataError as error:  # of pixels that nobody has looked at before
        then = command([override("ckpt", training.run.shown())], "rnnvision evaluate")
        raise DataError(f"{error}\nthe network is trained; when the files are mended, measure it: {then}") from error


def _costs(network: "nn.Module", input_shape: "Sequence[int]", device: "torch.device") -> dict[str, float]:
    """What an image costs: parameters, multiply-adds where each layer has a formula, and the time that it takes."""
    from rnnvision.insight import multiply_adds, quick_latency

    found: dict[str, float] = {}
    if parameters := sum(p.numel() for p in network.parameters()):
        found["model/parameters"] = parameters
    with suppress(ValueError):
        found["model/multiply_adds"] = sum(multiply_adds(network, input_shape).values())
    return found | {"predict/milliseconds": round(1000 * quick_latency(network, input_shape, device), 4)}


@contextmanager
def _enough_memory(training: Training) -> Iterator[None]:
    from rnnvision.training.failures import ran_out

    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        size = training.data.eval_batch_size
        raise FailureError(f"the memory of the device is too small to test with data.eval_batch_size={size}") from error


def _validation(checkpoint: dict[str, Any], run: RunFolder) -> dict[str, float]:
    """val/accuracy and val/loss of the weights in a checkpoint; {} where they were not validated.

    A checkpoint of an earlier version does not say; it was written at the end of an epoch.
    """
    found = checkpoint["rnnvision"].get("validation")
    if found is not None:
        return dict(found)
    rows = [row for row in read_epochs(run.path / "metrics.csv") if row.get("epoch") == str(checkpoint.get("epoch"))]
    names = ("val/accuracy", "val/loss")
    return {name: float(row[name]) for row in rows for name in names if row.get(name)}


def _chosen_by(training: Training, figures: dict[str, float]) -> str:
    """What the best checkpoint is the best in, and its accuracy on validation."""
    chosen: Any = training.cfg.callbacks
    monitor = str(((chosen or {}).get("best") or {}).get("monitor") or "val/accuracy")
    names = dict.fromkeys([monitor, "val/accuracy"])
    return "best " + ", ".join(f"{name} {figures[name]:.4f}" for name in names if name in figures)
