"""Unbalanced classes: the weights of the training loss, and what a training says of them."""

from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from rnnvision.cli.frame.arguments import arguments_of, check_arguments, plain

if TYPE_CHECKING:
    from torch import Tensor

    from rnnvision.data import ImageData

FEW_CLASSES = 12  # the weights of up to so many are shown one by one


def loss_arguments(cfg: DictConfig) -> dict[str, Any]:
    """What is set under `loss`; nothing in a run of an earlier version."""
    return plain(cfg.get("loss")) or {}


def check_loss(cfg: DictConfig) -> None:
    """Check `cfg.loss` as far as it can be without the data."""
    from rnnvision.training import check_class_weight, class_weights

    check_arguments("loss", loss_arguments(cfg), class_weights)
    with arguments_of("loss"):
        check_class_weight(loss_arguments(cfg).get("class_weight"))


def make_class_weight(cfg: DictConfig, data: "ImageData") -> list[float] | None:
    """The weight of each class in the training loss, counted over the training images that are served."""
    from rnnvision.training import class_weights

    with arguments_of("loss"):
        return class_weights(_train_counts(data), data.class_names, **loss_arguments(cfg))


def balance_lines(data: "ImageData", class_weight: "Tensor | None") -> list[str]:
    """The lines of the first screen on weights and on balanced sampling; none if there is neither."""
    lines = []
    if data.sampler == "balanced":
        lines.append(
            "sampler   balanced: an image of a rare class is drawn several times an epoch, of a common one not each"
        )
    if class_weight is None:
        return lines
    weights = dict(zip(data.class_names, class_weight.tolist(), strict=True))
    absent = [name for name, count in zip(weights, _train_counts(data), strict=True) if not count]
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


def _train_counts(data: "ImageData") -> list[int]:
    return data.splits.train.labels.bincount(minlength=len(data.class_names)).tolist()
