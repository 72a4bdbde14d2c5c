"""The parameters of a class, seen through the **options that it hands on."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from rnnvision.nn import MODELS
from rnnvision.nn.networks.sequence_classifier import SequenceClassifier, SequenceNetwork
from rnnvision.signature import constructors, parameters


class Root:
    def __init__(self, size: int, *, depth: int = 1) -> None: ...


class HandsOn(Root):
    def __init__(self, *, width: float, depth: int = 2, **options: Any) -> None: ...


class Bare(HandsOn):  # without a constructor of its own
    pass


class Closed(HandsOn):
    def __init__(self, *, only: str) -> None: ...


def function(a: int, /, b: int, *rest: int, c: int = 3, **options: Any) -> None: ...


@functools.wraps(function)
def wrapped(*args: Any, **options: Any) -> None: ...


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (Root, ["size", "depth"]),
        (HandsOn, ["width", "depth", "size"]),
        (Bare, ["width", "depth", "size"]),
        (Closed, ["only"]),
        (function, ["b", "c"]),  # neither what is positional only nor what has no name
        (wrapped, ["b", "c"]),
    ],
)
def test_the_names_that_can_be_given(kind: Callable[..., Any], names: list[str]) -> None:
    assert list(parameters(kind)) == names


def test_the_nearest_class_decides_a_default() -> None:
    assert parameters(HandsOn)["depth"].default == 2
    assert parameters(HandsOn)["size"].default is inspect.Parameter.empty


def test_constructors_stop_where_nothing_is_handed_on() -> None:
    assert constructors(Bare) == [HandsOn.__init__, Root.__init__]
    assert constructors(Closed) == [Closed.__init__]
    assert constructors(function) == [function]


def test_a_network_that_reads_a_sequence_takes_what_its_base_takes() -> None:
    assert set(parameters(SequenceClassifier)) > set(parameters(SequenceNetwork)) > {"scan", "layer", "hidden_size"}


@pytest.mark.parametrize("model", MODELS)
def test_the_constructor_of_a_network_takes_typed_keywords_only(model: str) -> None:
    found = parameters(MODELS[model])
    assert {"input_shape", "num_classes"} <= set(found)
    assert [p.name for p in found.values() if p.kind is not p.KEYWORD_ONLY or p.annotation is p.empty] == []
