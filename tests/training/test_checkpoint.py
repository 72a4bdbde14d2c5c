"""Checkpoints: what goes in comes out, nothing but plain values goes in, and no crash costs the previous file."""

import math
import os
from collections import OrderedDict, defaultdict, namedtuple
from enum import Enum
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging
from omegaconf import OmegaConf
from torch import nn
from torch.serialization import get_unsafe_globals_in_checkpoint

from rnnvision.disk import DiskError
from rnnvision.nn import MODELS, RECURRENCES, fits_in_one_go
from rnnvision.training import (
    SCHEDULES,
    CheckpointError,
    VerifiedCheckpointIO,
    find_checkpoint,
    load_network,
    read_checkpoint,
)
from rnnvision.training.checkpoint import FORMAT
from rnnvision.training.saving.content import digest
from tests.nn.cases import parameters_of
from tests.training.cases import OPTIMIZERS, SMALLEST, checkpoint_of, same, sampled, save, train

# Lightning's own check of nested batches uses a function that torch has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning")

Point = namedtuple("Point", "x y")


class Colour(str, Enum):
    RED = "red"


class Mapped(dict):
    pass


# What is written ------------------------------------------------------------------------------------------------------


def assert_plain(folder: Path) -> None:
    files = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert files == ["best.ckpt", "last.ckpt", "previous.ckpt"]
    for file in files:
        assert get_unsafe_globals_in_checkpoint(str(folder / "checkpoints" / file)) == []
        assert read_checkpoint(folder / "checkpoints" / file)["rnnvision"]["format"] == FORMAT


ALONE = [{"name": name} for name in MODELS if not fits_in_one_go(name)]  # of what is fitted: test_svm_fit.py
STACKED = [(name, r) for name in MODELS if "recurrence" in parameters_of(name) for r in RECURRENCES]
NETWORKS: list[dict[str, Any]] = [*ALONE, *({"name": name, "recurrence": r} for name, r in STACKED)]
CHOSEN = [*ALONE, *(case for case in NETWORKS if case["name"] == "sequence_classifier")]


@pytest.mark.parametrize("network", sampled(NETWORKS, CHOSEN), ids=lambda network: "-".join(network.values()))
def test_a_checkpoint_is_plain_and_makes_the_network_again(tmp_path: Path, network: dict[str, Any]) -> None:
    learner = train(tmp_path, network=network)
    assert_plain(tmp_path)
    loaded = load_network(read_checkpoint(checkpoint_of(tmp_path)))
    assert not loaded.training
    images = torch.randn(5, 1, 4, 4)
    assert torch.equal(loaded(images), learner.network.eval()(images))


WAYS = [*product(OPTIMIZERS, [*SCHEDULES, "plateau"])]
EACH_ONCE = [*zip(OPTIMIZERS, [*SCHEDULES, "plateau"], strict=True)]


@pytest.mark.parametrize("way", sampled(WAYS, EACH_ONCE), ids="-".join)
def test_a_checkpoint_is_plain_whatever_trained_it(tmp_path: Path, way: tuple[str, str]) -> None:
    optimizer, scheduler = way
    train(tmp_path, optimizer=optimizer, scheduler={"name": scheduler})
    assert_plain(tmp_path)


def test_a_checkpoint_is_plain_with_every_callback(tmp_path: Path) -> None:
    learner = train(tmp_path, EarlyStopping("val/loss"), EMAWeightAveraging(decay=0.5))
    assert_plain(tmp_path)
    checkpoint = read_checkpoint(checkpoint_of(tmp_path))
    averaged = {key.removeprefix("network."): value for key, value in checkpoint["state_dict"].items()}
    assert same(averaged, dict(learner.network.state_dict()))  # it is the average that is used afterwards
    assert not same(averaged, {k.removeprefix("network."): v for k, v in checkpoint["current_model_state"].items()})
    states = "".join(checkpoint["callbacks"])
    assert all(name in states for name in ("ModelCheckpoint", "EarlyStopping", "WeightAveraging"))


PLAIN = {
    "scalars": [0, -1, 2**80, 1.5, math.inf, -0.0, True, False, None, "", "grün\n", (), [], {}],
    "nested": {"a": [1, (2.0, {"b": None})], 3: "number", None: True},
    "ordered": OrderedDict(b=1, a=2),
    "size": torch.Size([2, 3]),
    "tensors": [torch.tensor(1.5), torch.empty(0, 3), torch.eye(3).T[:, 1:], torch.tensor([True, False])],
    "types": [torch.ones(3, dtype=d) for d in (torch.bfloat16, torch.float16, torch.int8, torch.complex64)],
    "parameter": nn.Parameter(torch.ones(2)),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_values_go_through_a_file(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / "new" / "a.ckpt", value=PLAIN[name])
    found = VerifiedCheckpointIO().load_checkpoint(path)
    assert same(found, {**SMALLEST, "value": PLAIN[name]})
    assert get_unsafe_globals_in_checkpoint(str(path)) == []


NOT_PLAIN = {
    "numpy scalar": np.float64(1.0),
    "numpy float32": np.float32(1.0),
    "numpy array": np.ones(2),
    "path": Path("a"),
    "set": {1},
    "enum": Colour.RED,
    "function": math.sqrt,
    "class": int,
    "dtype": torch.float32,
    "module": nn.Linear(1, 1),
    "list config": OmegaConf.create([1]),
    "dict config": OmegaConf.create({"a": 1}),
    "dict subclass": Mapped(a=1),
    "default dict": defaultdict(int),
    "named tuple": Point(1, 2),
    "key": {Path("a"): 1},
}


@pytest.mark.parametrize("name", NOT_PLAIN)
@pytest.mark.parametrize("nest", [lambda v: v, lambda v: {"a": [v]}], ids=["itself", "nested"])
def test_other_values_are_refused_and_the_previous_file_stays(tmp_path: Path, name: str, nest: Any) -> None:
    path = save(tmp_path / "a.ckpt")
    before = path.read_bytes()
    with pytest.raises(TypeError, match="a checkpoint holds plain values and tensors, not "):
        save(path, value=nest(NOT_PLAIN[name]))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_digest_tells_apart_what_differs() -> None:
    ones = torch.ones(2, 3)
    values = [0, False, None, "0", "None", 0.0, -0.0, 1, True, 1.0, "1", 12]
    values += [[1, 2], (1, 2), [12], [[1], 2], [1, [2]], [[1, 2]]]
    values += [{"a": 1}, {"a": 2}, {"b": 1}, ["a", 1], {}, [], "", ones, ones.T, ones.double(), ones.int(), -ones]
    values += [torch.tensor(1.0), torch.tensor([1.0]), torch.empty(0), torch.empty(0, 1), ones.view(torch.int32)]
    assert len({digest(value) for value in values}) == len(values)
    assert digest(ones.T) == digest(ones.T.contiguous())


# Crashes --------------------------------------------------------------------------------------------------------------


CRASHES = [OSError(28, "No space left on device"), OSError(5, "Input/output error"), KeyboardInterrupt()]


@pytest.mark.parametrize("crash", CRASHES, ids=repr)
@pytest.mark.parametrize("place", ["save", "fsync", "replace"])
def test_a_crash_during_a_save_leaves_the_previous_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash: BaseException, place: str
) -> None:
    def fail(*arguments: Any) -> None:
        if place == "save":
            arguments[1].write(b"PK half a file")
        raise crash

    path = save(tmp_path / "a.ckpt")
    before = path.read_bytes()
    owner: Any = {"save": torch, "fsync": os, "replace": Path}[place]
    with monkeypatch.context() as patch:
        patch.setattr(owner, place, fail)
        with pytest.raises(DiskError if isinstance(crash, OSError) else type(crash)) as raised:
            save(path, other=1)
    if isinstance(crash, OSError):
        said = "no space left on the device for a checkpoint" if crash.errno == 28 else "cannot be written (Input"
        assert f"{path}: {said}" in str(raised.value)
        assert str(raised.value).endswith("; the a.ckpt before it stays as it was")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert save(path, other=1).read_bytes() != before


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        events.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")  # noqa: PTH112
        fsync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        assert self.parent == target.parent  # a rename is atomic within one file system only
        events.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    save(tmp_path / "a.ckpt")
    assert events == ["file", "replace", "folder"]


def test_only_checkpoints_of_folders_that_it_has_written_into_are_removed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "run" / "checkpoints", tmp_path / "a.ckpt"
    io = VerifiedCheckpointIO()
    for path in (inside / "a.ckpt", inside / "b.ckpt"):
        io.save_checkpoint(SMALLEST, path)
    (inside / "notes.txt").touch()
    save(outside)
    for path in (outside, inside / ".." / ".." / "a.ckpt", inside / "notes.txt", inside, inside / "a.ckpt"):
        for _ in range(2):  # twice is no error
            io.remove_checkpoint(path)
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["a.ckpt", "b.ckpt", "notes.txt"]
    assert outside.is_file()


# A file or a run folder -----------------------------------------------------------------------------------------------


def test_a_run_folder_means_its_best_else_its_last(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no checkpoints/best\.ckpt or checkpoints/last\.ckpt"):
        find_checkpoint(tmp_path)
    newest = save(checkpoint_of(tmp_path))
    assert find_checkpoint(tmp_path) == newest
    chosen = save(checkpoint_of(tmp_path, "best"))
    assert find_checkpoint(str(tmp_path)) == chosen
    assert find_checkpoint(newest) == newest


def test_nothing_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(CheckpointError, match=f"^{missing}: there is no such file or run folder"):
        find_checkpoint(missing)


@pytest.mark.parametrize("suffix", ["ckpt", "safetensors", "onnx", "pt2"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_told(kind: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    os.mkfifo(path) if kind == "pipe" else path.symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match=f"^{path}: is no file; give a file or a run folder"):
        find_checkpoint(path)


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = save(tmp_path / "a.ckpt")
    assert find_checkpoint("~/a.ckpt") == path
