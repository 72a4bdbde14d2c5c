"""rnnvision evaluate ckpt=FILE_OR_RUN_FOLDER: measure a trained checkpoint. It needs nothing but the checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from rnnvision.cli.frame.app import RunFailedError, run_verb
from rnnvision.cli.frame.arguments import check_arguments, plain
from rnnvision.cli.frame.messages import UsageError, arguments_of
from rnnvision.runs.folder import RunFolder

if TYPE_CHECKING:
    import lightning as L

SPLITS = ("train", "val", "test")


def main() -> None:
    run_verb("evaluate", evaluate)


def evaluate(cfg: DictConfig, run: RunFolder) -> float:
    """Measure `cfg.ckpt` on `cfg.split` and write metrics.json; returns the accuracy."""
    from rnnvision.training import CheckpointError, find_checkpoint

    if cfg.ckpt is None:
        raise UsageError(
            "ckpt=null: give a checkpoint file or a run folder; try: rnnvision evaluate ckpt=logs/train/latest"
        )
    if cfg.split not in SPLITS:
        raise UsageError(f"split={cfg.split}: choose one of {', '.join(SPLITS)}")
    from rnnvision.cli.frame.device import make_trainer

    trainer = make_trainer(plain(cfg.trainer), run, logger=False, enable_checkpointing=False)
    try:
        path = find_checkpoint(cfg.ckpt)
        metrics, skipped = measure(path, trainer, split=cfg.split, changes=plain(cfg.data))
    except CheckpointError as error:
        raise UsageError(f"ckpt={error}") from error
    run.write("metrics.json", metrics)
    print(f"checkpoint  {path}\n{score_line(metrics, cfg.split)}\nresults     {run.shown()}")
    list_skipped(skipped, run)
    return metrics[f"{cfg.split}/accuracy"]


def measure(
    path: Path, trainer: "L.Trainer", split: str = "test", changes: dict[str, Any] | None = None
) -> tuple[dict[str, float], list[str]]:
    """The metrics of a checkpoint on a split of its data, made anew from what the file says of itself.

    Beside them, what is wrong with each file that was left out.

    `changes` are arguments of `ImageData` to use instead of the checkpoint's; null ones are ignored.
    """
    from rnnvision.data import DataError, ImageData
    from rnnvision.training import CheckpointError, Learner, load_network, read_checkpoint

    checkpoint = read_checkpoint(path)
    description = checkpoint["rnnvision"]
    if description.get("objective", "classify") != "classify":
        raise CheckpointError(f"{path}: is of a pre-training and knows no classes; give the run folder")
    given = {k: v for k, v in (changes or {}).items() if v is not None}
    check_arguments("data", given, ImageData)
    try:
        with arguments_of("data"):
            data = ImageData(**{**description["data"], **given})
            data.setup()
        if list(data.class_names) != description["class_names"]:
            raise RunFailedError(f"{data.splits.origin}: its classes are not those that {path} was trained on")
        learner = Learner(load_network(checkpoint), num_classes=len(data.class_names))
        data.tested_split = split
        found = trainer.test(learner, datamodule=data, verbose=False)[0]  # reads files where they are streamed
    except DataError as error:
        raise RunFailedError(str(error)) from error
    metrics = {name.replace("test/", f"{split}/"): float(value) for name, value in found.items()}
    return metrics | ({"data/skipped_files": len(data.bad_files)} if data.bad_files else {}), data.bad_files


def list_skipped(skipped: list[str], run: RunFolder) -> None:
    """Beside a score: which files it leaves out."""
    if skipped:
        (run.path / "skipped_files.txt").write_text("".join(f"{reason}\n" for reason in skipped))
        lines = "".join(f"\n            {reason}" for reason in skipped)
        print(f"skipped     {len(skipped)} files, also in skipped_files.txt:{lines}")


def score_line(metrics: dict[str, float], split: str = "test") -> str:
    """The figures of a split on one line, accuracy first."""
    figures = {k.removeprefix(f"{split}/"): v for k, v in metrics.items() if k.startswith(f"{split}/")}
    first = f"{split} accuracy {figures.pop('accuracy'):.4f}"
    return "   ".join([first, *(f"{name} {value:.4f}" for name, value in sorted(figures.items()))])


if __name__ == "__main__":
    main()
