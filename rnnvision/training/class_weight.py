"""Class weights: how much an image of each class counts in the training loss."""

from collections.abc import Sequence

from rnnvision.checks import LARGEST, nearest, shortened, too_large


def class_weights(
    counts: Sequence[int], class_names: Sequence[str], *, class_weight: str | list[float] | None = None
) -> list[float] | None:
    """The weight of each class, with a mean of 1 over the training images, so that the learning rate keeps its meaning.

    Args:
        counts: training images of each class.
        class_names: in the order of the labels.
        class_weight: "balanced" gives every class that has training images the same sum of weights: N / (K * count),
            with N images of K such classes, as scikit-learn's `compute_class_weight` (King and Zeng, 2001). A list
            gives one number a class, of which only the ratios count. None for no weights.

    Raises:
        ValueError: for anything else; it begins with the argument.
    """
    check_class_weight(class_weight)
    if class_weight is None:
        return None
    if isinstance(class_weight, str):
        typed = [1 / count if count else 0.0 for count in counts]
    elif len(class_weight) == len(class_names):
        typed = [float(value) for value in class_weight]
    else:
        shown = f"{len(class_weight)} numbers for {len(class_names)} classes ({shortened(class_names)})"
        raise ValueError(f"class_weight={class_weight}: gives {shown}")
    total = sum(count * weight for count, weight in zip(counts, typed, strict=True))
    if not total:
        raise ValueError(f"class_weight={class_weight}: leaves no training image with a weight above 0")
    return [weight * sum(counts) / total if count else 0.0 for count, weight in zip(counts, typed, strict=True)]


def check_class_weight(class_weight: str | list[float] | None) -> None:
    """Check what can be checked without the data; raises as `class_weights` does."""
    if isinstance(class_weight, str) and class_weight != "balanced":
        hint = "; did you mean balanced?" if nearest(class_weight, ["balanced"]) else ""
        raise ValueError(f"class_weight={class_weight}: choose balanced, null, or a list of one number a class{hint}")
    for value in class_weight if isinstance(class_weight, list) else ():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LARGEST:
            limits = f"up to {LARGEST:g}" if too_large(value) else "of at least 0"
            raise ValueError(f"class_weight={class_weight}: {value} is no number {limits}")
