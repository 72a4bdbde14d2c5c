"""The callbacks of a training: what their keys say is completed and checked before anything is read.

Figures of validation are looked at after each validation, figures of training at the end of each epoch: no callback
sees a figure that is older than the weights.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from rnnvision.checks import at_least, choose_one, fraction, number
from rnnvision.cli.frame.arguments import arguments_of, check_target, check_targets, instantiate_all, plain
from rnnvision.cli.frame.command_line.words import yaml_text
from rnnvision.errors import UsageError

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import Logger

OUTPUT, ANY_FOLDER = "${hydra:runtime.output_dir}", "RUN"
CHECKPOINTS = ("BestCheckpoint", "ModelCheckpoint")


def make_callbacks(
    node: DictConfig | None, trainer: Mapping[str, Any], loggers: "list[Logger]", folder: Path
) -> "list[Callback]":
    """The callbacks of a run in `folder`, whose Trainer has these arguments and loggers.

    Raises:
        UsageError: for what one of them could not do; it names the key.
    """
    from rnnvision.training import RunLog

    draws = any(not isinstance(logger, RunLog) for logger in loggers)
    chosen = {key: value for key, value in (plain(node) or {}).items() if value is not None}
    check_callbacks(chosen, trainer, folder, draws=draws)
    ordered = dict(sorted(chosen.items(), key=lambda item: item[0] == "last"))  # it holds the states of the others
    made = instantiate_all("callbacks", ordered)
    for name, callback in zip(ordered, made, strict=True):
        _check_filename(f"callbacks.{name}", callback)
    return made


def check_callbacks_to_be(config: DictConfig) -> None:
    """Check the callbacks and loggers of trainings whose folders are yet to be named.

    Raises:
        UsageError: as a training does.
    """
    check_targets(config, ("logger",))
    found = OmegaConf.to_container(config.callbacks, resolve=False) if config.get("callbacks") else {}
    assert isinstance(found, dict)
    chosen = {str(name): _placed(value) for name, value in found.items() if value is not None}
    check_callbacks(chosen, plain(config.trainer), Path(ANY_FOLDER), draws=True)


def _placed(arguments: Any) -> Any:
    """The arguments of a callback, in a folder of any name."""
    if not isinstance(arguments, dict):
        return arguments
    return {k: v.replace(OUTPUT, ANY_FOLDER) if isinstance(v, str) else v for k, v in arguments.items()}


def check_callbacks(chosen: dict[str, Any], trainer: Mapping[str, Any], folder: Path, *, draws: bool) -> None:
    """Check callbacks, by their names, and complete their arguments.

    Raises:
        UsageError: for what one of them could not do; it names the key.
    """
    written: dict[str, str] = {}  # file -> the key of the callback that writes it
    for name, arguments in chosen.items():
        key = f"callbacks.{name}"
        filled = {k: v for k, v in arguments.items() if v is not None} if isinstance(arguments, dict) else arguments
        kind = check_target(key, filled).__name__
        if kind in CHECKPOINTS or kind == "EarlyStopping":
            _complete_monitor(key, kind, arguments, trainer)
        if kind in CHECKPOINTS:
            _check_files(key, arguments, folder / "checkpoints", written)
        if kind == "EarlyStopping":
            with arguments_of(key):
                at_least("patience", arguments.get("patience", 3), 0)
                number("min_delta", arguments.get("min_delta", 0.0))
        if kind == "EMAWeightAveraging":
            _check_average(key, arguments)
        if kind == "LearningRateMonitor" and not draws:
            raise UsageError(f"{key}: metrics.csv has the lr of each epoch; for more choose logger=tensorboard")


def _complete_monitor(key: str, kind: str, arguments: dict[str, Any], trainer: Mapping[str, Any]) -> None:
    """Check the figure that a callback looks at; fill in its direction and its time."""
    from rnnvision.training import FIGURES

    monitor = arguments.get("monitor", "val/accuracy" if kind == "BestCheckpoint" else None)
    if monitor is None and kind == "ModelCheckpoint":
        return
    if monitor not in FIGURES:
        raise UsageError(f"{key}.monitor={yaml_text(monitor)}: {choose_one(monitor, FIGURES, f'{key}.monitor=')}")
    better, mode = FIGURES[monitor], arguments.get("mode")
    if mode is None and better is None:
        raise UsageError(f"{key}.mode=null: says which {monitor} is better; choose min or max")
    if mode is not None and better not in (mode, None):
        meant = "lower" if better == "min" else "higher"
        raise UsageError(f"{key}.mode={mode}: a {meant} {monitor} is better; choose {key}.mode={better}")
    arguments["mode"] = mode or better
    validates = monitor.startswith("val/")
    if validates and trainer.get("limit_val_batches") == 0:
        other = f"{key}.monitor={monitor.replace('val', 'train')}"
        raise UsageError(
            f"{key}.monitor={monitor}: trainer.limit_val_batches=0 leaves no validation; choose {other} or {key}=null"
        )
    every, epochs = trainer.get("check_val_every_n_epoch"), trainer.get("max_epochs")
    may_miss = arguments.get("save_top_k") == 0 or trainer.get("fast_dev_run")
    if validates and not may_miss and isinstance(every, int) and isinstance(epochs, int) and 0 < epochs < every:
        raise UsageError(
            f"{key}.monitor={monitor}: trainer.check_val_every_n_epoch={every} leaves no validation in "
            f"trainer.max_epochs={epochs}; choose trainer.check_val_every_n_epoch={epochs} or less, or "
            f"{key}.monitor={monitor.replace('val', 'train')}"
        )
    if steps := arguments.get("every_n_train_steps"):
        raise UsageError(
            f"{key}.every_n_train_steps={yaml_text(steps)}: {monitor} is known at the end of "
            f"{'a validation' if validates else 'an epoch'} only; leave it out, or {key}.monitor"
        )
    if kind == "BestCheckpoint":
        return
    when = "check_on_train_epoch_end" if kind == "EarlyStopping" else "save_on_train_epoch_end"
    if not validates and arguments.get(when) is False:
        raise UsageError(f"{key}.{when}=false: {monitor} is known at the end of an epoch; choose null")
    if validates and arguments.get(when) and not _validates_at_each_end(trainer):
        raise UsageError(
            f"{key}.{when}=true: {monitor} is not measured at the end of each epoch "
            f"(trainer.check_val_every_n_epoch, trainer.val_check_interval); choose {key}.{when}=null"
        )
    if arguments.get(when) is None:
        arguments[when] = not validates


def _check_filename(key: str, callback: "Callback") -> None:
    """Try a name that is made of figures, such as {epoch:02d}; Lightning takes 0 for a figure that there is not."""
    import torch
    from lightning.pytorch.callbacks import ModelCheckpoint

    from rnnvision.training import FIGURES

    filename = callback.filename if isinstance(callback, ModelCheckpoint) else None
    if filename is None:
        return
    figures = {**dict.fromkeys(FIGURES, torch.tensor(0.5)), "epoch": torch.tensor(0), "step": torch.tensor(0)}
    for figure in re.findall(r"\{([^:}]*)", filename):
        if figure not in figures:
            raise UsageError(f"{key}.filename={filename}: {choose_one(figure, figures)}")
    try:
        ModelCheckpoint(filename=filename).format_checkpoint_name(figures)
    except (ValueError, KeyError, IndexError) as error:
        raise UsageError(f"{key}.filename={filename}: {error}") from error


def _validates_at_each_end(trainer: Mapping[str, Any]) -> bool:
    interval = trainer.get("val_check_interval")
    return trainer.get("check_val_every_n_epoch", 1) == 1 and (interval is None or interval == 1.0)


def _check_files(key: str, arguments: dict[str, Any], checkpoints: Path, written: dict[str, str]) -> None:
    """Check that what is tested and resumed from will be there, and that no checkpoint overwrites another."""
    name = key.rpartition(".")[2]
    default = "best" if str(arguments.get("_target_")).endswith("BestCheckpoint") else None
    filename, folder = arguments.get("filename", default), arguments.get("dirpath")
    top = arguments.get("save_top_k", 1)
    with arguments_of(key):
        at_least("save_top_k", top, -1)
        at_least("every_n_epochs", arguments.get("every_n_epochs") or 1, 1)
    if name in ("best", "last"):
        if filename != name:
            raise UsageError(
                f"{key}.filename={yaml_text(filename)}: must stay {name}, "
                f"{'the file that is tested' if name == 'best' else 'from which a run is resumed'}; "
                f"add a checkpoint of your own: +callbacks.NAME={{...}}"
            )
        if folder is None or Path(folder).resolve() != checkpoints.resolve():
            raise UsageError(f"{key}.dirpath={yaml_text(folder)}: must stay checkpoints/ of the run folder")
    if name == "last":
        for argument in ("monitor", "save_weights_only", "every_n_train_steps"):
            if arguments.get(argument):
                raise UsageError(
                    f"{key}.{argument}={yaml_text(arguments[argument])}: a run is resumed from this file, the whole "
                    f"state at the end of the last epoch; leave it out"
                )
        if arguments.get("save_on_train_epoch_end") is False:
            raise UsageError(
                f"{key}.save_on_train_epoch_end=false: a run is resumed from the end of an epoch; choose true"
            )
    if filename == "previous" and folder is not None and Path(folder).resolve() == checkpoints.resolve():
        raise UsageError(f"{key}.filename=previous: is the last.ckpt before the last; choose another name")
    several = top not in (0, 1) or not isinstance(top, int)
    if several and filename is not None and "{" not in filename and not arguments.get("enable_version_counter", True):
        raise UsageError(
            f"{key}.save_top_k={top}: each would overwrite the one before; choose a filename such as "
            f"{key}.filename='{{epoch}}', or save_top_k=1"
        )
    if filename is None or top == 0:
        return
    file = str(Path(folder or "").resolve() / filename)
    if file in written:
        raise UsageError(f"{key}.filename={filename}: {written[file]} writes that file too; choose another name")
    written[file] = key


def _check_average(key: str, arguments: dict[str, Any]) -> None:
    if arguments.get("device") not in (None, "cpu"):
        raise UsageError(f"{key}.device={arguments['device']}: choose one of null (where the network is), cpu")
    with arguments_of(key):
        fraction("decay", arguments.get("decay", 0.5))
        at_least("update_every_n_steps", arguments.get("update_every_n_steps", 1), 1)
