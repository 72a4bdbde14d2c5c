"""Per class: precision, recall and F1; the confusion matrix, and the pairs that are confused most often."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rnnvision.insight.classes import ClassScore, class_scores, confusion_matrix, most_confused
from rnnvision.report.page.blocks import Bar, Block, Plot, Plots, Section, Table, Text
from rnnvision.report.page.words import label, percent
from rnnvision.report.style import COLOURS
from rnnvision.runs import Prediction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 24  # classes of a matrix within the page; the file beside it has them all
WITH_NUMBERS = 120  # up to so many classes there is room for numbers and all names
LARGEST = 25.0  # inches
STRONGEST = 0.6  # opacity of a cell, so that a number on it stays readable
MATRICES = (  # file, whether in percent, caption
    (
        "confusion_matrix.png",
        False,
        "Images. Rows: true class; columns: answer. Blue, on the diagonal: right; orange: wrong.",
    ),
    ("confusion_matrix_normalized.png", True, "The same in percent of each true class."),
)
RIGHT, WRONG = COLOURS[0], COLOURS[1]


def class_section(answers: Sequence[Prediction], class_names: Sequence[str]) -> Section:
    """The table of all classes, the weakest first."""
    truth, said = [a.truth for a in answers], [a.answer for a in answers]
    scores = sorted(class_scores(truth, said, _names(answers, class_names)), key=lambda score: score.f1)
    rows = tuple(_row(score) for score in scores)
    head = ("class", "F1", "precision", "recall", "support", "answers")
    worst = scores[0]
    lead = f"How well each class is found, the weakest first: {worst.name} has an F1 of {percent(worst.f1)}."
    table = Table(f"Precision, recall and F1 of {len(rows)} classes", head, rows)
    return Section("classes", "Classes", lead, (table,), ("class", "F1", "precision", "recall", "support"))


def _row(score: ClassScore) -> tuple[str | Bar, ...]:
    shares = (score.f1, score.precision, score.recall)
    return (str(score.name), *(Bar(percent(v), v) for v in shares), f"{score.support:,}", f"{score.answered:,}")


def _names(answers: Sequence[Prediction], class_names: Sequence[str]) -> list[str]:
    """The classes of the network, and any other that the file of answers holds."""
    return list(dict.fromkeys([*class_names, *(a.truth for a in answers), *(a.answer for a in answers)]))


def confusion_section(answers: Sequence[Prediction], class_names: Sequence[str]) -> Section:
    """The matrices, as counts and as shares of each class, and the pairs."""
    truth, said = [a.truth for a in answers], [a.answer for a in answers]
    names = _names(answers, class_names)
    pairs = most_confused(truth, said)
    blocks: list[Block] = list(_matrices(truth, said, names))
    if pairs:
        rows = tuple((str(p.truth), str(p.answer), f"{p.count:,}", percent(p.share)) for p in pairs)
        head = ("true class", "answer", "images", "of the class")
        blocks.append(Table("The pairs that are confused most often", head, rows, frozenset({0, 1})))
        first = pairs[0]
        of = truth.count(str(first.truth))
        lead = f"Most often {first.truth} is answered with {first.answer}: {first.count:,} of {of:,} images."
    else:
        lead = "No image of one class was taken for another."
    return Section("confusion", "Confusion", lead, tuple(blocks), ("confusion matrix",))


def _matrices(truth: Sequence[str], said: Sequence[str], names: Sequence[str]) -> list[Block]:
    whole = confusion_matrix(truth, said, names)
    kept = _most_wrong(whole, SHOWN)
    part = [[whole[i][j] for j in kept] for i in kept]
    shown, files = [], {}
    for file, normalised, caption in MATRICES:
        little, all_of_it = (
            Plot(_matrix(labels, counts, normalised), _alt(counts), caption, *_size(len(counts)))
            for labels, counts in (([names[i] for i in kept], part), (names, whole))
        )
        shown.append(little)
        files[file] = (all_of_it,)
    block = Plots(tuple(shown), files)
    if len(kept) == len(names):
        return [block]
    rest = f"The {len(kept)} classes with most mistakes are shown; the files beside this page hold all {len(names)}."
    return [Text(rest), block]


def _alt(counts: Sequence[Sequence[int]]) -> str:
    right, total = sum(row[i] for i, row in enumerate(counts)), sum(map(sum, counts))
    return f"Confusion matrix of {len(counts)} classes: {right:,} of {total:,} images lie on the diagonal."


def _most_wrong(counts: Sequence[Sequence[int]], most: int) -> list[int]:
    """The classes with most mistakes, as truth or as answer, in their own order."""
    size = range(len(counts))
    wrong = [sum(counts[i]) + sum(row[i] for row in counts) - 2 * counts[i][i] for i in size]
    return sorted(sorted(size, key=lambda i: -wrong[i])[:most])


def _size(classes: int) -> tuple[float, float]:
    """Of a plot, in inches: a number fits a cell, up to the largest file."""
    side = max(3.5, 1.1 + (0.31 if classes <= SHOWN else 0.2) * classes)
    return min(side, LARGEST) + 0.3, min(side, LARGEST)


def _matrix(names: Sequence[str], counts: Sequence[Sequence[int]], normalised: bool) -> "Callable[[Axes], None]":
    shares = [[value / sum(row) if sum(row) else 0.0 for value in row] for row in counts]
    values = shares if normalised else counts
    size = range(len(names))
    wrong = max((values[i][j] for i in size for j in size if i != j), default=0)
    most = max((values[i][i] for i in size), default=0)

    def draw(axes: "Axes") -> None:
        from matplotlib.collections import PatchCollection
        from matplotlib.colors import to_rgba
        from matplotlib.patches import Rectangle

        cells, tints = [], []
        for i, j in ((i, j) for i in size for j in size if counts[i][j]):
            tint, scale = (RIGHT, most) if i == j else (WRONG, wrong)
            cells.append(Rectangle((j - 0.5, i - 0.5), 1, 1))
            tints.append(to_rgba(tint, STRONGEST * (0.15 + 0.85 * (values[i][j] / scale) ** 0.5)))
            if len(names) <= WITH_NUMBERS:
                text = _percent(shares[i][j]) if normalised else f"{counts[i][j]}"
                small = 6.5 if len(names) <= SHOWN else 5.0
                axes.text(j, i, text, ha="center", va="center", fontsize=small + 1.5 * (len(text) < 4))
        axes.add_collection(PatchCollection(cells, facecolors=tints, edgecolors="none"))
        every = range(0, len(names), -(-len(names) // WITH_NUMBERS))
        labels = [label(names[i], 14) for i in every]
        axes.set_xticks(list(every), labels, rotation=90 if max(map(len, labels)) > 2 else 0)
        axes.set_yticks(list(every), labels)
        axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5), xlabel="answer", ylabel="true class")
        axes.set_aspect("equal")
        axes.grid(False)
        axes.tick_params(length=0)

    return draw


def _percent(share: float) -> str:
    """Two letters where that is possible: a small share that is not 0 shows as one."""
    value = 100 * share
    return f"{value:.0f}" if value >= 9.95 or value == 0 else "<.1" if value < 0.05 else f"{value:.1f}"
