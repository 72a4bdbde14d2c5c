"""Serving: whether images are resident or streamed, and the treatment of files that cannot be read."""

from dataclasses import dataclass, replace

import torch

from rnnvision.data.augment import Augmentation
from rnnvision.data.files import EncodedSplit, read_all, survey
from rnnvision.data.splits import DataError, Samples, Splits

FORMATS = ("auto", "resident", "streaming", "shards")
ON_BAD_FILE = ("stop", "skip", "convert")
RESIDENT_MEGABYTES = 1024  # more than this is streamed, unless resident is requested


@dataclass(frozen=True)
class Serving:
    """Whether the images are streamed, and this choice in words."""

    streams: bool
    reason: str


def choose(splits: Splits, format: str, augmentation: Augmentation, num_workers: int) -> Serving:
    """Choose how these splits are served; `format` is one of `FORMATS`.

    Raises:
        ValueError: if resident images are requested with an augmentation that works on whole images.
    """
    whole = augmentation.needs_whole_images
    parts = _parts(splits).values()
    megabytes = sum(len(part) * torch.Size(part.image_shape).numel() for part in parts) / 2**20
    workers = f"streaming with {num_workers} workers"
    if format == "resident":
        if whole:
            raise ValueError(
                "format=resident: augmentation.crop and augmentation.policy work on whole images; "
                "choose format=streaming, or another augmentation"
            )
        return Serving(False, f"resident: {megabytes:.1f} MB in memory, as asked")
    if format == "shards":
        return Serving(True, f"shards, read by {num_workers} workers")
    if format == "streaming":
        return Serving(True, f"{workers}, as asked")
    if whole:
        return Serving(True, f"{workers}, since the augmentation works on whole images")
    if megabytes > RESIDENT_MEGABYTES and any(isinstance(part, EncodedSplit) for part in parts):
        return Serving(True, f"{workers}, since {megabytes:,.0f} MB are more than {RESIDENT_MEGABYTES:,}")
    return Serving(False, f"resident: {megabytes:.1f} MB in memory")


def prepare(splits: Splits, serving: Serving, on_bad_file: str, num_workers: int) -> tuple[Splits, list[str]]:
    """The splits as they are served, and what is wrong with each file that was skipped.

    Raises:
        DataError: for files that cannot be read, unless they may be skipped; for a split that would lose a class.
    """
    parts, bad = _parts(splits), []
    for name, part in parts.items():
        if not isinstance(part, EncodedSplit):
            continue
        view = replace(part.view, convert=on_bad_file == "convert")
        part = replace(part, view=view)  # type: ignore[type-var]  # its kinds are dataclasses
        if not serving.streams:
            parts[name], found = read_all(part)
        elif on_bad_file == "skip":
            parts[name], found = survey(part, num_workers or 1)
        else:  # a bad file will be met while streaming
            parts[name], found = part, []
        if found:
            _check_classes(name, part, parts[name], splits.class_names)
        bad += [file.reason for file in found]
    if bad and on_bad_file != "skip":
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


def _parts(splits: Splits) -> dict[str, Samples]:
    parts = {"train": splits.train, "val": splits.val, "test": splits.test}
    return {name: part for name, part in parts.items() if part is not None}


def _check_classes(name: str, before: Samples, after: Samples, class_names: tuple[str, ...]) -> None:
    for label in sorted(set(before.labels.tolist()) - set(after.labels.tolist())):
        raise DataError(f"{name}: none of the images of {class_names[label]} can be read")
