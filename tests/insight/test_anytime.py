"""Answers after each token: their quality, when they are settled, and what stopping early saves."""

import math

import pytest
import torch
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_calibration_error

from rnnvision.insight import anytime_curve, settled_after, stop_when_sure
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
    for batches in (
        [(images[:3], labels[:3]), (images[3:], labels[3:])],
        [(images.repeat(70, 1, 1, 1), labels.repeat(70))],
    ):
        curve = anytime_curve(Late(), batches, temperature=0.5)
        assert curve.accuracy.tolist() == [0.5, 0.75, 0.5, 0.75]
        assert curve.share.tolist() == [0.25, 0.5, 0.75, 1]
        assert curve.area == 0.625
        surest = math.exp(2) / (math.exp(2) + 2)  # a logit of 1, at a temperature of 1/2
        wrong = -math.log((1 - surest) / 2)
        assert curve.nll.tolist() == pytest.approx(
            [share * -math.log(surest) + (1 - share) * wrong for share in curve.accuracy.tolist()]
        )
        assert curve.ece.tolist() == pytest.approx([abs(share - surest) for share in curve.accuracy.tolist()])


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_last_token_gives_the_figures_of_the_network(bidirectional: bool) -> None:
    torch.manual_seed(0)
    options = {"hidden_size": 16, "bidirectional": bidirectional, "head_dropout": 0.5}
    network = build("sequence_classifier", input_shape=(1, 5, 6), num_classes=3, **options).train()
    images, labels = 9 * torch.randn(150, 1, 5, 6), torch.randint(3, (150,))
    curve = anytime_curve(network, [(images, labels)], temperature=0.1)
    assert curve.accuracy.shape == curve.nll.shape == curve.ece.shape == (5,)
    with torch.no_grad():
        logits = network(images) / 0.1
    assert curve.accuracy[-1] == pytest.approx(float((logits.argmax(1) == labels).double().mean()))
    assert curve.nll[-1] == pytest.approx(float(nn.functional.cross_entropy(logits, labels)), rel=1e-5)
    expected = multiclass_calibration_error(logits.softmax(1), labels, num_classes=3, n_bins=15)
    assert curve.ece[-1] == pytest.approx(float(expected), abs=1e-5)


def test_what_has_no_curve_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no image"):
        anytime_curve(Late(), [])
    with pytest.raises(ValueError, match="network=Linear: answers only at the end"):
        anytime_curve(nn.Linear(1, 1), [])
    with pytest.raises(ValueError, match=r"temperature=0\.0: must be"):
        anytime_curve(Late(), [], temperature=0)


def test_settled_and_stopped_are_what_a_loop_over_tokens_finds() -> None:
    torch.manual_seed(0)
    anytime = torch.randn(200, 6, 3).mul_(2).softmax(dim=-1)
    settled, stop = settled_after(anytime), stop_when_sure(anytime, 0.8)
    read = 0
    for i, tokens in enumerate(anytime.tolist()):
        answers = [p.index(max(p)) for p in tokens]
        first = next(t for t in range(6) if set(answers[t:]) == {answers[-1]})
        assert settled[i] == first + 1
        sure = next((t for t, p in enumerate(tokens) if max(p) >= 0.8), 5)
        assert (stop.answers[i], stop.tokens[i]) == (answers[sure], sure + 1)
        read += sure + 1
    assert stop.saved == pytest.approx(1 - read / (200 * 6))
    assert settled_after(anytime[:1, :1]).tolist() == [1]  # one image, one token
    patient = stop_when_sure(anytime, 0.8, patience=2)
    for i, tokens in enumerate(anytime.tolist()):
        sure = [p.index(max(p)) if max(p) >= 0.8 else -t - 1 for t, p in enumerate(tokens)]
        assert patient.tokens[i] == next((t + 1 for t in range(1, 6) if sure[t] == sure[t - 1]), 6)
    everything = stop_when_sure(anytime * 0.999, 1.0)
    assert everything.saved == 0
    with pytest.raises(ValueError, match=r"answers of shape \(6, 3\): must be"):
        settled_after(anytime[0])
    with pytest.raises(ValueError, match=r"threshold=1.5: must be"):
        stop_when_sure(anytime, 1.5)
