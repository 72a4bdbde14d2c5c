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

It is read with `weights_only=True`, so no code in a file is ever run, and only networks of `MODELS` are built from it.
"""

import hashlib
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rnnvision.errors import UsageError
from rnnvision.nn.legacy import current_arguments, current_weights
from rnnvision.training.reading.archive import UnreadableError, read_archive
from rnnvision.training.reading.description import wrong_in
from rnnvision.training.reading.fitting import wrong_for
from rnnvision.training.reading.network import network_of
from rnnvision.training.reading.states import wrong_state

FORMAT = 2
READABLE = (1, FORMAT)
WEIGHTS = ("state_dict", "current_model_state")  # the second is Lightning's, where the first is an average
OF_CLASSES = ("class_names", "normalisation")  # entries of a description that are needed to classify images
NETWORK = "network."  # prefix of the names of a network's weights in a Learner's state dict


class CheckpointError(UsageError):
    """A checkpoint that cannot be used. The message is one line for the user and begins with the path."""


def find_checkpoint(path: str | Path) -> Path:
    """The checkpoint at a path: the file itself, or the best one of a run folder, else its last.

    Raises:
        CheckpointError: if there is none.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return path.resolve()
    if not path.exists():
        raise CheckpointError(f"{path}: there is no such file or run folder")
    for name in ("best", "last"):
        if (found := path / "checkpoints" / f"{name}.ckpt").is_file():
            return found.resolve()
    raise CheckpointError(
        f"{path}: holds no checkpoints/best.ckpt or checkpoints/last.ckpt; give a file or a run folder"
    )


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
        raise CheckpointError(f"{path}: {'is cut short' if cut else 'is no checkpoint'}; nothing in it was run")
    try:
        checkpoint = read_archive(path)
    except UnreadableError as error:
        raise CheckpointError(f"{path}: {error}; nothing in it was run") from error
    if not isinstance(checkpoint, dict) or not {"rnnvision", "digests", "state_dict"} <= checkpoint.keys():
        raise CheckpointError(f"{path}: is no checkpoint of rnnvision (it has no description of its network)")
    if wrong := _changed(checkpoint, checkpoint.pop("digests")):
        raise CheckpointError(f"{path}: is damaged, its digest does not match: {', '.join(wrong)}")
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
    except TypeError as error:  # what is not plain was not written by this project
        return [str(error)]
    return sorted(str(key) for key in {*digests, *found} if digests.get(key) != found.get(key))


def digests_of(entries: Mapping[str, Any]) -> dict[str, str]:
    """One per entry and its name: the pickled digests share the name's string, so a flipped byte changes both."""
    return {key: digest((key, value)) for key, value in entries.items()}


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
                f"the checkpoint is of another network, {key}={saved[key]}; this run has {key}={mine[key]}; "
                f"put back the file that belongs there"
            )


def require_same_training(checkpoint: Mapping[str, Any], weights: Mapping[str, Tensor], made: Any) -> None:
    """Check that a training can go on from a checkpoint: its weights, and each state of its optimiser and schedule.

    Args:
        checkpoint: as read.
        weights: the state dict of the training.
        made: its optimiser, or Lightning's dictionary of that and its scheduler.

    Raises:
        CheckpointError: that says what does not fit.
    """
    if wrong := wrong_for(checkpoint, weights, made):
        raise CheckpointError(
            f"a training cannot go on from the checkpoint: {wrong}; put back the file that belongs there"
        )


def load_body(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy all weights of another network except those of its head, which had another purpose."""
    own = network.state_dict()
    body = {name: weight for name, weight in weights.items() if not name.startswith("head.")}
    network.load_state_dict({**{name: own[name] for name in own if name.startswith("head.")}, **body})


def digest(value: Any) -> str:
    """SHA-256 of plain values and tensors.

    Raises:
        TypeError: for anything else, so that it cannot get into a checkpoint.
    """
    sha = hashlib.sha256()
    for part in _bytes_of(value):
        sha.update(part)
    return sha.hexdigest()


def _bytes_of(value: Any) -> Iterator[bytes | memoryview]:
    if isinstance(value, Tensor):
        flat = value.detach().cpu().contiguous().reshape(-1)
        yield f"tensor {value.dtype} {tuple(value.shape)};".encode()
        yield memoryview(flat.view(torch.uint8).numpy()) if flat.numel() else b""  # type: ignore[arg-type]  # a buffer
    elif type(value) in (dict, OrderedDict):
        yield f"map {len(value)};".encode()
        for key, item in value.items():
            yield from _bytes_of(key)
            yield from _bytes_of(item)
    elif type(value) in (list, tuple, torch.Size):
        yield f"{type(value).__name__} {len(value)};".encode()
        for item in value:
            yield from _bytes_of(item)
    elif type(value) is float:
        yield b"float" + struct.pack("<d", value)
    elif type(value) in (int, bool, str, type(None)):
        yield f"{type(value).__name__} {value!r};".encode()
    else:
        raise TypeError(f"a checkpoint holds plain values and tensors, not {type(value).__name__}: {value!r}")
