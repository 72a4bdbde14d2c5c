"""The trial `command_lines`: what it tries, how it ends a try, and what it takes for a fault."""

import time
from pathlib import Path
from typing import Any

import pytest
from torture.fuzz import forked
from torture.fuzz.cases import Case
from torture.fuzz.forked import ACCEPTED, Tried
from torture.fuzz.judge import advice, advice_fault, fault
from torture.trials.command_lines import cases

CASE = Case("value", "train", ("seed=-1",), ("seed",))
LINE = "rnnvision train: seed=-1: must be a whole number\n"


def test_the_tries_are_a_function_of_the_seed() -> None:
    first = list(map(str, cases(30, 3)))
    assert first == list(map(str, cases(30, 3)))
    assert len(set(first)) > 25


@pytest.mark.parametrize(
    ("code", "err", "says"),
    [
        (2, LINE, None),
        (1, LINE, None),
        (None, LINE, "did not end"),
        (0, "", "accepted"),
        (ACCEPTED, "", "accepted"),
        (139, "", "exit code 139"),
        (2, "", "0 lines"),
        (2, LINE + LINE, "2 lines"),
        (1, "Traceback (most recent call last):\nValueError: seed", "traceback"),
        (2, LINE.replace("train:", "tune:"), "does not begin with the verb"),
        (2, LINE.replace("seed", "sede"), "names none of seed"),
        (2, LINE.replace("must", "\x1b[31mmust"), "control characters"),
        (2, LINE.replace("must", "must" * 2000), "a line of"),
    ],
)
def test_what_counts_as_a_fault(code: int | None, err: str, says: str | None) -> None:
    found = fault(CASE, Tried(code, "", err))
    assert found is None if says is None else says in str(found)


def test_a_command_that_is_advised_must_not_be_refused_alike() -> None:
    refused = Tried(
        2, "", "rnnvision train: sede=1: there is no such key; did you mean seed? Try: rnnvision train seed=1\n"
    )
    assert advice(refused) == ["rnnvision", "train", "seed=1"]
    assert advice_fault(refused, Tried(0, "", "")) is None
    assert "refused alike" in str(advice_fault(refused, refused))


def test_a_try_is_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "try"
    here.mkdir()
    ended = forked.tried("results", ["nope"], here)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("rnnvision results: ")

    def hang(*_: Any) -> int:
        while True:
            time.sleep(1)

    monkeypatch.setattr(forked, "exit_code", hang)
    monkeypatch.setattr(forked, "SECONDS", 0.05)
    assert forked.tried("results", [], here).code is None
