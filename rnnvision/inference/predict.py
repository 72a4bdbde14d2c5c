"""Prediction of any number of pictures: opened a batch at a time, answered one by one."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rnnvision.checks import at_least, number, one_line, one_of
from rnnvision.data import DataError
from rnnvision.data.images import View, open_many
from rnnvision.errors import UsageError
from rnnvision.inference.averaging import VIEWS
from rnnvision.inference.early import check_stop_at, read_until_sure
from rnnvision.inference.pixels import as_seen, listed, several, stacked
from rnnvision.inference.predictions import Answer, Predictions, ranked
from rnnvision.inference.viewing import check_is_for_pictures
from rnnvision.progress import done

if TYPE_CHECKING:
    from rnnvision.inference.classifier import Classifier

PATIENCE = 0.2  # 6 of 28 rows: at stop_at=0.95 it costs 0.2 points of accuracy on MNIST, without it more than two
INVERT = (False, True, "auto")
VALUES = ("probabilities", "logits", "features")
ADVICE = re.compile(r"[;,] (or )?data\.\w+=\S+ (would read it|reads it as it is)$")  # of a training, at an error's end
DARK = 0.35  # mean of the training images, from 0 to 1, below which their background is dark


@dataclass(frozen=True, kw_only=True)
class How:
    """How pictures are predicted.

    Attributes:
        top_k: so many classes of each.
        average: shifts, flips or both: the mean over so many views, see `rnnvision.inference.averaging`.
        stop_at: read each image only until the likeliest class has this probability.
        patience: and has kept it over such a share of the image, from 0 to 1.
        invert: exchange light and dark; "auto": of a picture with a light border, where the network was trained on
            images with a dark background.
        values: also give the probabilities or logits of all classes, or the features.

    Raises:
        ValueError: for an option out of range, or two that exclude each other.
    """

    top_k: int = 5
    average: str | None = None
    stop_at: float | None = None
    patience: float = PATIENCE
    invert: bool | str = False
    values: str | None = None

    def __post_init__(self) -> None:
        at_least("top_k", self.top_k, 1)
        if self.average is not None:
            one_of("average", self.average, VIEWS)
        if self.invert not in INVERT:
            raise ValueError(f"invert={self.invert}: choose one of false, true, auto")
        if self.values is not None:
            one_of("values", self.values, VALUES)
        if self.stop_at is not None:
            number("stop_at", self.stop_at, 1.0)
        number("patience", self.patience, 1.0)
        if self.stop_at is not None and self.average is not None:
            raise ValueError(f"stop_at={self.stop_at}: an average over views reads all of each; leave one out")
        if self.values in ("logits", "features") and (self.average is not None or self.stop_at is not None):
            other = "stop_at" if self.average is None else "average"
            raise ValueError(f"values={self.values}: are those of one whole image; leave out {other}")


def predicted(
    members: "Sequence[Classifier]", images: Any, how: How, *, keeps_errors: bool = False
) -> Iterator[Answer]:
    """The answer to each picture, in their order, as soon as its batch is done.

    Args:
        members: the networks, whose probabilities are averaged; they have the same classes.
        images: one picture or several; an iterator is read a batch at a time.
        how: the options.
        keeps_errors: answer a picture that cannot be read with its error in place of raising it.

    Raises:
        UsageError: for what the network cannot do.
        DataError: for a picture that cannot be read, if errors are not kept.
    """
    if how.stop_at is not None:
        for member in members:
            check_stop_at(member.network, how.stop_at)
    if len(members) > 1 and (how.stop_at is not None or how.values in ("logits", "features")):
        what = f"stop_at={how.stop_at}" if how.stop_at is not None else f"values={how.values}"
        raise UsageError(f"{what}: of one network alone; {len(members)} are averaged here")
    return _batches(members, iter(listed(images)), how, keeps_errors)


def labels_of(
    members: "Sequence[Classifier]", images: Any, how: How
) -> list[dict[str, Any]] | list[list[dict[str, Any]]]:
    """The ranked labels of one picture, or of several a list each."""
    found = [answer.labels() for answer in predicted(members, images, how)]
    return found[0] if several(images) is None else found


def table_of(members: "Sequence[Classifier]", images: Any, how: How) -> Predictions:
    """The answers to all pictures as a table, errors among them."""
    names, answers = members[0].value_names(how.values), predicted(members, images, how, keeps_errors=True)
    return Predictions(answers, min(how.top_k, len(members[0].class_names)), names)


def _batches(members: "Sequence[Classifier]", items: Iterator[Any], how: How, keeps_errors: bool) -> Iterator[Answer]:
    start = 0
    while batch := list(islice(items, members[0].batch_size)):
        names = [_name(item, start + i) for i, item in enumerate(batch)]
        yield from _answered(members, batch, names, how, keeps_errors)
        start += len(batch)


def _answered(
    members: "Sequence[Classifier]", batch: list[Any], names: list[str], how: How, keeps_errors: bool
) -> Iterator[Answer]:
    seen = {view: _opened(batch, view) for view in {member.view for member in members}}
    errors = [next((of[i] for of in seen.values() if isinstance(of[i], DataError)), None) for i in range(len(batch))]
    if not keeps_errors:
        for error in errors:
            if isinstance(error, DataError):
                raise error
    good = [i for i, error in enumerate(errors) if error is None]
    answers: Iterator[Answer] = iter(())
    if good:
        pixels = {view: stacked([images[i] for i in good]) for view, images in seen.items()}  # type: ignore[misc]
        answers = _of_batch(members, pixels, [names[i] for i in good], how)
    for name, error in zip(names, errors, strict=True):
        yield next(answers) if error is None else Answer(name, error=_reason(error, name))


def _of_batch(
    members: "Sequence[Classifier]", pixels: dict[View, Tensor], names: list[str], how: How
) -> Iterator[Answer]:
    first = members[0]
    inverted = {view: is_inverted(seen, how.invert, first) for view, seen in pixels.items()}
    suspected = is_inverted(pixels[first.view], "auto", first) & (how.invert is False)
    pixels = {view: invert(seen, inverted[view]) for view, seen in pixels.items()}
    tokens, values = None, None
    if how.stop_at is not None:
        early = read_until_sure(first, pixels[first.view], how.stop_at, how.patience)
        probabilities, tokens = early.probabilities, early.tokens.tolist()
    elif how.values == "logits":
        values = first.logits(pixels[first.view])
        probabilities = (values / first.temperature).softmax(dim=-1)
    else:
        found = [member.probabilities(pixels[member.view], average=how.average) for member in members]
        probabilities = torch.stack(found).mean(dim=0) if len(found) > 1 else found[0]
    if how.values == "features":
        values = first.features(pixels[first.view])
    values = probabilities if how.values == "probabilities" else values
    rankings = ranked(probabilities, first.class_names, how.top_k)
    for i, (name, ranking) in enumerate(zip(names, rankings, strict=True)):
        yield Answer(
            name,
            ranking,
            tokens=None if tokens is None else tokens[i],
            values=None if values is None else tuple(values[i].tolist()),
            inverted=bool(inverted[first.view][i]),
            looks_inverted=bool(suspected[i]),
        )


def _reason(error: object, name: str) -> str:
    """Why a picture cannot be read, without its name, which stands beside it."""
    reason = without_advice(error)
    start = next((start for start in (one_line(Path(name)), name, "image") if reason.startswith(f"{start}: ")), None)
    return reason if start is None else reason.removeprefix(f"{start}: ")


def without_advice(error: object) -> str:
    """Why a picture cannot be read, without the option of a training that would read it."""
    return ADVICE.sub("", str(error))


def is_inverted(pixels: Tensor, choice: bool | str, classifier: "Classifier") -> Tensor:
    """Which images have light and dark exchanged: (B, C, H, W) -> (B,) bool, for a choice as in `How`."""
    if choice is not False and choice == "auto":
        mean = classifier.description["normalisation"]["mean"]
        return has_light_border(pixels) & (sum(mean) / len(mean) < DARK)
    return torch.full((len(pixels),), bool(choice))


def has_light_border(pixels: Tensor) -> Tensor:
    """Whether most pixels of an image's border are light: (B, C, H, W) -> (B,)."""
    edges = pixels[..., 0, :], pixels[..., -1, :], pixels[..., :, 0], pixels[..., :, -1]
    border = torch.cat([edge.flatten(1) for edge in edges], dim=1).float()
    return border.median(dim=1).values > (127.5 if pixels.dtype == torch.uint8 else 0.5)


def invert(pixels: Tensor, which: Tensor) -> Tensor:
    """Exchange light and dark in some images: (B, C, H, W), (B,) -> (B, C, H, W)."""
    if not bool(which.any()):
        return pixels
    white = 255 if pixels.dtype == torch.uint8 else 1
    return torch.where(which[:, None, None, None], white - pixels, pixels)


def _opened(batch: list[Any], view: View) -> list[Tensor | DataError]:
    if all(isinstance(item, (str, Path)) for item in batch):
        check_is_for_pictures(view)
        opened = open_many(batch, view)
    else:
        opened = (_seen(item, view) for item in batch)
    found = []
    for image in opened:
        found.append(image)
        done()
    return found


def _seen(item: Any, view: View) -> Tensor | DataError:
    try:
        return as_seen(item, view)
    except DataError as error:
        return error


def _name(item: Any, index: int) -> str:
    given = item if isinstance(item, (str, Path)) else getattr(item, "filename", None)  # of a PIL image
    return os.fsdecode(given) if given else str(index)
