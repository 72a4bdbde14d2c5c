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


@pytest.mark.parametrize("name", ["/abs/olute", "//x", "~root/x", "../../../../../../../x"])
def test_the_trial_writes_nowhere_else_on_this_machine(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "forked", lambda *_, **__: pytest.fail("it would write there"))
    for place in names.CHOSEN:
        assert names._tried(place, name, tmp_path / place) == (None, False)


@pytest.mark.parametrize("name", ["a\0b", "\udcff", "x" * 5000, "~", "~/x", "~nobody-of-this-name/x"])
def test_a_chosen_name_that_no_folder_can_have_is_tried(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "forked", lambda *_, **__: names.Ended(2, "", "rnnvision train: refused"))
    assert names._tried("log_dir", name, tmp_path) == (None, False)


def test_folders_on_the_way_to_a_chosen_one_are_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def makes(verb: str, words: list[str], work: Path, **variables: str) -> names.Ended:
        (work / "a").mkdir()
        (work.parent / "b").mkdir()
        (work.parent / "b" / "run").touch()
        return names.Ended(0, "", "")

    monkeypatch.setattr(names, "forked", makes)
    assert names._tried("log_dir", "a/../../b", tmp_path / "chosen") == (None, True)
    assert "is outside" in str(names._tried("a name", "a/../../b", tmp_path / "named")[0])
