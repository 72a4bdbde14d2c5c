"""Steps a second of the experiments that were made for a GPU and that no CPU can finish."""

import statistics

from gpu.measuring import Row, Rows, Told
from gpu.tables import table

TITLE = "Experiments for a GPU"
# experiment -> images of an epoch of its training split, at the default share for validation
EXPERIMENTS = {
    "scifar_lstm": 45_000,
    "scifar_lru": 45_000,
    "smnist_lstm": 54_000,
    "cifar10_vil": 45_000,
    "cifar10_sequencer": 45_000,
}
PRECISIONS = ("fp32", "bf16", "fp16")
STEPS, WARMUP, ROUNDS = 15, 1, 2


def measure(told: Told, rows: Rows) -> None:
    for precision in PRECISIONS:
        for experiment in EXPERIMENTS:
            rows.measure(f"{experiment} {precision}", lambda e=experiment, p=precision: _steps(e, p, told))


def _steps(experiment: str, precision: str, told: Told) -> Row:
    """On synthetic images of the same shape: an epoch is `STEPS` batches of the experiment's own size."""
    from gpu.training import make, time_epochs
    from hydra import compose, initialize_config_dir

    from rnnvision.cli.frame.arguments import config_dir
    from rnnvision.insight import forget_peak, peak_memory

    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        batch = compose("train", [f"experiment={experiment}"]).data.batch_size
    side = 32 if "cifar" in experiment else 28
    words = [f"experiment={experiment}", "data=fake", f"data.image_shape=[{3 if side == 32 else 1},{side},{side}]"]
    if told.small:
        words += [f"data.image_shape=[{3 if side == 32 else 1},8,8]", *_tiny(experiment)]
        batch = 4
    rounds, steps = told.size(ROUNDS, 1), told.size(STEPS, 1)
    forget_peak(told.device)
    words.append(f"data.batch_size={batch}")
    training = make(
        words, told, f"{experiment}_{precision}", samples=batch * steps, epochs=WARMUP + rounds, precision=precision
    )
    seconds = time_epochs(training, WARMUP + rounds)[WARMUP:]
    return {"steps": steps, "batch_size": batch, "seconds": seconds, "peak": peak_memory(told.device)}


def _tiny(experiment: str) -> list[str]:
    if experiment == "cifar10_vil":
        return ["model.hidden_size=16", "model.num_layers=2"]
    if experiment == "cifar10_sequencer":
        return [
            "model.layers=[1,1]",
            "model.embed_dims=[8,8]",
            "model.hidden_sizes=[4,4]",
            "model.patch_sizes=[2,1]",
            "model.mlp_ratios=[2,2]",
        ]
    return ["model.hidden_size=8"]


def markdown(rows: dict[str, Row]) -> str:
    cells = []
    for case, row in rows.items():
        experiment, precision = case.split()
        rate = row["steps"] / statistics.median(row["seconds"])
        epoch = EXPERIMENTS[experiment] / row["batch_size"] / rate
        cells.append(
            [
                f"`{experiment}`",
                precision,
                str(row["batch_size"]),
                f"{rate:.1f}",
                f"{epoch:.0f}",
                f"{row['peak'] / 2**30:.2f}",
            ]
        )
    head = ["experiment", "precision", "batch", "steps/s", "epoch, s", "peak, GB"]
    return "\n".join(
        [
            table(head, cells),
            "",
            f"The experiment's own network, batch, optimiser and augmentation, on synthetic images of the same shape; medians "
            f"of {ROUNDS} turns of {STEPS} steps, whose beginning and end count, after one to warm up. An epoch is computed.",
        ]
    )
