"""Run folders of a stranger: what results, diff, report and a resume read of them."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torture.forgeries.forgery import OUTSIDE, RUN, Forgery

READ = ("results", "diff", "report")
WRITTEN = ("train.log", "classes.csv", "metrics.csv", "metrics.json", "status.json", "summary.csv", ".lock")
DRAWN = ("results.png", "confusion_matrix.png", "report.html")
DEEP = "[" * 100_000 + "]" * 100_000
DEEP_OBJECT = '{"a":' * 50_000 + "1" + "}" * 50_000
MARKUP = "<script>alert(1)</script>"


def written(name: str, content: str | bytes) -> Callable[[Path], object]:
    def forge(box: Path) -> None:
        path = box / RUN / name
        path.unlink(missing_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return forge


def changed(name: str, **values: Any) -> Callable[[Path], object]:
    """A JSON file with other values."""

    def forge(box: Path) -> None:
        path = box / RUN / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return forge


def piped(name: str) -> Callable[[Path], object]:
    def forge(box: Path) -> None:
        (box / RUN / name).unlink(missing_ok=True)
        os.mkfifo(box / RUN / name)

    return forge


def sparse(name: str) -> Callable[[Path], object]:
    def forge(box: Path) -> None:
        os.truncate(box / RUN / name, 40 << 30)

    return forge


def linked(name: str, to: str) -> Callable[[Path], object]:
    def forge(box: Path) -> None:
        path = box / RUN / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        path.symlink_to(to)

    return forge


def a_folder(name: str) -> Callable[[Path], object]:
    def forge(box: Path) -> None:
        (box / RUN / name).unlink()
        (box / RUN / name).mkdir()

    return forge


CONTENTS: dict[str, str | bytes] = {
    "nested 100,000 deep": DEEP,
    "objects 50,000 deep": DEEP_OBJECT,
    "a list": "[1, 2]",
    "a text": '"abc"',
    "a number of 5,000 digits": '{"status": ' + "9" * 5_000 + "}",
    "null bytes": b"\0" * 1000,
    "no UTF-8": b'{"status": "\xff\xfe"}',
    "empty": "",
}
JSON_FILES = ("status.json", "metrics.json", "environment.json")
VALUES: dict[str, tuple[str, dict[str, Any]]] = {
    "status a list": ("status.json", {"status": [1]}),
    "status a number": ("status.json", {"status": 5}),
    "started a number": ("status.json", {"started": 5}),
    "started nonsense": ("status.json", {"started": "yesterday"}),
    "started in the year 99999": ("status.json", {"started": "99999-01-01"}),
    "seconds a text": ("status.json", {"seconds": "long"}),
    "seconds an object": ("status.json", {"seconds": {"a": 1}}),
    "error an object": ("status.json", {"error": {"a": [1]}}),
    "figures NaN": ("metrics.json", {"test/accuracy": float("nan"), "val/accuracy": float("inf")}),
    "figures of text": ("metrics.json", {"test/accuracy": "a", "val/accuracy": None}),
    "a figure of 300 digits": ("metrics.json", {"test/accuracy": 10**300}),
    "a figure of 400 digits": ("metrics.json", {"test/accuracy": 10**400}),
    "figures that are lists": ("metrics.json", {"test/accuracy": [1], "train/seconds": {"a": 1}}),
    "10,000 figures": ("metrics.json", {f"figure/{i}": i for i in range(10_000)}),
    "a figure called by markup": ("metrics.json", {MARKUP: 0.5}),
    "overrides a number": ("environment.json", {"overrides": 5}),
    "overrides of objects": ("environment.json", {"overrides": [{"a": 1}]}),
    "choices a list": ("environment.json", {"choices": [1]}),
    "git a text": ("environment.json", {"git": "abc"}),
    "tags an object": ("environment.json", {"tags": {"a": {"b": 1}}}),
    "versions a list": ("environment.json", {"versions": [1], "packages": 5, "gpus": 5, "threads": "a"}),
}
TABLES: dict[str, tuple[str, str | bytes]] = {
    "metrics.csv: empty": ("metrics.csv", ""),
    "metrics.csv: text for numbers": ("metrics.csv", "epoch,step,train/loss,seconds\na,b,c,d\n"),
    "metrics.csv: other columns": ("metrics.csv", "x,y\n1,2\n"),
    "metrics.csv: more values than columns": ("metrics.csv", "epoch,step,seconds\n0,1,2,3,4,5\n"),
    "metrics.csv: fewer values than columns": ("metrics.csv", "epoch,step,train/loss,seconds\n0\n"),
    "metrics.csv: a million columns": ("metrics.csv", ",".join(f"c{i}" for i in range(1_000_000)) + "\n"),
    "metrics.csv: a value of 1 MB": ("metrics.csv", "epoch,step,seconds\n0,1," + "9" * 1_000_000 + "\n"),
    "metrics.csv: NaN": ("metrics.csv", "epoch,step,train/loss,val/loss,seconds\nnan,inf,nan,nan,nan\n"),
    "metrics.csv: null bytes": ("metrics.csv", b"epoch,step\n\0\0,\0\n"),
    "metrics.csv: no UTF-8": ("metrics.csv", b"epoch,step\n\xff,\xfe\n"),
    "metrics.csv: a quote without an end": ("metrics.csv", 'epoch,step\n"0,1\n' + "x" * 200_000),
    "predictions.csv: empty": ("predictions.csv", ""),
    "predictions.csv: other columns": ("predictions.csv", "a,b\n1,2\n"),
    "predictions.csv: NaN": ("predictions.csv", "image,truth,answer,probability,loss,settled\n0,0,0,nan,nan,\n"),
    "predictions.csv: markup": (
        "predictions.csv",
        f"image,truth,answer,probability,loss,settled\n{MARKUP},{MARKUP},{MARKUP},0.5,0.5,\n",
    ),
    "predictions.csv: a value of 1 MB": (
        "predictions.csv",
        "image,truth,answer,probability,loss,settled\n" + "9" * 1_000_000 + ",0,0,0.5,0.5,\n",
    ),
    "classes.csv: nonsense": ("classes.csv", "a,b\n\0\n"),
}


def _index(box: Path) -> None:
    (box / ".results_index").write_text("00000000\n" + DEEP)


def _index_with_checksum(content: str) -> Callable[[Path], object]:
    import zlib

    def forge(box: Path) -> None:
        (box / ".results_index").write_text(f"{zlib.crc32(content.encode()):08x}\n{content}")

    return forge


def _all() -> list[Forgery]:
    found: dict[str, Callable[[Path], object]] = {}
    for file in JSON_FILES:
        found |= {f"{file}: {name}": written(file, content) for name, content in CONTENTS.items()}
        found[f"{file}: a pipe"] = piped(file)
        found[f"{file}: without an end"] = linked(file, "/dev/zero")
        found[f"{file}: a folder"] = a_folder(file)
        found[f"{file}: of 40 GB"] = sparse(file)
    found |= {f"{file}: {name}": changed(file, **values) for name, (file, values) in VALUES.items()}
    found |= {name: written(*content) for name, content in TABLES.items()}
    for file in ("metrics.csv", "predictions.csv"):
        found[f"{file}: a pipe"] = piped(file)
        found[f"{file}: without an end"] = linked(file, "/dev/zero")
        found[f"{file}: of 40 GB"] = sparse(file)
    found |= {
        "index: nested 100,000 deep": _index,
        "index: nested 100,000 deep, with its checksum": _index_with_checksum(DEEP),
        "index: a list": _index_with_checksum("[]"),
        "index: no version": _index_with_checksum("{}"),
        "index: of nothing": _index_with_checksum('{"version": [1], "runs": 5}'),
        "lock: a pipe": piped(".lock"),
        "a loop of links": linked("loop", f"../{RUN}"),
        "a link out of the folder": linked("elsewhere", f"../../{OUTSIDE}"),
    }
    read = [Forgery(name, forge, READ, may_pass=True) for name, forge in found.items()]
    return [*read, *_written()]


def _written() -> list[Forgery]:
    """What a command writes into the folder, in whose place something else stands."""
    found: list[Forgery] = []
    for way, names in (("resume", WRITTEN), ("report", DRAWN)):
        for name in names:
            link = linked(name, f"../../{OUTSIDE}/victim")
            found.append(Forgery(f"{name}: a link out of the folder", link, (way,), may_pass=True))
            found.append(Forgery(f"{name}: a pipe to write to", piped(name), (way,), may_pass=True))
    for name in ("checkpoints", ".hydra", ".hydra/resume"):
        link = linked(name, f"{'../' * (2 + name.count('/'))}{OUTSIDE}")
        found.append(Forgery(f"{name}: a link out of the folder", link, ("resume",)))
    return found


FORGERIES = _all()
