"""What the page needs to know of a network, as plain values."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from rnnvision.inference.predict import DARK

if TYPE_CHECKING:
    from rnnvision.inference.classifier import Classifier

PAGE = Path(__file__).parent / "page"
MAX_UPLOAD = 20_000_000  # bytes of a picture
MAX_DRAWN = 64  # pixels of a side: larger images, or coloured ones, are hardly drawings
MAX_PASSES = 64  # a network that reads in two directions takes a pass a token to answer after each
# How digits lie in the images of MNIST: the centre of mass in the middle, in a box of 20 of 28 pixels.
CENTRED = {"mnist": 20 / 28, "qmnist": 20 / 28, "emnist": 24 / 28}
PEN = 0.09  # width of a stroke as a share of the side; MNIST's are about 2.5 of 28 pixels wide
MIN_PEN = 1.2  # in pixels of the image


def facts_of(classifier: "Classifier", max_passes: int = MAX_PASSES) -> dict[str, Any]:
    """What the page shows of a network, and what it needs to open a picture and to draw what was read."""
    network = classifier.network
    channels, height, width = classifier.input_shape
    mode, why = mode_of(network, max_passes)
    mean = classifier.description["normalisation"]["mean"]
    data = classifier.description.get("data", {}).get("name", "")
    view = classifier.view
    drawn = channels == 1 and max(height, width) <= MAX_DRAWN
    return {
        "title": _title(classifier.path),
        "network": _in_words(classifier),
        "classes": list(classifier.class_names),
        "shape": [channels, height, width],
        "mode": mode,
        "why": why,
        "unit": _unit(network.scan) if mode == "tokens" else "glimpse",
        "tokens": _tokens(network.scan) if mode == "tokens" else None,
        "dark": sum(mean) / len(mean) < DARK,
        "drawing": {"pen": max(PEN, MIN_PEN / max(height, width)), "box": CENTRED.get(data)} if drawn else None,
        "view": {"fit": view.fit, "crop_ratio": view.crop_ratio, "max_pixels": view.max_pixels},
        "max_upload": MAX_UPLOAD,
    }


def mode_of(network: nn.Module, max_passes: int = MAX_PASSES) -> tuple[str, str | None]:
    """When a network answers: after each of its tokens or glimpses, or at the end, and then why not before."""
    known: Any = network
    if not hasattr(network, "forward_anytime") or not hasattr(network, "scan"):
        return "end", "This network gives one answer, at the end: there is no reading in steps to follow."
    if hasattr(network, "attention"):
        return "glimpses", None
    if not getattr(network, "is_causal", False) and known.scan.num_tokens > max_passes:
        return "end", (
            f"This network reads in two directions at once: to know its belief after each of {known.scan.num_tokens} "
            "tokens it would have to read the image as many times."
        )
    return "tokens", None


def _title(path: Path) -> str:
    """The name of the run folder, or of the file: where it lies is nobody's business on a page."""
    return path.parent.parent.name if path.parent.name == "checkpoints" else path.name


def _in_words(classifier: "Classifier") -> str:
    made = classifier.description["network"]
    names = [made["name"]] if made["name"] != "sequence_classifier" else []
    kind = ", ".join(str(name).replace("_", " ") for name in (*names, *filter(None, [made.get("recurrence")])))
    layers, size = made.get("num_layers", 1), made.get("hidden_size")
    sizes = "" if size is None else f" of {size}" if layers == 1 else f", {layers} layers of {size}"
    directions = ", two directions" if made.get("bidirectional") else ""
    return f"{kind}{sizes}{directions}"


def _unit(scan: Any) -> str:
    (h, w), (_, height, width), margin = scan.token_shape, scan.input_shape, 2 * scan.margin
    if (h, w) == (1, 1):
        return "pixel"
    if w == width - margin:
        return "row" if h == 1 else "band"
    return "column" if h == height - margin and w == 1 else "patch"


def _tokens(scan: Any) -> dict[str, Any]:
    """Where each token lies: its size in pixels, the columns of the grid, and the cell that is read at each time."""
    height, width = scan.token_shape
    return {
        "height": height,
        "width": width,
        "columns": scan.grid[1],
        "margin": scan.margin,
        "order": scan.order.tolist(),
    }
