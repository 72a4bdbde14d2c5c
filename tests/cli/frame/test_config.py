"""conf/: every option of every group composes and binds to what it configures."""

from dataclasses import asdict
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from rnnvision.cli.frame import arguments as config
from rnnvision.cli.frame.arguments import ALLOWED_TARGETS, check_arguments, config_dir, named_arguments
from rnnvision.cli.frame.paths import register_resolvers
from rnnvision.data import CATALOG, Augmentation, ImageData
from rnnvision.nn import MODELS, RECURRENCES
from rnnvision.nn.networks.sequencer import VARIANTS
from rnnvision.training import OPTIMIZERS, SCHEDULES, make_optimizer
from rnnvision.training.optim import plateau
from rnnvision.training.precision import choose_precision

CONF = config_dir()
TABLES = {
    "model": MODELS,
    "data": {name: (ImageData, dataset.read) for name, dataset in CATALOG.items()},
    "optimizer": {name: (made, make_optimizer) for name, made in OPTIMIZERS.items()},
    "scheduler": {**SCHEDULES, "plateau": plateau},
}


def options(group: str) -> list[str]:
    return sorted(p.stem for p in (CONF / group).glob("*.yaml") if not p.stem.startswith("_"))


GROUPS = sorted(p.name for p in CONF.iterdir() if p.is_dir())
EXPERIMENTS = options("experiment")


@pytest.fixture(scope="module", autouse=True)
def _resolvers() -> None:
    register_resolvers()


def composed(*overrides: str, verb: str = "train") -> DictConfig:
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        return compose(verb, overrides=list(overrides))


def bind(cfg: DictConfig) -> None:
    """Everything that a configuration says has to fit the signature of what it says it to."""
    import lightning as L

    for group, table in TABLES.items():
        named_arguments(group, cfg[group], table)
    precision, _ = choose_precision(cfg.trainer.precision, "cpu")
    check_arguments("trainer", {**config.plain(cfg.trainer), "precision": precision}, L.Trainer)
    check_arguments("augmentation", config.plain(cfg.augmentation), Augmentation)
    Augmentation(**config.plain(cfg.augmentation))
    for group in ("callbacks", "logger"):
        for entry in filter(None, (cfg[group] or {}).values()):  # null leaves one out
            assert entry._target_ in ALLOWED_TARGETS


@pytest.mark.parametrize(("group", "option"), [(g, o) for g in GROUPS for o in options(g)])
def test_every_option_composes_and_binds(group: str, option: str) -> None:
    bind(composed(f"{group}={option}", verb="tune" if group == "search" else "train"))


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_opens_with_a_line_that_says_what_it_is(group: str) -> None:
    for option in options(group):
        lines = [line for line in (CONF / group / f"{option}.yaml").read_text().splitlines() if "@package" not in line]
        assert lines[0].startswith("# "), f"{group}/{option}"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_opens_with_its_command_its_time_and_its_score(name: str) -> None:
    _, command, result = (CONF / "experiment" / f"{name}.yaml").read_text().splitlines()[:3]
    words = command.removeprefix("# python train.py ").split()
    assert words[0] == f"experiment={name}"
    bind(composed(*words))
    assert " s on " in result or " min on " in result or "not measured" in result
    assert "test accuracy 0." in result or result.endswith(": not measured")


def test_there_is_an_option_for_every_entry_of_the_tables() -> None:
    assert set(options("data")) == set(CATALOG)
    assert set(options("optimizer")) == set(OPTIMIZERS)
    assert set(options("scheduler")) == set(TABLES["scheduler"])
    found = [composed(f"model={m}").model for m in options("model")]
    assert {model.name for model in found} == set(MODELS)
    assert {model.get("variant") for model in found} >= set(VARIANTS)
    assert {model.get("recurrence") for model in found} >= set(RECURRENCES)


@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_the_options_of_a_layer_are_in_its_file_at_its_own_defaults(recurrence: str) -> None:
    """null is the default, which stands in the constructor alone."""
    name = {"none": "no_recurrence"}.get(recurrence, recurrence)
    layer = config.plain(composed(f"model={name}").model.layer)
    assert layer == dict.fromkeys(RECURRENCES[recurrence].options())


def test_no_augmentation_lists_every_key_at_its_default() -> None:
    assert config.plain(composed("augmentation=none").augmentation) == asdict(Augmentation())


@pytest.mark.parametrize("option", [o for o in options("augmentation") if o != "none"])
def test_an_augmentation_differs_from_none(option: str) -> None:
    assert Augmentation(**config.plain(composed(f"augmentation={option}").augmentation)) != Augmentation()


def test_every_group_of_the_design_is_there() -> None:
    assert {"model", "data", "augmentation", "optimizer", "scheduler", "trainer", "device"} <= set(GROUPS)
    assert {"callbacks", "logger", "experiment", "sweep", "debug"} <= set(GROUPS)


def test_the_command_line_wins_over_an_experiment_and_that_over_a_group() -> None:
    assert composed("experiment=mnist_lstm").model.num_layers == 2
    assert composed("experiment=mnist_lstm", "model.num_layers=3").model.num_layers == 3
    assert composed("experiment=mnist_lstm", "debug=profiler").trainer.max_epochs == 2


def test_the_configuration_lies_beside_the_package_or_in_it() -> None:
    assert (CONF / "train.yaml").is_file()
    assert CONF.parent in (Path(config.__file__).parents[2], Path(config.__file__).parents[3])
