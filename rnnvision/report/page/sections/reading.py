"""Through time: the answer while an image is read, the gradient on its way back, and the path of the scan."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rnnvision.report.page.blocks import Card, Gallery, Plot, Section, plots
from rnnvision.report.page.found import Curve, Flow, Path, Reading, Trajectories
from rnnvision.report.page.pictures import pixel_rows
from rnnvision.report.page.words import label, listed, percent
from rnnvision.report.style import INK, colour, label_ends, line_style, marker, plain_logarithms
from rnnvision.runs import Prediction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Draw = Callable[["Axes"], None]
FEW = 64  # up to so many tokens are outlined in a scan path
GREY = "#999999"


def reading_gallery(reading: Reading) -> Gallery:
    """One image at some points of its reading, for the first screen."""
    cards = tuple(
        Card(
            picture,
            f"The image after {tokens} of {reading.tokens} tokens, the rest faded.",
            f"{label(answer)}: {percent(probability, 0)}",
            (f"after {tokens} of {reading.tokens} tokens",),
            "✓" if answer == reading.truth else "✗",
            probability,
        )
        for picture, tokens, answer, probability in reading.stops
    )
    return Gallery(
        cards, f"One image of class {reading.truth} as the network reads it: its answer, and how sure it is."
    )


def anytime_section(curve: Curve, answers: Sequence[Prediction] | None) -> Section:
    """Accuracy, loss and calibration against the share of tokens read, and when the answers settle."""
    far = [i for i, value in enumerate(curve.accuracy) if abs(value - curve.accuracy[-1]) > 0.01]
    near, unit = curve.share[far[-1] + 1 if far else 0], curve.unit
    lead = (
        f"How soon the network knows: from {percent(near, 0)} of the {unit}s on its accuracy is within a point of the"
        f" final one. Anytime area {percent(curve.area)}, over {curve.images:,} images."
    )
    x = [100 * share for share in curve.share]
    first, last = percent(curve.accuracy[0]), percent(curve.accuracy[-1])
    end = f"NLL {curve.nll[-1]:.3f}, ECE {curve.ece[-1]:.3f}"
    drawn = [
        Plot(
            _over(x, {"accuracy": [100 * v for v in curve.accuracy]}, "accuracy, %", unit),
            f"Accuracy against the share of {unit}s read, from {first} to {last}.",
            f"From {first} after the first {unit} to {last}.",
        ),
        Plot(
            _over(x, {"NLL": curve.nll, "ECE": curve.ece}, "nats (NLL), share (ECE)", unit),
            f"Loss and calibration against the share of {unit}s read; at the end {end}.",
            f"At the end {end}. Where ECE is high, the network is surer than it should be, or less sure.",
        ),
    ]
    if settled := [a.settled for a in answers or () if a.settled is not None]:
        middle = sorted(settled)[len(settled) // 2]
        alt = f"After how many {unit}s the answers settled; half of them after {middle}."
        drawn.append(Plot(_settled(settled, unit), alt, f"Half of the answers stay the same from {unit} {middle} on."))
    terms = ("anytime accuracy", "token", "NLL", "ECE", "settled")
    return Section("anytime", "While reading", lead, (plots("anytime.png", *drawn),), terms)


def _over(x: Sequence[float], series: Mapping[str, Sequence[float]], what: str, unit: str) -> Draw:
    def draw(axes: "Axes") -> None:
        ends = {}
        for number, (name, y) in enumerate(series.items()):
            axes.plot(x, y, color=colour(number), linestyle=line_style(number))
            ends[name if len(series) > 1 else ""] = (x[-1], y[-1], INK)
        axes.set(xlabel=f"{unit}s read, %", ylabel=what, xlim=(0, 100))
        label_ends(axes, ends)

    return draw


def _settled(tokens: Sequence[int], unit: str) -> Draw:
    def draw(axes: "Axes") -> None:
        most = max(tokens)
        axes.hist(tokens, bins=min(most, 30), range=(0.5, most + 0.5), color=colour(0), rwidth=0.86)
        axes.set(xlabel=f"{unit}s until the answer stays", ylabel="images")

    return draw


def gradient_section(flow: Flow) -> Section:
    """The norm of the gradient at each token and state, on a logarithmic scale."""
    said = "; ".join(f"{name}: {word} (first / last {ratio:.2g})" for name, (word, ratio) in flow.verdicts.items())
    ends = "; ".join(f"{name}: {norms[0]:.2e} to {norms[-1]:.2e}" for name, norms in flow.series.items())
    plot = Plot(
        _flow(flow.series),
        f"Norm of the gradient of the loss from the first time step to the last. {ends}.",
        f"Means over {flow.images} images. A line that falls to the left: early tokens teach the network less.",
        5.0,
        3.1,
    )
    lead = f"How much of the loss reaches the early tokens in training. {said[:1].upper()}{said[1:]}."
    if flow.memory is not None:
        lead += f" The answer reaches back {flow.memory:.1f} tokens on average."
    terms = ("gradient", "token", "state")
    return Section("gradient", "Gradient through time", lead, (plots("gradient.png", plot),), terms)


def _flow(series: Mapping[str, Sequence[float]]) -> Draw:
    def draw(axes: "Axes") -> None:
        ends = {}
        for number, (name, norms) in enumerate(series.items()):
            kept = [
                (t, v) for t, v in enumerate(norms, start=1) if v > 0 and math.isfinite(v)
            ]  # a logarithm knows no 0
            if kept:
                x, y = zip(*kept, strict=True)
                style = {"color": colour(number), "linestyle": line_style(number), "marker": marker(7 * number)}
                axes.semilogy(x, y, **style, markevery=max(1, len(x) // 12))
                ends[name] = (x[-1], y[-1], INK)
        axes.set(xlabel="time step", ylabel="norm of the gradient (log scale)")
        plain_logarithms(axes)
        label_ends(axes, ends)

    return draw


def scan_section(path: Path) -> Section:
    """The order of reading over an image."""
    (h, w), tokens = path.token, len(path.cells)
    lead = f"The order in which the network reads an image: {tokens} tokens of {h} x {w} pixels."
    alt = f"Path of the scan over an image: from token to token, {tokens} in all, each of {h} x {w} pixels."
    caption = "The line runs from the centre of a token to that of the next, from the disc to the square."
    block = plots("scan_path.png", Plot(_path(path), alt, caption, 3.5, 3.5))
    return Section("scan", "Scan", lead, (block,), ("scan", "token"))


def _path(path: Path) -> Draw:
    def draw(axes: "Axes") -> None:
        from matplotlib.patches import Rectangle

        axes.imshow(pixel_rows(path.picture), interpolation="nearest", alpha=0.6)
        x, y = zip(*path.cells, strict=True)
        few = len(x) <= FEW
        h, w = path.size
        for cx, cy in path.cells if few else ():
            axes.add_patch(Rectangle((cx - w / 2, cy - h / 2), w, h, fill=False, edgecolor=GREY, linewidth=0.6))
        axes.plot(x, y, "-", color=colour(1), linewidth=1.5 if few else 0.8)
        if few:
            axes.plot(x, y, ".", color=colour(1), markersize=3.5)
        axes.plot(x[:1], y[:1], "o", color=colour(1), markersize=9)
        axes.plot(x[-1:], y[-1:], "s", color=colour(1), markersize=9)
        axes.grid(False)
        axes.set_axis_off()

    return draw


def trajectory_section(found: Trajectories) -> Section:
    """Where the state goes while images are read."""
    classes = list(dict.fromkeys(name for name, _ in found.points))
    lead = (
        f"The states of {len(found.points)} images from the first token to the last, in the plane that holds"
        f" {percent(found.explained, 0)} of their variance."
    )
    alt = f"Trajectories of the states of {len(found.points)} images of the classes {listed(classes)}."
    caption = "Each line is an image, with a mark at its end; the name of a class stands in the middle of its ends."
    plot = Plot(_trajectories(found, classes), alt, caption, 5.0, 4.0)
    return Section("states", "States", lead, (plots("trajectories.png", plot),), ("state", "trajectory"))


def _trajectories(found: Trajectories, classes: Sequence[str]) -> Draw:
    def draw(axes: "Axes") -> None:
        ends: dict[str, list[tuple[float, float]]] = {}
        for name, steps in found.points:
            number = classes.index(name)
            x, y = zip(*steps, strict=True)
            tint = colour(number % 6)
            axes.plot(x, y, color=tint, linestyle=line_style(number // 6), linewidth=0.8, alpha=0.55)
            axes.plot(x[-1:], y[-1:], marker(7 * number), color=tint, markersize=6)
            ends.setdefault(name, []).append(steps[-1])
        places = {
            label(name, 12): (*(sum(v) / len(v) for v in zip(*at, strict=True)), INK) for name, at in ends.items()
        }
        axes.set(xlabel="first principal component", ylabel="second")
        label_ends(axes, places)

    return draw
