"""The losses of 20 training steps of each network, compared with those in `tests/golden`.

A change of numbers that is meant is recorded with

    RNNVISION_RECORD_GOLDEN=1 python -m pytest tests/nn/test_golden.py

and committed together with its reason.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits

from rnnvision.nn import MODELS, RECURRENCES, build
from tests.nn.cases import SIZES, tiny

GOLDEN = Path(__file__).parent.parent / "golden"
STEPS, BATCH = 20, 32
RECORD = "RNNVISION_RECORD_GOLDEN"
LEARNING_RATE = 0.02
# Smaller where the steps of Adam would otherwise blow up rounding until the losses depend on the machine.
LEARNING_RATES = {"sequence_classifier-mlstm": 0.005, "vision_lstm": 0.002}
# A relative change of 1e-7 grows to percents within these steps, in float64 to less than 1e-6.
MAGNIFY_ROUNDING = {"cnn", "resnet18"}


def golden_cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """A file name and the arguments of `build` for each network, and for each recurrence in the first of them."""
    shape = {"input_shape": (1, 8, 8), "num_classes": 10, "hidden_size": 32}
    first = next(iter(MODELS))
    for recurrence in RECURRENCES:
        yield f"{first}-{recurrence}", {"name": first, **tiny(first, **shape), "recurrence": recurrence}
    for model in list(MODELS)[1:]:
        sizes = shape | SIZES.get(model, {}) | {"input_shape": shape["input_shape"]}
        yield model, {"name": model, **tiny(model, **sizes)}


CASES = dict(golden_cases())


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def loss_trace(arguments: dict[str, Any], lr: float) -> list[float]:
    """The losses on the first `STEPS` batches of the 8 x 8 digits of scikit-learn, each before its step of Adam."""
    torch.manual_seed(0)
    dtype = torch.float64 if arguments["name"] in MAGNIFY_ROUNDING else torch.float32
    network = build(**arguments).to(dtype).requires_grad_()  # of a support vector machine too
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    digits = load_digits()
    images = torch.tensor(digits.images / 16, dtype=dtype).unsqueeze(1)
    labels = torch.tensor(digits.target)
    losses = []
    for batch in range(0, STEPS * BATCH, BATCH):
        loss = torch.nn.functional.cross_entropy(network(images[batch : batch + BATCH]), labels[batch : batch + BATCH])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", CASES)
def test_the_losses_are_those_on_file(name: str) -> None:
    file = GOLDEN / f"{name}.txt"
    losses = loss_trace(CASES[name], LEARNING_RATES.get(name, LEARNING_RATE))
    if os.environ.get(RECORD) == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(f"{loss:.6f}\n" for loss in losses))
    if not file.exists():
        pytest.fail(f"no tests/golden/{file.name}: record it with {RECORD}=1 python -m pytest tests/nn/test_golden.py")
    expected = [float(line) for line in file.read_text().split()]
    assert losses == pytest.approx(expected, rel=1e-3, abs=0), f"if this is meant, set {RECORD}=1 to record it anew"


def test_every_file_belongs_to_a_network() -> None:
    assert {file.stem for file in GOLDEN.glob("*.txt")} <= set(CASES)
