"""Two runs side by side: what differs in settings and environment, their scores, and their answers image by image."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rnnvision.checks import counted
from rnnvision.insight.mcnemar import disagreements, mcnemar_test
from rnnvision.runs import Prediction, Run, read_predictions

OF_A_COMMAND = ("command", "overrides", "choices", "tags")  # of environment.json: what was typed, as the settings say
SURE = 0.05  # the p below which a difference is called one
LEAST = 1e-300  # a p below it may be 0 as a float
WORST = 10  # images that are named


class OtherImagesError(ValueError):
    """Two runs were not measured on the same images."""


@dataclass(frozen=True)
class Answers:
    """The answers of two networks to the same images.

    Attributes:
        images: that both have answered; `only_in` those that one of them has not.
        right: of each network.
        only_right: images that one of them has right and the other wrong: b and c of McNemar's test.
        p: of that test.
        classes: class -> images of it that only the one, and that only the other has right; the most of them first.
        worst: both answers to the images on which the losses differ most, the larger difference first.
    """

    images: int
    only_in: tuple[int, int]
    right: tuple[int, int]
    only_right: tuple[int, int]
    p: float
    classes: dict[str, tuple[int, int]]
    worst: list[tuple[Prediction, Prediction]]

    def shown_p(self) -> str:
        """p, as an equation."""
        return f"p < {LEAST:g}" if self.p < LEAST else f"p = {self.p:.3g}"

    def meaning(self) -> str:
        """What the test says, in a sentence or two."""
        b, c = self.only_right
        if not b + c:
            return f"Neither is better: they are right and wrong on the same {counted(self.images, 'image')}."
        split = f"Of {counted(b + c, 'image')} that only one of them has right, a has {b:,} and b {c:,}; chance alone"
        chance = f"{split} gives so uneven a split in {_share(self.p)} of cases."
        if self.p < LEAST:
            chance = f"{split} practically never gives so uneven a split."
        if self.p >= SURE:
            return f"{chance} No difference is shown."
        return (
            f"{chance} {'a' if b > c else 'b'} is better on images like these. That is said of these two networks: "
            "trained with other seeds, the same settings may give another result."
        )


def flat(node: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys.

    Examples:
        >>> flat({"model": {"name": "lstm", "layer": {}}, "seed": 0})
        {'model.name': 'lstm', 'model.layer': {}, 'seed': 0}
    """
    found: dict[str, Any] = {}
    for key, value in node.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) and value else {f"{prefix}{key}": value}
    return found


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The keys whose values differ, each with both; None where there is no such key.

    Examples:
        >>> differing({"seed": 0, "model": "lstm"}, {"seed": 1, "model": "lstm"})
        {'seed': (0, 1)}
    """
    keys = dict.fromkeys([*a, *b])
    return {key: (a.get(key), b.get(key)) for key in keys if a.get(key) != b.get(key) or (key in a) != (key in b)}


def environments(a: Run, b: Run) -> dict[str, tuple[Any, Any]]:
    """What differs in code, versions and machine."""
    one, other = (
        {key: value for key, value in flat(run.environment).items() if key.partition(".")[0] not in OF_A_COMMAND}
        for run in (a, b)
    )
    return differing(one, other)


def scores(a: Run, b: Run) -> dict[str, tuple[float | None, float | None]]:
    """Every figure that one of the runs has, tested ones first; None where the other has it not."""
    numbers = [
        {key: float(value) for key, value in run.metrics.items() if isinstance(value, int | float)} for run in (a, b)
    ]
    keys = dict.fromkeys([*numbers[0], *numbers[1]])
    splits = ("test", "val", "train")
    ranked = sorted(keys, key=lambda key: [key.partition("/")[0] != split for split in splits])
    return {key: (numbers[0].get(key), numbers[1].get(key)) for key in ranked}


def answers(a: Run, b: Run) -> Answers:
    """The answers of both runs to the images that both have seen.

    Raises:
        OtherImagesError: if they have no image in common, or do not agree about the truth.
        FileNotFoundError, ValueError: if a run has no answers, or a damaged table of them.
    """
    one, other = _by_image(a), _by_image(b)
    shared = [image for image in one if image in other]
    if not shared:
        raise OtherImagesError("their predictions.csv have no image in common")
    for image in shared:
        if one[image].truth != other[image].truth:
            truths = f"{one[image].truth} in a and {other[image].truth} in b"
            raise OtherImagesError(f"image {image} is {truths}: they were not measured on the same images")
    pairs = [(one[image], other[image]) for image in shared]
    truth = [first.truth for first, _ in pairs]
    only_a, only_b = disagreements(truth, [first.answer for first, _ in pairs], [other.answer for _, other in pairs])
    return Answers(
        images=len(shared),
        only_in=(len(one) - len(shared), len(other) - len(shared)),
        right=(sum(first.right for first, _ in pairs), sum(second.right for _, second in pairs)),
        only_right=(only_a, only_b),
        p=mcnemar_test(only_a, only_b),
        classes=_by_class(pairs),
        worst=_worst(pairs),
    )


def _by_image(run: Run) -> dict[str, Prediction]:
    try:
        rows = read_predictions(run.path)
    except FileNotFoundError:
        if not run.has_weights:
            raise FileNotFoundError(f"{run.path} {run.why_unmeasured}") from None
        raise FileNotFoundError(
            f"{run.path} has no predictions.csv; rnnvision evaluate ckpt={run.path} writes one into its own run folder"
        ) from None
    found = {row.image: row for row in rows}
    if len(found) < len(rows):
        twice = next(image for image, count in Counter(row.image for row in rows).items() if count > 1)
        raise ValueError(f"{run.path / 'predictions.csv'}: has image {twice} more than once")
    return found


def _by_class(pairs: Sequence[tuple[Prediction, Prediction]]) -> dict[str, tuple[int, int]]:
    only = [Counter(p[i].truth for p in pairs if p[i].right and not p[1 - i].right) for i in (0, 1)]
    classes = sorted({*only[0], *only[1]}, key=lambda name: (-only[0][name] - only[1][name], name))
    return {name: (only[0][name], only[1][name]) for name in classes}


def _worst(pairs: Sequence[tuple[Prediction, Prediction]]) -> list[tuple[Prediction, Prediction]]:
    apart = [pair for pair in pairs if pair[0].answer != pair[1].answer]
    return sorted(apart, key=lambda pair: -abs(pair[0].loss - pair[1].loss))[:WORST]


def _share(p: float) -> str:
    """A probability in words of its size."""
    return f"{100 * p:.0f} %" if p >= 0.1 else f"{100 * p:.1f} %" if p >= 0.001 else f"{100 * p:.0e} %"
