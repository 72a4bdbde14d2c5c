"""The checks of arguments: what each lets through, what it refuses, and in which words."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from rnnvision import checks

NAN, INF = math.nan, math.inf
Check = Callable[[Any], None]  # of a value, under the name `x`

# Of each check: what it lets through, what it refuses, and how the message goes on after `x=VALUE: `.
CASES: dict[str, tuple[Check, list[Any], list[Any], str]] = {
    "at_least": (
        lambda value: checks.at_least("x", value, 2),
        [2, 3, 2**31 - 1],
        [1, 0, -2, 2.0, 2.5, INF, NAN, "2", "two", None, True, [2], 2j],
        "must be a whole number of at least 2",
    ),
    "at_least_up_to_four": (
        lambda value: checks.at_least("x", value, 2, 4),
        [2, 4],
        [5, 2**31, 10**30],
        "must be a whole number from 2 to 4",
    ),
    "seed_number": (
        lambda value: checks.seed_number("x", value),
        [0, 2**32 - 1],
        [-1, 2**32, True, 0.0, None, "1", NAN],
        "must be a whole number from 0 to 4294967295",
    ),
    "number_up_to_the_largest": (
        lambda value: checks.number("x", value),
        [1e9],
        [1.1e9, 1e308, INF, 10**30],
        "must be a number from 0 to 1e+09",
    ),
    "number": (
        lambda value: checks.number("x", value),
        [0, 0.0, 1, 2.5, 1e9],
        [-1e-9, -1, -INF, NAN, "1", None, True, False, [1.0], 1j],
        "must be a number of at least 0",
    ),
    "number_up_to_one": (
        lambda value: checks.number("x", value, 1.0),
        [0, 0.5, 1, 1.0],
        [1.0000001, 2, -0.1, INF, NAN, "0.5", None, True],
        "must be a number from 0 to 1",
    ),
    "positive": (
        lambda value: checks.positive("x", value),
        [1, 1e-300, 2.5],
        [0, 0.0, -1, NAN, "1", None, True, [1.0]],
        "must be a number above 0",
    ),
    "positive_up_to_the_largest": (
        lambda value: checks.positive("x", value),
        [1e9],
        [1.1e9, INF, 10**30],
        "must be a number above 0, and at most 1e+09",
    ),
    "probability": (
        lambda value: checks.probability("x", value),
        [0, 0.0, 0.5, 0.999],
        [1, 1.0, 2, -0.1, INF, NAN, "abc", "0.5", None, True, False],
        "must be a number in [0, 1)",
    ),
    "fraction": (
        lambda value: checks.fraction("x", value),
        [1e-9, 0.5, 0.999],
        [0, 0.0, 1, 1.0, -0.5, INF, NAN, "0.5", None, True],
        "must be a number between 0 and 1",
    ),
    "flags": (
        lambda value: checks.flags(x=value),
        [True, False],
        [0, 1, "no", "true", None, NAN, []],
        "must be true or false",
    ),
    "image_shape": (
        lambda value: checks.image_shape("x", value),
        [(1, 28, 28), [3, 4, 5], (1, 1, 1)],
        [(4, 6), (1, 0, 6), (0, 4, 6), (1, -4, 6), (1, 4.0, 6), (1, True, 6), (1, 2, 3, 4), 4, "abc", None, {1, 2, 3}],
        "must be (channels, height, width), whole numbers of at least 1",
    ),
    "image_shape_up_to_the_longest": (
        lambda value: checks.image_shape("x", value),
        [(1, 8192, 1)],
        [(1, 8193, 1), (1, 1, 10**30)],
        "must be (channels, height, width) of at most 8192 each",
    ),
    "shares": (
        lambda value: checks.shares("x", value),
        [[0.5], (0, 1), [0.1, 0.2, 0.3]],
        [[], 0.5, [1.5], [-0.1], [128, 128, 128], [NAN], [True], ["0.5"], "0.5", None, {0.5}, [None]],
        "must be a list of numbers from 0 to 1, for pixels from 0 to 1",
    ),
    "shares_from_above_zero": (
        lambda value: checks.shares("x", value, zero=False),
        [[0.5], (1e-9, 1)],
        [[], [0.5, 0], [0.0], [-0.1]],
        "must be a list of numbers above 0 and at most 1, for pixels from 0 to 1",
    ),
    "whole_numbers": (
        lambda value: checks.whole_numbers("x", value),
        [[1], (1, 2), [7, 7]],
        [[], [0, 1], [1.5, 1], [True, 1], [NAN], "22", 2, None, {1}, [None]],
        "must be a list of whole numbers of at least 1",
    ),
    "whole_numbers_from_zero": (
        lambda value: checks.whole_numbers("x", value, 0),
        [[0], (0, 2)],
        [[-1], []],
        "must be a list of whole numbers of at least 0",
    ),
    "whole_numbers_up_to_the_largest": (
        lambda value: checks.whole_numbers("x", value),
        [[1, 2**31 - 1]],
        [[1, 2**31], [10**30]],
        "must be a list of whole numbers from 1 to 2147483647",
    ),
    "one_of": (
        lambda value: checks.one_of("x", value, ["lstm", "gru"]),
        ["lstm", "gru"],
        ["zzz", "", None, 1, True, NAN],
        "choose one of lstm, gru",
    ),
}
GOOD = [(name, value) for name, (_, good, _, _) in CASES.items() for value in good]
BAD = [(name, value) for name, (_, _, bad, _) in CASES.items() for value in bad]


@pytest.mark.parametrize(("name", "value"), GOOD, ids=str)
def test_what_is_legal_passes(name: str, value: Any) -> None:
    CASES[name][0](value)


@pytest.mark.parametrize(("name", "value"), BAD, ids=str)
def test_what_is_not_is_refused_with_the_argument_and_what_is_legal(name: str, value: Any) -> None:
    check, _, _, legal = CASES[name]
    with pytest.raises(ValueError, match="x") as error:
        check(value)
    assert str(error.value) == f"x={value}: {legal}"


def test_every_check_is_tested() -> None:
    public = {name for name, value in vars(checks).items() if callable(value) and value.__module__ == checks.__name__}
    assert public - {
        "nearest",
        "choose_one",
        "counted",
        "one_line",
        "shortened",
        "message_line",
        "table_cell",
        "too_large",
    } == {name.split("_up_to")[0].split("_from")[0] for name in CASES}


def test_a_name_is_shown_on_one_line() -> None:
    assert (
        checks.one_line("né 1\u202fPM\n\r\x1b[2J\x85\u2028\udce9.png")
        == "né 1\u202fPM\\n\\r\\x1b[2J\\x85\\u2028\udce9.png"
    )


def test_flags_names_the_one_that_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"^second=no: "):
        checks.flags(first=True, second="no", third=False)


# The nearest spelling -------------------------------------------------------------------------------------------------

NAMES = ["lstm", "gru", "mlstm", "permuted_pixels"]
KEYS = ["seed", "model.hidden_size", "trainer.max_epochs", "optimizer.lr"]


@pytest.mark.parametrize(
    ("word", "legal", "meant"),
    [
        ("lstmm", NAMES, "lstm"),
        ("LSTM", NAMES, "lstm"),
        ("permuted_pixel", NAMES, "permuted_pixels"),
        ("zzz", NAMES, None),
        ("", NAMES, None),
        (None, NAMES, None),
        (7, NAMES, None),
        ("lstm", [], None),
        ("adam", ["Adam", "SGD"], "Adam"),
        ("max_epoch", KEYS, "trainer.max_epochs"),
        ("model.max_epochs", KEYS, "trainer.max_epochs"),
        ("hiden_size", KEYS, "model.hidden_size"),
        ("model.hiden_size", KEYS, "model.hidden_size"),
    ],
)
def test_the_nearest_spelling(word: object, legal: list[str], meant: str | None) -> None:
    assert checks.nearest(word, legal) == meant


def test_of_two_keys_that_end_alike_the_first_is_named() -> None:
    keys = ["first_of_the_groups.dropout", "another_of_the_groups.dropout"]
    assert checks.nearest("dropuot", keys) == keys[0]


def test_a_choice_names_all_and_the_nearest_as_it_is_typed() -> None:
    assert checks.choose_one("lstmm", NAMES) == "choose one of lstm, gru, mlstm, permuted_pixels; did you mean lstm?"
    assert (
        checks.choose_one("grru", iter(["gru", "rnn"]), "model=") == "choose one of gru, rnn; did you mean model=gru?"
    )
    assert checks.choose_one("zzz", ["gru"]) == "choose one of gru"


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"^recurrence=lstmm: choose one of lstm, gru; did you mean lstm\?$"):
        checks.one_of("recurrence", "lstmm", iter(["lstm", "gru"]))


def test_a_message_is_one_line_that_ends() -> None:
    assert checks.message_line("a\nb\x1b[1m\u202e") == "a\\nb\\x1b[1m\\u202e"
    assert checks.message_line("2 files:\n  a\nb.png\n  c.png") == "2 files: a\\nb.png; c.png"
    assert len(checks.message_line("x" * 100_000)) < 1100
    assert len(checks.message_line("x " * 100_000)) < 4100
