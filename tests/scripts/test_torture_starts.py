"""The trial `starts`, short: three at a time in one folder, once where it is there and once where it is not."""

import warnings
from pathlib import Path

import pytest
from torture.trials import starts


def test_one_of_several_starts_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "STARTS", 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of forks
        outcome = starts.run(2, 0, tmp_path)
    assert (outcome.count, outcome.failures) == (2, [])
