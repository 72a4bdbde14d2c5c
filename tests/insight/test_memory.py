"""The memory of a network's activations, and the batch size that follows."""

import pytest
import torch
from torch import nn

from rnnvision.insight import activation_bytes, eval_batch_size
from rnnvision.insight.memory import BUDGET, LARGEST
from rnnvision.nn import MODELS, build
from tests.nn.cases import tiny


class Counted(nn.Module):
    """Holds `size` numbers for each image at a time."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.head = nn.Linear(1, size, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x.flatten(1)[:, :1])


@pytest.mark.parametrize(
    ("size", "train", "expected"),
    [
        (10, 128, LARGEST),  # small ones get the largest batch
        (2**20, 1, BUDGET // (2 * 4 * (2**20 + 1))),  # input and output, 4 bytes each, twice
        (2**20, 300, 300),  # never less than in training
        (2**20, 5000, LARGEST),
        (2**30, 1, 1),  # never none
    ],
)
def test_the_batch_fits_the_budget(size: int, train: int, expected: int) -> None:
    with torch.device("meta"):
        network = Counted(size)
    assert eval_batch_size(network.train(), (1, 2, 2), train) == expected
    assert network.training


def test_larger_images_need_more() -> None:
    network = build(name="resnet18", input_shape=(3, 32, 32), num_classes=10)
    small, large = (activation_bytes(network, (3, side, side)) for side in (32, 64))
    assert large == 4 * small
    assert eval_batch_size(network, (3, 64, 64), 16) < eval_batch_size(network, (3, 32, 32), 16) <= LARGEST


@pytest.mark.parametrize("name", [name for name in MODELS if not name.endswith("svm")])
def test_every_network_is_measured_and_draws_no_random_number(name: str) -> None:
    arguments = {"name": name, **tiny(name)}
    network = build(**arguments)
    state = torch.get_rng_state()
    assert activation_bytes(network, arguments["input_shape"]) > 4 * torch.Size(arguments["input_shape"]).numel()
    assert torch.equal(torch.get_rng_state(), state)
