"""Files of weights that others have published, read as if they were checkpoints of ours.

Such a file holds weights and says little of itself. What network they are of is recognised by `rnnvision.nn`; the rest
is what its authors did: ImageNet's classes and normalisation, and their centred part of an image in evaluation. Files
are read with `weights_only=True` (or by safetensors), so that nothing in them is run.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from rnnvision.checks import shortened
from rnnvision.data import CATALOG
from rnnvision.data.sets.folders import wnid_names
from rnnvision.nn.networks.published import published
from rnnvision.training import CheckpointError, read_checkpoint
from rnnvision.training.checkpoint import FORMAT, NETWORK
from rnnvision.training.reading.archive import UnreadableError, check_archive, pickled_in

TORCH_BEFORE_1_6 = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch's files before they were archives begin so
SAFETENSORS = ".safetensors"
KEY = "rnnvision"  # of the description in a checkpoint of ours, and of the card in an exported file
LARGEST_HEADER = 100_000_000  # bytes of safetensors'
CROP_RATIOS = {"vision_lstm": 1.0, "sequencer2d": 0.875}  # of the authors' evaluation
EVAL_BATCH_SIZE = 50
PLAIN: list[Any] = [argparse.Namespace]  # the command line that timm's trainings keep beside the weights


def read_trained(path: Path) -> dict[str, Any]:
    """A checkpoint of ours, or a file that others have published as if it were one.

    Raises:
        CheckpointError: for a file that is neither, or is damaged.
    """
    return read_published(path) if is_published(path) else read_checkpoint(path)


def is_published(path: Path) -> bool:
    """Whether a file holds weights without a description of ours; its content tells, not its name."""
    if not path.is_file():
        return False
    if _is_before_1_6(path):
        return True
    if path.suffix == SAFETENSORS:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            return KEY not in _metadata(file.read(min(length, LARGEST_HEADER)))
    try:
        return KEY.encode() not in pickled_in(path)
    except UnreadableError:
        return False  # read_checkpoint says what is wrong with it


def _is_before_1_6(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(TORCH_BEFORE_1_6)) == TORCH_BEFORE_1_6


def _metadata(header: bytes) -> dict[str, Any]:
    """The header's entry for what is no weight; where it is damaged one of ours, whose reader says so."""
    try:
        return dict(json.loads(header).get("__metadata__") or {})
    except (ValueError, AttributeError, TypeError, RecursionError):
        return {KEY: ""}


def read_published(path: Path) -> dict[str, Any]:
    """The entries `rnnvision` and `state_dict` that a checkpoint of ours would have.

    Raises:
        CheckpointError: for a file that is damaged, asks to run something, or holds weights of a network that is not
            known here, or not all of them.
    """
    try:
        found = published(_content(path))
    except ValueError as error:
        raise CheckpointError(f"{path}: {str(error).removeprefix('weights: ')}") from error
    except (RuntimeError, IndexError, OverflowError) as error:  # shapes of which no network can be made
        raise CheckpointError(f"{path}: its weights have shapes that do not fit together") from error
    channels, height, width = found.arguments["input_shape"]
    classes = found.arguments["num_classes"]
    words = tuple(wnid_names().values())
    of_imagenet = classes == len(words)
    data: dict[str, Any] = {
        "name": "imagenet" if of_imagenet else "image_folder",
        "root": None,
        "eval_batch_size": EVAL_BATCH_SIZE,
        "image_size": [height, width],
        "crop_ratio": CROP_RATIOS[found.arguments["name"]],
        "channels": channels,
    }
    description = {
        "format": FORMAT,
        "network": found.arguments,
        "class_names": list(words) if of_imagenet else [f"class {i}" for i in range(classes)],
        "normalisation": CATALOG["imagenet"].normalisation(channels),
        "data": data,
        "images": {},
        "versions": {},
        "published": found.origin,
    }
    return {"rnnvision": description, "state_dict": {f"{NETWORK}{name}": w for name, w in found.weights.items()}}


def _content(path: Path) -> dict[str, Any]:
    if path.suffix == SAFETENSORS:
        from rnnvision.inference.export.safetensors_file import content_of  # with the other formats, which take a while

        return dict(content_of(path)[0])
    try:
        if not _is_before_1_6(path):
            check_archive(path)
        with torch.serialization.safe_globals(PLAIN):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UnreadableError as error:
        raise CheckpointError(f"{path}: {error}; nothing in it was run") from error
    except Exception as error:  # a damaged file can fail anywhere inside the unpickler, with any type
        reason = "is damaged, or asks to load more than weights" + _unsafe(path)
        raise CheckpointError(f"{path}: {reason}; nothing in it was run") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: holds no weights by name, but a {type(content).__name__}")
    return content


def _unsafe(path: Path) -> str:
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
    except Exception:  # an older format, or a damaged pickle
        return ""
    return f" ({shortened(names)})" if names else ""
