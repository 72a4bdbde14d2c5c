"""rnnvision train KEY=VALUE ...: train a network, then test its best checkpoint.

What wins, strongest first: KEY=VALUE on the command line, debug=, sweep=, experiment=, conf/train.yaml, the groups.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from rnnvision.cli.frame.app import RunFailedError, run_verb
from rnnvision.cli.frame.arguments import check_arguments, instantiate_all, named_arguments, plain
from rnnvision.cli.frame.fitting import fit, optimisation
from rnnvision.cli.frame.messages import UsageError, arguments_of
from rnnvision.cli.train import fit_svm
from rnnvision.cli.train import pretrain as pretraining
from rnnvision.cli.train.resume import kept_if_refused, resumed
from rnnvision.runs.folder import RunFolder, is_first_process, read_json, versions

if TYPE_CHECKING:
    import lightning as L

    from rnnvision.data import ImageData
    from rnnvision.training import Learner

GROUPS = ("model", "data", "augmentation", "optimizer", "scheduler", "trainer", "callbacks", "logger")
FROM_DATA = ("input_shape", "num_classes")
# Of a network, in the first line of a run.
SHOWN: tuple[str, ...] = (
    "variant",
    "recurrence",
    "num_layers",
    "patch_sizes",
    "hidden_size",
    "bidirectional",
    "scan",
    "patch_size",
    "order",
    "readout",
    "num_glimpses",
)
KEYS = (*GROUPS, "seed", "label_smoothing", "pretrain", "pretrain_epochs", "resume", "log_dir", "name")


def main() -> None:
    run_verb("train", train)


def train(cfg: DictConfig, run: RunFolder) -> float:
    """One run: fit, test the best checkpoint, write metrics.json; returns the best val/accuracy."""
    if cfg.resume is not None:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise UsageError("resume: continues one run; leave out -m")
        cfg = resumed(cfg, run)
    if HydraConfig.get().mode == RunMode.MULTIRUN and str(cfg.trainer.strategy).startswith("ddp"):
        return _as_plain_run(run)

    import lightning as L

    from rnnvision.cli.frame.device import device_line, share_cores
    from rnnvision.data import DataError
    from rnnvision.training import CheckpointError, Learner, TrainingError

    if unknown := [str(key) for key in cfg if key not in KEYS]:
        raise UsageError(f"{unknown[0]}: there is no such key; choose one of {', '.join(KEYS)}")
    try:
        check_arguments("", {"seed": cfg.seed, "label_smoothing": cfg.label_smoothing}, Learner)
        with arguments_of("seed"):
            L.seed_everything(cfg.seed, verbose=False)
        data = make_data(cfg)
        learner, trainer = make_learner(cfg, data, run)
        pretraining.check(cfg, trainer)
        fit_svm.check(cfg, data, trainer.world_size)
        if trainer.strategy.root_device.type == "cpu":
            share_cores(data.num_workers if data.serving.streams else 0)
        if is_first_process():
            print(
                f"network   {_describe(learner)}\n"
                f"data      {data.summary()}\n"
                f"device    {device_line(trainer, cfg.trainer.precision)}\n"
                f"{_kernel_lines(learner, trainer, data.batch_size)}"
                f"{fit_svm.LINE if fit_svm.is_fitted(cfg) else ''}"
                f"folder    {run.shown()}",
                flush=True,
            )
        with kept_if_refused(cfg, run):
            if fit_svm.is_fitted(cfg):
                seconds = fit_svm.fit_at_once(run, trainer, learner, data)
            else:
                last = _checkpoint_to_resume(cfg, run)
                if last is not None:
                    _check_same_network(run, last, learner)
                if last is None and pretraining.is_asked_for(cfg):
                    pretraining.pretrain(cfg, run, data, learner)
                seconds = fit(trainer, learner, data, last)
    except (DataError, TrainingError) as error:
        raise RunFailedError(str(error)) from error
    except CheckpointError as error:
        raise UsageError(f"resume={error}") from error
    if not is_first_process():
        return 0.0
    return _finish(cfg, run, trainer, learner, data, seconds)


def make_data(cfg: DictConfig) -> "ImageData":
    """The data that a configuration describes, read and checked for a training."""
    from rnnvision.data import CATALOG, Augmentation, ImageData

    with arguments_of("augmentation"):
        chosen = plain(cfg.get("augmentation")) or {}  # a run of an earlier version has none
        check_arguments("augmentation", chosen, Augmentation)
        augmentation = Augmentation(**chosen)
    with arguments_of("data"):
        arguments = named_arguments("data", cfg.data, {name: (ImageData, d.read) for name, d in CATALOG.items()})
        data = ImageData(**arguments, augmentation=augmentation)
        data.setup("fit")
    return data


def make_learner(cfg: DictConfig, data: "ImageData", run: RunFolder) -> "tuple[Learner, L.Trainer]":
    """The network with its optimiser, and the trainer; everything that can be wrong in a config is found here."""
    from rnnvision.cli.frame.device import make_trainer
    from rnnvision.nn import MODELS, build
    from rnnvision.training import Learner

    for key in FROM_DATA:
        if key in cfg.model:
            raise UsageError(f"model.{key}: cannot be chosen, the data says it")
    network_arguments = {
        **named_arguments("model", cfg.model, MODELS),
        "input_shape": list(data.input_shape),
        "num_classes": len(data.class_names),
    }
    with arguments_of("model"):
        network = build(**network_arguments)
    callbacks = instantiate_all("callbacks", cfg.callbacks)
    loggers = instantiate_all("logger", cfg.logger)
    trainer = make_trainer(plain(cfg.trainer), run, callbacks=callbacks, logger=loggers)
    for logger in loggers:
        logger.log_hyperparams(plain(cfg))
    trained_by = optimisation(cfg, network, data, trainer)
    with arguments_of(""):
        learner = Learner(
            network,
            num_classes=len(data.class_names),
            **trained_by,
            label_smoothing=cfg.label_smoothing,
            seed=cfg.seed,
            description={
                "network": network_arguments,
                "class_names": list(data.class_names),
                "normalisation": data.normalisation,
                "data": data.describe(),
                "versions": versions(),
            },
        )
    return learner, trainer


def _checkpoint_to_resume(cfg: DictConfig, run: RunFolder) -> Path | None:
    """The checkpoint that a resumed run goes on from; None where it begins, or was still at its pre-training."""
    last = run.path / "checkpoints" / "last.ckpt"
    if cfg.resume is None or last.is_file():
        return last if cfg.resume is not None else None
    if pretraining.is_asked_for(cfg) and (run.path / pretraining.CHECKPOINT).is_file():
        return None
    raise UsageError(f"resume={run.shown()}: holds no checkpoints/last.ckpt; it stopped before its first epoch ended")


def _check_same_network(run: RunFolder, last: Path, learner: "Learner") -> None:
    from rnnvision.training import read_checkpoint

    mine, saved = learner.description["network"], read_checkpoint(last)["rnnvision"]["network"]
    for key in mine:
        if key in saved and saved[key] != mine[key]:
            raise UsageError(
                f"resume={run.shown()}: {last.relative_to(run.path)} is of another network, {key}={saved[key]}; "
                f"its run has {key}={mine[key]}; put back the file that belongs there"
            )


def _finish(
    cfg: DictConfig, run: RunFolder, trainer: "L.Trainer", learner: "Learner", data: "ImageData", seconds: float
) -> float:
    """Test the best checkpoint exactly as `evaluate` does, and say what to do next."""
    from rnnvision.cli.evaluate import list_skipped, measure, score_line
    from rnnvision.cli.frame.device import make_trainer

    best = run.path / "checkpoints" / "best.ckpt"
    before = read_json(run.path / "metrics.json").get("train/seconds", 0.0) if cfg.resume is not None else 0.0
    metrics = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("train/")}
    metrics["train/seconds"] = round(before + seconds, 3)
    if learner.samples_seen:  # a resumed run may have had nothing left to train
        metrics["train/samples_per_second"] = round(learner.samples_seen / seconds, 2)
    metrics |= pretraining.figures(run)
    where = {**plain(cfg.trainer), "devices": 1, "strategy": "auto", "precision": "32-true", "profiler": None}
    tester = make_trainer(where, run, logger=False, enable_checkpointing=False)
    if best.is_file():
        as_served = {key: getattr(data, key) for key in ("format", "num_workers", "prefetch", "timeout")}
        measured, _ = measure(best, tester, changes=as_served)
        metrics |= (_best_validation(best) or _last_validation(trainer)) | measured
        print(
            f"\n{score_line(metrics)}   (best val/accuracy {metrics['val/accuracy']:.4f}; {seconds:.1f} s of training)"
        )
        print(f"results   {run.shown()}\nnext      rnnvision evaluate ckpt={run.shown()}")
    else:
        metrics |= {k: float(v) for k, v in tester.test(learner, datamodule=data, verbose=False)[0].items()}
        print(f"\n{score_line(metrics)}   (of the last weights; no best checkpoint was saved)\nresults   {run.shown()}")
    list_skipped(data.bad_files, run)
    if (profile := run.path / "fit-profile.txt").is_file():
        print(f"profile   {os.path.relpath(profile)}")
    run.write("metrics.json", metrics)
    return metrics.get("val/accuracy", float("nan"))


def _best_validation(best: Path) -> dict[str, float]:
    """The validation accuracy for which the best checkpoint was kept."""
    from rnnvision.training import read_checkpoint

    for state in read_checkpoint(best)["callbacks"].values():
        if isinstance(state, dict) and state.get("monitor") == "val/accuracy" and state["best_model_score"] is not None:
            return {"val/accuracy": float(state["best_model_score"])}
    return {}


def _last_validation(trainer: "L.Trainer") -> dict[str, float]:
    """Of a network that was fitted in one go and so validated once."""
    return {k: float(v) for k, v in trainer.callback_metrics.items() if k == "val/accuracy"}


def _describe(learner: "Learner") -> str:
    from rnnvision.nn.controls.feedforward import Control
    from rnnvision.training.svm_fit import is_fitted

    network = learner.description["network"]
    shape = " x ".join(map(str, network["input_shape"]))
    shown = SHOWN
    if isinstance(learner.network, Control):  # all that can be chosen
        shown = tuple(key for key in network if key not in ("name", *FROM_DATA))
    facts = ", ".join(f"{key} {network[key]}" for key in shown if network.get(key) is not None)
    made_of = f" ({facts})" if facts else ""
    line = f"{network['name']}{made_of}, {shape} -> {network['num_classes']}"
    if is_fitted(learner.network):  # how many parameters a support vector machine has is for the fit to find
        return line
    return f"{line}, {sum(p.numel() for p in learner.network.parameters()):,} parameters"


def _kernel_lines(learner: "Learner", trainer: "L.Trainer", batch_size: int) -> str:
    """On a GPU: which of cuDNN's kernels the recurrences get, and what would make it a faster one."""
    from rnnvision.insight import cudnn_kernel
    from rnnvision.nn.layers.fused import FusedLayer

    if trainer.strategy.root_device.type != "cuda":
        return ""
    layers = (module for module in learner.modules() if isinstance(module, FusedLayer))
    found = dict.fromkeys(
        (kernel, tuple(missing))
        for kernel, missing in (cudnn_kernel(layer, batch_size, str(trainer.precision)) for layer in layers)
    )
    return "".join(
        f"kernel    cuDNN's {kernel}{'; for the persistent one: ' + ', '.join(missing) if missing else ''}\n"
        for kernel, missing in found
    )


def _as_plain_run(run: RunFolder) -> float:
    """A distributed job of a sweep, as a command of its own: its processes would otherwise repeat the whole sweep."""
    overrides = list(HydraConfig.get().overrides.task)
    command = [sys.executable, "-m", "rnnvision.cli.train", *overrides, f'hydra.run.dir="{run.path}"']
    code = subprocess.run(command, check=False).returncode
    if code:
        error = read_json(run.path / "status.json").get("error")
        raise RunFailedError(error or f"ended with exit code {code}")
    return float(read_json(run.path / "metrics.json").get("val/accuracy", "nan"))
