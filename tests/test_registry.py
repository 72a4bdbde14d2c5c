"""Registries: a name once, a rule asked, nothing left behind by what is refused."""

import pytest

from rnnvision.registry import Registry, subclass_of


class Base: ...


class Below(Base): ...


def make_registry() -> Registry[type]:
    return Registry("layer", {"first": Base}, rule=subclass_of(Base))


def test_a_registry_is_a_dictionary_in_the_order_of_registration() -> None:
    registry = make_registry()
    assert registry.register("second")(Below) is Below  # usable as a decorator
    assert list(registry.items()) == [("first", Base), ("second", Below)]
    assert registry.kind == "layer"


def test_the_entries_that_it_starts_with_are_copied() -> None:
    entries = {"first": Base}
    Registry("layer", entries).register("second")(Below)
    assert list(entries) == ["first"]


def test_a_name_that_is_taken_is_told_with_its_owner() -> None:
    registry = make_registry()
    with pytest.raises(
        ValueError, match=rf"^layer first: is registered already, as {__name__}\.Base; choose another name$"
    ):
        registry.register("first")(Below)
    assert registry["first"] is Base


def test_a_value_that_is_taken_is_told_by_its_type() -> None:
    registry: Registry[int] = Registry("size", {"small": 1})
    with pytest.raises(ValueError, match=r"^size small: is registered already, as builtins\.int; "):
        registry.register("small")(2)


@pytest.mark.parametrize("name", ["", "two words", "a-b", "1st", "a.b", None, 3])
def test_a_name_is_a_plain_word(name: str) -> None:
    registry = make_registry()
    with pytest.raises(ValueError, match=r"^layer .*: a name is a word of letters, digits and _$"):
        registry.register(name)(Below)
    assert list(registry) == ["first"]


@pytest.mark.parametrize(("entry", "said"), [(int, "int"), (print, "print"), (3, "3"), (Below(), "Below object")])
def test_an_entry_that_breaks_the_rule_is_not_kept(entry: type, said: str) -> None:
    registry = make_registry()
    with pytest.raises(ValueError, match=rf"^layer second: .*{said}.* is no subclass of {__name__}\.Base$"):
        registry.register("second")(entry)
    assert list(registry) == ["first"]


def test_without_a_rule_anything_is_an_entry() -> None:
    registry: Registry[object] = Registry("thing")
    registry.register("three")(3)
    assert registry == {"three": 3}
