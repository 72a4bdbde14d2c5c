"""The jobs of a sweep: Hydra's grammar, what wins, and their names."""

import pytest

from rnnvision.cli.frame.sweep.expand import LONGEST, Point, name_of, points_of, read_values


def jobs(*words: str, **params: str) -> list[tuple[str, ...]]:
    return [point.words for point in points_of(read_values(words, params, None))]


def test_the_last_key_changes_first_and_a_typed_word_wins_over_a_file() -> None:
    assert jobs("seed=range(0,2)", "model=choice(gru,lstm)", "data=mnist", model="rnn,lru", seed="9,8,7") == [
        ("model=gru", "seed=0", "data=mnist"),
        ("model=gru", "seed=1", "data=mnist"),
        ("model=lstm", "seed=0", "data=mnist"),
        ("model=lstm", "seed=1", "data=mnist"),
    ]


def test_values_are_as_hydra_reads_them_and_none_twice() -> None:
    assert jobs("x=[1,2],[3]", "y='a,b'", "z=1,2,1") == [
        ("x=[1,2]", "y='a,b'", "z=1"),
        ("x=[1,2]", "y='a,b'", "z=2"),
        ("x=[3]", "y='a,b'", "z=1"),
        ("x=[3]", "y='a,b'", "z=2"),
    ]


@pytest.mark.parametrize(
    ("swept", "name"),
    [
        (("model=lstm", "seed=0"), "model=lstm,seed=0"),
        (("+model.layer.x=-1e-3",), "model.layer.x=-1e-3"),
        (("data.mean=[0.1,0.2]",), "data.mean=0.1-0.2"),
        (("ckpt=/a/b c.ckpt",), "ckpt=a-b-c.ckpt"),
        (("x='../y'",), "x=..-y"),
        (("x=\u00e9\u00e8",), "x=-"),
        ((), "0"),
    ],
)
def test_a_name_has_what_was_swept_in_characters_that_every_file_system_has(swept: tuple[str, ...], name: str) -> None:
    assert name_of(Point(swept, swept), ()) == name


def test_names_that_would_be_alike_are_told_apart() -> None:
    long = [Point((), (f"ckpt={'x' * 300}{end}",)) for end in "ab"]
    names = [name_of(point, ()) for point in long]
    assert len(set(names)) == 2
    assert all(len(name) <= LONGEST for name in names)
    assert name_of(Point((), ("x=A",)), {"x=a", "x=a-2"}) == "x=A-3"
