"""The settings of `tune`: those of a command, or of the study that it goes on with."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnvision.checks import at_least, one_line, positive
from rnnvision.cli.frame.arguments import arguments_of, own_config_dir, plain, typed_words
from rnnvision.cli.frame.command_line.refused import OF_SWEEPS, REFUSED
from rnnvision.cli.frame.command_line.words import command, key_of, override, parsed
from rnnvision.cli.frame.strangers.interpolations import ENVIRONMENT, allowing
from rnnvision.cli.frame.strangers.reach import reaching
from rnnvision.cli.frame.strangers.words import check_words, refuse_unless_typed
from rnnvision.cli.tune.axes import space_of, words_of
from rnnvision.errors import UsageError
from rnnvision.runs.study import Axis
from rnnvision.search.objective import Constraint
from rnnvision.search.settings import FILE, STARTUP, Settings, checked, directions_of, pruner_of, read_settings

OWN = (  # what makes a study what it is
    *("metric", "objectives", "direction", "constraints", "sampler", "startup_trials", "pruner", "min_epochs"),
    *("search_seed", "storage", "space", "search"),
)
OF_A_START = ("resume", "log_dir", "name", "n_trials", "timeout", *OF_SWEEPS)  # may differ from start to start
PROGRAM = "rnnvision tune"


def refuse_foreign(typed: Sequence[str]) -> None:
    """Refuse words of `train` that have no place in a study.

    Raises:
        UsageError: with what to do instead.
    """
    for word in typed:
        if instead := REFUSED["tune"].get(key_of(word)):
            raise UsageError(f"{word}: cannot be set in tune; {instead}")


def settings_from(cfg: DictConfig) -> tuple[Settings, int]:
    """The study that the command describes, or that of the folder that it goes on with; and its number of trials.

    Raises:
        UsageError: for what cannot be, or would make a resumed study another one.
    """
    with arguments_of(""):
        at_least("n_trials", plain(cfg.n_trials), 1)
        if cfg.timeout is not None:
            positive("timeout", plain(cfg.timeout))
    typed = typed_words()
    if cfg.resume is None:
        return _new(cfg, typed), int(cfg.n_trials)
    folder = Path(str(cfg.resume)).expanduser()
    kept, total = read_settings(folder)
    _check_space(kept.space)
    searched = (word for key, axis in kept.space.items() for word in _words_of(key, axis))
    stored = [f"storage={kept.storage}"] if kept.storage else []
    check_words([*kept.words, *searched, *stored], kept.config_dir, folder / FILE)
    if not _is_within(kept.storage, folder):
        refuse_unless_typed(_storage_word(kept), "is elsewhere", folder / FILE)
    if kept.config_dir and not own_config_dir():
        raise UsageError(f"resume={cfg.resume}: began with configurations of your own; try: {resumption(kept, folder)}")
    _check_unchanged(cfg, typed, kept)
    return kept, int(cfg.n_trials) if any(key_of(word) == "n_trials" for word in typed) else total


def resumption(settings: Settings, folder: str | Path) -> str:
    """What to type to go on with a study, where its trials run, which is of the command, among it."""
    where = [word for word in sys.argv[1:] if key_of(word).partition(".")[0] in ("jobs", "where")]
    words = [*settings.words, settings.storage or ""]
    own = [*reaching(settings.words, Path(folder))]
    own += [] if _is_within(settings.storage, Path(folder)) else [_storage_word(settings)]
    return allowing(words) + command([*settings.config_dir, override("resume", folder), *own, *where], PROGRAM)


def _is_within(storage: str | None, folder: Path) -> bool:
    """Whether a study is kept in its own folder, or where a variable says that the user allows by its name."""
    if storage in (None, "journal"):
        return True
    if (variable := re.fullmatch(r"\$\{oc\.env:(\w+)\}", storage or "")) is not None:
        return variable[1] not in ENVIRONMENT
    file = re.fullmatch(r"sqlite:///([^?#%:$]+)", storage or "")
    return file is not None and Path(file[1]).parent.resolve() == folder.resolve() and not Path(file[1]).is_symlink()


def _storage_word(settings: Settings) -> str:
    return f"storage={settings.storage}" if "${" in str(settings.storage) else override("storage", settings.storage)


def storage_of(settings: Settings) -> str | None:
    """The storage with its ${oc.env:...} filled in: what is secret stays out of the folder."""
    return OmegaConf.create({"storage": settings.storage}).storage


def _new(cfg: DictConfig, typed: Sequence[str]) -> Settings:
    space = _space(cfg)
    _check_space(space)
    objectives = plain(cfg.objectives)
    if objectives is not None and (not isinstance(objectives, list) or len(objectives) < 2):
        raise UsageError(f"objectives={objectives}: name two or more, or one as metric=NAME")
    if objectives is not None and any(key_of(word) == "metric" for word in typed):
        raise UsageError(f"metric={cfg.metric}: objectives are given, too; leave out one of the two")
    with arguments_of(""):
        return checked(
            name=str(cfg.name),
            space=space,
            metrics=[str(name) for name in objectives or [cfg.metric]],
            direction=plain(cfg.direction),
            sampler=str(cfg.sampler),
            startup_trials=plain(cfg.startup_trials),
            pruner=plain(cfg.pruner),
            min_epochs=plain(cfg.min_epochs),
            max_epochs=_max_epochs(cfg, space),
            constraints=_constraints(cfg),
            seed=plain(cfg.search_seed),
            storage=_storage(cfg),
            words=[word for word in typed if not _is_own(word) and key_of(word) not in set(map(key_of, space))],
            config_dir=own_config_dir(),
        )


def _check_space(space: Mapping[str, Axis]) -> None:
    """Refuse keys that cannot be searched, typed or of a file, which may name anything.

    Raises:
        UsageError: that names the key.
    """
    for key, axis in space.items():
        top = key.lstrip("+").partition(".")[0]
        if top in (*OWN, *OF_A_START, "plugins", "hydra") or key in REFUSED["tune"]:
            raise UsageError(f"{key}: cannot be searched; choose a key of a training")
        for word in _words_of(key, axis):
            read = parsed(word)
            if read is None or read.is_delete() or read.package is not None or read.get_key_element() != key:
                raise UsageError(f"{one_line(key)[:100]}: cannot be searched; choose a key of a training")


def _words_of(key: str, axis: Axis) -> Iterator[str]:
    """The words that a trial may be told of a key; of numbers one."""
    for value in axis.choices if axis.kind == "choice" else [axis.low]:
        yield from words_of({key: value})


def _storage(cfg: DictConfig) -> str | None:
    """The storage as it was typed: what stands in ${...} may be secret."""
    found = OmegaConf.to_container(OmegaConf.masked_copy(cfg, "storage"), resolve=False)
    assert isinstance(found, dict)
    storage = found["storage"]
    if storage is not None and not (isinstance(storage, str) and (storage == "journal" or ":" in storage)):
        raise UsageError(f"storage={storage}: must be null, journal, or the URL of a database, as sqlite:///FILE.db")
    return storage


def _constraints(cfg: DictConfig) -> list[str]:
    found = plain(cfg.constraints) or []
    return [str(text) for text in found] if isinstance(found, list) else [str(found)]


def _space(cfg: DictConfig) -> dict[str, Axis]:
    """The axes of search=NAME, then those that were typed."""
    listed = plain(cfg.get("search")) or {}
    found = space_of(f"{key}={values}" for key, values in listed.items())
    return found | space_of(map(str, plain(cfg.space) or []))


def _max_epochs(cfg: DictConfig, space: dict[str, Axis]) -> int | None:
    """The epochs of every trial, where nothing that is searched changes them."""
    if {"trainer", "trainer.max_epochs", "experiment", "debug"} & set(space):
        return None
    epochs = plain(cfg.trainer.max_epochs)
    return epochs if isinstance(epochs, int) and epochs > 0 else None


def _is_own(word: str) -> bool:
    return key_of(word).partition(".")[0] in (*OWN, *OF_A_START)


def _check_unchanged(cfg: DictConfig, typed: Sequence[str], kept: Settings) -> None:
    several = len(kept.metrics) > 1
    before: dict[str, Any] = {
        "metric": None if several else kept.metrics[0],
        "objectives": list(kept.metrics) if several else None,
        "direction": list(kept.directions) if several else kept.directions[0],
        "constraints": list(kept.constraints),
        "search_seed": kept.seed,
        **{key: getattr(kept, key) for key in ("sampler", "startup_trials", "pruner", "min_epochs", "storage")},
    }
    asked: dict[str, Any] = {  # what is not as it is read
        "constraints": [str(Constraint.read(text)) for text in _constraints(cfg)],
        "storage": _storage(cfg),
    }
    searched = set(map(key_of, _space(cfg)))  # of a group with several options the first one is among the words
    for word in typed:
        key = key_of(word)
        if key in ("space", "search"):
            _check_same_axes(_space(cfg), kept)
        elif key in OWN:
            value = asked[key] if key in asked else plain(cfg[key])
            if value is None and before[key] == _usual(key, kept):
                continue
            _refuse_change(word, same=value == before[key], was=before[key])
        elif not _is_own(word) and key not in searched:
            otherwise = "several values" if key in set(map(key_of, kept.space)) else "nothing"
            was = next((other for other in kept.words if key_of(other) == key), otherwise)
            _refuse_change(word, same=word in kept.words, was=was)


def _usual(key: str, kept: Settings) -> Any:
    """What null means for a key of a study that has these settings."""
    usual = {"startup_trials": STARTUP.get(kept.sampler), "min_epochs": 1}
    if key == "direction":
        found = directions_of(kept.metrics, None)
        return list(found) if len(found) > 1 else found[0]
    return pruner_of(kept.metrics, None) if key == "pruner" else usual.get(key)


def _check_same_axes(space: dict[str, Axis], kept: Settings) -> None:
    for key, axis in space.items():
        if kept.space.get(key) != axis:
            _refuse_change(key, same=False, was=", ".join(kept.space))


def _refuse_change(word: str, *, same: bool, was: object) -> None:
    if not same:
        raise UsageError(
            f"{word}: cannot change on resume, it would be another study (this one has {was}); leave it out"
        )
