"""The losses of 20 training steps of each network, compared with those in `tests/golden`.

Each network has a file. Of the recurrences those that have one are compared: a new layer needs none, it has its
oracle.

A change of numbers that is meant is recorded with

    RNNVISION_RECORD_GOLDEN=1 python -m pytest tests/nn/test_golden.py

and committed together with its reason.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits

from rnnvision.nn import MODELS, RECURRENCES, build
from tests.nn.cases import SIZES, Case, tiny

GOLDEN = Path(__file__).parent.parent / "golden"
STEPS, BATCH = 20, 32
RECORD = "RNNVISION_RECORD_GOLDEN"
LEARNING_RATE = 0.02
# Smaller where the steps of Adam would otherwise blow up rounding until the losses depend on the machine.
LEARNING_RATES = {"sequence_classifier-mlstm": 0.005, "vision_lstm": 0.002}
# A relative change of 1e-7 grows to percents within these steps, in float64 to less than 1e-6.
MAGNIFY_ROUNDING = {"cnn", "resnet18"}
FIRST_STEPS = {"resnet18": 4}  # of a trace that takes long; all of it is compared in the slow tests


def golden_cases() -> Iterator[tuple[str, Case]]:
    """A file name and the arguments of `build` for each recurrence in the first of the networks, and for the others."""
    shape = {"input_shape": (1, 8, 8), "num_classes": 10, "hidden_size": 32}
    first = next(iter(MODELS))
    for recurrence in RECURRENCES:
        yield f"{first}-{recurrence}", {"name": first, **tiny(first, **shape), "recurrence": recurrence}
    for model in list(MODELS)[1:]:
        sizes = shape | SIZES.get(model, {}) | {"input_shape": shape["input_shape"]}
        yield model, {"name": model, **tiny(model, **sizes)}


CASES = dict(golden_cases())
ON_FILE = {file.stem for file in GOLDEN.glob("*.txt")}
RECORDING = os.environ.get(RECORD) == "1"
COMPARED = [name for name in CASES if RECORDING or name in ON_FILE]
ALL_STEPS = [(name, FIRST_STEPS.get(name, STEPS)) for name in COMPARED]
ALL_STEPS += [pytest.param(name, STEPS, marks=pytest.mark.slow) for name in COMPARED if name in FIRST_STEPS]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def loss_trace(arguments: Case, lr: float, steps: int) -> list[float]:
    """The losses on the first batches of the 8 x 8 digits of scikit-learn, each before its step of Adam."""
    torch.manual_seed(0)
    dtype = torch.float64 if arguments["name"] in MAGNIFY_ROUNDING else torch.float32
    network = build(**arguments).to(dtype).requires_grad_()  # of a support vector machine too
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    digits = load_digits()
    images = torch.tensor(digits.images / 16, dtype=dtype).unsqueeze(1)
    labels = torch.tensor(digits.target)
    losses = []
    for batch in range(0, steps * BATCH, BATCH):
        loss = torch.nn.functional.cross_entropy(network(images[batch : batch + BATCH]), labels[batch : batch + BATCH])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(("name", "steps"), ALL_STEPS)
def test_the_losses_are_those_on_file(name: str, steps: int) -> None:
    file = GOLDEN / f"{name}.txt"
    losses = loss_trace(CASES[name], LEARNING_RATES.get(name, LEARNING_RATE), STEPS if RECORDING else steps)
    if RECORDING:
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(f"{loss:.6f}\n" for loss in losses))
    expected = [float(line) for line in file.read_text().split()]
    assert len(expected) == STEPS
    assert losses == pytest.approx(expected[: len(losses)], rel=1e-3, abs=0), f"if this is meant, record: {RECORD}=1"


def test_every_network_has_a_file_and_every_file_a_network() -> None:
    first, *others = MODELS
    assert set(others) <= ON_FILE, f"record what is missing: {RECORD}=1 python -m pytest tests/nn/test_golden.py"
    assert {f"{first}-{name}" for name in ("rnn", "lstm", "gru", "mlstm", "lru", "mingru", "none")} <= ON_FILE
    assert set(CASES) >= ON_FILE
