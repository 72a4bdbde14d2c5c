"""The anytime loss: a network learns to answer after every token, not only after the last."""

from torch import nn

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
