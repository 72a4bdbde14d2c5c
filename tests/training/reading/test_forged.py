"""Forged checkpoints, as the trial `forged` makes them: each is refused in one line, in this process."""

import math
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torture.forgeries import archives, checkpoints, states
from torture.forgeries.forgery import BEST, LAST, PREVIOUS, Forgery

import rnnvision
from rnnvision.errors import UsageError
from rnnvision.training import VerifiedCheckpointIO, read_checkpoint
from rnnvision.training.checkpoint import load_network
from rnnvision.training.reading.states import wrong_state
from tests.training.cases import make_data, make_learner

# Lightning's own check of nested batches uses a function that torch has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning")

# Which take seconds to make, or are of a folder in place of a file.
LONG = (
    "archive: 3 GB compressed",
    "archive: 250,000 entries",
    "archive: a pipe in its place",
    "archive: a folder in its place",
)
CHECKPOINTS = [forgery for forgery in checkpoints.FORGERIES if not forgery.may_pass]
# Of which the network, the data or a callback of the tests has nothing, or that Lightning finds.
ELSEWHERE = (
    "loops: no validate_loop",
    "training: state_dict NaN",
    "training: best_",
    "training: kth_value",
    "training: wait_count",
)


def box_of(trained: bytes, folder: Path) -> Path:
    (folder / BEST).parent.mkdir(parents=True)
    for name in (BEST, LAST, PREVIOUS):
        (folder / name).write_bytes(trained)
    return folder


def named(forgeries: list[Forgery]) -> list[Any]:
    return [pytest.param(forgery, id=forgery.name[:60].encode("ascii", "replace").decode()) for forgery in forgeries]


def forge(forgery: Forgery, box: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of what is forged
        forgery.forge(box)


def refused(use: Any, path: Path) -> None:
    """Within a second of work, whatever a file asks for, and in one line."""
    began = time.process_time()
    with pytest.raises(UsageError) as error:
        use()
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 2000
    assert time.process_time() - began < 5
    assert not (path.parents[1] / "ran").exists()


@pytest.mark.parametrize("forgery", named([f for f in archives.FORGERIES if f.name not in LONG]))
def test_an_archive_that_torch_did_not_write_is_refused(forgery: Forgery, trained: bytes, tmp_path: Path) -> None:
    box = box_of(trained, tmp_path)
    forge(forgery, box)
    refused(lambda: read_checkpoint(box / BEST), box / BEST)


@pytest.mark.parametrize("forgery", named(CHECKPOINTS[::4]))
def test_a_description_or_weights_that_cannot_be_are_refused(forgery: Forgery, trained: bytes, tmp_path: Path) -> None:
    box = box_of(trained, tmp_path)
    forge(forgery, box)
    refused(lambda: rnnvision.load(box / BEST), box / BEST)


@pytest.mark.parametrize(
    "forgery", named([f for f in states.FORGERIES if not f.may_pass and not f.name.startswith(ELSEWHERE)])
)
def test_a_state_that_is_not_of_the_training_is_refused(forgery: Forgery, trained: bytes, tmp_path: Path) -> None:
    box = box_of(trained, tmp_path)
    forge(forgery, box)
    data = make_data()
    data.setup()
    learner = make_learner(data, scheduler={"name": "cosine"})
    refused(lambda: learner.on_load_checkpoint(read_checkpoint(box / LAST)), box / LAST)


# One value that is wrong among many that are right.
SPOILED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a name": (lambda found: found["rnnvision"]["class_names"].append("x"), "it has 5 class_names, and num_classes=4"),
    "a std": (lambda found: found["rnnvision"]["normalisation"].update(std=[0.0]), "its normalisation is"),
    "a weight": (
        lambda found: next(iter(found["state_dict"].values())).view(-1)[:1].fill_(math.nan),
        "holds what is no finite number",
    ),
    "a state": (
        lambda found: found["optimizer_states"][0]["state"][0]["exp_avg"].view(-1)[:1].fill_(math.inf),
        "has a state exp_avg that is not finite",
    ),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_single_value_is_found(what: str, trained: bytes, tmp_path: Path) -> None:
    spoil, said = SPOILED[what]
    path = box_of(trained, tmp_path) / LAST
    found = read_checkpoint(path)
    spoil(found)
    VerifiedCheckpointIO().save_checkpoint(found, path)
    data = make_data()
    data.setup()
    learner = make_learner(data, scheduler={"name": "cosine"})

    def use() -> None:
        load_network(read_checkpoint(path))
        learner.on_load_checkpoint(read_checkpoint(path))

    with pytest.raises(UsageError, match=said):
        use()


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_an_entry_that_an_archive_holds_twice_is_refused(trained: bytes, tmp_path: Path) -> None:
    """Of which one reader would take the first, and another the last."""
    path = box_of(trained, tmp_path) / BEST
    with zipfile.ZipFile(path, "a") as archive:
        first = next(entry for entry in archive.infolist() if "/data/" in entry.filename)
        archive.writestr(first.filename, archive.read(first))
    with pytest.raises(UsageError, match="two entries of the same name"):
        read_checkpoint(path)


def test_what_a_training_writes_is_what_is_checked(trained: bytes, tmp_path: Path) -> None:
    """Each entry has its rule, so that none is added without one."""
    from rnnvision.training.reading.description import ENTRIES as OF_DESCRIPTION
    from rnnvision.training.reading.states import ENTRIES as OF_STATES

    box = box_of(trained, tmp_path)
    found = read_checkpoint(box / LAST)
    assert set(found["rnnvision"]) - set(OF_DESCRIPTION) == {"format"}
    assert set(found) - set(OF_STATES) == {"rnnvision"}
    data = make_data()
    data.setup()
    make_learner(data).on_load_checkpoint(found)  # as it is, it fits


def test_tensors_of_one_memory_are_read_as_they_were(tmp_path: Path) -> None:
    """As weights of a GPU are, and what is cut out of a larger one."""
    from tests.training.cases import save

    whole = torch.arange(12.0)
    held = {
        "a": whole[:4],
        "b": whole[4:].view(2, 4),
        "t": whole.view(3, 4).T,
        "s": whole[::3],
        "x": torch.ones(1).expand(5),
    }
    found = read_checkpoint(save(tmp_path / "a.ckpt", held=held))["held"]
    assert all(torch.equal(found[name], held[name]) for name in held)


@pytest.mark.parametrize(
    ("name", "held", "fits"),
    [
        ("random_cuda", torch.zeros(1, 16, dtype=torch.uint8), True),
        ("random_cuda", [1], False),
        ("cut", [{"step": 3, "lr": 0.1}], True),
        ("cut", [3], False),
    ],
)
def test_what_only_some_positions_have_is_looked_at_too(name: str, held: object, fits: bool) -> None:
    position = {
        **dict.fromkeys(("epoch", "batches", "of_batches"), 1),
        **dict.fromkeys(("ended", "in_validation"), False),
        "sums": torch.zeros(1, 3, dtype=torch.float64),
        "random": torch.get_rng_state()[None],
        "rows": [],
        "seconds": 0.5,
        "validated": [-1, {}, False],
    }
    assert wrong_state({"position": position}) is None
    assert (wrong_state({"position": {**position, name: held}}) is None) == fits
