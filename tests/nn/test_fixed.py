"""Fixed buffers: they keep their values through whatever moves a module or leaves it without values."""

import copy
import io

import pytest
import torch
from torch import Tensor

from rnnvision.nn import Scan, build
from rnnvision.nn.fixed import FixedBuffers

VALUES = torch.tensor([2.0, 0.0, 1.0])


class Fixed(FixedBuffers):
    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fix("table", VALUES.clone())


def emptied(module: FixedBuffers) -> FixedBuffers:
    module.table.fill_(7)  # whatever was there
    return module.to_empty(device="cpu")


def through_a_file(module: FixedBuffers) -> FixedBuffers:
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize(
    "moved",
    [
        emptied,
        lambda module: module.to("meta").to_empty(device="cpu"),
        lambda module: emptied(copy.deepcopy(module)),
        lambda module: emptied(through_a_file(module)),
        lambda module: emptied(module.double()).float(),
        lambda module: module.half(),
        lambda module: torch.nn.Sequential(module).to_empty(device="cpu")[0],
    ],
    ids=range(7),
)
def test_values_stay(moved: object) -> None:
    module = moved(Fixed())
    assert module.table.tolist() == VALUES.tolist()
    assert not module.state_dict()


def test_values_stay_on_a_device_that_has_none() -> None:
    module = Fixed().to("meta")
    assert module.table.is_meta
    with torch.device("meta"):
        scan = Scan(input_shape=(1, 4, 4), scan="permuted_pixels")
    assert torch.equal(scan.order, Scan(input_shape=(1, 4, 4), scan="permuted_pixels").order)


@pytest.mark.parametrize("scan", ["rows", "hilbert", "permuted_pixels"])
def test_a_network_on_no_device_reads_images_on_none(scan: str) -> None:
    """So that shapes and costs are known before there is memory for it."""
    with torch.device("meta"):
        network = build("sequence_classifier", input_shape=(1, 28, 28), num_classes=10, scan=scan)
        assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
