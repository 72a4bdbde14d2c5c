"""What a .pt2 archive holds, checked before torch reads it.

`torch.export.load` unpickles objects, looks up operators by any name within torch, and evaluates sizes and guards as
Python. A file of this project needs none of that, so that whatever could run code is refused. It is a second lock: as
torch says, programs should be loaded only from people that one trusts.
"""

import ast
import json
import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from rnnvision.training import CheckpointError
from rnnvision.training.reading.archive import UnreadableError, check_entries

ENTRIES = re.compile(
    r"data/(weights/weight|constants/tensor)_\d+|extra/[\w.]+|\.data/\w+|archive_\w+|byteorder|version"
)
OPERATORS = re.compile(
    r"torch\.ops\.(aten|higher_order)\.\w+(\.\w+)?|_operator\.(getitem|add|sub|mul|neg|floordiv|mod|eq|ne|ge|gt|le|lt)"
)
PLAIN = re.compile(r"[\w.+]*|[a-z]+:\d+|[a-z,]+->[a-z]+")  # names, types, versions, devices, equations of einsum
# Of which sizes are made: as sympy writes them, Mul(Integer(28), Symbol('s77', positive=True, integer=True)).
SIZES = {"Add", "Mul", "Pow", "Mod", "FloorDiv", "Max", "Min", "Integer", "Symbol"}
LONGEST_SIZE = 10_000  # characters
SIZE_NODES = (ast.Expression, ast.Call, ast.keyword, ast.Name, ast.Load, ast.Constant, ast.UnaryOp, ast.USub)


def checked(path: Path) -> dict[str, bytes]:
    """The entries of an archive, by name, each of them checked.

    Raises:
        CheckpointError: for a file that is no archive, is damaged, or holds more than a program and its weights.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_entries(archive.infolist(), path.stat().st_size)
            entries = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    except UnreadableError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except zipfile.BadZipFile as error:
        told = str(error) if "CRC" in str(error) else "is no .pt2 file, or is cut short"
        raise CheckpointError(f"{path}: {'is damaged, ' if 'CRC' in told else ''}{told}") from error
    except (EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise CheckpointError(f"{path}: is no .pt2 file, or is cut short") from error
    for name, content in entries.items():
        if not _is_harmless(name, content):
            raise CheckpointError(
                f"{path}: holds more than a program and its weights, in {name}; nothing in it was run"
            )
    return entries


def repacked(entries: dict[str, bytes]) -> BytesIO:
    """An archive of these entries and nothing else: torch's reader of archives might find others in the file."""
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            archive.writestr(f"archive/{name}", content)
    made.seek(0)
    return made


def _is_harmless(name: str, content: bytes) -> bool:
    try:
        if name.startswith("data/sample_inputs/"):
            with zipfile.ZipFile(BytesIO(content)) as archive:
                check_entries(archive.infolist(), len(content))
            torch.load(BytesIO(content), weights_only=True)
            return True
        if re.fullmatch(r"data/(weights|constants)/\w+_config\.json", name):
            entries = json.loads(content)["config"].values()
            return all(not e["use_pickle"] and re.fullmatch(r"(weight|tensor)_\d+", e["path_name"]) for e in entries)
        if name.startswith("models/"):
            program = json.loads(content)
            return program["guards_code"] == [] and _is_plain(program)
    except Exception:  # whatever is wrong with it, torch is not to read it
        return False
    return ENTRIES.fullmatch(name) is not None


def _is_plain(value: Any, key: str = "") -> bool:
    """Whether a value of the program's JSON holds nothing but names, numbers, sizes and known operators."""
    if isinstance(value, dict):
        if key == "metadata":
            return not value
        return all(_is_plain(k) and _is_plain(v, k) for k, v in value.items())
    if isinstance(value, list):
        return all(_is_plain(v, key) for v in value)
    if not isinstance(value, str):
        return True
    if key == "target":
        return OPERATORS.fullmatch(value) is not None
    return PLAIN.fullmatch(value) is not None or _is_tree(value) or _is_size(value)


def _is_tree(text: str) -> bool:
    """Whether a text is JSON, as the structure of inputs and outputs is, which itself holds plain texts only."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return not isinstance(value, str) and _is_plain(value)


def _is_size(text: str) -> bool:
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval"))) if len(text) <= LONGEST_SIZE else []
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return bool(nodes) and all(
        isinstance(node, SIZE_NODES)
        and (not isinstance(node, ast.Name) or node.id in SIZES)
        and (
            not isinstance(node, ast.Constant) or re.fullmatch(r"s\d+|u\d+|\d+|True|False", str(node.value)) is not None
        )
        for node in nodes
    )
