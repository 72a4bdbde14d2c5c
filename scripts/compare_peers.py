"""Time training by this project beside a loop by hand, plain Lightning and Keras, on the same MNIST images.

make peers                                                                       everything: a quarter of an hour
python scripts/compare_peers.py --networks lstm64 --contenders loop rnnvision    a part of it

Every contender is a process of its own that sleeps until its turn. A round gives each one turn, in an order drawn anew;
ratios are taken within a round. Writes logs/peers/peers.json and, with --docs, the table into that page.
"""

import argparse
import json
import os
import random
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from peers import load
from peers.contender import CONTENDERS, Contender, ContenderError
from peers.table import markdown, put_between, rows
from peers.work import BATCH_SIZE, NETWORKS, write_images

from rnnvision.data import ImageData, Split
from rnnvision.runs import environment

KERAS = Path(os.path.relpath(Path(__file__).resolve().parents[1])) / ".venv-peers" / "bin" / "python"
PAUSE = 0.2  # seconds before a turn: threads of the one before spin for a while after their last work


def compare(network: str, told: argparse.Namespace, data: ImageData) -> dict[str, Any]:
    """All rounds of one network: each turn's seconds and the load meanwhile, and who was left out and why."""
    samples = told.samples or NETWORKS[network].samples
    folder = told.out / network
    train = data.splits.train
    assert isinstance(train, Split)
    write_images(folder, train.images[:samples, 0].numpy(), train.labels[:samples].numpy())
    facts = data.normalisation
    words = [f"--network={network}", f"--images={folder}", f"--samples={samples}", f"--threads={told.threads}"]
    words += [f"--mean={facts['mean'][0]}", f"--std={facts['std'][0]}", f"--epochs={told.warmup + told.rounds + 1}"]
    # One epoch more than are asked for: nobody comes to an end, and clears up, during another's turn.
    contenders: dict[str, Contender] = {}
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in told.contenders}
    left_out: dict[str, str] = {}

    def leave_out(name: str, reason: str) -> None:
        print(f"{network} {name}: left out: {reason}", flush=True)
        left_out[name] = reason
        turns.pop(name)
        if name in contenders:
            contenders.pop(name).close()

    try:
        for name in told.contenders:  # one after another: two that start together would both be slow
            python = told.keras_python if CONTENDERS[name][2] else Path(sys.executable)
            if not python.is_file():
                leave_out(name, f"no {python}; `make peers` installs Keras there")
                continue
            contenders[name] = Contender(name, words, told.threads, folder, python)
            try:
                contenders[name].facts = contenders[name].reply()
            except ContenderError as error:
                leave_out(name, str(error))
        draw = random.Random(0)
        for number in range(told.warmup + told.rounds):
            order = list(contenders)
            draw.shuffle(order)
            for name in order:
                try:
                    turn = _turn(contenders, name)
                except ContenderError as error:
                    leave_out(name, str(error))
                    continue
                if number >= told.warmup:
                    turns[name].append(turn)
            shown = "  ".join(f"{name} {t[-1]['seconds']:.2f}" for name, t in turns.items() if t)
            print(f"{network} round {number + 1 - told.warmup}: {shown or 'warming up'}", flush=True)
        versions = {key: v for c in contenders.values() for key, v in c.facts["versions"].items()}
    finally:
        for contender in contenders.values():
            contender.close()
    return {"samples": samples, "turns": turns, "left_out": left_out, "versions": versions}


def _turn(contenders: dict[str, Contender], name: str) -> dict[str, Any]:
    time.sleep(PAUSE)
    before, started = load.measure(), time.perf_counter()
    turn = contenders[name].train()
    after, seconds = load.measure(), time.perf_counter() - started
    if before and after:
        waiting = {c.process.pid for c in contenders.values() if c.name != name}
        turn |= load.between(before, after, waiting, contenders[name].process.pid, seconds)
    return turn


def seconds_of(result: dict[str, Any]) -> dict[str, list[float]]:
    """What `peers.table` takes: the seconds of each turn, by contender."""
    return {name: [turn["seconds"] for turn in turns] for name, turns in result["turns"].items()}


def page(results: dict[str, dict[str, Any]], told: argparse.Namespace, machine: dict[str, Any]) -> str:
    """What goes into docs/benchmarks.md: a table a network, and what it was measured with."""
    parts: list[str] = []
    versions: dict[str, str] = {}
    for network, result in results.items():
        work, samples = NETWORKS[network], result["samples"]
        title = f"`{network}`: {work.num_layers} x LSTM {work.hidden_size}, {work.optimizer}, {samples:,} images a turn"
        parts.append(markdown(title, seconds_of(result), samples))
        parts += [f"Left out: `{name}`: {why}" for name, why in result["left_out"].items()]
        versions |= result["versions"]
    loads = [t for r in results.values() for turns in r["turns"].values() for t in turns if "foreign" in t]
    quiet = ""
    if loads:
        foreign, waiting = (sum(t[k] for t in loads) / len(loads) for k in ("foreign", "waiting"))
        quiet = f" Meanwhile others took {foreign:.2f} cores on average, waiting contenders {waiting:.2f}."
    git = machine["git"] or {"commit": "unknown", "dirty": False}
    cores = f"{machine['cpu']}, {machine['cores']} cores, {told.threads} thread{'s' if told.threads > 1 else ''}"
    parts.append(
        f"{cores}; commit {git['commit'][:7]}{' (changed)' if git['dirty'] else ''}; {told.rounds} rounds after "
        f"{told.warmup} to warm up.{quiet}\n"
        f"Versions: {', '.join(f'{name} {version}' for name, version in sorted(versions.items()))}.\n"
        f"Command: `{told.command}`."
    )
    return "\n\n".join(parts)


def main() -> None:
    can_pin = hasattr(os, "sched_setaffinity")
    cores = sorted(os.sched_getaffinity(0)) if can_pin else range(os.cpu_count() or 1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--warmup", type=int, default=2, help="rounds before those that count")
    parser.add_argument("--samples", type=int, help="images a turn, in place of each network's own number")
    parser.add_argument("--threads", type=int, default=len(cores), help="all cores by default")
    parser.add_argument("--keras-python", type=Path, default=KERAS)
    parser.add_argument("--out", type=Path, default=Path("logs/peers"))
    parser.add_argument("--docs", type=Path, help="the page whose table is replaced")
    told = parser.parse_args()
    told.command = shlex.join(["python", "scripts/compare_peers.py", *sys.argv[1:]])
    for name in ("samples", "rounds", "threads"):
        if (value := getattr(told, name)) is not None and value < 1:
            parser.error(f"--{name} {value}: must be at least 1")
    if told.samples and told.samples % BATCH_SIZE:
        parser.error(f"--samples {told.samples}: must be a multiple of {BATCH_SIZE}, the batch size")
    if can_pin:  # for those that count cores by themselves (XLA), and for the workers of a DataLoader
        os.sched_setaffinity(0, cores[: told.threads])

    data = ImageData("mnist")
    results = {network: compare(network, told, data) for network in told.networks}
    machine = environment()
    for result in results.values():
        result["rows"] = {
            row.contender: {
                "samples_per_second": row.samples_per_second._asdict(),
                "speed_ratio": {other: spread._asdict() for other, spread in row.speed_ratio.items()},
            }
            for row in rows(seconds_of(result), result["samples"])
        }
    record = {"command": told.command, "threads": told.threads, "environment": machine, "networks": results}
    (told.out / "peers.json").write_text(json.dumps(record, indent=2) + "\n")
    table = page(results, told, machine)
    print(f"\n{table}\n\nresults   {told.out / 'peers.json'}")
    if told.docs:
        told.docs.write_text(put_between(told.docs.read_text(), table))


if __name__ == "__main__":
    main()
