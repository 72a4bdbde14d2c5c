"""The rules of cuDNN's kernels, as a table."""

import pytest

from rnnvision.insight import cudnn_kernel
from rnnvision.nn.layers.fused import GRU, LSTM


@pytest.mark.parametrize(
    ("layer", "batch_size", "precision", "kernel", "missing"),
    [
        (LSTM(28, 128), 500, "32-true", "small persistent", []),
        (GRU(28, 64), 7, "bf16-mixed", "small persistent", []),
        (LSTM(128, 256), 128, "16-mixed", "persistent", []),
        (LSTM(128, 256), 128, "bf16-mixed", "standard", ["trainer.precision=16-mixed"]),
        (LSTM(128, 256), 256, "16-mixed", "standard", ["data.batch_size"]),
        (LSTM(128, 256), 100, "16-mixed", "standard", ["data.batch_size"]),
        (LSTM(100, 200), 128, "16-mixed", "standard", ["model.hidden_size=256", "model.embed_size"]),
        (LSTM(128, 2048), 128, "16-mixed", "standard", ["model.hidden_size=1024"]),
        (GRU(128, 256), 128, "16-mixed", "standard", ["model.recurrence=lstm"]),
        (LSTM(28, 64), 128, "64-true", "standard", ["trainer.precision", "model.hidden_size=128", "model.embed_size"]),
    ],
)
def test_the_kernel_and_what_is_missing(
    layer: LSTM | GRU, batch_size: int, precision: str, kernel: str, missing: list[str]
) -> None:
    found, reasons = cudnn_kernel(layer, batch_size, precision)
    assert found == kernel
    assert len(reasons) == len(missing)
    assert all(part in reason for part, reason in zip(missing, reasons, strict=True))
