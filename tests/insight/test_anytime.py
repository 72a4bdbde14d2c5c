"""Accuracy after each token."""

import pytest
import torch
from torch import Tensor, nn

from rnnvision.insight import anytime_accuracy
from rnnvision.nn import build


class Late(nn.Module):
    """Says class 0 until the token that a picture's first pixel names, and then the class that its second one does."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward_anytime(self, x: Tensor) -> Tensor:
        when, what = x[:, 0, 0, 0], x[:, 0, 0, 1].long()
        knows = torch.arange(4) >= when.unsqueeze(1)  # (B, T)
        return nn.functional.one_hot(what.unsqueeze(1) * knows, 3) * self.weight


def _picture(when: int, what: int) -> Tensor:
    return torch.tensor([[[[float(when), float(what)]]]])


def test_it_counts_what_is_right_after_each_token() -> None:
    images = torch.cat([_picture(0, 1), _picture(1, 2), _picture(3, 1), _picture(2, 2)])
    labels = torch.tensor([1, 2, 1, 0])  # the last one is right until it knows better
    batches = [(images[:3], labels[:3]), (images[3:], labels[3:])]
    assert anytime_accuracy(Late(), batches).tolist() == [0.5, 0.75, 0.5, 0.75]
    assert anytime_accuracy(Late(), [(images.repeat(70, 1, 1, 1), labels.repeat(70))]).tolist() == [
        0.5,
        0.75,
        0.5,
        0.75,
    ]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_last_token_gives_the_accuracy_of_the_network(bidirectional: bool) -> None:
    torch.manual_seed(0)
    options = {"hidden_size": 16, "bidirectional": bidirectional, "head_dropout": 0.5}
    network = build("sequence_classifier", input_shape=(1, 5, 6), num_classes=3, **options).train()
    images, labels = torch.randn(150, 1, 5, 6), torch.randint(3, (150,))
    accuracy = anytime_accuracy(network, [(images, labels)])
    assert accuracy.shape == (5,)
    with torch.no_grad():
        assert accuracy[-1] == pytest.approx(float((network(images).argmax(1) == labels).double().mean()))


def test_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no image"):
        anytime_accuracy(Late(), [])
