"""YAML files of others: bounded before anything is made of them, and each fault a line."""

import os
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from rnnvision.cli.frame.strangers import reading
from rnnvision.cli.frame.strangers.reading import read_pairs, read_yaml
from rnnvision.errors import UsageError
from rnnvision.regular import CONFIGURATION

ALIASES = "\n".join(["a0: &a0 [x, x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]" for i in range(1, 20))])
LETTERS = "\n".join(["a0: &a0 " + "x" * 1000, *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a0]" for i in range(1, 12))])
MERGED = "\n".join(["a0: &a0 {x: 1}", *(f"a{i}: &a{i}\n  <<: [*a{i - 1}, *a{i - 1}, *a{i - 1}]" for i in range(1, 20))])
FAULTS = {
    "aliases of aliases": (ALIASES, "its aliases"),
    "aliases of a long text": (LETTERS, "its aliases"),
    "merged aliases": (MERGED, "its aliases"),
    "holds itself": ("a: &a\n  b: *a", "holds itself"),
    "deep lists": ("a: " + "[" * 10_000, "line 1: is no YAML: deeper than 40"),
    "deep pairs": ("a: " + "{b: " * 10_000, "deeper than 40"),
    "many values": ("a: [" + "1," * 20_001 + "]", "more than 20,000 values"),
    "a tag of Python's": ("a: !!python/object/apply:os.getcwd []", "tag !!python/object/apply:os.getcwd"),
    "a path, which OmegaConf would make": ("a: !!python/object/apply:pathlib.Path [x]", "tag"),
    "bytes": ("a: !!binary aGVsbG8=", "tag !!binary"),
    "a tag of its own": ("a: !x y", "tag !x"),
    "a huge number": ("a: " + "9" * 5000, "a number of 5,000 digits"),
    "the same key twice": ("a: 1\nb: 2\na: 3", "line 3: is no YAML: found duplicate key a"),
    "a tab": ("a:\n\tb: 1", "line 2: is no YAML: found character '\\t'"),
    "NUL": ("a: 1\nb: \0", "line 2: is no YAML: special characters"),
    "an escape": ("a: \x1b[31m", "is no YAML"),
    "two documents": ("a: 1\n---\nb: 2", "is no YAML"),
    "an unknown alias": ("a: *b", "is no YAML"),
    "a key that is a list": ("? [1, 2]\n: 3", "is no"),
    "one value": ("hello", "is no"),
    "a list": ("- 1", "but a list"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_that_names_the_file(fault: str, tmp_path: Path) -> None:
    content, said = FAULTS[fault]
    file = tmp_path / "a.yaml"
    file.write_text(content)
    with pytest.raises(UsageError) as found:
        read_pairs(file)
    assert said in str(found.value)
    assert str(found.value).startswith(f"{file}")
    assert str(found.value).isprintable()
    assert len(str(found.value)) < len(str(file)) + 250


@pytest.mark.parametrize(("content", "said"), [(b"a: \xe9", "line 1: is not UTF-8"), (b"\0" * 300_000, "larger than")])
def test_bytes_that_are_no_text(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_yaml(file)


@pytest.mark.parametrize("kind", ["pipe", "folder", "nothing"])
def test_what_is_no_file_is_not_waited_for(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    if kind != "nothing":
        os.mkfifo(file) if kind == "pipe" else file.mkdir()
    with pytest.raises(UsageError, match=r"a\.yaml: is no"):
        read_yaml(file)


@pytest.mark.parametrize(
    "content", ["", "# nothing", "\ufeffa: 1", "a: &x [1, 2]\nb: *x", "a: 1e-3\nb: ${a}", "a: 'é'"]
)
def test_what_is_right_is_read_as_omegaconf_reads_it(content: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(content, encoding="utf-8")
    assert read_yaml(file) == OmegaConf.load(file)


def test_ours_are_far_from_the_bounds() -> None:
    files = list((Path(reading.__file__).parents[4] / "conf").rglob("*.yaml"))
    assert files
    for file in files:
        read_yaml(file)
        assert file.stat().st_size < CONFIGURATION / 20
