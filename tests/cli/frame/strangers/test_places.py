"""Places outside of its folder that the configuration of a resumed run names."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from rnnvision.cli.frame.strangers.places import places_of
from rnnvision.runs import Run
from tests.cli.running import TINY, Copy, Verb

TENSORBOARD = {"_target_": "lightning.pytorch.loggers.TensorBoardLogger", "version": ""}
CALLBACK = "lightning.pytorch.callbacks.ModelCheckpoint"
PLACES: dict[str, tuple[str, Any]] = {  # key that is told: what the configuration has at its parent, or itself
    "data.cache": ("data.cache", "../cache"),
    "logger.csv.save_dir": ("logger.csv.save_dir", "../logs"),
    "logger.tb.save_dir": ("logger.tb", {**TENSORBOARD, "save_dir": "../tb", "name": ""}),
    "logger.tb.name": ("logger.tb", {**TENSORBOARD, "save_dir": "run", "name": "../../tb"}),
    "logger.tb.sub_dir": ("logger.tb", {**TENSORBOARD, "save_dir": "run", "name": "", "sub_dir": "/tmp/tb"}),
    "logger.flow.tracking_uri": (
        "logger.flow",
        {"_target_": "lightning.pytorch.loggers.MLFlowLogger", "tracking_uri": "http://127.0.0.1:9"},
    ),
    "logger.data.tracking_uri": (
        "logger.data",
        {"_target_": "lightning.pytorch.loggers.MLFlowLogger", "tracking_uri": "sqlite:///../elsewhere/mlflow.db"},
    ),
    "callbacks.mine.dirpath": ("callbacks.mine", {"_target_": CALLBACK, "dirpath": "../mine"}),
    "callbacks.mine.filename": ("callbacks.mine", {"_target_": CALLBACK, "dirpath": "run", "filename": "../../mine"}),
}


def edit(key: str, value: Any) -> None:
    config = OmegaConf.load("run/.hydra/config.yaml")
    OmegaConf.update(config, key, value, force_add=True)
    OmegaConf.save(config, "run/.hydra/config.yaml")


@pytest.mark.parametrize("key", PLACES)
def test_it_has_to_be_typed_again(
    key: str, verb: Verb, trained: Copy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained("run")
    edit(*PLACES[key])
    before = {path.name for path in tmp_path.iterdir()}
    result = verb("train", "resume=run", "trainer.max_epochs=3")
    message = result.message
    assert (result.code, len(message.splitlines())) == (2, 1), message
    assert f"config.yaml: {key}=" in message
    assert "lies outside of the folder of the run" in message
    assert f"++{key}=" in message
    assert {path.name for path in tmp_path.iterdir()} == before
    monkeypatch.setenv("RNNVISION_TRUST_CONFIG", "1")
    assert "lies outside" not in verb("train", "resume=run", "trainer.max_epochs=two").err


def test_typed_again_it_is_taken(verb: Verb, trained: Copy) -> None:
    trained("run")
    edit("logger.tb", {**TENSORBOARD, "save_dir": "tb", "name": ""})
    result = verb("train", "resume=run", "trainer.max_epochs=3", "++logger.tb.save_dir=tb")
    assert result.code == 0, result.err
    assert any(Path("tb").iterdir())


def test_a_command_that_asks_for_it_goes_on(verb: Verb, trained: Copy) -> None:
    trained("run")
    edit("logger.csv.save_dir", "logs")
    words = ("hydra.run.dir=run", "trainer.max_epochs=3", "auto_resume=true", "logger.csv.save_dir=logs")
    result = verb("train", *TINY, *words)
    assert result.code == 0, result.err


def test_a_job_that_goes_on_is_told_its_places_again() -> None:
    config = OmegaConf.create(
        {
            "data": {"cache": "/fast", "root": "x"},
            "log_dir": "logs",
            "logger": {
                "csv": {"save_dir": "${hydra:runtime.output_dir}", "echo": False},
                "tb": {"save_dir": "tb", "name": "n", "version": "../v"},
                "flow": {"tracking_uri": "sqlite:///${log_dir}/mlflow.db"},
                "none": None,
            },
            "callbacks": None,
        }
    )
    assert places_of(config) == (
        "++data.cache=/fast",
        "++logger.tb.save_dir=tb",
        "++logger.tb.version=../v",
        "++logger.flow.tracking_uri=sqlite:///logs/mlflow.db",
    )


def test_a_sweep_goes_on_with_places_of_a_file(verb: Verb) -> None:
    file = Path("own/experiment/mine.yaml")
    file.parent.mkdir(parents=True)
    file.write_text("# @package _global_\nlogger: {csv: {save_dir: ../../places}}\n")
    words = ("-m", "--config-dir", "own", "experiment=mine", "seed=0,1", *TINY, "hydra.sweep.dir=sweep")
    assert verb("train", *words).code == 0
    status = Path("sweep/seed=0/status.json")
    status.write_text(status.read_text().replace("completed", "interrupted"))
    result = verb("train", "-m", "--config-dir", "own", "resume_sweep=sweep")
    assert result.code == 0, result.err
    assert Run(status.parent).completed


@pytest.mark.parametrize("group", ["callbacks", "logger"])
def test_parts_that_are_none_are_one_line(group: str, verb: Verb, trained: Copy) -> None:
    trained("run")
    edit(f"{group}.last", "x")
    assert f"{group}: must hold settings by their names" in verb("train", "resume=run").message
