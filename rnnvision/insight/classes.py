"""Classes: which are found, which are missed, which are taken for one another. Standard library only.

All functions take the true class and the answer of each image, as two sequences of names (or of numbers).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from rnnvision.checks import at_least, shortened

Name = TypeVar("Name", str, int)


@dataclass(frozen=True)
class ClassScore:
    """How well one class is found. A share of nothing is 0, as in scikit-learn: `support` and `answered` tell.

    Attributes:
        name: of the class.
        precision: right answers / answers of this class.
        recall: right answers / images of this class.
        f1: 2 * precision * recall / (precision + recall).
        support: images of this class.
        answered: answers of this class.
    """

    name: str | int
    precision: float
    recall: float
    f1: float
    support: int
    answered: int


@dataclass(frozen=True)
class Confusion:
    """Images of one class that were taken for another.

    Attributes:
        truth, answer: the two classes.
        count: how many images.
        share: of the images of the class `truth`.
    """

    truth: str | int
    answer: str | int
    count: int
    share: float


def names_in(truth: Sequence[Name], answers: Sequence[Name]) -> list[Name]:
    """The classes that occur, sorted; names that are all whole numbers by their value.

    Examples:
        >>> names_in(["10", "9"], ["9", "1"])
        ['1', '9', '10']
    """
    found = set(truth) | set(answers)
    numbers = all(str(name).isdecimal() for name in found)
    return sorted(found, key=(lambda name: (int(name), str(name))) if numbers else None)


def confusion_matrix(
    truth: Sequence[Name], answers: Sequence[Name], classes: Sequence[Name] | None = None
) -> list[list[int]]:
    """`C[i][j]`: images of class i that were answered with class j, in the order of `classes`, by default `names_in`.

    Raises:
        ValueError: if the two differ in length, or hold a class that is not in `classes`.

    Examples:
        >>> confusion_matrix(["cat", "cat", "dog"], ["cat", "dog", "dog"])
        [[1, 1], [0, 1]]
    """
    counts, names = _counted(truth, answers, classes)
    return [[counts[t, a] for a in names] for t in names]


def class_scores(
    truth: Sequence[Name], answers: Sequence[Name], classes: Sequence[Name] | None = None
) -> list[ClassScore]:
    """Precision, recall, F1 and support of each class, in the order of `classes`, by default `names_in`.

    Raises:
        ValueError: see `confusion_matrix`.

    Examples:
        >>> class_scores(["cat", "cat", "dog"], ["cat", "dog", "dog"])[0]
        ClassScore(name='cat', precision=1.0, recall=0.5, f1=0.6666666666666666, support=2, answered=1)
    """
    counts, names = _counted(truth, answers, classes)
    support, answered = Counter(truth), Counter(answers)
    made = []
    for name in names:
        right, of, said = counts[name, name], support[name], answered[name]
        made.append(ClassScore(name, _share(right, said), _share(right, of), _share(2 * right, of + said), of, said))
    return made


def most_confused(truth: Sequence[Name], answers: Sequence[Name], top: int = 10) -> list[Confusion]:
    """The pairs of classes that are confused most often: the `top` largest counts off the diagonal, largest first.

    Pairs that occur equally often are sorted by their share of the class, then by name.

    Examples:
        >>> most_confused(["cat", "cat", "dog"], ["dog", "dog", "dog"])
        [Confusion(truth='cat', answer='dog', count=2, share=1.0)]
    """
    at_least("top", top, 1)
    counts, names = _counted(truth, answers, None)
    support, rank = Counter(truth), {name: i for i, name in enumerate(names)}
    pairs = [Confusion(t, a, n, n / support[t]) for (t, a), n in counts.items() if t != a]
    by_name = sorted(pairs, key=lambda pair: (rank[pair.truth], rank[pair.answer]))  # type: ignore[index]
    return sorted(by_name, key=lambda pair: (-pair.count, -pair.share))[:top]


def surest_mistakes(
    truth: Sequence[Name], answers: Sequence[Name], confidences: Sequence[float], top: int = 10
) -> list[int]:
    """The positions of wrong answers, the most probable answer first, at most `top`.

    Examples:
        >>> surest_mistakes(["cat", "dog", "owl"], ["dog", "dog", "cat"], [0.6, 1.0, 0.9])
        [2, 0]
    """
    at_least("top", top, 1)
    if not len(truth) == len(answers) == len(confidences):
        raise ValueError(f"answers={len(answers)}, confidences={len(confidences)}: must be as many as {len(truth)}")
    wrong = [i for i, (t, a) in enumerate(zip(truth, answers, strict=True)) if t != a]
    return sorted(wrong, key=lambda i: -confidences[i])[:top]


def _counted(
    truth: Sequence[Name], answers: Sequence[Name], classes: Sequence[Name] | None
) -> tuple[Counter[tuple[Name, Name]], list[Name]]:
    if len(truth) != len(answers):
        raise ValueError(f"answers={len(answers)} of them: must be as many as truth, {len(truth)}")
    names = names_in(truth, answers) if classes is None else list(classes)
    if unknown := (set(truth) | set(answers)) - set(names):
        raise ValueError(
            f"classes={shortened(map(str, names))}: must hold each class that occurs, such as {min(unknown)}"
        )
    return Counter(zip(truth, answers, strict=True)), names


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
