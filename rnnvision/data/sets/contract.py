"""Contract checks for data sets of the catalog, such as a plugin's under `rnnvision check`."""

import inspect

from rnnvision.data.catalog import CATALOG
from rnnvision.data.splits import DataError, Samples, Splits


def check_data_set(name: str) -> list[str]:
    """Check every rule of one data set; returns what was checked, in words.

    Raises:
        ValueError: that names the data set and the rule it breaks.
    """
    facts = CATALOG[name]
    parameters = list(inspect.signature(facts.read).parameters.values())
    first = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    if len(first) != 2 or any(p.default is p.empty for p in parameters if p.kind is p.KEYWORD_ONLY):
        raise ValueError(f"{name}: read takes {first}; it takes (class_names, root, *, options with defaults)")
    checked = ["read takes (class_names, root, *, options with defaults)"]
    if facts.needs_root:
        return [*checked, "not checked, since it needs data.root=FOLDER"]
    try:
        splits = facts.read(facts.class_names, None)
    except DataError as error:
        return [*checked, f"not checked, since it cannot be read here: {error}"]
    if not isinstance(splits, Splits):
        raise ValueError(f"{name}: read gives a {type(splits).__name__}, not rnnvision.data.Splits")
    for part in ("train", "val", "test"):
        samples = getattr(splits, part)
        if samples is not None:
            _check_samples(name, part, samples, splits)
    channels = splits.train.image_shape[0]
    if len(facts.mean) not in (1, channels) or len(facts.std) != len(facts.mean):
        raise ValueError(f"{name}: mean and std have {len(facts.mean)} and {len(facts.std)} values, images {channels}")
    return [*checked, "labels are those of class_names, images uint8 (C, H, W)", "mean and std fit the channels"]


def _check_samples(name: str, part: str, samples: Samples, splits: Splits) -> None:
    count, classes = len(samples), len(splits.class_names)
    if not count:
        raise ValueError(f"{name}: {part} is empty")
    low, high = int(samples.labels.min()), int(samples.labels.max())
    if low < 0 or high >= classes:
        raise ValueError(f"{name}: labels of {part} go from {low} to {high}, and there are {classes} class names")
    image = samples.seen(0)
    if str(image.dtype) != "torch.uint8" or tuple(image.shape) != samples.image_shape:
        raise ValueError(
            f"{name}: an image of {part} is {image.dtype} of {tuple(image.shape)}, not uint8 of {samples.image_shape}"
        )
