"""rnnvision benchmark model=NAME, or ckpt=FILE_OR_RUN_FOLDER: what a network costs, and how fast it is here."""

import re
from typing import TYPE_CHECKING, Any, cast

from omegaconf import DictConfig

from rnnvision.checks import at_least, whole_numbers
from rnnvision.cli.frame.app import run_verb
from rnnvision.cli.frame.arguments import arguments_of, named_arguments, plain, typed_words
from rnnvision.cli.frame.setup import least_batch, takes_steps
from rnnvision.cli.frame.trainer.optimisation import optimizer_arguments
from rnnvision.errors import UsageError
from rnnvision.report.benchmark_plot import plot_benchmark
from rnnvision.report.style import drawn
from rnnvision.runs import RunFolder

if TYPE_CHECKING:
    import torch
    from torch import nn

    from rnnvision.insight.speed import Context


TITLES = {"train": "training/s", "inference": "inference/s"}


def main() -> None:
    run_verb("benchmark", benchmark)


def benchmark(cfg: DictConfig, run: RunFolder) -> float:
    """Count and time one network; writes metrics.json and benchmark.png, returns samples a second in training."""
    import torch

    from rnnvision.cli.frame.device import device_line, make_trainer
    from rnnvision.cli.frame.trainer.memory import network_fits
    from rnnvision.insight import forget_peak, peak_memory
    from rnnvision.nn import build
    from rnnvision.training.precision import step_precision

    _check(cfg)
    arguments = _network_arguments(cfg)
    forget_peak(torch.device("cpu"))
    before = peak_memory(torch.device("cpu"))
    trainer = make_trainer(plain(cfg.trainer), run)
    device = trainer.strategy.root_device
    dtype, context = step_precision(trainer)
    with arguments_of("model"), network_fits():
        network = build(**arguments)
    network.to(device)  # not within: CUDA takes more addresses than there is memory
    print(f"network   {arguments['name']}, {' x '.join(map(str, arguments['input_shape']))}")
    print(f"device    {device_line(trainer, cfg.trainer.precision)}")
    metrics = _cost(network, arguments["input_shape"])
    metrics |= _speed(cfg, network, arguments["input_shape"], metrics["multiply_adds"], dtype, context)
    memory = peak_memory(device) - (0 if device.type == "cuda" else before)
    print(f"memory    {memory / 2**20:.0f} MB at the peak{'' if device.type == 'cuda' else ', over the imports'}")
    metrics |= {"memory/peak": memory, **_growth(cfg, network, context)}
    run.write("metrics.json", metrics)
    print(f"results   {run.shown()}{drawn(plot_benchmark, run.path / 'benchmark.png', metrics)}")
    speeds = [metrics.get(f"{stage}/samples_per_second/{max(cfg.batch_sizes)}") for stage in TITLES]
    return next(speed for speed in speeds if speed is not None)


def _cost(network: "nn.Module", input_shape: list[int]) -> dict[str, Any]:
    from rnnvision.insight import multiply_adds

    try:
        counts = multiply_adds(network, input_shape)
    except ValueError as error:
        raise UsageError(str(error)) from error
    parameters, total = sum(p.numel() for p in network.parameters()), sum(counts.values())
    print(f"cost      {parameters:,} parameters, {total:,} multiply-adds an image")
    width = max(30, *map(len, counts))
    for layer, count in counts.items():
        print(f"            {layer:{width}}{count:>14,}")
    return {"parameters": parameters, "multiply_adds": total}


def _speed(
    cfg: DictConfig,
    network: "nn.Module",
    input_shape: list[int],
    multiply_adds: int,
    dtype: "torch.dtype",
    context: "Context",
) -> dict[str, Any]:
    import torch

    from rnnvision.insight import latency, matrix_rate, throughput
    from rnnvision.training import make_optimizer

    device = next(network.parameters()).device
    optimizer = None
    if takes_steps(network):
        with arguments_of("optimizer"):
            optimizer = make_optimizer(network, **optimizer_arguments(cfg))
    rate = matrix_rate(device, dtype)
    metrics: dict[str, Any] = {"matrix_rate": rate}
    print(f"matrices  {rate / 1e9:.1f} G multiply-adds/s in a product of 2048 x 2048; a share is of that\n")
    stages = [("train", 3, optimizer), ("inference", 1, None)]
    if optimizer is None:  # there are no steps to time
        del stages[0]
    print(f"{'batch':>6}" + "".join(f"{TITLES[stage]:>14}{'share':>8}" for stage, _, _ in stages))
    for size in cfg.batch_sizes:
        images = torch.rand(size, *input_shape, device=device)
        row = f"{size:>6}"
        for stage, products, used in stages:
            if used is not None and size < least_batch(network):
                row += f"{'-':>14}{'':>8}"  # batch norm
                continue
            speed = throughput(network, images, optimizer=used, rounds=cfg.rounds, context=context).samples_per_second
            share = products * multiply_adds * speed / rate
            metrics |= {f"{stage}/samples_per_second/{size}": speed, f"{stage}/share/{size}": share}
            row += f"{speed:>14,.0f}{share:>8.1%}"
        print(row, flush=True)
    one = latency(network, torch.rand(1, *input_shape, device=device), rounds=cfg.latency_rounds, context=context)
    p50, p99 = one.percentile(0.5), one.percentile(0.99)
    print(f"\nlatency   p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms, one image")
    return metrics | {"latency/p50": p50, "latency/p99": p99}


def _growth(cfg: DictConfig, network: "nn.Module", context: "Context") -> dict[str, Any]:
    """Of time with the length of a sequence; nothing for a network that reads none."""
    from rnnvision.insight import growth

    if not hasattr(network, "recurrence"):
        return {}
    recurrence = cast(Any, network.recurrence)
    times, exponent = growth(
        recurrence, cfg.lengths, input_size=recurrence.input_size, batch_size=cfg.growth_batch, context=context
    )
    shown = ", ".join(f"{length}: {seconds * 1e3:.1f} ms" for length, seconds in times.items())
    print(f"growth    T^{exponent:.2f} ({shown}; forward and backward, batch {cfg.growth_batch})")
    return {"growth/exponent": exponent, **{f"growth/seconds/{length}": s for length, s in times.items()}}


def _check(cfg: DictConfig) -> None:
    with arguments_of(""):
        for key in ("growth_batch", "rounds", "latency_rounds", "num_classes"):
            at_least(key, plain(cfg[key]), 1)
        for key in ("batch_sizes", "lengths", "input_shape"):
            whole_numbers(key, plain(cfg[key]))


def _network_arguments(cfg: DictConfig) -> dict[str, Any]:
    """The network of the checkpoint, else that of the configuration."""
    from rnnvision.nn import MODELS

    if cfg.ckpt is None:
        arguments = named_arguments("model", cfg.model, MODELS)
        return {**arguments, "input_shape": plain(cfg.input_shape), "num_classes": cfg.num_classes}
    of_network = re.compile(r"\+*(model[=.]|input_shape=|num_classes=)")
    if typed := [word for word in typed_words() if of_network.match(word)]:
        raise UsageError(f"{typed[0]}: the network is that of ckpt={cfg.ckpt}; leave out one of the two")
    from rnnvision.inference.published import read_trained
    from rnnvision.training import find_checkpoint, require_network

    path = find_checkpoint(cfg.ckpt)
    checkpoint = read_trained(path)
    require_network(checkpoint, path)
    return checkpoint["rnnvision"]["network"]


if __name__ == "__main__":
    main()
