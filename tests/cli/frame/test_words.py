"""A printed command means what it says: the shell and Hydra read back each value as it was."""

import random
import shlex
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from rnnvision.cli.frame.command_line.words import command, override, parsed
from tests.cli.running import TINY, Copy, Verb

PIECES = [*"ab12 =,[](){}'\"\\$:~äß?*!&;|<>#%@.-_/\t", "${", "${x}", "null", "true", "1e3", "..", "\\${"]
NASTY = "o ut=1,(ü) [x] 'q' \\ $HOME"  # Hydra itself takes a ${ in the name of a run folder for an interpolation


def read_back(line: str) -> object:
    (_, _, word) = shlex.split(line)
    found = parsed(word)
    assert found is not None, word
    assert not found.is_sweep_override(), word
    return OmegaConf.create({"key": found.value()}).key  # resolves what looks like an interpolation


def test_any_text_is_read_back_as_it_was() -> None:
    draw = random.Random(0)
    for _ in range(400):
        text = "".join(draw.choice(PIECES) for _ in range(draw.randint(0, 9)))
        assert read_back(command([override("key", text)], "rnnvision train")) == text


@pytest.mark.parametrize("text", ["logs/train/latest", "/data/a-b_c.d", "2026-11-28_07-00"])
def test_what_needs_no_quotes_has_none(text: str) -> None:
    assert command([override("ckpt", text)], "x") == f"x ckpt={text}"


def test_the_command_that_a_run_prints_works_for_any_folder(verb: Verb) -> None:
    folder = NASTY
    result = verb("train", *TINY, override("hydra.run.dir", folder))
    assert result.code == 0, result.err
    assert Path(folder, "metrics.json").is_file()
    program, name, *words = shlex.split(result.out.splitlines()[-1].removeprefix("next"))
    assert program == "rnnvision"
    measured = verb(name, *words, "device=cpu")
    assert measured.code == 0, measured.err


@pytest.mark.parametrize("name", ["a=b", "a,b", "[a]", "1e3", "null x", "ä (1)", "{a}", "true", "it's", "f(x)"])
def test_a_path_is_any_text(verb: Verb, trained: Copy, name: str) -> None:
    trained(name)
    result = verb("evaluate", f"ckpt={name}", "device=cpu", f"log_dir=logs {name}")
    assert result.code == 0, result.err
    assert Path(f"logs {name}", "evaluate", "latest", "metrics.json").is_file()


def test_a_value_that_needs_quotes_is_told_in_a_command_that_works(verb: Verb) -> None:
    result = verb("train", "name=my run (1)", "data=fake")
    assert result.code == 2
    assert "Traceback" not in result.err
    line = result.message.partition("try: ")[2]
    assert shlex.split(line) == ["rnnvision", "train", 'name="my run (1)"', "data=fake"]
    found = parsed(shlex.split(line)[2])
    assert found is not None
    assert found.value() == "my run (1)"
