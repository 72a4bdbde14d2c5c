"""Serving: whether images are resident or streamed, when each split is read, and what becomes of unreadable files."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rnnvision.checks import counted, one_of
from rnnvision.data.augment import Augmentation
from rnnvision.data.cache import not_cached, read_once
from rnnvision.data.files import BadFile, EncodedSplit, inspect, survey
from rnnvision.data.membership import PARTS
from rnnvision.data.splits import DataError, Samples, Splits

FORMATS = ("auto", "resident", "streaming", "shards")
ON_BAD_FILE = ("stop", "skip", "convert")  # and skip with convert
RESIDENT_MEGABYTES = 1024  # more than this is streamed, unless resident is requested
LOOK_THROUGH = 20_000  # up to so many images are looked at before training: it takes seconds


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


def choose(splits: Splits, needed: Iterable[str], format: str, augmentation: Augmentation, num_workers: int) -> Serving:
    """Choose how the splits that are needed are served; `format` is one of `FORMATS`.

    Raises:
        ValueError: if resident images are requested with an augmentation that works on whole images.
    """
    whole = augmentation.needs_whole_images
    parts = [splits.parts()[name] for name in needed]
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
    split: Samples, serving: Serving, on_bad_file: tuple[str, ...], num_workers: int
) -> tuple[Samples, list[BadFile]]:
    """A split as it is served, without the files that cannot be read, and these: the one place that fills memory."""
    if not isinstance(split, EncodedSplit):
        return split, []
    if not serving.streams:
        return read_once(split)
    return survey(split, num_workers or 1) if "skip" in on_bad_file else (split, [])  # else met while streaming


class ServedSplits(Mapping[str, Samples]):
    """The splits of a data set as they are served: each is read when it is first asked for, and never again.

    Args:
        found: the splits, of which no image has been decoded.
        serving: how they are served.
        on_bad_file: see `treatments`.
        num_workers: that stream.
        needed: the splits of which every bad file is named at once.

    Attributes:
        known: the splits that have been read, as they are served, and the others as they were found.
    """

    def __init__(
        self, found: Splits, serving: Serving, on_bad_file: tuple[str, ...], num_workers: int, needed: tuple[str, ...]
    ) -> None:
        convert = "convert" in on_bad_file
        self.known = _with_parts(found, {name: _converting(part, convert) for name, part in found.parts().items()})
        self.serving = serving
        self._on_bad_file = on_bad_file
        self._num_workers = num_workers
        self._needed = needed
        self._bad: dict[str, list[BadFile]] = {}  # of each split that has been read

    def __iter__(self) -> Iterator[str]:
        return iter(self.known.parts())

    def __len__(self) -> int:
        return len(self.known.parts())

    def __getitem__(self, name: str) -> Samples:
        """A split as it is served.

        Raises:
            DataError: for files that cannot be read, unless they may be skipped: it names those of all splits that are
                needed. For a class that training would lose.
        """
        part = self.known.parts()[name]
        if name not in self._bad:
            with torch.inference_mode(False):  # in which Lightning tests; what is kept may also be trained on
                served, bad = prepare(part, self.serving, self._on_bad_file, self._num_workers)
            if bad and "skip" not in self._on_bad_file:
                raise refusal(self.unreadable({name: bad}))
            if bad and name == "train":
                _check_classes(part, bad, self.known.class_names)
            self._bad[name] = bad
            self.known = _with_parts(self.known, {name: served})
        return self.known.parts()[name]

    @property
    def train(self) -> Samples:
        return self["train"]

    @property
    def val(self) -> Samples:
        return self["val"]

    @property
    def test(self) -> Samples:
        return self["test"]

    def keep(self, name: str, index: Tensor) -> None:
        """Leave only these samples of a split; where it has not been read, no other is decoded."""
        self.known = _with_parts(self.known, {name: self.known.parts()[name].select(index)})

    def add_notes(self, *notes: str) -> None:
        """More of what the user should know."""
        self.known = replace(self.known, notes=(*notes, *self.known.notes))

    @property
    def bad_files(self) -> list[str]:
        """What is wrong with each file that was left out of the splits that have been read."""
        return [file.reason for name in PARTS for file in self._bad.get(name, [])]

    @property
    def unsifted(self) -> list[str]:
        """The splits that still count the files which will be left out of them: those that have not been read."""
        if "skip" not in self._on_bad_file:
            return []
        return [n for n, part in self.known.parts().items() if n not in self._bad and isinstance(part, EncodedSplit)]

    def unreadable(self, found: Mapping[str, list[BadFile]]) -> list[str]:
        """What is wrong with each file here that cannot be read: those `found`, and those of the other splits."""
        bad = []
        for name in PARTS:
            part = self.known.parts().get(name)
            if name in found:
                bad += found[name]
            elif name in self._needed and isinstance(part, EncodedSplit) and part.at_hand:
                bad += (survey(part, self._num_workers or 1) if self.serving.streams else read_once(part))[1]
        return [file.reason for file in bad]

    def look_through(self, now: Iterable[str]) -> None:
        """Find bad files before a training, where that takes seconds: those of the splits `now` by decoding them.

        Of the splits that are needed later no image is decoded, only the begin of each file is read.

        Raises:
            DataError: that names them.
        """
        if "skip" in self._on_bad_file:
            return
        here = {
            name: part
            for name in self._needed
            if isinstance(part := self.known.parts()[name], EncodedSplit) and part.at_hand
        }
        if sum(map(len, here.values())) > LOOK_THROUGH:
            return
        look: dict[bool, Callable[..., list[BadFile]]] = {
            True: lambda *of: survey(*of)[1],
            False: lambda part, threads: inspect(not_cached(part), threads),
        }
        for name in (*(n for n in here if n in now), *(n for n in here if n not in now)):
            if bad := look[name in now](here[name], self._num_workers or 1):
                raise refusal(self.unreadable({name: bad}))


def _with_parts(splits: Splits, parts: Mapping[str, Samples]) -> Splits:
    return replace(splits, **parts)  # type: ignore[arg-type]  # by their names


def _converting(part: Samples, convert: bool) -> Samples:
    """The same split, whose images may be converted."""
    if not isinstance(part, EncodedSplit):
        return part
    return replace(part, view=replace(part.view, convert=convert))  # type: ignore[type-var]  # its kinds are dataclasses


def refusal(bad: list[str]) -> DataError:
    """The error that names every bad file."""
    if len(bad) == 1:
        return DataError(f"{bad[0]}; mend or delete it, or leave it out with data.on_bad_file=skip")
    files = "\n  ".join(bad)
    return DataError(
        f"{len(bad)} files cannot be used; mend or delete them, or leave them out with data.on_bad_file=skip:"
        f"\n  {files}"
    )


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
                f"read; mend one at least, or move the class out of the folder:\n  {reasons}"
            )
