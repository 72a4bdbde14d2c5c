"""A trained network on the GPU: trained, loaded, streamed and exported; the latency of a step; torch.compile."""

import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu.measuring import LeftOutError, Row, Rows, Told
from gpu.parts.parity import difference
from gpu.tables import milliseconds, table

if TYPE_CHECKING:
    import rnnvision

TITLE = "A trained network at work on the GPU"
ROOT = Path(__file__).resolve().parents[3]
STREAMED = ("lstm", "gru", "mingru", "lru")
COMPILED = ("mingru", "lru", "sequencer2d")
ROUNDS = 300


def measure(told: Told, rows: Rows) -> None:
    rows.measure("train, load, push rows", lambda: _session(_run(told), told))
    rows.measure("export torch_export, load", lambda: _exported(_run(told), told))
    for name in STREAMED:
        rows.measure(f"a token of {name}", partial(_token, name, told))
    for name in told.size(COMPILED, ("lru",)):
        rows.measure(f"compile {name}", partial(_compiled, name, told))


def _run(told: Told) -> Path:
    """A run folder of a short training by the command; made once."""
    from rnnvision.runs import find_runs

    folder = told.folder / "logs"
    finished = [r.path for r in (find_runs(folder) if folder.is_dir() else ()) if (r.path / "metrics.json").is_file()]
    if finished:
        return finished[0]
    size = told.size(128, 8)
    words = [f"device={'gpu' if told.device_type == 'cuda' else 'cpu'}", "model=lstm", f"model.hidden_size={size}"]
    words += ["model.num_layers=2", "data=fake", "data.num_train=600", "data.num_test=100", "trainer.max_epochs=1"]
    subprocess.run([sys.executable, "train.py", *words, f"log_dir='{folder}'"], cwd=ROOT, check=True)
    return next(r.path for r in find_runs(folder))


def _session(run: Path, told: Told) -> Row:
    """Rows pushed one by one: the time of each, and whether GPU and CPU believe the same."""
    import torch

    import rnnvision
    from rnnvision.insight import wait_for

    images = torch.rand(told.size(20, 2), 1, 28, 28)
    beliefs: list[torch.Tensor] = []
    seconds: list[float] = []
    for timed, where in ((True, told.device_type), (False, "cpu")):
        session, last = rnnvision.load(run, device=where).session(), []
        for image in images:
            session.reset()
            for i in range(28):
                wait_for(told.device)
                started = time.perf_counter()
                session.push(image[:, i])  # its answer is read, so the GPU has finished
                if timed:
                    seconds.append(time.perf_counter() - started)
            last.append(session.probabilities)
        beliefs.append(torch.stack([p.cpu() for p in last if p is not None]))
    return {**_percentiles(seconds[28:]), "difference": difference(beliefs[0], beliefs[1])}  # without the first image


def _exported(run: Path, told: Told) -> Row:
    """The file of `rnnvision export format=torch_export`, loaded on the GPU, beside the network on the CPU."""
    import torch

    import rnnvision

    file = told.folder / "network.pt2"
    command = [sys.executable, "-m", "rnnvision.cli.export", f"ckpt='{run}'", "format=torch_export"]
    started = time.perf_counter()
    subprocess.run([*command, f"output='{file}'", f"log_dir='{told.folder}'"], cwd=ROOT, check=True)
    seconds = time.perf_counter() - started
    images = torch.rand(16, 1, 28, 28)
    found = [_logits(rnnvision.load(path, device=where), images) for path, where in ((file, told.device), (run, "cpu"))]
    return {"export": seconds, "difference": difference(*found)}


def _logits(classifier: "rnnvision.Classifier", images: Any) -> Any:
    import torch

    with torch.inference_mode():
        return classifier.network(images.to(classifier.device)).cpu()


def _token(name: str, told: Told) -> Row:
    """`step` of one token of one image, in eager mode."""
    import torch
    from claims.networks import make

    from rnnvision.insight.speed import time_rounds

    network: Any = make(name, (1, 28, 28), hidden_size=told.size(128, 8)).to(told.device).eval()
    token = torch.rand(1, 28, device=told.device)
    with torch.inference_mode():
        state = network.initial_state(1)
        seconds = time_rounds(lambda: network.step(token, state), told.device, told.size(ROUNDS, 3), warmup=10)
    return _percentiles(seconds)


def _compiled(name: str, told: Told) -> Row:
    """A training step before and after `module.compile()`, and how long compiling takes."""
    import torch
    from claims.networks import make
    from torch._dynamo.exc import TorchDynamoException

    from rnnvision.insight import throughput
    from rnnvision.training import make_optimizer

    is_grid = name == "sequencer2d"
    network: Any = _sequencer() if is_grid else make(name, (1, 28, 28), hidden_size=told.size(128, 8))
    network.to(told.device)
    images = torch.rand(told.size(128, 2), 1, 28, 28, device=told.device)
    optimizer = make_optimizer(network, "adamw", lr=1e-3)
    rounds = told.size(10, 1)
    eager = throughput(network, images, optimizer=optimizer, rounds=rounds)
    started = time.perf_counter()
    network.compile(backend=told.size("inductor", "eager"))
    try:
        throughput(network, images, optimizer=optimizer, rounds=1)
    except TorchDynamoException as error:  # torch 2.11 cannot follow complex numbers into a gradient of one's own
        raise LeftOutError(f"torch.compile: {str(error).splitlines()[0]}") from error
    compiling = time.perf_counter() - started
    compiled = throughput(network, images, optimizer=optimizer, rounds=rounds)
    return {
        "eager": statistics.median(eager.rounds),
        "compiled": statistics.median(compiled.rounds),
        "compiling": compiling,
    }


def _sequencer() -> Any:
    from rnnvision.nn import build

    return build("sequencer2d", input_shape=(1, 28, 28), num_classes=10, variant="tiny")


def _percentiles(seconds: Any) -> Row:
    from rnnvision.insight import Speed

    speed = Speed(1, tuple(seconds))
    return {"p50": speed.percentile(0.5), "p99": speed.percentile(0.99)}


def markdown(rows: dict[str, Row]) -> str:
    waits = [
        [
            case,
            milliseconds(row["p50"]),
            milliseconds(row["p99"]),
            f"{row['difference']:.0e}" if "difference" in row else "-",
        ]
        for case, row in rows.items()
        if "p50" in row
    ]
    parts = [table(["one image", "p50, ms", "p99, ms", "difference from the CPU"], waits)] if waits else []
    if export := rows.get("export torch_export, load"):
        parts.append(
            f"`rnnvision export format=torch_export` takes {export['export']:.1f} s; the file, loaded on the GPU, "
            f"gives the logits of the network on the CPU to {export['difference']:.0e} of the largest."
        )
    compiled = [
        [f"`{case.split()[1]}`", milliseconds(row["eager"]), milliseconds(row["compiled"]), f"{row['compiling']:.0f}"]
        for case, row in rows.items()
        if "compiling" in row
    ]
    if compiled:
        parts.append(table(["training step", "eager, ms", "`module.compile()`, ms", "compiling, s"], compiled))
    return "\n\n".join(parts)
