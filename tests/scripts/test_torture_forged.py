"""The trial `forged`: each of its families has forgeries, of other names, that are made and judged."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from torture.forgeries import FAMILIES
from torture.forgeries.forgery import BEST, OUTSIDE, WAYS, Forgery
from torture.forgeries.trying import tried
from torture.trials.forged import tries


def test_there_are_enough_and_each_is_named_once() -> None:
    every = [forgery for family in FAMILIES.values() for forgery in family]
    assert len(every) >= 150
    assert [name for name, count in Counter(f.name for f in every).items() if count > 1] == []
    assert all(way in WAYS for forgery in every for way in forgery.ways)
    assert len(tries(25, seed=0)) == 25
    assert tries(25, seed=0) == tries(25, seed=0)


def _ran(box: Path) -> None:
    (box / "ran").touch()


def _written(box: Path) -> None:
    (box.parent / OUTSIDE / "victim").write_text("other")


@pytest.mark.parametrize(
    ("forge", "told"),
    [(lambda box: None, None), (_ran, "it ran code"), (_written, "it changed a file outside")],
    ids=["refused", "ran", "written"],
)
def test_what_is_not_as_promised_is_told(forge: Callable[[Path], object], told: str | None, tmp_path: Path) -> None:
    honest, place = tmp_path / "honest", tmp_path / "place"
    (honest / BEST).parent.mkdir(parents=True)
    (honest / BEST).write_bytes(b"no checkpoint")
    place.mkdir()
    assert tried(Forgery("one", forge, ("load",)), "load", honest, place) == told
