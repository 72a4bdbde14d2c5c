"""Arguments bound to real signatures: what fits an annotation, and what is told of what does not."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest

from rnnvision.cli.frame.arguments import check_arguments
from rnnvision.errors import UsageError


def taken(
    *,
    whole: int = 1,
    real: float = 1.0,
    word: str = "a",
    flag: bool = False,
    maybe: int | None = None,
    sides: Sequence[int] = (1,),
    pair: tuple[int, int] = (1, 2),
    kind: Literal["one", "two"] = "one",
    options: Mapping[str, Any] | None = None,
) -> None: ...


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("whole", 3),
        ("real", 3),
        ("real", 0.5),
        ("word", "b"),
        ("flag", True),
        ("maybe", None),
        ("sides", [1, 2, 3]),
        ("pair", [1, 2]),
        ("kind", "two"),
        ("options", {"a": 1}),
    ],
)
def test_what_fits_is_taken(key: str, value: object) -> None:
    check_arguments("group", {key: value}, taken)


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("whole", True, "must be a whole number"),
        ("whole", 0.5, "must be a whole number"),
        ("whole", "abc", "must be a whole number"),
        ("real", True, "must be a number"),
        ("real", "abc", "must be a number"),
        ("word", 1, "must be text"),
        ("flag", 1, "must be true or false"),
        ("maybe", "x", "must be a whole number or null"),
        ("sides", 3, "must be a list of whole numbers"),
        ("sides", [True], "must be a list of whole numbers"),
        ("pair", [1, 2, 3], "must be a list of 2 values"),
        ("kind", "three", "must be one or two"),
        ("options", 3, "must be KEY: VALUE pairs or null"),
    ],
)
def test_what_does_not_fit_is_told_with_what_does(key: str, value: object, wanted: str) -> None:
    with pytest.raises(UsageError, match=rf"^group\.{key}=.*: {wanted}"):
        check_arguments("group", {key: value}, taken)


def test_a_key_that_there_is_not_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"^group\.wohle: there is no such key; .*did you mean group\.whole\?$"):
        check_arguments("group", {"wohle": 1}, taken)
