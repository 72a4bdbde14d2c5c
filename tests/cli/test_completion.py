"""rnnvision completion: what a shell offers for a line, and that bash inserts it."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rnnvision.cli.completion.candidates import candidates
from rnnvision.cli.dispatch import VERBS
from rnnvision.cli.frame.command_line.files import config_dir, options_of
from rnnvision.cli.frame.command_line.known import keys_of
from rnnvision.cli.frame.command_line.plain import PLAIN
from tests.cli.running import Verb

CONF = config_dir()
UNDER_HYDRA = [name for name in VERBS if (CONF / f"{name}.yaml").is_file()]


def test_every_verb_is_completed() -> None:
    offered = {word.strip() for word in candidates("rnnvision ")}
    assert offered == {*VERBS, "--help", "--version"}
    assert set(PLAIN) == set(VERBS) - set(UNDER_HYDRA)


@pytest.mark.parametrize("name", UNDER_HYDRA)
def test_every_key_of_a_verb_is_offered(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the configuration that Hydra composes; level by level, as one types."""
    monkeypatch.setattr(sys, "argv", [name])
    found, waiting = set(), [""]
    while waiting:
        for word in candidates(f"rnnvision {name} {waiting.pop()}"):
            (waiting.append if word.endswith(".") else found.add)(word.rstrip("="))
    composed = {key for key in keys_of(name, CONF) if "._" not in key}
    above = {key.rpartition(".")[0] for key in composed}
    assert {key for key in composed if key not in above} <= found
    assert found <= composed


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("train model=lst", ["model=lstm "]),
        ("train -m model=lstm,gr", ["model=lstm,gru "]),
        ("train callbacks=[early_stopping,em", ["callbacks=[early_stopping,ema"]),
        ("train model=lru model.layer.r_", ["model.layer.r_max=", "model.layer.r_min="]),  # of the option that is typed
        ("train experiment=mnist_renet model.patch", ["model.patch_sizes="]),  # of the one that the experiment chooses
        ("train +model.read", ["+model.readout="]),
        ("train model.readout=f", ["model.readout=first_last "]),  # listed beside the key
        ("train model.norm=", ["model.norm=false ", "model.norm=true "]),
        ("train data.max_train_samples=", []),  # prose beside a key is no list
        ("train seed=1 see", []),  # given already
        ("compare mod", ["model.", "models="]),  # compare refuses model=
        ("compare models=[lstm,gr", ["models=[lstm,gru"]),
        ("train --cfg ", ["all ", "hydra ", "job "]),
        ("train --config-dir m", ["my\\ runs/"]),
        ("train plugins=[my", ["plugins=[my_layer"]),
        ("check m", ["my_layer "]),
        ("evaluate ckpt=m", ["ckpt=my\\ runs/", "ckpt=my_layer.py "]),
        ("evaluate ckpt=my\\ runs/", ["ckpt=my\\ runs/last.ckpt "]),
        ("diff m", ["my\\ runs/"]),
        ("diff a=m", ["a=my\\ runs/"]),
        ("models digits_l", ["digits_lstm "]),
        ("completion ", ["bash ", "breaks=", "line=", "shell=", "zsh "]),
        ("nothing x", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_may_follow_a_line(line: str, offered: list[str]) -> None:
    Path("my runs").mkdir()
    Path("my runs/last.ckpt").touch()
    Path("my_layer.py").touch()
    assert candidates(f"/usr/bin/rnnvision {line}") == offered


def test_options_of_ones_own_are_offered() -> None:
    own = Path("mine/model/narrow.yaml")
    own.parent.mkdir(parents=True)
    own.write_text("defaults:\n  - _sequence\n\nlayer:\n  width: 3\n")
    assert "model=narrow " in candidates("rnnvision train --config-dir mine model=")
    assert candidates("rnnvision train --config-dir=mine model=narrow model.layer.w") == ["model.layer.width="]


@pytest.fixture
def program() -> dict[str, str]:
    """An environment in which `rnnvision` is this one."""
    Path("bin").mkdir()
    Path("bin/rnnvision").write_text(f"#!{sys.executable}\nfrom rnnvision.cli.dispatch import main\nmain()\n")
    Path("bin/rnnvision").chmod(0o755)
    package = CONF.parent
    return {**os.environ, "PATH": f"{Path.cwd()}/bin:{os.environ['PATH']}", "PYTHONPATH": str(package)}


@pytest.mark.parametrize(
    ("line", "words", "reply"),
    [
        ("rnnvision tra", ["rnnvision", "tra"], ["train "]),
        ("rnnvision train model=", ["rnnvision", "train", "model", "="], options_of([CONF], "model")),
        ("rnnvision train model=lst", ["rnnvision", "train", "model", "=", "lst"], ["lstm "]),
        ("rnnvision train x=[my", ["rnnvision", "train", "x", "=", "[my"], []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bash_replaces_what_it_has_broken_the_word_into(
    program: dict[str, str], line: str, words: list[str], reply: list[str]
) -> None:
    script = f"""
eval "$(rnnvision completion bash)"
COMP_LINE='{line}' COMP_POINT={len(line)} COMP_CWORD={len(words) - 1} COMP_WORDS=({shlex.join(words)})
_rnnvision rnnvision
printf '<%s>' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=program, check=True)
    assert done.stderr == ""
    assert done.stdout == "".join(f"<{word.strip()} >" for word in reply or [""]).replace("< >", "<>")


def test_a_completion_loads_nothing_that_is_slow() -> None:
    program = (
        "import sys; sys.argv = ['completion', 'line=rnnvision train model.']\n"
        "from rnnvision.cli.completion import main\nmain()\n"
        "assert not {'torch', 'hydra', 'omegaconf', 'yaml'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, cwd=CONF.parent)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "shell=null: choose one of bash, zsh; try: rnnvision completion bash"),
        (["fish"], "shell=fish: choose one of bash, zsh; try: rnnvision completion bash"),
        (["bsh"], "shell=bsh: choose one of bash, zsh; did you mean bash?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line(verb: Verb, words: list[str], message: str) -> None:
    result = verb("completion", *words)
    assert (result.code, result.out) == (2, "")
    assert result.message.startswith(f"rnnvision completion: {message}")
