"""The costs of a run's network: python -m rnnvision.cli.compare.costs RUN_FOLDER, which writes costs.json there.

`compare` runs it after each training, in a process of its own: the peak memory of a process never falls.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rnnvision.cli.frame.arguments import plain
from rnnvision.cli.frame.device import make_trainer
from rnnvision.cli.frame.exits import EXIT_FAILURE, EXIT_USAGE
from rnnvision.cli.frame.plugins import load_plugins_of
from rnnvision.cli.frame.setup import takes_steps
from rnnvision.cli.frame.strangers.rules import read_run_config
from rnnvision.cli.frame.trainer.optimisation import optimizer_arguments
from rnnvision.data import ImageData
from rnnvision.errors import FailureError, UsageError
from rnnvision.insight import anytime_curve, forget_peak, latency, multiply_adds, peak_memory, throughput
from rnnvision.masking import shows_no_secret
from rnnvision.nn.kernels.threads import Threads
from rnnvision.others import LOOK_S, OTHERS
from rnnvision.runs import RunFolder
from rnnvision.training import (
    CheckpointError,
    find_checkpoint,
    load_network,
    make_optimizer,
    read_checkpoint,
)
from rnnvision.training.precision import step_precision

FILE = "costs.json"


def costs(folder: Path, *, rounds: int, latency_rounds: int, anytime_samples: int | None) -> dict[str, Any]:
    """Of the best checkpoint of a run folder, on the device and in the precision that it was trained with.

    parameters; multiply_adds (one image); train/samples_per_second and memory/peak (bytes, over the imports or of the
    GPU) of steps of the run's batch size; latency/p50 (seconds, one image); anytime/accuracy after each token, on test
    images evenly picked, and its mean anytime/area. What does not apply is missing, and `missing` says why where that
    is no matter of course. Of a network that was `fitted` in one go no steps are timed: there are none.
    """
    cfg = read_run_config(folder)
    load_plugins_of(cfg)
    forget_peak(torch.device("cpu"))
    before = peak_memory(torch.device("cpu"))
    try:
        checkpoint = read_checkpoint(find_checkpoint(folder))
    except CheckpointError as error:
        return {"missing": [str(error)]}
    run = RunFolder(folder, folder, "costs")
    trainer = make_trainer(_one_device(plain(cfg.trainer)), run)
    device = trainer.strategy.root_device
    _, context = step_precision(trainer)
    network = load_network(checkpoint).to(device)
    shape = list(checkpoint["rnnvision"]["network"]["input_shape"])
    found: dict[str, Any] = {"parameters": sum(p.numel() for p in network.parameters()), "missing": []}
    try:
        found["multiply_adds"] = sum(multiply_adds(network, shape).values())
    except ValueError as error:
        found["missing"].append(f"multiply_adds: {error}")
    found["fitted"] = not takes_steps(network)
    if not found["fitted"]:
        optimizer = make_optimizer(network, **optimizer_arguments(cfg))
        images = torch.rand(cfg.data.batch_size, *shape, device=device)
        speed = throughput(network, images, optimizer=optimizer, rounds=rounds, context=context)
        found["train/samples_per_second"] = speed.samples_per_second
        found["memory/peak"] = peak_memory(device) - (0 if device.type == "cuda" else before)
        network = load_network(checkpoint).to(device)  # as it was before those steps
    one = latency(network, torch.rand(1, *shape, device=device), rounds=latency_rounds, context=context)
    found |= {"latency/p50": one.percentile(0.5), "latency/p99": one.percentile(0.99)}
    try:
        return found | _anytime(network, checkpoint, anytime_samples)
    except ValueError as error:  # of a network that answers only at the end
        found["missing"].append(f"anytime: {error}")
        return found


def _one_device(arguments: dict[str, Any]) -> dict[str, Any]:
    return {**arguments, "devices": 1, "num_nodes": 1, "strategy": "auto", "profiler": None}


def _anytime(network: nn.Module, checkpoint: dict[str, Any], samples: int | None) -> dict[str, Any]:
    if not hasattr(network, "forward_anytime"):
        return {}
    data = ImageData.of_checkpoint(checkpoint["rnnvision"], parts=("test",))
    curve = anytime_curve(network, evenly(data, samples))
    return {"anytime/accuracy": curve.accuracy.tolist(), "anytime/area": curve.area}


def evenly(data: ImageData, samples: int | None) -> Iterable[tuple[Tensor, Tensor]]:
    """Batches of every k-th test image, so that there are `samples` at most; of all where it is None."""
    total = len(data.known.test)
    stride = 1 if samples is None else max(1, math.ceil(total / samples))
    if stride > 1:  # before any is decoded
        data.splits.keep("test", torch.arange(0, total, stride))
    return data.test_dataloader()


@shows_no_secret()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=10, help="training steps that are timed")
    parser.add_argument("--latency-rounds", type=int, default=200, help="forward passes of one image")
    parser.add_argument("--anytime-samples", type=int, help="test images; all by default")
    told = parser.parse_args()
    OTHERS.load()  # a fork watches the others from here
    time.sleep(LOOK_S)  # to see who else computes here
    threads = Threads(exact=False)  # of which none spins then: each measurement would take ten times as long
    try:
        found = costs(
            told.folder,
            rounds=told.rounds,
            latency_rounds=told.latency_rounds,
            anytime_samples=told.anytime_samples,
        )
    except (UsageError, FailureError) as error:
        print(f"rnnvision costs: {error}", file=sys.stderr)
        sys.exit(EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILURE)
    finally:
        threads.restore()
    RunFolder(told.folder, told.folder, "costs").write(FILE, found)


if __name__ == "__main__":
    main()
