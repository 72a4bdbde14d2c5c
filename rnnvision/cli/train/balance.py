"""What a training says of unbalanced classes: the weights of its loss, and its sampler."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from rnnvision.data import ImageData


def balance_lines(data: "ImageData", class_weight: "Tensor | None") -> list[str]:
    """The lines of the first screen on weights and on balanced sampling; none if there is neither."""
    from rnnvision.data.reading import FEW_CLASSES

    lines = []
    if data.sampler == "balanced":
        lines.append(
            "sampler   balanced: an image of a rare class is drawn several times an epoch, of a common one not each"
        )
    if class_weight is None:
        return lines
    weights = dict(zip(data.class_names, class_weight.tolist(), strict=True))
    absent = [name for name, count in zip(weights, data.class_counts("train"), strict=True) if not count]
    present = {name: weight for name, weight in weights.items() if name not in absent}
    if len(present) <= FEW_CLASSES:
        shown = ", ".join(f"{name} {weight:.3g}" for name, weight in present.items())
    else:
        least, most = (pick(present, key=present.__getitem__) for pick in (min, max))
        shown = f"from {present[least]:.3g} of {least} to {present[most]:.3g} of {most}"
    without = f"; 0 for {len(absent)} classes without a training image" if absent else ""
    lines.append(f"loss      class weights: {shown}{without}")
    if data.sampler == "balanced":
        lines.append("warning   class weights and balanced sampling together count the rare classes twice")
    return lines
