"""Source that is followed before PyTorch is imported: nothing is refused that the call itself accepts."""

import textwrap
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from rnnvision.cli.frame.command_line.files import config_dir
from rnnvision.cli.frame.early import values
from rnnvision.cli.frame.early.calls import RefusedError, check_call
from rnnvision.cli.frame.early.source import Module

ACCEPTED = {  # with size=3; each body would be refused if it were followed as if it had nothing but plain statements
    "continue": """
        for part in (1, 5):
            if part > size:
                continue
            at_most("size", part, size)
        """,
    "break": """
        for part in (1, 5):
            if isinstance(part, int) and len(unknown()):
                break
            raise ValueError("size")
        """,
    "suppressed": """
        with suppress(ValueError):
            raise ValueError("size")
        """,
    "what a helper returns": """
        if is_wrong(size):
            raise ValueError("size")
        """,
    "changed by a method": """
        found = []
        found.append(size)
        if not found:
            raise ValueError("size")
        """,
    "changed where it is unknown whether": """
        found = []
        if unknown():
            found.append(size)
        if not found:
            raise ValueError("size")
        """,
    "a part is set": """
        found = {"size": 9}
        found["size"] = size
        at_most("size", found["size"], 3)
        """,
    "named in an expression": """
        least = 9
        if (least := size) > 5:
            raise ValueError("size")
        at_most("size", least, 3)
        """,
    "unknown values before a known one": """
        compare(*unknown(), size)
        """,
    "unknown options": """
        compare(size, **{"other": 3, **dict(zip(("other",), unknown()))})
        """,
    "a generator that nobody runs": """
        later(size)
        """,
}
SOURCE = """
from contextlib import suppress
from rnnvision.checks import at_least
def at_most(name, value, most):
    if value > most:
        raise ValueError(name)
def unknown():
    return (lambda: [3])()
def is_wrong(size):
    return False
def compare(one, other=2):
    if one > other:
        raise ValueError("one")
def later(size):
    raise ValueError("size")
    yield
def call(size):
"""


def source(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "odd.py"
    path.write_text(SOURCE + textwrap.indent(textwrap.dedent(body), "    "))
    return path


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_what_the_call_accepts_is_accepted(body: str, tmp_path: Path) -> None:
    path = source(tmp_path, body)
    names: dict[str, Any] = {}
    exec(path.read_text(), names)
    names["call"](size=3)
    check_call(Module("rnnvision.odd", path).get("call"), {"size": 3})


def test_nothing_is_done_but_to_read(tmp_path: Path) -> None:
    made = tmp_path / "made"
    body = f"""
        import os
        from pathlib import Path
        first = open({str(made)!r}, "w")
        second = Path({str(made)!r}).mkdir()
        at_least("size", size, 4)
        """
    with pytest.raises(RefusedError, match="at least 4"):
        check_call(Module("rnnvision.odd", source(tmp_path, body)).get("call"), {"size": 3})
    assert not made.exists()


@pytest.mark.parametrize("place", ["find", "annotations", "defaults", "check_call"])
@pytest.mark.parametrize("error", [ValueError("of the reading"), KeyError("x"), RecursionError(), SyntaxError()])
def test_source_that_reads_otherwise_is_left_to_the_constructors(
    place: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(values, place, fails)
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        config = compose("train")
    values.check_values(config, map(str, config))


@pytest.mark.parametrize("signature", ["self, *, max_epochs=None, **options", "self, max_epochs=LATER"])
def test_a_trainer_whose_arguments_the_source_does_not_say_is_left_to_itself(
    signature: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trainer.py"
    path.write_text(f"class Trainer:\n    def __init__({signature}):\n        pass\n")
    real = values.find
    trainer = Module("lightning.pytorch.trainer.trainer", path).get("Trainer")
    monkeypatch.setattr(values, "find", lambda place: trainer if place.endswith(":Trainer") else real(place))
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        config = compose("train", overrides=["trainer.devices=1"])
    values.check_values(config, ["trainer.devices"])
