"""What is read of a file is what a digest covers, and nothing that shares memory or refers to itself."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnvision.training import CheckpointError, read_checkpoint
from rnnvision.training.saving.content import digests_of
from tests.training.cases import SMALLEST, same, save


def write(path: Path, **entries: Any) -> Path:
    """As an earlier version, or somebody else, writes it: with digests that match."""
    content = {**SMALLEST, **entries}
    torch.save({**content, "digests": digests_of(content)}, path)
    return path


def test_attributes_of_a_dictionary_are_neither_written_nor_read(tmp_path: Path) -> None:
    weights: Any = OrderedDict(SMALLEST["state_dict"])
    weights._metadata = {"": {"version": 7}}
    for path in (write(tmp_path / "old.ckpt", state_dict=weights), save(tmp_path / "new.ckpt", state_dict=weights)):
        found = read_checkpoint(path)["state_dict"]
        assert same(found, dict(weights))
        assert not hasattr(found, "_metadata")
    assert b"_metadata" not in (tmp_path / "new.ckpt").read_bytes()
    assert weights._metadata  # of the network that goes on


def test_tensors_of_a_file_want_no_gradient_and_share_no_memory(tmp_path: Path) -> None:
    block = torch.arange(6.0)
    tensors = [block, block, block[2:4], block.view(2, 3), torch.zeros(2, requires_grad=True)]
    for path in (write(tmp_path / "old.ckpt", value=tensors), save(tmp_path / "new.ckpt", value=tensors)):
        found = read_checkpoint(path)["value"]
        assert all(torch.equal(one, other) for one, other in zip(found, tensors, strict=True))
        assert not any(tensor.requires_grad for tensor in found)
        for tensor in found:
            tensor += 1  # if two were one, it would be added twice
        assert all(torch.equal(one, other + 1) for one, other in zip(found, tensors, strict=True))


def test_what_shares_memory_is_not_much_more_than_the_file(tmp_path: Path) -> None:
    block = torch.arange(1000.0)
    for count, fits in ((8, True), (9, False)):
        path = write(tmp_path / f"{count}.ckpt", state_dict={}, value=[block.view(-1) for _ in range(count)])
        if fits:
            assert len(read_checkpoint(path)["value"]) == count
        else:
            with pytest.raises(CheckpointError, match="its tensors are far larger than what is stored of them"):
                read_checkpoint(path)


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def _again_and_again() -> list[Any]:
    value: list[Any] = []
    for _ in range(40):
        value = [value, value]
    return value


HOSTILE = {"circle": _circle, "again": _again_and_again, "expanded": lambda: torch.zeros(1).expand(10**12)}
HOSTILE |= {"sparse": lambda: torch.eye(2).to_sparse(), "meta": lambda: torch.empty(10**12, device="meta")}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_would_not_end_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.ckpt"
    torch.save({**SMALLEST, "digests": {}, "value": HOSTILE[kind]()}, path)
    with pytest.raises(CheckpointError, match=f"^{path}: .*; nothing in it was run"):
        read_checkpoint(path)


def test_an_expanded_tensor_is_written_whole(tmp_path: Path) -> None:
    wide = torch.arange(3.0).expand(4, 3)
    assert torch.equal(read_checkpoint(save(tmp_path / "a.ckpt", value=wide))["value"], wide)


@pytest.mark.parametrize("kind", ["circle", "again"])
def test_what_would_not_be_read_is_not_written(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ValueError, match="holds"):
        save(tmp_path / "a.ckpt", value=HOSTILE[kind]())
    assert not list(tmp_path.iterdir())
