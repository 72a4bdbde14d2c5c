"""Serving: whether images are resident or streamed, and the treatment of files that cannot be read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch

from rnnvision.checks import counted, one_of
from rnnvision.data.augment import Augmentation
from rnnvision.data.cache import read_once
from rnnvision.data.files import BadFile, EncodedSplit, survey
from rnnvision.data.splits import DataError, Samples, Splits

FORMATS = ("auto", "resident", "streaming", "shards")
ON_BAD_FILE = ("stop", "skip", "convert")  # and skip with convert
RESIDENT_MEGABYTES = 1024  # more than this is streamed, unless resident is requested


@dataclass(frozen=True)
class Serving:
    """Whether the images are streamed, and this choice in words."""

    streams: bool
    reason: str


def treatments(on_bad_file: str | Sequence[str]) -> tuple[str, ...]:
    """One of `ON_BAD_FILE`, or skip with convert.

    Raises:
        ValueError: for anything else.
    """
    words = (on_bad_file,) if isinstance(on_bad_file, str) else tuple(on_bad_file)
    for word in words:
        one_of("on_bad_file", word, ON_BAD_FILE)
    if len(words) != 1 and sorted(words) != ["convert", "skip"]:
        raise ValueError(f"on_bad_file={on_bad_file}: choose one of {', '.join(ON_BAD_FILE)}, or [skip,convert]")
    return words


def choose(splits: Splits, format: str, augmentation: Augmentation, num_workers: int) -> Serving:
    """Choose how these splits are served; `format` is one of `FORMATS`.

    Raises:
        ValueError: if resident images are requested with an augmentation that works on whole images.
    """
    whole = augmentation.needs_whole_images
    parts = splits.parts().values()
    megabytes = sum(len(part) * torch.Size(part.image_shape).numel() for part in parts) / 2**20
    workers = f"streaming with {counted(num_workers, 'worker')}"
    if format == "resident":
        if whole:
            raise ValueError(
                "format=resident: augmentation.crop and augmentation.policy work on whole images; "
                "choose format=streaming, or another augmentation"
            )
        return Serving(False, f"resident: {megabytes:.1f} MB in memory, as asked")
    if format == "shards":
        return Serving(True, f"shards, read by {counted(num_workers, 'worker')}")
    if format == "streaming":
        return Serving(True, f"{workers}, as asked")
    if whole:
        return Serving(True, f"{workers}, since the augmentation works on whole images")
    if megabytes > RESIDENT_MEGABYTES and any(isinstance(part, EncodedSplit) for part in parts):
        return Serving(True, f"{workers}, since {megabytes:,.0f} MB are more than {RESIDENT_MEGABYTES:,}")
    return Serving(False, f"resident: {megabytes:.1f} MB in memory")


def prepare(
    splits: Splits, serving: Serving, on_bad_file: tuple[str, ...], num_workers: int, needed: tuple[str, ...]
) -> tuple[Splits, list[str]]:
    """The splits as they are served, and what is wrong with each file that was skipped; only `needed` ones are read.

    Raises:
        DataError: for files that cannot be read, unless they may be skipped; for a class that training would lose.
    """
    parts, bad = splits.parts(), []
    for name in needed:
        part = parts[name]
        if not isinstance(part, EncodedSplit):
            continue
        view = replace(part.view, convert="convert" in on_bad_file)
        part = replace(part, view=view)  # type: ignore[type-var]  # its kinds are dataclasses
        if not serving.streams:
            parts[name], found = read_once(part)
        elif "skip" in on_bad_file:
            parts[name], found = survey(part, num_workers or 1)
        else:  # a bad file will be met while streaming
            parts[name], found = part, []
        if found and name == "train" and "skip" in on_bad_file:
            _check_classes(part, found, splits.class_names)
        bad += [file.reason for file in found]
    if bad and "skip" not in on_bad_file:
        raise refusal(bad)
    return replace(splits, train=parts["train"], val=parts.get("val"), test=parts["test"]), bad


def refusal(bad: list[str]) -> DataError:
    """The error that names every bad file."""
    if len(bad) == 1:
        return DataError(f"{bad[0]}; mend or delete it, or leave it out with data.on_bad_file=skip")
    files = "\n  ".join(bad)
    return DataError(
        f"{len(bad)} files cannot be used; mend or delete them, or leave them out with data.on_bad_file=skip\n  {files}"
    )


def unreadable(parts: Iterable[Samples], num_workers: int) -> list[str]:
    """What is wrong with each file on this machine that cannot be read."""
    here = [part for part in parts if isinstance(part, EncodedSplit) and part.at_hand]
    return [file.reason for part in here for file in survey(part, num_workers)[1]]


def _check_classes(part: Samples, bad: list[BadFile], class_names: tuple[str, ...]) -> None:
    """Refuse to train without a class that the data has: all of its files are bad."""
    unread = torch.zeros(len(part), dtype=torch.bool)
    unread[[file.index for file in bad]] = True
    for label in torch.unique(part.labels).tolist():
        own = part.labels == label
        if bool(unread[own].all()):
            reasons = "\n  ".join(file.reason for file in bad if own[file.index])
            raise DataError(
                f"train: {class_names[label]} would have no image: {counted(int(own.sum()), 'file')} of it cannot be "
                f"read; mend one at least, or move the class out of the folder\n  {reasons}"
            )
