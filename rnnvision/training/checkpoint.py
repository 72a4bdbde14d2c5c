"""Checkpoints: their content, how they are written and read.

A checkpoint is Lightning's dictionary with two more entries, all of it plain builtins and tensors:

    rnnvision   what is needed to use the network without its config:
                  format         2; format 1 is read too, see `rnnvision.nn.legacy`
                  network        name in `rnnvision.nn.MODELS` and keyword arguments, input shape among them
                  class_names    in the order of the logits
                  normalisation  mean and std of each channel, pixels in [0, 1]
                  data           the arguments of `rnnvision.data.ImageData`
                  images         number of images in each split
                  files          only of a user's folder: which file was in which split, `rnnvision.data.membership`
                  versions       of Python and of the packages that trained it
                  plugins        only where there are some: modules that have to be imported before it is used
                  validation     only where these very weights were validated: val/loss, val/accuracy
                  temperature    only once its training has ended: what logits are divided by to give probabilities
                  temperatures   only beside it, of a causal network: the same after each token
                  objective      only of a pre-training: reconstruct; such a network outputs images, it has no classes
    digests     SHA-256 of every other entry, verified on reading

It loads under `weights_only=True`, and here by a reader that knows less (`rnnvision.training.reading`): no code in a
file is ever run, only networks of `MODELS` are built from it, and none before its weights are found to be those of it.
"""

import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from rnnvision.checks import one_line
from rnnvision.errors import UsageError
from rnnvision.nn.legacy import current_arguments, current_weights
from rnnvision.training.reading.archive import read_archive
from rnnvision.training.reading.description import wrong_in
from rnnvision.training.reading.fitting import wrong_for
from rnnvision.training.reading.network import check_same, network_of
from rnnvision.training.reading.states import wrong_state
from rnnvision.training.saving.content import Plain, digests_of

FORMAT = 2
READABLE = (1, FORMAT)
WEIGHTS = ("state_dict", "current_model_state")  # the second is Lightning's, where the first is an average
OF_CLASSES = ("class_names", "normalisation")  # entries of a description that are needed to classify images
PUT_BACK = "put back the file that belongs there"
NETWORK = "network."  # prefix of the names of a network's weights in a Learner's state dict


class CheckpointError(UsageError):
    """A checkpoint that cannot be used. The message is one line for the user and begins with the path."""


class DamagedError(CheckpointError):
    """A file that is not as a checkpoint was written; `what` is the message without the other files that there are."""

    def __init__(self, path: Path, why: str) -> None:
        self.what = f"{path}: {why}"
        super().__init__(f"{self.what}{_beside(path)}")


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read and verify a checkpoint file, its tensors on the CPU; nothing in it is run.

    Raises:
        CheckpointError: if it is missing, not a checkpoint of this project, truncated, modified, or holds code.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file")
    if not _is_zip(path):
        with path.open("rb") as file:
            cut = file.read(2) == b"PK"
        reason = "is cut short" if cut else "is no checkpoint"
        raise DamagedError(path, f"{reason}; nothing in it was run")
    try:
        checkpoint = Plain(of_file=True).of(read_archive(path))
    except ValueError as error:  # an UnreadableError is one
        raise DamagedError(path, f"{error}; nothing in it was run") from error
    if not isinstance(checkpoint, dict) or not {"rnnvision", "digests", "state_dict"} <= checkpoint.keys():
        raise CheckpointError(f"{path}: is no checkpoint of rnnvision (it has no description of its network)")
    if wrong := _changed(checkpoint, checkpoint.pop("digests")):
        raise DamagedError(path, f"is damaged, its digest does not match: {one_line(', '.join(wrong))}")
    description = checkpoint["rnnvision"]
    if description.get("format") not in READABLE:
        raise CheckpointError(f"{path}: has format {description.get('format')}; this version reads 1 and {FORMAT}")
    if wrong_entry := wrong_in(description) or wrong_state(checkpoint):
        raise CheckpointError(f"{path}: {wrong_entry}")
    if "network" in description:  # of a Learner that was given no description there is none
        description["network"] = current_arguments(description["network"])
        for entry in WEIGHTS:
            if entry in checkpoint:
                checkpoint[entry] = current_weights(description["network"].get("name"), checkpoint[entry], NETWORK)
    return checkpoint


def _beside(path: Path) -> str:
    """The other checkpoints of a run, for whoever cannot use one; no other weights are taken by themselves."""
    if path.parent.name != "checkpoints":
        return ""
    others = sorted(other.name for other in path.parent.glob("*.ckpt") if other.name != path.name)
    return f"; beside it lie others of this run: {', '.join(others[:5])}" if others else ""


def _is_zip(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        return False


def _changed(entries: dict[str, Any], digests: Any) -> list[str]:
    """The entries whose digest is not the one they were written with."""
    if not isinstance(digests, dict) or not isinstance(entries["rnnvision"], dict):
        return ["digests"]
    try:
        found = digests_of(entries)
    except (TypeError, ValueError, RuntimeError) as error:  # what is not plain was not written by this project
        return [str(error)]
    return sorted(str(key) for key in {*digests, *found} if digests.get(key) != found.get(key))


def load_network(
    checkpoint: dict[str, Any], path: str | Path = "checkpoint", *, classifies: bool = False, **changes: Any
) -> nn.Module:
    """The trained network of a checkpoint that `read_checkpoint` returned, in evaluation mode.

    Args:
        checkpoint: as read.
        path: where it was read from, for messages.
        classifies: refuse one of a pre-training, which outputs images.
        **changes: arguments of the network in place of its own, for example another `input_shape`.

    Raises:
        CheckpointError: for a plugin that is not imported, a network that this version does not know, weights that are
            not those of the network.
        ValueError, RuntimeError: for changes that the network or its weights do not allow.
    """
    require_network(checkpoint, path)
    description = checkpoint["rnnvision"]
    reconstructs = description.get("objective", "classify") != "classify"
    if classifies and reconstructs:
        raise CheckpointError(f"{path}: is of a pre-training and knows no classes; give the run folder")
    if classifies and (missing := [entry for entry in OF_CLASSES if entry not in description]):
        raise CheckpointError(f"{path}: says nothing of its {missing[0]}, so it can classify no image")
    weights = {k.removeprefix(NETWORK): v for k, v in checkpoint["state_dict"].items() if k.startswith(NETWORK)}
    try:
        network = network_of({**description["network"], **changes}, weights, reconstructs=reconstructs)
    except (ValueError, RuntimeError) as error:
        if changes:  # which the caller knows more of
            raise
        raise CheckpointError(f"{path}: its network cannot be made again: {' '.join(str(error).split())}") from error
    return network.eval()


def require_network(checkpoint: dict[str, Any], path: str | Path) -> None:
    """Check that a checkpoint describes a network, and that the plugins it needs are imported.

    Raises:
        CheckpointError: that says what to add.
    """
    description = checkpoint["rnnvision"]
    if "network" not in description:
        raise CheckpointError(f"{path}: says nothing of its network, so it cannot be made again")
    if missing := [module for module in description.get("plugins", []) if module not in sys.modules]:
        needed = ",".join(description["plugins"])
        raise CheckpointError(
            f"{path}: needs the plugin {missing[0]}, which is not imported by itself; add plugins=[{needed}] to the "
            f"command, or in Python: import {missing[0]}"
        )


def require_same_network(checkpoint: Mapping[str, Any], description: Mapping[str, Any]) -> None:
    """Check that a checkpoint is of the network of this description.

    Raises:
        CheckpointError: that says what differs.
    """
    mine, saved = description.get("network", {}), checkpoint["rnnvision"].get("network", {})
    for key in mine:
        if key in saved and saved[key] != mine[key]:
            raise CheckpointError(
                f"the checkpoint is of another network, {key}={saved[key]}; this run has {key}={mine[key]}; {PUT_BACK}"
            )


def require_same_weights(checkpoint: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Check that the weights of a checkpoint have the names, shapes and types of these.

    Raises:
        CheckpointError: that says what does not fit.
    """
    for entry in WEIGHTS:
        try:
            check_same(weights, checkpoint.get(entry, weights))
        except ValueError as error:
            raise CheckpointError(
                f"the checkpoint is of another network, in its {entry} {error}; {PUT_BACK}"
            ) from error


def require_same_training(checkpoint: Mapping[str, Any], made: Any) -> None:
    """Check that a training can go on from a checkpoint: each state of its optimiser and its schedule.

    Args:
        checkpoint: as read.
        made: the optimiser of the training, or Lightning's dictionary of that and its scheduler.

    Raises:
        CheckpointError: that says what does not fit.
    """
    if wrong := wrong_for(checkpoint, made):
        raise CheckpointError(f"a training cannot go on from the checkpoint: {wrong}; {PUT_BACK}")


def load_body(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy all weights of another network except those of its head, which had another purpose."""
    own = network.state_dict()
    body = {name: weight for name, weight in weights.items() if not name.startswith("head.")}
    network.load_state_dict({**{name: own[name] for name in own if name.startswith("head.")}, **body})
