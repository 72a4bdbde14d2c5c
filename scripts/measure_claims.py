"""Measure three claims of the reference article about recurrent networks; prints the Markdown of docs/claims.md.

python scripts/measure_claims.py                                                what needs no trained network
python scripts/measure_claims.py --parts gradients sizes --checkpoints RUN ...  of trained ones: run folders or files
python scripts/measure_claims.py --quick --data digits                          does it run?

What is not measured says so.
"""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import torch
from claims import gradients, sizes, speed

from rnnvision.data import ImageData
from rnnvision.runs import environment
from rnnvision.training import CheckpointError, find_checkpoint, load_network, read_checkpoint

PARTS = ("speed", "gradients", "sizes")
NOTHING = "not measured: no checkpoint was given (`--checkpoints`)"
Checkpoints = dict[str, dict[str, Any]]


def measure_speed(told: argparse.Namespace) -> str:
    device = torch.device(told.device)
    options = {"hidden_size": told.hidden_size, "batch_size": told.batch_size, "rounds": told.rounds}
    found = speed.measure(told.networks, told.lengths, **options, device=device)
    left_out = [f"- {why}" for why in found.values() if isinstance(why, str)]
    facts = f"Samples a second in training: width {told.hidden_size}, batch {told.batch_size}, AdamW, float32."
    return "\n".join([speed.markdown(found, told.lengths), "", *left_out, *([""] if left_out else []), facts])


def measure_gradients(told: argparse.Namespace, checkpoints: Checkpoints) -> str:
    images, labels = _pictures(ImageData(told.data, root=told.data_root), told.pictures)
    options = {"hidden_size": told.hidden_size, "seeds": told.seeds}
    found, left_out = gradients.at_initialisation(told.recurrences, told.scans, images, labels, **options)
    for label, checkpoint in checkpoints.items():
        facts = checkpoint["rnnvision"]["network"]
        try:
            data = _data_of(checkpoint, told.data_root)
            norms = gradients.token_gradients(load_network(checkpoint), *_pictures(data, told.pictures))
        except ValueError as error:
            left_out.append(f"{label}: {error}")
            continue
        kind = (label, facts["recurrence"], facts.get("scan", "rows"), facts.get("readout", "last"), "trained")
        found.append(gradients.Gradients(*kind, tuple(norms.tolist())))
    picture = told.out / "gradients.png"
    gradients.plot(picture, found)
    if not checkpoints:
        left_out.append(f"after training: {NOTHING}")
    facts = f"Means over {told.pictures} test pictures; at initialisation geometric ones over {told.seeds} seeds too."
    notes = [f"- {why}" for why in left_out]
    return "\n".join([gradients.markdown(found), "", *notes, *([""] if notes else []), f"{facts} Curves: {picture}"])


def measure_sizes(told: argparse.Namespace, checkpoints: Checkpoints) -> str:
    if not checkpoints:
        return NOTHING
    found = {}
    for label, checkpoint in checkpoints.items():
        found[label] = sizes.measure(checkpoint, told.sizes, told.axis, _data_of(checkpoint, told.data_root))
    return sizes.markdown(found, told.sizes, told.axis)


def _pictures(data: ImageData, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The first test pictures, normalised."""
    images, labels = next(iter(data.test_dataloader()))
    return images[:count], labels[:count]


def _data_of(checkpoint: dict[str, Any], root: str | None) -> ImageData:
    described = checkpoint["rnnvision"]["data"]
    return ImageData(**(described if root is None else {**described, "root": root}))


def _read(paths: list[str]) -> Checkpoints:
    """By the name of the run folder, or of the file."""
    found: Checkpoints = {}
    for path in paths:
        file = find_checkpoint(path)
        folder = file.parents[1] if file.parent.name == "checkpoints" else file
        found[folder.name if folder.name not in found else str(file)] = read_checkpoint(file)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--checkpoints", nargs="+", default=[], help="run folders or files, for gradients and sizes")
    parser.add_argument("--networks", nargs="+", default=["lstm", "gru", "mingru", "lru", "cnn"], help="for speed")
    parser.add_argument(
        "--lengths", nargs="+", type=int, choices=speed.CUTS, default=list(speed.CUTS), help="for speed"
    )
    parser.add_argument("--recurrences", nargs="+", default=["rnn", "lstm", "gru", "lru"], help="for gradients")
    parser.add_argument("--scans", nargs="+", default=["rows", "pixels"], help="for gradients at initialisation")
    parser.add_argument("--sizes", nargs="+", type=int, default=[14, 21, 28, 35, 42])
    parser.add_argument("--axis", choices=sizes.AXES, default="height", help="what a size is of")
    parser.add_argument("--data", default="mnist", help="for gradients at initialisation")
    parser.add_argument("--data-root", help="where the data lies, if not where it is looked for")
    parser.add_argument("--hidden-size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--device", default="cpu", help="for speed")
    parser.add_argument("--threads", type=int, help="all cores by default")
    parser.add_argument("--out", type=Path, default=Path("logs/claims"))
    parser.add_argument("--quick", action="store_true", help="small and few of everything: the figures mean nothing")
    told = parser.parse_args()
    if told.quick:
        told.hidden_size, told.batch_size, told.rounds, told.seeds, told.pictures = 8, 4, 1, 1, 8
        told.lengths = [length for length in told.lengths if length < 784] or told.lengths[:1]
    return told


def main() -> None:
    told = _arguments()
    if told.threads:
        torch.set_num_threads(told.threads)
    try:
        checkpoints = _read(told.checkpoints)
    except CheckpointError as error:
        sys.exit(f"measure_claims: {error}")
    done = {
        "speed": lambda: measure_speed(told),
        "gradients": lambda: measure_gradients(told, checkpoints),
        "sizes": lambda: measure_sizes(told, checkpoints),
    }
    for part in told.parts:
        print(f"### {part}\n\n{done[part]()}\n", flush=True)
    machine = environment()
    git = machine["git"] or {"commit": "unknown", "dirty": False}
    hardware = torch.cuda.get_device_name() if told.device.startswith("cuda") else machine["cpu"]
    cores = f"{os.cpu_count()} cores, threads: {torch.get_num_threads()}"
    code = f"torch {machine['versions']['torch']}; commit {git['commit'][:7]}{' (changed)' if git['dirty'] else ''}"
    command = shlex.join(["python", "scripts/measure_claims.py", *sys.argv[1:]])
    print(f"{hardware}, {cores}; {code}.\nCommand: `{command}`.")


if __name__ == "__main__":
    main()
