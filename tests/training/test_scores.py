"""Scores and answers of a test: by hand from logits and labels, with and without a temperature."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from rnnvision.training.scores import Scores

LOGITS = 3 * torch.randn(50, 7, generator=torch.Generator().manual_seed(0))
LABELS = torch.randint(7, (50,), generator=torch.Generator().manual_seed(1))
SETTLED = torch.randint(1, 9, (50,), generator=torch.Generator().manual_seed(2))


def measured(temperature: float | None, logits: Tensor = LOGITS, *, batch: int = 16) -> Scores:
    """After two tests, of which the first is forgotten."""
    scores = Scores(7)
    scores.temperature = temperature
    for _ in range(2):
        scores.reset()
        for z, labels, settled in zip(logits.split(batch), LABELS.split(batch), SETTLED.split(batch), strict=True):
            scores.update(cross_entropy(z, labels), z, labels, settled)
    return scores


def ece(probabilities: Tensor, labels: Tensor) -> float:
    confidence, answers = probabilities.max(dim=1)
    right = (answers == labels).float()
    bins = (confidence * 15).long().clamp(max=14)
    return sum(abs(float((right - confidence)[bins == b].sum())) for b in range(15)) / len(labels)


def test_figures_are_those_by_hand() -> None:
    found = measured(2.0).compute()
    assert float(found["accuracy"]) == pytest.approx(float((LOGITS.argmax(dim=1) == LABELS).float().mean()))
    assert found["images"] == 50
    for suffix, scaled in (("", LOGITS), ("_calibrated", LOGITS / 2)):
        assert float(found[f"nll{suffix}"]) == pytest.approx(float(cross_entropy(scaled, LABELS)), rel=1e-5)
        assert float(found[f"ece{suffix}"]) == pytest.approx(ece(scaled.softmax(dim=1), LABELS), abs=1e-5)


def test_without_a_temperature_there_is_no_calibrated_figure() -> None:
    assert set(measured(2.0).compute()) - set(measured(None).compute()) == {"nll_calibrated", "ece_calibrated"}


@pytest.mark.parametrize("temperature", [None, 2.0])
def test_answers_are_in_order_and_at_the_temperature(temperature: float | None) -> None:
    answers = measured(temperature).answers
    scaled = LOGITS / (temperature or 1.0)
    assert len(answers) == 50
    for i, answer in enumerate(answers):
        p = scaled[i].softmax(dim=0)
        assert (answer.truth, answer.answer) == (int(LABELS[i]), int(p.argmax()))
        assert answer.probability == pytest.approx(float(p.max()))
        assert answer.loss == pytest.approx(-math.log(float(p[LABELS[i]])), rel=1e-4)
        assert answer.settled == int(SETTLED[i])


def test_what_one_pass_does_not_tell_is_left_empty_and_nan_is_not_left_out() -> None:
    scores = Scores(7)
    scores.update(cross_entropy(LOGITS, LABELS), LOGITS, LABELS, None)
    assert {answer.settled for answer in scores.answers} == {None}
    broken = LOGITS.clone()
    broken[3] = math.nan
    assert math.isnan(float(measured(None, broken).compute()["nll"]))
