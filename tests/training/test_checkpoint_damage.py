"""Checkpoints that are damaged or of somebody else: each is refused by its name, and none runs code."""

import os
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnvision.training import CheckpointError, read_checkpoint
from rnnvision.training.checkpoint import FORMAT
from tests.training.cases import SMALLEST, checkpoint_of, last, make_data, make_learner, make_trainer, same, save

# Lightning's own check of nested batches uses a function that torch has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning")


def refusal(path: Path) -> str:
    """The message of the CheckpointError: one line that begins with the file."""
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_flipped_byte_anywhere_is_found_or_does_not_matter(tmp_path: Path, trained: bytes) -> None:
    path = tmp_path / "a.ckpt"
    path.write_bytes(trained)
    content = read_checkpoint(path)
    draw = random.Random(0)
    refused, unchanged, others = 0, 0, []
    for position in draw.sample(range(len(trained)), 60):
        damaged = bytearray(trained)
        damaged[position] ^= draw.randrange(1, 256)
        path.write_bytes(damaged)
        try:
            unchanged += same(read_checkpoint(path), content)
        except CheckpointError as error:
            refused += str(error).startswith(f"{path}: ")
        except Exception as error:
            others.append((position, repr(error)))
    assert others == []
    assert refused + unchanged == 60
    assert refused > 10


@pytest.mark.parametrize("entry", ["callbacks", "epoch", "optimizer_states", "state_dict", "digests", "rnnvision"])
def test_a_flipped_byte_of_the_name_of_an_entry_is_found(tmp_path: Path, trained: bytes, entry: str) -> None:
    path = tmp_path / "a.ckpt"
    pickled = b"X" + len(entry).to_bytes(4, "little") + entry.encode()
    assert trained.count(pickled) == 1
    place = trained.index(pickled) + 7
    path.write_bytes(trained[:place] + b"Q" + trained[place + 1 :])
    refusal(path)


def test_a_flipped_byte_of_the_archives_end_is_found(tmp_path: Path, trained: bytes) -> None:
    path = tmp_path / "a.ckpt"
    others = []
    for place in range(trained.rindex(b"PK\6\7"), len(trained)):  # from the locator of the zip64 directory on
        path.write_bytes(trained[:place] + bytes([trained[place] ^ 0x10]) + trained[place + 1 :])
        try:
            assert read_checkpoint(path)["epoch"] == 1
        except CheckpointError:
            continue
        except Exception as error:
            others.append((place, repr(error)))
    assert others == []


@pytest.mark.parametrize("weight", ["head.weight", "recurrence.layers.0"])
def test_a_flipped_byte_of_a_weight_is_found_in_the_state_dict(tmp_path: Path, trained: bytes, weight: str) -> None:
    path = tmp_path / "a.ckpt"
    path.write_bytes(trained)
    weights = read_checkpoint(path)["state_dict"]
    name = next(name for name in weights if name.startswith(f"network.{weight}"))
    place = trained.index(weights[name].numpy().tobytes())
    path.write_bytes(trained[: place + 9] + bytes([trained[place + 9] ^ 1]) + trained[place + 10 :])
    assert refusal(path) == f"{path}: is damaged, its digest does not match: state_dict"


def test_a_cut_file_is_refused_at_any_length(tmp_path: Path, trained: bytes) -> None:
    path = tmp_path / "a.ckpt"
    for length in (2, 3, 4, 30, 100, 1000, *range(5000, len(trained), 5000), len(trained) - 22, len(trained) - 1):
        path.write_bytes(trained[:length])
        assert "cut short" in refusal(path)


@pytest.mark.parametrize("change", ["other value", "one less", "one more"])
def test_an_entry_that_was_changed_is_named(tmp_path: Path, change: str) -> None:
    path = save(tmp_path / "a.ckpt", epoch=3)
    raw = torch.load(path, weights_only=True)
    if change == "one less":
        del raw["epoch"]
    else:
        raw["epoch" if change == "other value" else "added"] = 4
    torch.save(raw, path)
    assert refusal(path).endswith(f"its digest does not match: {'added' if change == 'one more' else 'epoch'}")


@pytest.mark.parametrize("content", [b"", b"P", b"some text\n", b"\x80\x02}q\x00.", b"\0" * 1000])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.ckpt"
    path.write_bytes(content)
    assert refusal(path) == f"{path}: is no checkpoint; nothing in it was run"


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "there is no such file" in refusal(tmp_path / "missing.ckpt")
    assert "there is no such file" in refusal(tmp_path)


# Files of others ------------------------------------------------------------------------------------------------------


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.marker}'",)


@pytest.mark.parametrize("kind", ["pickle", "torch", "old torch", "entry"])
def test_a_file_that_would_run_code_is_refused_and_does_not(tmp_path: Path, kind: str) -> None:
    path, marker = tmp_path / "a.ckpt", tmp_path / "was_here"
    evil: Any = Evil(marker)
    if kind == "pickle":
        path.write_bytes(pickle.dumps(evil))
    else:
        value = {**SMALLEST, "digests": {}, "callbacks": evil} if kind == "entry" else evil
        torch.save(value, path, _use_new_zipfile_serialization=kind != "old torch")
    message = refusal(path)
    assert "nothing in it was run" in message
    if kind in ("torch", "entry"):
        assert f"asks to load {os.system.__module__}.system" in message
    assert not marker.exists()
    load_without_care(path, kind)
    assert marker.exists()  # it would have


def load_without_care(path: Path, kind: str) -> None:
    if kind == "pickle":
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)


@pytest.mark.parametrize("value", [{"weight": torch.ones(2)}, {"state_dict": {}}, torch.ones(2), [1], None], ids=str)
def test_a_foreign_file_of_torch_is_refused(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "a.ckpt"
    torch.save(value, path)
    assert "is no checkpoint of rnnvision" in refusal(path)


@pytest.mark.parametrize(
    "entries",
    [
        {"digests": ["a"]},
        {"digests": None},
        {"digests": {}, "state_dict": {1, 2}},
        {"digests": {}, "dtype": torch.float32},
        {"digests": {}, 3: 4},
    ],
    ids=str,
)
def test_a_file_with_our_names_and_other_contents_is_refused(tmp_path: Path, entries: dict[Any, Any]) -> None:
    path = tmp_path / "a.ckpt"
    torch.save({**SMALLEST, **entries}, path)
    refusal(path)


@pytest.mark.parametrize("description", [{}, {"format": FORMAT + 1}, {"format": "1"}, [], None], ids=str)
def test_another_format_is_refused(tmp_path: Path, description: Any) -> None:
    refusal(save(tmp_path / "a.ckpt", rnnvision=description))


# Lightning says so of every resumed run.
@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning")
def test_a_training_without_a_description_can_be_resumed(tmp_path: Path) -> None:
    data = make_data()
    for epochs, resumed in ((1, None), (2, checkpoint_of(tmp_path))):
        trainer = make_trainer(tmp_path, max_epochs=epochs, callbacks=[last(tmp_path)])
        trainer.fit(make_learner(data, description=None), datamodule=data, ckpt_path=resumed)
    assert read_checkpoint(checkpoint_of(tmp_path))["epoch"] == 1


def test_lightning_reads_through_the_same_check(tmp_path: Path, trained: bytes) -> None:
    path = tmp_path / "a.ckpt"
    path.write_bytes(trained[:-1])
    data = make_data()
    with pytest.raises(CheckpointError, match="is cut short"):
        make_trainer(tmp_path).test(make_learner(data), datamodule=data, ckpt_path=path)
