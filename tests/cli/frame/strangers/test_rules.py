"""Folders of configurations and run folders of others, through the verbs that read them."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tests.cli.running import Copy, Verb, one_line

HYDRAS = {
    "run.dir": "hydra: {run: {dir: ../elsewhere}}",
    "callbacks": "hydra: {callbacks: {x: {_target_: os.getcwd}}}",
    "job_logging": "hydra: {job_logging: {handlers: {x: {(): ext://os.getcwd}}}}",
    "searchpath": "hydra: {searchpath: ['file:///tmp']}",
    "env_set": "hydra: {job: {env_set: {LD_PRELOAD: x}}}",
    "a sweeper beside its values": "hydra: {sweeper: {params: {seed: '0'}, _target_: os.getcwd}}",
    "values of a sweep": "hydra: {sweeper: {params: {hydra.run.dir: ../x}}}",
    "an option": "defaults: [{override /hydra/launcher: joblib}]",
    "an option of its own": "defaults: [/hydra/callbacks: x]",
    "a package": "defaults: ['/model/gru@hydra.callbacks.x']",
    "a package of a pair": "defaults: [{'/model@hydra.callbacks.x': gru}]",
}
OTHERS = {
    "a file outside": ("defaults: [../../secret]", "a file outside of the folder"),
    "an object": ("callbacks: {x: {y: {_target_: os.getcwd}}}", "choose one of"),
    "an object in a list": ("callbacks: {x: [{_target_: os.getcwd}]}", "choose one of"),
    "arguments": ("callbacks: {x: {_args_: [1]}}", "how an object is made"),
    "a partial": ("callbacks: {x: {_partial_: true}}", "how an object is made"),
    "a variable": ("name: '${oc.env:SECRET}'", "reads the environment variable SECRET"),
    "itself": ("log_dir: '${name}${log_dir}'", "stand for itself"),
}


def _own(content: str, header: str = "# @package _global_") -> None:
    file = Path("own/experiment/mine.yaml")
    file.parent.mkdir(parents=True)
    file.write_text(f"{header}\n{content}\n")


@pytest.mark.parametrize("part", HYDRAS)
def test_what_is_hydras_own_is_refused_unless_trusted(part: str, verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    _own(HYDRAS[part])
    flags = ["-m"] if "sweeper" in HYDRAS[part] else []
    message = one_line(verb, "train", "--config-dir", "own", *flags, "experiment=mine")
    assert "mine.yaml: " in message
    assert "RNNVISION_TRUST_CONFIG=1 rnnvision train --config-dir own" in message
    monkeypatch.setenv("RNNVISION_TRUST_CONFIG", "1")
    assert "RNNVISION_TRUST_CONFIG" not in verb("train", "--config-dir", "own", "experiment=mine", "--cfg", "job").err


@pytest.mark.parametrize("word", ["0", "false", ""])
def test_one_word_alone_vouches_for_it(word: str, verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    _own(HYDRAS["run.dir"])
    monkeypatch.setenv("RNNVISION_TRUST_CONFIG", word)
    assert "is Hydra's own" in one_line(verb, "train", "--config-dir", "own", "experiment=mine")


@pytest.mark.parametrize("header", ["# @package hydra.callbacks", "# @package hydra"])
def test_a_header_does_not_lead_to_hydra(header: str, verb: Verb) -> None:
    file = Path("own/model/mine.yaml")
    file.parent.mkdir(parents=True)
    file.write_text(f"{header}\nx: 1\n")
    assert "is Hydra's own" in one_line(verb, "train", "--config-dir", "own", "model=mine")


def test_an_option_of_hydras_from_such_a_folder_is_refused(verb: Verb) -> None:
    file = Path("own/hydra/launcher/mine.yaml")
    file.parent.mkdir(parents=True)
    file.write_text("_target_: os.getcwd\n")
    assert "an option of Hydra's own" in one_line(verb, "train", "--config-dir", "own", "hydra/launcher=mine", "-m")


@pytest.mark.parametrize("part", OTHERS)
def test_what_has_no_place_in_a_file_is_refused(part: str, verb: Verb) -> None:
    content, said = OTHERS[part]
    _own(content)
    assert said in one_line(verb, "train", "--config-dir", "own", "experiment=mine")


def test_the_several_values_of_a_sweep_are_let_through(verb: Verb) -> None:
    _own("hydra: {sweeper: {params: {seed: '0,1'}}}")
    assert "add -m" in one_line(verb, "train", "--config-dir", "own", "experiment=mine")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"name": "${oc.env:SECRET}"}, "reads the environment variable SECRET"),
        ({"callbacks": {"x": {"_target_": "os.system"}}}, "choose one of"),
        ({"a": "${b}${b}", "b": "${a}"}, "stand for itself"),
    ],
)
def test_a_run_folder_of_others_is_held_to_the_same(
    content: dict[str, object], said: str, trained: Copy, verb: Verb
) -> None:
    file = trained("run") / ".hydra" / "config.yaml"
    OmegaConf.save(OmegaConf.merge(OmegaConf.load(file), content), file)
    result = verb("train", "resume=run")
    assert result.code == 2
    assert said in result.message
    assert len(result.message.splitlines()) == 1


@pytest.mark.parametrize(
    "content", ["defaults: [mine]", "name: x", "defaults: [train, _self_]\nhydra: {run: {dir: x}}"]
)
def test_a_file_that_takes_the_place_of_ours_is_refused_in_a_line(content: str, verb: Verb) -> None:
    Path("own").mkdir()
    Path("own/mine.yaml").write_text(content)
    message = one_line(verb, "train", "--config-dir", "own", "--config-name", "mine")
    assert message.startswith(str(Path("own").absolute())) or message.startswith("--config-name: ")
