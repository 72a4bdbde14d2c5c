"""From the reader of a data set to its three splits, and what to say of them."""

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rnnvision.checks import counted, one_line, shortened
from rnnvision.data.cache import cached, of_cache
from rnnvision.data.catalog import CATALOG
from rnnvision.data.images import default_view
from rnnvision.data.membership import Record, copies
from rnnvision.data.serving import ServedSplits
from rnnvision.data.sets.locate import check_root
from rnnvision.data.shards import read_shards
from rnnvision.data.splits import DataError, Samples, Splits
from rnnvision.signature import parameters

NO_RECORD = "the checkpoint has no record of its files; each is in its old split only if none has come or gone since"
FEW_CLASSES = 12  # up to so many are counted one by one


def arguments_of(description: Mapping[str, Any], changes: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The arguments of `ImageData` for the data of a trained network, with `changes` in place of its own, and notes."""
    arguments = {**description["data"], **changes}
    facts, root = CATALOG[arguments["name"]], arguments["root"]
    if root and "root" not in changes and not facts.has_root and arguments.get("format") != "shards":
        return {**arguments, "root": None}, ()  # an earlier version let one be given that nothing was read from
    searched = not facts.needs_root and arguments.get("format") != "shards"
    if root and searched and "root" not in changes and not Path(root).exists():
        # Only the root of another machine may fall back to the usual places, and it is said.
        return {**arguments, "root": None}, (f"{root}, where the training read it, is not here",)
    return arguments, ()


def check_place(name: str, root: str | None, format: str) -> None:
    """Check the folder that is given for a data set.

    Raises:
        ValueError: for an empty one, and for a data set that is read from none.
    """
    check_root(root)
    if root is not None and format != "shards" and not CATALOG[name].has_root:
        raise ValueError(f"root={root}: {name} is read from no folder; leave it out")


def options_of(description: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Options of the reader that the data of a trained network needs, whatever else is chosen."""
    # As version 0.1. An exported folder is given away without its record, and is of a later one.
    kept_no_record = "files" not in description and "exported" not in description
    return {"by_path": False} if kept_no_record and "by_path" in parameters(CATALOG[name].read) else {}


def settled_cache(cache: object, name: str, format: str) -> bool | str:
    """Whether decoded images of a data set are kept, or the folder where they are; None is true for image files.

    Raises:
        ValueError: if it is neither true, false, a folder nor None, or the data set has no image files, or a folder is
            named for shards.
    """
    has_files = default_view(CATALOG[name].read) is not None
    if cache is None:
        return has_files
    if not isinstance(cache, (bool, str)) or cache == "":
        raise ValueError(f"cache={cache}: must be true, false, or a folder")
    if cache and not has_files:
        raise ValueError(f"cache={cache}: {name} does not consist of image files, so nothing is decoded; leave it out")
    if isinstance(cache, bool):
        return cache
    if format == "shards":
        raise ValueError(f"cache={cache}: shards are decoded while they stream, and not kept; leave it out")
    try:
        if not (folder := Path(cache).expanduser().resolve()).is_dir() and folder.exists():
            raise ValueError(f"cache={cache}: is a file; give a folder")
    except (OSError, RuntimeError) as error:  # a name that is too long, no permission; ~ of an unknown user
        raise ValueError(f"cache={cache}: cannot be looked at ({getattr(error, 'strerror', None) or error})") from error
    return str(folder)


def read_splits(
    name: str,
    root: str | None,
    format: str,
    options: Mapping[str, Any],
    class_names: Iterable[str],
    cache: bool | str = False,
) -> Splits:
    """The official splits of an entry of the catalog; `class_names` are those of a trained network, or none.

    `cache` is what `settled_cache` gives.

    Raises:
        ValueError: for an option out of range.
        DataError: if the data is missing or damaged.
    """
    facts = CATALOG[name]
    if format == "shards":
        return read_shards(name, root, facts.read, options)
    with _no_collection():
        return cached(facts.read(facts.class_names or tuple(class_names), root, **options), cache)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Within, nothing is searched for garbage: with hundreds of thousands of names that takes half of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def divided(read: Splits, val_fraction: float, split_seed: int, *, allow_empty: bool = False) -> Splits:
    """The splits with a validation split, cut from train where there is none.

    Raises:
        ValueError: if that leaves a part empty, unless it is allowed.
    """
    if read.val is None:
        train, val = read.train.divide(val_fraction, split_seed)
    else:  # train in a fixed random order here too, so that its first samples are of every class
        train, val = read.train.divide(0.0, split_seed)[0], read.val
    if not allow_empty and not (len(train) and len(val)):
        raise ValueError(
            f"val_fraction={val_fraction}: leaves a part of {counted(len(read.train), 'image')} empty; "
            "a class needs three images or more to be in train, val and test"
        )
    return replace(read, train=train, val=val)


def recorded(splits: Splits, before: Mapping[str, Any] | None) -> tuple[Splits, Record | None]:
    """The splits of a user's folder as the record in a checkpoint has them, and their own record.

    Without one in a checkpoint, images that train shares with another split are noted.
    """
    now = splits.record()
    if now is None:
        return splits, None
    if before is not None:
        return splits.as_trained(Record.of(before), now)
    notes = []
    for part in ("val", "test"):
        if found := copies(now, part):
            example: Any = splits.parts()[part]
            are = f"image of {part} is" if len(found) == 1 else f"images of {part} are"
            such = "" if len(found) == 1 else "such as "
            notes.append(f"{len(found):,} {are} also in train, {such}{example.name(found[0])}")
    return replace(splits, notes=(*splits.notes, *notes)), now


def limited(splits: Splits, needed: Iterable[str], max_train_samples: int | None) -> Splits:
    """At most so many training samples.

    Raises:
        DataError: if a split that is needed is empty.
    """
    if empty := [part for part in needed if not len(splits.parts()[part])]:
        why = f" ({'; '.join(splits.notes)})" if splits.notes else ""
        raise DataError(f"{splits.origin}: holds no image for {empty[0]}{why}; choose another split or data.root")
    if max_train_samples is None:
        return splits
    return replace(splits, train=splits.train.select(torch.arange(min(max_train_samples, len(splits.train)))))


def count_notes(splits: ServedSplits, parts: Iterable[str], before: Mapping[str, int]) -> list[str]:
    """Which splits have another number of images than when the network was trained, without a record of their files.

    A training counts what it has read without the files that it left out, and the others as they were found.
    """
    notes = []
    for part in parts:
        count = then = before.get(part)
        if then is not None and len(splits.known.parts()[part]) != then:
            count = len(splits[part])
        if count != then:
            notes.append(f"{part} has {count:,} images, and had {then:,} when the network was trained")
    return notes


def in_words(served: ServedSplits) -> str:
    """Sizes and origin, in words; a size that may count files which are yet to be left out is said to be one."""
    splits = served.known
    unread = f", bad files of {' and '.join(served.unsifted)} still counted" if served.unsifted else ""
    sizes = " / ".join(f"{len(part):,}" for part in splits.parts().values())
    shape = " x ".join(map(str, splits.train.image_shape))
    kept = f"; {found}" if (found := of_cache(splits)) else ""
    return (
        f"{sizes} images (train / val / test{unread}) of {shape}, {len(splits.class_names)} classes, from "
        f"{splits.origin}{kept}"
    )


def class_counts(samples: Samples, class_names: tuple[str, ...]) -> list[int]:
    """The number of images of each class in a split."""
    return torch.bincount(samples.labels, minlength=len(class_names)).tolist()


def class_lines(splits: Splits, parts: tuple[str, ...]) -> list[str]:
    """How many images each class has in the first of these splits, and which classes each of them lacks."""
    names, first = splits.class_names, parts[0]
    counts = {part: class_counts(splits.parts()[part], names) for part in parts}
    if len(names) <= FEW_CLASSES:
        shown = (f"{one_line(name)}: {count:,}" for name, count in zip(names, counts[first], strict=True))
        lines = [f"{', '.join(shown)} in {first}"]
    else:
        few, many = min(counts[first]), max(counts[first])
        fewest = shortened([name for name, count in zip(names, counts[first], strict=True) if count == few], most=3)
        lines = [f"{few:,} to {many:,} images each in {first}, the fewest of {fewest}"]
    for part in parts:
        if lacking := [name for name, count in zip(names, counts[part], strict=True) if not count]:
            lines.append(f"{part} has no image of {shortened(lacking)}")
    return lines
