"""scripts/measure_claims.py: the quantities it measures, and that it runs and says what it did not measure."""

import math
import sys
from pathlib import Path

import measure_claims
import pytest
import torch
from claims import gradients, sizes, speed
from claims.networks import NoSuchNetworkError, make
from torch import Tensor
from torch.nn.functional import cross_entropy

from rnnvision.data import ImageData
from rnnvision.nn import build

SHAPE = (1, 6, 4)


def test_gradients_are_those_of_each_image_token_by_token() -> None:
    """Against finite differences of the loss along the pixels of a row, which are the token."""
    torch.manual_seed(0)
    network = build("sequence_classifier", input_shape=SHAPE, num_classes=3, recurrence="gru", hidden_size=5)
    images, labels = torch.randn(2, *SHAPE), torch.tensor([2, 0])
    found = gradients.token_gradients(network, images, labels)
    assert next(network.parameters()).dtype == torch.float32
    network.double()

    def loss(pictures: Tensor) -> Tensor:
        with torch.no_grad():
            return cross_entropy(network(pictures), labels, reduction="none")  # (B,)

    step = 1e-5
    for t in range(6):
        slopes = []
        for pixel in range(4):
            change = torch.zeros(SHAPE, dtype=torch.float64)
            change[0, t, pixel] = step
            slopes.append((loss(images.double() + change) - loss(images.double() - change)) / (2 * step))
        expected = torch.stack(slopes, dim=1).norm(dim=1).mean()
        assert found[t] == pytest.approx(float(expected), rel=1e-6)


def test_ratio_and_factor_are_those_of_the_curve() -> None:
    g = gradients.Gradients("x", "lstm", "rows", "last", "trained", tuple(3.0 * 0.5 ** (4 - t) for t in range(5)))
    assert g.ratio == pytest.approx(0.5**4)
    assert g.factor == pytest.approx(0.5)
    assert "| `x` | rows | last | trained | 5 | 1.88e-01 | 3.00e+00 | 6.25e-02 | 0.5000 |" in gradients.markdown([g])
    assert math.isnan(gradients.Gradients("x", "lstm", "rows", "last", "trained", (0.0, 0.0)).factor)


def test_a_network_that_reads_both_ways_has_no_such_gradients() -> None:
    network = build("sequence_classifier", input_shape=SHAPE, num_classes=3, bidirectional=True)
    with pytest.raises(ValueError, match="one direction"):
        gradients.token_gradients(network, torch.zeros(1, *SHAPE), torch.zeros(1, dtype=torch.long))


@pytest.mark.parametrize("length", speed.CUTS)
def test_a_cut_has_as_many_tokens_as_it_says(length: int) -> None:
    shape, cut = speed.CUTS[length]
    network = make("gru", shape, hidden_size=2, **cut)
    assert network.scan.num_tokens == length


def test_a_network_that_there_is_not_is_told() -> None:
    with pytest.raises(NoSuchNetworkError, match="transmogrifier: not measured"):
        make("transmogrifier", SHAPE)


def _checkpoint(**options: object) -> dict:
    arguments = {
        "name": "sequence_classifier",
        "input_shape": [1, 8, 8],
        "num_classes": 10,
        "hidden_size": 6,
        **options,
    }
    torch.manual_seed(1)
    weights = build(**arguments).state_dict()  # type: ignore[arg-type]
    return {"rnnvision": {"network": arguments}, "state_dict": {f"network.{k}": w for k, w in weights.items()}}


def test_the_same_weights_read_images_of_another_height() -> None:
    data, checkpoint = ImageData("digits"), _checkpoint()
    found = sizes.measure(checkpoint, [4, 8, 12], "height", data)
    images, labels = next(iter(data.test_dataloader()))
    network = build(**checkpoint["rnnvision"]["network"]).eval()
    network.load_state_dict({k.removeprefix("network."): w for k, w in checkpoint["state_dict"].items()})
    with torch.no_grad():
        as_trained = float((network(images).argmax(1) == labels).double().mean())
    assert found[8] == pytest.approx(as_trained)
    assert all(isinstance(found[size], float) for size in (4, 12))
    assert sizes.network_for(checkpoint, [1, 12, 8]).scan.num_tokens == 12


def test_weights_that_depend_on_the_size_cannot() -> None:
    found = sizes.measure(_checkpoint(), [8, 12], "width", ImageData("digits"))
    assert "recurrence.layers.0.kernel.weight_ih_l0 is 24 x 8, and in the network 24 x 12" in str(found[12])
    table = sizes.markdown({"rows": found}, [8, 12], "width")
    assert f"| `rows` | {100 * float(found[8]):.2f} % | cannot |" in table
    assert "- `rows` cannot: recurrence.layers.0.kernel.weight_ih_l0 is 24 x 8" in table


def test_the_quick_measurement_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--quick", "--data=digits", "--scans", "rows", "--networks", "gru", "yeti", f"--out={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["measure_claims.py", *words, "--recurrences", "gru", "yeti"])
    measure_claims.main()
    out = capsys.readouterr().out
    assert "| `gru` | rows | last | at initialisation | 8 | " in out
    assert "- yeti: not measured, this version has no such network" in out
    assert "### sizes\n\nnot measured: no checkpoint was given" in out
    assert "Command: `python scripts/measure_claims.py --quick --data=digits" in out
    assert (tmp_path / "gradients.png").stat().st_size > 1000
