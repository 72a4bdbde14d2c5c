"""The settings of a comparison: which networks, for how long, how often. They are kept in its folder."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig

from rnnvision.checks import MOST, at_least, choose_one, nearest
from rnnvision.cli.frame.arguments import arguments_of, own_config_dir, plain, typed_words
from rnnvision.cli.frame.command_line.refused import OF_SWEEPS, REFUSED
from rnnvision.cli.frame.command_line.words import key_of, override
from rnnvision.cli.frame.messages import no_such
from rnnvision.cli.frame.paths import locate_paths
from rnnvision.cli.frame.strangers.interpolations import allowing
from rnnvision.cli.frame.strangers.reach import reaching
from rnnvision.cli.frame.strangers.words import check_words
from rnnvision.errors import UsageError
from rnnvision.runs import RunFolder, read_json

FILE = "comparison.json"
BUDGET = re.compile(r"epochs:(\d+)|minutes:(\d+(?:\.\d+)?|\.\d+)")
OWN = ("models", "budget", "seeds", "rounds", "latency_rounds", "anytime_samples")
COUNTS = {"seeds": 10_000, "rounds": 10**6, "latency_rounds": 10**6, "anytime_samples": MOST}  # the most of each
MOST_MODELS = 1_000
ELSEWHERE = ("resume", "log_dir", "name", *OF_SWEEPS)  # of this run, not of its trainings; may change on resume
# Keys that are no group's, which one of the networks may have alone.
FOR_ONE = ("label_smoothing", "loss.class_weight", "weights", "freeze")
SET_HERE = REFUSED["compare"]


@dataclass(frozen=True)
class Entrant:
    """One row: an option of conf/model, and the values that it alone is given."""

    label: str  # as it was typed
    option: str
    overrides: tuple[str, ...]

    @property
    def slug(self) -> str:
        """The label as the name of a file."""
        return re.sub(r"[^\w.]+", "-", self.label)


@dataclass(frozen=True)
class Comparison:
    """The settings of a comparison, as they lie in comparison.json."""

    models: tuple[str, ...]
    budget: str
    seeds: int
    rounds: int
    latency_rounds: int
    anytime_samples: int | None
    overrides: tuple[str, ...]  # what every training is told
    config_dir: tuple[str, ...] = ()  # "--config-dir" and the user's own configurations, where there are any

    @property
    def entrants(self) -> list[Entrant]:
        return [_entrant(label) for label in self.models]

    @property
    def epochs(self) -> int | None:
        """Of each training; None where minutes limit it."""
        kind, _, amount = self.budget.partition(":")
        return int(amount) if kind == "epochs" else None

    @property
    def minutes(self) -> float:
        return float(self.budget.partition(":")[2])

    @property
    def command(self) -> str:
        """What to type for the same comparison."""
        models = ",".join(f'"{label}"' if " " in label else label for label in self.models)
        words = [f"models=[{models}]", f"budget={self.budget}", f"seeds={self.seeds}", *self.overrides]
        return shlex.join(["rnnvision", "compare", *self.config_dir, *words])

    def resumption(self, folder: str) -> str:
        """What to type to go on with it in its folder."""
        own = reaching(self.overrides, Path(folder))
        words = ["rnnvision", "compare", *self.config_dir, override("resume", folder), *own]
        return allowing(self.overrides) + shlex.join(words)

    def words(self, entrant: Entrant) -> list[str]:
        """The overrides of an entrant's trainings, but for the seed and how long they last."""
        return [f"model={entrant.option}", *self.overrides, *entrant.overrides]

    def kept(self) -> dict[str, Any]:
        return asdict(self)


def settings_from(cfg: DictConfig, run: RunFolder) -> Comparison:
    """The comparison that the command describes, or that of the folder that it goes on with.

    Raises:
        UsageError: for a value that cannot be, or one that would make a resumed comparison another one.
    """
    typed = typed_words()
    for word in typed:
        key = key_of(word)
        if key in SET_HERE:
            raise UsageError(f"{word}: cannot be set in compare; {SET_HERE[key]}")
    overrides = tuple(word for word in typed if key_of(word) not in OWN and not _is_elsewhere(word))
    if cfg.resume is None:
        return _checked(cfg, overrides)
    saved = read_json(run.path / FILE)
    if not saved:
        raise UsageError(f"resume={cfg.resume}: holds no comparison (it has no {FILE})")
    kept = _read(saved, str(cfg.resume))
    check_words([*kept.overrides, *(w for e in kept.entrants for w in e.overrides)], kept.config_dir, run.path / FILE)
    if kept.config_dir and not own_config_dir():
        raise UsageError(
            f"resume={cfg.resume}: began with configurations of your own; try: {kept.resumption(str(cfg.resume))}"
        )
    kept = replace(kept, config_dir=tuple(own_config_dir()))  # the folder may have moved
    _check_unchanged(cfg, typed, kept)
    return kept


def _read(saved: dict[str, Any], resume: str) -> Comparison:
    try:
        found = Comparison(**saved | {key: tuple(saved.get(key, ())) for key in ("models", "overrides", "config_dir")})
        _check_lengths(saved, found.budget)
        texts = (*found.models, *found.overrides, *found.config_dir)
        if all(isinstance(text, str) for text in texts) and 0 < len(found.models) <= MOST_MODELS:
            return found
    except (TypeError, ValueError):
        pass
    raise UsageError(f"resume={resume}: its {FILE} is damaged, or of another version")


def _check_unchanged(cfg: DictConfig, typed: list[str], kept: Comparison) -> None:
    for word in typed:
        key = key_of(word)
        if _is_elsewhere(word):
            continue
        if key in OWN:
            value, before = plain(cfg[key]), getattr(kept, key)
            same = tuple(_as_list(value)) == before if key == "models" else value == before
            shown = ",".join(before) if key == "models" else before
        else:
            same, shown = word in kept.overrides, next((w for w in kept.overrides if key_of(w) == key), "nothing")
        if not same:
            raise UsageError(
                f"{word}: cannot change on resume, it would be another comparison (this one has {shown}); leave it out"
            )


def _checked(cfg: DictConfig, overrides: tuple[str, ...]) -> Comparison:
    numbers = {key: plain(cfg[key]) for key in COUNTS}
    budget = str(cfg.budget)
    with arguments_of(""):
        _check_lengths(numbers, budget)
    models = [str(label) for label in _as_list(plain(cfg.models))]
    if not models:
        raise UsageError("models=[]: name at least one, for example models=[lstm,gru]")
    if len(models) > MOST_MODELS:
        raise UsageError(f"models: {len(models)} are too many; name at most {MOST_MODELS}")
    _check_names(models)
    own = tuple(own_config_dir())
    return Comparison(models=tuple(models), budget=budget, overrides=overrides, config_dir=own, **numbers)


def _check_lengths(numbers: Mapping[str, Any], budget: str) -> None:
    """Check how often and how long, whether typed or of a file: none of it is without an end.

    Raises:
        TypeError: where the budget is no text.
        ValueError: that names the setting and what is legal.
    """
    for key, most in COUNTS.items():
        if key != "anytime_samples" or numbers.get(key) is not None:
            at_least(key, numbers.get(key), 1, most)
    amount = BUDGET.fullmatch(budget)
    if amount is None or not float(amount[1] or amount[2]) > 0:
        raise ValueError(f"budget={budget}: must be epochs:N or minutes:X, above 0, for example budget=epochs:5")
    if float(amount[1] or amount[2]) > MOST:
        raise ValueError(f"budget={budget}: must be at most {MOST}")


def _check_names(models: list[str]) -> None:
    legal = [name for name in _options("model") if not name.startswith("_")]
    slugs: dict[str, str] = {}
    for label in models:
        option = _entrant(label).option
        if option not in legal:
            near = nearest(option, legal)
            raise UsageError(no_such(f"models={option}", legal, near and f"models={near}", f"models={option}"))
        if (slug := _entrant(label).slug) in slugs:
            raise UsageError(f"models: {slugs[slug]} and {label} are the same; leave one out")
        slugs[slug] = label


def _options(group: str, kind: ObjectType = ObjectType.CONFIG) -> list[str]:
    """The options of a group, or the groups themselves, the user's own among them."""
    return GlobalHydra.instance().config_loader().get_group_options(group, kind)


def configurations(comparison: Comparison) -> dict[str, DictConfig]:
    """What each entrant is trained with, by its label; seed and length are not in it yet.

    Raises:
        UsageError: for a key that one of them does not have.
    """
    made = {}
    for entrant in comparison.entrants:
        try:
            made[entrant.label] = compose("train", overrides=comparison.words(entrant))
            locate_paths(made[entrant.label], Path.cwd())
        except ConfigCompositionException as error:
            if (match := re.search(r"Could not override '([^']+)'", str(error))) is None:
                raise
            raise UsageError(_foreign_key(entrant, match.group(1), comparison)) from error
    return made


def _foreign_key(entrant: Entrant, key: str, comparison: Comparison) -> str:
    """A key that this entrant does not have, though others may."""
    group = key.partition(".")[0]
    node = compose("train", overrides=[f"model={entrant.option}"]).get(group)
    legal = [f"{group}.{name!s}" for name in node] if isinstance(node, DictConfig) else []
    hint = ""
    if any(key_of(word) == key for word in comparison.overrides):
        own = key.removeprefix("model.")
        hint += f'; give it to those that have it, for example models=["lstm {own}=..."]'
    own_word = any(key_of(word) == key for word in entrant.overrides)
    where = f"models={entrant.label}: " if own_word else ""
    return f"{where}{key}: {entrant.option} has no such key; {choose_one(key, legal)}{hint}"


def _entrant(label: str) -> Entrant:
    try:
        option, *words = shlex.split(label) or [""]
    except ValueError as error:
        raise UsageError(f"models={label}: {error}") from error
    groups = set(_options("", ObjectType.GROUP))
    overrides = []
    for word in words:
        key, equals, _ = word.partition("=")
        if not equals:
            raise UsageError(f'models={label}: {word} is not KEY=VALUE; write "{option} hidden_size=64"')
        top = key.lstrip("+~").partition(".")[0]
        overrides.append(word if top in groups or key in FOR_ONE else f"model.{word}")
        if (typed := key_of(overrides[-1])) in SET_HERE:
            raise UsageError(f"models={label}: {word} cannot be set in compare; {SET_HERE[typed]}")
    return Entrant(label, option, tuple(overrides))


def _is_elsewhere(word: str) -> bool:
    return key_of(word).partition(".")[0] in ELSEWHERE


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
