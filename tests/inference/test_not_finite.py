"""A network that gives no finite numbers answers nothing, and one that needs much memory reads fewer images at once."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnvision.errors import FailureError
from rnnvision.inference import Classifier
from rnnvision.inference.export.measure import accuracy, largest_difference
from tests.inference.cases import images, make_classifier

WAYS: dict[str, Callable[[Classifier, Tensor], Any]] = {
    "labels": lambda classifier, seen: classifier(seen),
    "table": lambda classifier, seen: list(classifier.predict(seen)),
    "logits": lambda classifier, seen: classifier.logits(seen),
    "average": lambda classifier, seen: classifier.probabilities(seen, average="flips"),
    "anytime": lambda classifier, seen: classifier.anytime(seen),
    "features": lambda classifier, seen: classifier.features(seen),
    "stop_at": lambda classifier, seen: classifier(seen, stop_at=0.5),
    "session": lambda classifier, seen: classifier.session().push(seen[0]),
    "export": lambda classifier, seen: largest_difference(make_classifier(), classifier),
    "quantised": lambda classifier, seen: accuracy(classifier.network, [(classifier.preprocess(seen), torch.zeros(3))]),
}


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("way", WAYS)
def test_no_answer_comes_of_numbers_that_are_not_finite(way: str, value: float) -> None:
    classifier = make_classifier()
    last: dict[str, Tensor] = dict(classifier.network.named_parameters())
    spoilt = last["recurrence.layers.0.kernel.bias_hh_l0" if way == "features" else "head.bias"]
    with torch.no_grad():
        spoilt[:] = torch.nan if way == "features" else value  # a gate makes a number of infinity
    with pytest.raises(FailureError, match="gives no finite numbers") as error:
        WAYS[way](classifier, images(classifier, 3))
    assert len(str(error.value).splitlines()) == 1


def test_memory_that_runs_out_halves_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier, sizes = make_classifier(batch_size=8), []
    seen, forward = images(classifier, 10), classifier.network.forward
    expected = classifier.logits(seen)

    def reads(batch: Tensor) -> Tensor:
        if len(batch) > most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 17.5 GiB")
        sizes.append(len(batch))
        return forward(batch)

    monkeypatch.setattr(classifier.network, "forward", reads)
    most = 3
    torch.testing.assert_close(classifier.logits(seen), expected)
    assert sizes == [2] * 5
    most = 0
    with pytest.raises(FailureError, match="too small for a single image"):
        classifier.logits(seen)
