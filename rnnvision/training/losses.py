"""Losses of a training: of the last answer, and of the answers after each token."""

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rnnvision.checks import probability
from rnnvision.nn.anytime import answers_in_one_pass


def check_anytime(network: nn.Module, *, anytime: float = 0.0) -> None:
    """Check the share of the training loss that is of the answers after each token: 0 is of the last alone.

        loss = (1 - anytime) CE(z_T, y) + anytime mean_t CE(z_t, y)      z_t: the logits after token t of T

    It is the deep supervision of Lee et al. 2015 (arXiv 1409.5185) over time. With 0 nothing is asked of the answers
    before the last: a network may be wrong, and sure of it, until it has read nearly all of an image.

    Raises:
        ValueError: for a share out of range, or a network of which one pass does not give these answers.
    """
    probability("anytime", anytime)
    if anytime and not answers_in_one_pass(network):
        raise ValueError(
            f"anytime={anytime}: needs a network that reads an image in one direction and answers after each token"
        )


def training_loss(logits: Tensor, labels: Tensor, class_weight: Tensor | None, label_smoothing: float) -> Tensor:
    """The mean cross-entropy of a batch, that of each image times the weight of its class."""
    if class_weight is None:
        return cross_entropy(logits, labels, label_smoothing=label_smoothing)
    # torch's mean would divide by the weights of the batch: 0/0 where all are 0, another loss for mixed labels.
    weight = class_weight.to(logits.dtype)
    losses = cross_entropy(logits, labels, weight=weight, label_smoothing=label_smoothing, reduction="none")
    return losses.mean()


def num_correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Number of correct predictions; of mixed labels the larger part counts."""
    return (logits.argmax(dim=-1) == (labels if labels.ndim == 1 else labels.argmax(dim=1))).sum()
