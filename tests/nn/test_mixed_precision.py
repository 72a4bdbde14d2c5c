"""Half precision of every layer and network: on the CPU with numbers, and by the rules of CUDA without a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from rnnvision.nn import RECURRENCES, build
from rnnvision.nn.kernels import prefix_scan
from rnnvision.nn.layers.fused import FusedLayer
from rnnvision.training.precision import _bf16_error
from tests.nn.cases import network_cases

HALF = [torch.bfloat16, torch.float16]
# Each recurrence in one network, and each network in each variant.
NETWORKS = {name: case for name, case in network_cases("recurrence") if case["name"] == "sequence_classifier"}
NETWORKS |= dict(network_cases("variant"))
TRAINED = [name for name, case in NETWORKS.items() if "svm" not in case["name"]]


class ProductsOfOneDtype(TorchDispatchMode):
    """Refuses products of two dtypes, as a GPU does: without numbers torch does not look."""

    PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "linear", "convolution")

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function.overloadpacket.__name__ in self.PRODUCTS:
            dtypes = {v.dtype for v in args if isinstance(v, Tensor)}
            assert len(dtypes) == 1, f"{function} of {dtypes}"
        return function(*args, **(kwargs or {}))


@contextmanager
def without_a_gpu(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """CUDA's autocast over tensors that have a shape, a dtype and the device cuda, but no numbers and no GPU.

    Each operation is dispatched as on a GPU, and what mixes dtypes fails as it would there. Only what asks for a GPU
    itself is left out: accelerated-scan, and cuDNN, in place of which torch takes its own kernels; that of the GRU
    cannot do without numbers.
    """
    monkeypatch.setattr(prefix_scan, "kernel_for", lambda states: None)
    monkeypatch.setattr(torch.backends.cudnn, "enabled", False)
    monkeypatch.setattr(torch.nn.modules.rnn._VF, "gru", states_of_a_gru, raising=False)
    before = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", dtype)
    try:
        with FakeTensorMode(), ProductsOfOneDtype():
            yield
    finally:
        torch.set_autocast_enabled("cuda", before[0])
        torch.set_autocast_dtype("cuda", before[1])
        torch.clear_autocast_cache()


def states_of_a_gru(x: Tensor, h_0: Tensor, *settings: Any) -> tuple[Tensor, Tensor]:
    dtype = torch.get_autocast_dtype("cuda")
    return x.new_empty(*x.shape[:2], h_0.shape[-1], dtype=dtype), h_0.to(dtype)


def moved(module: nn.Module) -> Any:
    """The module with its weights and buffers on the GPU that is not there."""
    for part in module.modules():
        for name, weight in part._parameters.items():
            if weight is not None:
                part._parameters[name] = nn.Parameter(on_gpu(weight), requires_grad=weight.requires_grad)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = on_gpu(buffer)
    return module


def on_gpu(v: Tensor) -> Tensor:
    return torch.empty(v.shape, dtype=v.dtype, device="cuda")


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("name", RECURRENCES)
def test_every_layer_mixes_dtypes_as_cuda_allows(
    name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = RECURRENCES[name](6, 8, 20)
    with without_a_gpu(dtype, monkeypatch):
        layer = moved(layer)
        tokens = torch.empty(3, 20, 6, device="cuda") @ torch.empty(6, 6, device="cuda")
        assert tokens.dtype == dtype
        states, state = layer(tokens)
        assert states.shape == (3, 20, 8)
        layer(tokens, state)  # which is handed on in the dtype that the layer left it in
        layer.step(tokens[:, 0], state)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("case", NETWORKS)
def test_every_network_mixes_dtypes_as_cuda_allows(
    case: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build(**NETWORKS[case])
    with without_a_gpu(dtype, monkeypatch):
        network = moved(network)
        network(torch.empty(2, *NETWORKS[case]["input_shape"], device="cuda"))


@pytest.mark.parametrize("case", TRAINED)
def test_every_network_takes_a_step_in_half_precision(case: str) -> None:
    """The gradients are finite, in the dtype of the weights, and point where those of single precision do."""
    torch.manual_seed(0)
    network = build(**NETWORKS[case])
    is_fused = any(isinstance(part, FusedLayer) for part in network.modules())
    if is_fused and _bf16_error():
        pytest.skip("this CPU's kernels refuse it")
    # oneDNN's LSTM has no fp16 on most CPUs, and the command line refuses fp16 there.
    dtype = torch.bfloat16 if is_fused or case.endswith("-own") else torch.float16
    images, labels = torch.randn(8, *NETWORKS[case]["input_shape"]), torch.arange(8) % 3
    gradients = []
    for enabled in (False, True):
        network.zero_grad()
        with torch.autocast("cpu", dtype, enabled=enabled):
            logits = network(images)
        cross_entropy(logits.float(), labels).backward()
        found = [p.grad for p in network.parameters() if p.grad is not None]
        assert all(g.dtype == torch.float32 and bool(g.isfinite().all()) for g in found)
        gradients.append(torch.cat([g.flatten() for g in found]))
    assert torch.cosine_similarity(*gradients, dim=0) > 0.9
