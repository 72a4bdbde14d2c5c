"""rnnvision train KEY=VALUE ...: train a network, then test its best checkpoint.

What wins, strongest first: KEY=VALUE on the command line, debug=, sweep=, experiment=, conf/train.yaml, the groups.
"""

import os

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from rnnvision.cli.frame.app import run_verb
from rnnvision.cli.frame.arguments import plain
from rnnvision.cli.frame.command_line.words import command, override
from rnnvision.cli.frame.results import list_skipped, score_line
from rnnvision.cli.frame.setup import Training, make_training
from rnnvision.cli.train.resume import kept_if_refused, resumed
from rnnvision.cli.train.stages import Stage, stages_of
from rnnvision.cli.train.sweep_job import run_as_command
from rnnvision.runs import RunFolder, is_first_process


def main() -> None:
    run_verb("train", train)


def train(cfg: DictConfig, run: RunFolder) -> float:
    """One run: its stages, then the test of the best checkpoint; returns the best val/accuracy."""
    in_a_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    if in_a_sweep and str(cfg.trainer.strategy).startswith("ddp"):
        return run_as_command(run)
    if cfg.resume is not None:
        cfg = resumed(cfg, run)
    training = make_training(cfg, run)
    stages = stages_of(training)
    if is_first_process():
        print(_first_lines(training, stages), flush=True)
    with kept_if_refused(cfg, run):
        figures = {key: value for stage in stages for key, value in stage.run().items()}
    return _score(training, figures) if is_first_process() else 0.0


def _first_lines(training: Training, stages: list[Stage]) -> str:
    from rnnvision.cli.frame.device import device_line, kernel_lines

    cfg, trainer = training.cfg, training.trainer
    lines = [
        f"network   {_network(training)}",
        f"data      {training.data.summary()}",
        f"device    {device_line(trainer, cfg.trainer.precision)}",
        *kernel_lines(training.learner, trainer, training.data.batch_size),
        *(stage.line for stage in stages if stage.line),
        f"folder    {training.run.shown()}",
    ]
    return "\n".join(lines)


def _network(training: Training) -> str:
    """The network, what of it differs from its defaults, and its size, which a fit in one go has yet to find."""
    from rnnvision.nn import changed_arguments

    arguments, network = training.learner.description["network"], training.learner.network
    shape = " x ".join(map(str, arguments["input_shape"]))
    changed = "".join(f", {key} {value}" for key, value in changed_arguments(**arguments).items())
    trained = all(p.requires_grad for p in network.parameters())
    size = f", {sum(p.numel() for p in network.parameters()):,} parameters" if trained else ""
    option = HydraConfig.get().runtime.choices.get("model")
    chosen = f"{option}: " if option != arguments["name"] and training.cfg.resume is None else ""
    return f"{chosen}{arguments['name']}{changed}, {shape} -> {arguments['num_classes']}{size}"


def _score(training: Training, figures: dict[str, float]) -> float:
    """Test the best weights on the data that is here, in one process and in full precision, and say what to do next."""
    from rnnvision.cli.frame.device import make_trainer
    from rnnvision.training import read_checkpoint

    run, learner, data = training.run, training.learner, training.data
    best = run.path / "checkpoints" / "best.ckpt"
    if best.is_file():
        learner.load_state_dict(read_checkpoint(best)["state_dict"])
        figures |= _best_validation(training)
    alone = {"devices": 1, "strategy": "auto", "precision": "32-true", "profiler": None}
    tester = make_trainer({**plain(training.cfg.trainer), **alone}, run, logger=False, enable_checkpointing=False)
    figures |= {k: float(v) for k, v in tester.test(learner, datamodule=data, verbose=False)[0].items()}
    figures |= {"data/skipped_files": len(data.bad_files)} if data.bad_files else {}
    run.write("metrics.json", figures)
    best_score = figures.get("val/accuracy", float("nan"))
    about = f"best val/accuracy {best_score:.4f}; {figures['train/seconds']:.1f} s of training"
    about = about if best.is_file() else "of the last weights; no best checkpoint was saved"
    print(f"\n{score_line(figures)}   ({about})\nresults   {run.shown()}")
    list_skipped(data.bad_files, run)
    if (profile := run.path / "fit-profile.txt").is_file():
        print(f"profile   {os.path.relpath(profile)}")
    if best.is_file():
        plugins = plain(training.cfg.get("plugins"))
        needed = [f"plugins=[{','.join(plugins)}]"] if plugins else []
        print(f"next      {command([override('ckpt', run.shown()), *needed], 'rnnvision evaluate')}")
    return best_score


def _best_validation(training: Training) -> dict[str, float]:
    """The validation accuracy for which the best checkpoint was kept; that of a fit in one go."""
    from lightning.pytorch.callbacks import ModelCheckpoint

    for callback in training.trainer.checkpoint_callbacks:
        if not isinstance(callback, ModelCheckpoint) or callback.monitor != "val/accuracy":
            continue
        if callback.best_model_score is not None:
            return {"val/accuracy": float(callback.best_model_score)}
    found = training.trainer.callback_metrics.get("val/accuracy")
    return {} if found is None else {"val/accuracy": float(found)}
