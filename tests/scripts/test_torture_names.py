"""The trial of names, in short: the names that a run is refused for, without a run."""

from pathlib import Path

import pytest
from torture.trials import names


@pytest.mark.parametrize("place", names.PLACES[:3])
def test_a_name_that_leads_out_is_refused_in_a_line(place: str, tmp_path: Path) -> None:
    names.prepared("train")
    assert names._tried(place, "\x1b[31m/../../x", tmp_path) == (None, False)
    assert not list((tmp_path / "a" / "b" / "c").glob("x*"))


def test_the_trial_sees_what_lies_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaks(verb: str, words: list[str], work: Path, **variables: str) -> names.Ended:
        (work.parent / "outside").touch()
        return names.Ended(0, "", "")

    monkeypatch.setattr(names, "forked", leaks)
    assert names._tried("a name", "x", tmp_path)[0] == "a/b/c/d/e/outside is outside"
