"""What refuses the start of a study: checked before Hydra makes its folder."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf, open_dict

from rnnvision.cli.frame.arguments import check_arguments, named_arguments, plain, typed_words
from rnnvision.cli.frame.command_line.files import config_dir
from rnnvision.cli.frame.command_line.groups import default_options
from rnnvision.cli.frame.command_line.words import key_of
from rnnvision.cli.frame.early.keys import check_keys
from rnnvision.cli.frame.early.values import check_values
from rnnvision.cli.frame.paths import locate_paths
from rnnvision.cli.frame.places import make_place
from rnnvision.cli.frame.start import Start, check_start
from rnnvision.cli.frame.trainer.optimisation import check_schedule, optimizer_arguments
from rnnvision.cli.tune.axes import words_of
from rnnvision.cli.tune.settings import refuse_foreign, settings_from, storage_of
from rnnvision.errors import UsageError
from rnnvision.runs import RunFolder
from rnnvision.runs.study import Axis
from rnnvision.search.places import Place
from rnnvision.search.settings import Settings
from rnnvision.search.storage import check_storage


class TuneStart(Start):
    """Hydra calls this before it makes a folder."""

    is_shared = True
    place: Place | None = None  # where the trials run, made before anything is written

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._check(config, multirun=False)

    def check(self, config: DictConfig, multirun: bool) -> None:
        require_optuna()
        refuse_foreign(typed_words())
        check_start(config, self.verb, multirun)
        settings, _ = settings_from(config)
        if config.resume is None:
            check_parts(config, typed_words())
            check_space(settings)
        check_storage(settings.storage, storage_of(settings))
        TuneStart.place = place_of(config)

    def take(self, run: RunFolder) -> None:
        """A study is shared: whoever comes first holds the lock of its folder, and nobody is refused."""
        run.take()


def place_of(config: DictConfig) -> Place:
    """Where the trials run."""
    words = ["whole"] if plain(config.get("plugins")) else []
    return make_place(config.where, jobs=plain(config.jobs), words=words)


def check_parts(config: DictConfig, typed: Sequence[str]) -> None:
    """Check what nothing else does before the first trial: callbacks, loggers, and keys that are added with a +.

    What these are held to is in Lightning and torch, which a study has no other use for.

    Raises:
        UsageError: with the key, and what is legal.
    """
    if plain(config.get("plugins")):
        return
    if any(key_of(word).startswith(("callbacks.", "logger.")) for word in typed):
        from rnnvision.cli.frame.trainer.callbacks import check_callbacks_to_be

        check_callbacks_to_be(config)
    added = {key_of(word).partition(".")[0] for word in typed if word[0] == "+" or key_of(word).endswith(".name")}
    if "optimizer" in added:
        optimizer_arguments(config)
    if "scheduler" in added:
        check_schedule(config)
    if "model" in added:
        from rnnvision.nn import MODELS

        named_arguments("model", config.model, MODELS)
    if added & {"data", "augmentation"}:
        from rnnvision.data import CATALOG, Augmentation, ImageData

        named_arguments("data", config.data, {name: (ImageData, entry.read) for name, entry in CATALOG.items()})
        check_arguments("augmentation", plain(config.augmentation) or {}, Augmentation)


def require_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise UsageError(f'tune: {error.name or "optuna"} is not installed: pip install "rnnvision[search]"') from error


def check_space(settings: Settings) -> None:
    """Compose a training for every option in the space, and check every value that can be checked before a training.

    Raises:
        UsageError: for a key that one of the options does not have, and for a value that cannot be.
    """
    configs: list[DictConfig] = []
    lacking: list[tuple[str, str, ConfigCompositionException]] = []  # key, words of the options
    for params in _corners(settings.space):
        try:
            config = compose("train", overrides=[*settings.words, *words_of(params)], return_hydra_config=True)
            check_keys(config, "train", config.hydra.runtime.choices)
            configs.append(config)
            locate_paths(config, Path.cwd())
        except ConfigCompositionException as error:
            if (match := re.search(r"Could not override '([^']+)'", str(error))) is None:
                raise
            groups = {key: value for key, value in params.items() if _is_group(key)}
            lacking.append((match[1], " ".join(words_of(groups)), error))
    if lacking and not configs:
        raise lacking[0][2]  # no option has the key: it is misspelt
    if lacking:
        key, without, _ = lacking[0]
        every = ", ".join(words for other, words, _ in lacking if other == key)
        raise UsageError(
            f"{key}: {every} {'have' if ',' in every else 'has'} no such key; search for it in a study without "
            f"{without if ',' not in every else 'these'}"
        )
    for config in configs:
        for key, axis in settings.space.items():
            _check_axis(config, key.lstrip("+"), axis)


def _is_group(key: str) -> bool:
    return key in default_options(config_dir(), "train")


def _corners(space: Mapping[str, Axis]) -> Iterator[dict[str, Any]]:
    """A trial for each option of each group, the rest as it comes first; one where no group is searched."""
    first = {key: axis.choices[0] if axis.kind == "choice" else axis.low for key, axis in space.items()}
    yield first
    for key, axis in space.items():
        if _is_group(key):
            yield from ({**first, key: option} for option in axis.choices[1:])


def _check_axis(config: DictConfig, key: str, axis: Axis) -> None:
    """Every choice; of numbers the ends and one between, which is no whole number."""
    if _is_group(key):
        return
    values = axis.choices
    if axis.kind != "choice":
        low, high = axis.low or 0, axis.high or 0
        values = (low, high, *([low + 0.5123 * (high - low)] if axis.kind == "float" and axis.step is None else []))
    for value in values:
        try:
            _check_value(config, key, value)
        except UsageError as error:
            if axis.kind != "float" or not _takes_whole(config, key, axis):
                raise
            whole = f"int(interval({axis.low:g},{axis.high:g}))"
            raise UsageError(f"{key}: takes whole numbers; write {key}={whole}") from error


def _takes_whole(config: DictConfig, key: str, axis: Axis) -> bool:
    try:
        _check_value(config, key, round(axis.high or 0))
    except UsageError:
        return False
    return True


def _check_value(config: DictConfig, key: str, value: Any) -> None:
    before = OmegaConf.select(config, key)
    with open_dict(config):
        OmegaConf.update(config, key, value, force_add=True)
        try:
            check_values(config, [key])
        finally:
            OmegaConf.update(config, key, plain(before), force_add=True)
