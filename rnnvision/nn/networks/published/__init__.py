"""Weights that others have trained and published, under our names: Sequencer2D's and Vision-LSTM's.

What a file is for is recognised by the names and shapes of its weights, and nothing of them is taken on trust.

    found = published(torch.load("sequencer2d_s.pth", weights_only=True))
    network = build(**found.arguments)
    network.load_state_dict(found.weights)
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rnnvision.checks import shortened
from rnnvision.nn.networks.published.names import Published
from rnnvision.nn.networks.published.sequencer2d import read_sequencer2d
from rnnvision.nn.networks.published.vision_lstm import read_vision_lstm

# What only the weights of one architecture are called, and what reads them.
READERS = {"rnn_tokens.": read_sequencer2d, "mlstm_cell.": read_vision_lstm}
# Under what training programs keep weights; an average (EMA) is taken before the last step's weights, as timm does.
ENTRIES = ("state_dict_ema", "model_ema", "state_dict", "model")
WRAPPED = "module."  # in front of each name, of a training on several GPUs


def published(content: Mapping[str, Any]) -> Published:
    """The network whose weights a file holds, whether alone or beside what a training keeps.

    Args:
        content: names to weights, or entries of which one of `ENTRIES` is that.

    Raises:
        ValueError: for weights of none of these networks, or not all of them; the message begins with "weights: ", and
            names what is missing or unknown.
    """
    weights = _weights(content)
    for part, read in READERS.items():
        if any(part in name for name in weights):
            return read(weights)
    holds = f"holds {shortened(list(weights))}" if weights else "holds no weights"
    raise ValueError(
        f"weights: {holds}; what is read are those of Sequencer2D (...rnn_tokens...), its authors' and timm's, "
        "and of Vision-LSTM, version 2 (...mlstm_cell...)"
    )


def _weights(content: Mapping[str, Any]) -> dict[str, Tensor]:
    entry = next((name for name in ENTRIES if isinstance(content.get(name), Mapping)), None)
    inner = content if entry is None else content[entry]
    found = {str(name): weight for name, weight in inner.items() if isinstance(weight, Tensor)}
    if empty := [name for name, weight in found.items() if not weight.numel()]:
        raise ValueError(f"weights: {empty[0]} is empty")
    wrapped = bool(found) and all(name.startswith(WRAPPED) for name in found)
    found = {name.removeprefix(WRAPPED): weight for name, weight in found.items()} if wrapped else found
    # The networks are float32, and 1 + w of a rounded w would be rounded once more.
    return {name: w.float() if w.is_floating_point() and w.element_size() < 4 else w for name, w in found.items()}


__all__ = ["Published", "published"]
