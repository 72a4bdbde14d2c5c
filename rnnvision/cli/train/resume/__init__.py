"""The configuration of a resumed run: the one it began with, and what may change of it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from rnnvision.atomic import whole
from rnnvision.checks import counted
from rnnvision.cli.frame.arguments import plain, typed_words
from rnnvision.cli.frame.command_line.own_files import written
from rnnvision.cli.frame.command_line.words import command, key_of
from rnnvision.cli.frame.early.again import differences, in_words
from rnnvision.cli.frame.paths import locate_paths
from rnnvision.cli.frame.plugins import load_plugins_of
from rnnvision.cli.frame.strangers.places import check_places
from rnnvision.cli.frame.strangers.rules import read_run_config
from rnnvision.cli.frame.trainer.callbacks import CHECKPOINTS
from rnnvision.cli.train.resume.changes import MAY_CHANGE, allowed, may_change, require_same
from rnnvision.cli.train.saving import mend_checkpoints
from rnnvision.errors import UsageError
from rnnvision.masking import hidden_keys, masked_values
from rnnvision.runs import Run, RunFolder, is_first_process
from rnnvision.runs.read import CONFIG

# What Lightning knows the state of a checkpoint by: with another of them it would begin to choose anew.
CHOSEN_BY = (
    "_target_",
    "monitor",
    "mode",
    "every_n_epochs",
    "every_n_train_steps",
    "train_time_interval",
    "save_top_k",
)


def resumed(cfg: DictConfig, run: RunFolder) -> DictConfig:
    """The configuration the run began with, and what this command line may change of it; its checkpoints are mended.

    Raises:
        UsageError: for a change that would make it another run, and for a checkpoint of another run.
    """
    from rnnvision.nn.legacy import current_arguments

    words = {key_of(word): word for word in typed_words()}
    saved = read_run_config(run.path, replaced=words)
    _check_parts(saved, run)
    before = plain(saved.get("callbacks")) or {}
    mend_checkpoints(run, before)
    lost = hidden_keys(OmegaConf.to_container(saved, resolve=False))
    # With auto_resume the words are those that it began with.
    keys = [*differences(saved, cfg), "save_every", *lost] if cfg.get("auto_resume") is True else list(words)
    changes = {}
    for key in keys:
        if key in ("resume", "auto_resume") or (key == "plugins" and cfg.plugins == saved.get("plugins")):
            continue
        before_it, value = plain(OmegaConf.select(saved, key)), _as_typed(cfg, key)
        if not may_change(key) and key not in lost:
            raise UsageError(_refusal(key, words.get(key, key), before_it, value))
        if key not in lost and before_it != value:
            changes[key] = (before_it, value)
        OmegaConf.update(saved, key, value, force_add=True)
    for key in lost:
        if key not in keys:
            again = command([*sys.argv[1:], f"++{key}=${{oc.env:NAME}}"])
            raise UsageError(
                f"{key}: its value is secret, and was not kept; export it as NAME and give it again: {again}"
            )
    _check_callbacks(before, plain(saved.get("callbacks")) or {})
    _check_limits(saved, run)
    check_places(saved, run.path, own=cfg)
    locate_paths(saved, HydraConfig.get().runtime.cwd)
    load_plugins_of(saved, HydraConfig.get().runtime.cwd)
    saved.model = current_arguments(written(saved.model))
    saved.resume = cfg.resume
    last, best = Run(run.path).last_checkpoint, run.path / "checkpoints" / "best.ckpt"
    for path in (last, best if best.is_file() else None):  # what it goes on from, and what may be tested at its end
        if path is not None:
            require_same(path, plain(saved))
    if changes and is_first_process():
        print(f"resume    with {in_words(changes)}", flush=True)
    return saved


def _check_parts(saved: DictConfig, run: RunFolder) -> None:
    for group in ("callbacks", "logger"):
        made = plain(saved.get(group)) or {}
        if not isinstance(made, dict) or not all(node is None or isinstance(node, dict) for node in made.values()):
            raise UsageError(
                f"{run.path / CONFIG}: {group}: must hold settings by their names; put back what was there"
            )


def _refusal(key: str, word: str, before: Any, now: Any) -> str:
    if any(name.startswith(f"{key}.") for name in MAY_CHANGE):
        return f"{word}: an option cannot be chosen anew on resume; single values can: {key}.KEY=VALUE"
    if key == "device":
        return f"{word}: cannot be chosen anew on resume; give trainer.accelerator=cpu, gpu or mps"
    from_to = "" if isinstance(before, dict) or isinstance(now, dict) else f" ({in_words({key: (before, now)})})"
    return f"{key}: cannot change on resume{from_to}, it would be another run; what can: {allowed()}"


def _check_callbacks(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse a change of a callback that has a hand in the training, or that would forget what it has seen.

    Raises:
        UsageError: that names the key.
    """
    _check_checkpoints(before, now)
    for name in {**before, **now}:
        old, new = before.get(name) or {}, now.get(name) or {}
        kinds = {str(node.get("_target_")).rpartition(".")[2] for node in (old, new) if isinstance(node, dict) and node}
        if "EMAWeightAveraging" in kinds and old != new:
            raise UsageError(f"callbacks.{name}: cannot change on resume, its average began with the first step")
        if kinds == {"EarlyStopping"} and old and new:
            for key in ("_target_", "monitor", "mode"):
                if old.get(key) != new.get(key):
                    raise UsageError(
                        f"callbacks.{name}.{key}: cannot change on resume, it would forget what it waits for"
                    )


def _as_typed(cfg: DictConfig, key: str) -> Any:
    """The value of a key, with its ${...} as they are: what they stand for is not to be kept."""
    node: Any = OmegaConf.to_container(cfg, resolve=False)
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else OmegaConf.select(cfg, key)
    return node


def _check_checkpoints(before: dict[str, Any], now: dict[str, Any]) -> None:
    """A checkpoint that looks at another figure would forget its best score, and overwrite a better one by a worse.

    Raises:
        UsageError: for a change of what a checkpoint is chosen by.
    """
    for name, saved in before.items():
        kind = str((saved or {}).get("_target_")).rpartition(".")[2]
        if kind not in CHECKPOINTS or (name != "best" and now.get(name) is None):
            continue  # one that is no checkpoint, or is not written any more
        chosen = now.get(name)
        keys = (
            [f"callbacks.{name}"]
            if not isinstance(chosen, dict)
            else [f"callbacks.{name}.{key}" for key in CHOSEN_BY if _choice(saved, key) != _choice(chosen, key)]
        )
        for key in keys:
            raise UsageError(
                f"{key}: cannot change on resume, {name} is chosen by {_choice(saved, 'monitor') or 'no figure'} since "
                f"the first epoch; add a second checkpoint, +callbacks.NAME={{...}}, or begin a run of its own"
            )


def _choice(arguments: dict[str, Any], key: str) -> Any:
    """The value of an argument of a checkpoint, with what is taken where it is left out."""
    from rnnvision.training import FIGURES

    is_best = str(arguments.get("_target_")).endswith("BestCheckpoint")
    defaults = {"monitor": "val/accuracy" if is_best else None, "every_n_epochs": 1, "save_top_k": 1}
    if arguments.get(key) is None and key == "mode":
        return FIGURES.get(str(_choice(arguments, "monitor")))
    return defaults.get(key) if arguments.get(key) is None else arguments[key]


def _check_limits(cfg: DictConfig, run: RunFolder) -> None:
    """Refuse a limit that is lower than what is trained already.

    Raises:
        UsageError: that says how far the run has got.
    """
    from rnnvision.cli.train.resume.progress import read_progress

    last = run.path / "checkpoints" / "last.ckpt"
    if not last.is_file():
        return
    progress = read_progress(last)
    for key, done in (("max_epochs", progress.epochs), ("max_steps", progress.steps)):
        limit = cfg.trainer.get(key)
        if isinstance(limit, int) and 0 < limit < done:
            raise UsageError(
                f"trainer.{key}={limit}: {counted(done, key[4:-1])} of this run are trained already; choose more than "
                f"{done} to go on, or {done} to test what is here again"
            )


@contextmanager
def kept_if_refused(cfg: DictConfig, run: RunFolder) -> Iterator[None]:
    """Write down what a resumed run changes of its configuration, unless Lightning refuses to go on with it."""
    path = run.path / CONFIG
    run.is_as_found = False
    if cfg.resume is None or not is_first_process():
        yield
        return
    before = path.read_text(encoding="utf-8")
    with whole(path) as file:
        file.write(OmegaConf.to_yaml(OmegaConf.create(masked_values({**written(cfg), "resume": None}))))
    try:
        yield
    except UsageError:
        with whole(path) as file:
            file.write(before)
        raise
