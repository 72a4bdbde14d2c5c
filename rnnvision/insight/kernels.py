"""cuDNN kernels: the ones that torch chooses for a recurrent layer on a GPU, and what keeps it from a faster one.

The rules are those of torch's `aten/src/ATen/native/cudnn/RNN.cpp` (`get_algo` and the functions that it calls), in
their order, once for the forward and once for the backward pass:

    standard          for packed sequences and for LSTMs with projections
    small persistent  for up to so many hidden features (`SMALL`), in all precisions but float64
    persistent        in fp16 alone: one layer, one direction, sizes that `persistent_refusals` says, on some GPUs
    standard          for everything else
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rnnvision.nn.layers.fused import FusedLayer

SMALL = {"RNN": (384, 256), "LSTM": (192, 128), "GRU": (192, 128)}  # hidden features, forward and backward
LARGEST_PERSISTENT, MULTIPLE = 1024, 128  # hidden features


@dataclass(frozen=True)
class Gpu:
    """What torch's rules look at of a CUDA GPU: its compute capability, and how many multiprocessors it has."""

    capability: tuple[int, int]
    multiprocessors: int

    @classmethod
    def of(cls, device: torch.device | str | int) -> "Gpu":
        found = torch.cuda.get_device_properties(device)
        return cls((found.major, found.minor), found.multi_processor_count)


@dataclass(frozen=True)
class Kernels:
    """The kernels of a layer: "small persistent", "persistent" or "standard".

    Attributes:
        forward: of the forward pass.
        backward: of the backward pass; None without a training.
        missing: what to change so that a pass with the standard kernel gets the persistent one; empty where no pass has
            the standard kernel, or no change gives another one on this GPU.
    """

    forward: str
    backward: str | None
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.backward in (None, self.forward):
            return self.forward
        return f"{self.forward} forward, {self.backward} backward"


def network_kernels(
    network: nn.Module, input_shape: Sequence[int], gpu: Gpu, *, batch_size: int, precision: str, training: bool = True
) -> list[Kernels]:
    """The kernels that occur in a network that reads images (C, H, W), in the order of its layers, each once.

    One image is read for it, on the network's device: a layer may see several sequences of an image, such as its rows.
    """
    seen: dict[FusedLayer, tuple[int, int]] = {}  # sequences of an image, and their length

    def record(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, FusedLayer)
        seen.setdefault(layer, (inputs[0].shape[0], inputs[0].shape[1]))

    handles = [m.register_forward_pre_hook(record) for m in network.modules() if isinstance(m, FusedLayer)]
    was_training = network.training
    try:
        if handles:
            with torch.inference_mode():
                network.eval()(next(network.parameters()).new_zeros(1, *input_shape))
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    found = (
        cudnn_kernels(layer, gpu, batch_size=batch_size * count, tokens=tokens, precision=precision, training=training)
        for layer, (count, tokens) in seen.items()
    )
    return list(dict.fromkeys(found))


def cudnn_kernels(
    layer: FusedLayer | nn.RNNBase,
    gpu: Gpu,
    *,
    batch_size: int,
    tokens: int,
    precision: str,
    training: bool = True,
    packed: bool = False,
) -> Kernels:
    """The kernels that torch asks cuDNN for.

    Args:
        layer: one of ours, or of torch's, which may have several layers, two directions and projections.
        gpu: where it runs.
        batch_size: sequences in a batch.
        tokens: time steps of a sequence.
        precision: Lightning's name of it, such as 16-mixed.
        training: whether there is a backward pass.
        packed: whether sequences of unequal length are given as a `PackedSequence`.
    """
    kernel = layer.kernel if isinstance(layer, FusedLayer) else layer
    if packed or kernel.proj_size:
        return Kernels("standard", "standard" if training else None)
    refusals = persistent_refusals(kernel, gpu, batch_size=batch_size, tokens=tokens, precision=precision)

    def of_pass(backward: bool) -> str:
        if precision != "64-true" and gpu.capability[0] >= 6 and kernel.hidden_size <= SMALL[_kind(kernel)][backward]:
            return "small persistent"
        return "persistent" if refusals == () else "standard"

    forward, backward = of_pass(False), of_pass(True) if training else None
    return Kernels(forward, backward, refusals or () if "standard" in (forward, backward) else ())


def persistent_refusals(
    kernel: nn.RNNBase, gpu: Gpu, *, batch_size: int, tokens: int, precision: str
) -> tuple[str, ...] | None:
    """What of a layer, and of how it is run, keeps the persistent kernel away; None where the GPU does."""
    newer = gpu.capability[0] >= 8  # Ampere and later
    if newer and (gpu.multiprocessors < 98 or gpu.capability[1] == 6):
        return None
    if not newer and (gpu.capability[0] != 7 or gpu.capability[1] == 5):
        return None
    missing = []
    if newer and _kind(kernel) == "GRU":
        missing.append("model.recurrence=lstm")
    if precision not in ("16-mixed", "16-true"):
        missing.append("trainer.precision=16-mixed (fp16, not bf16)")
    if kernel.num_layers > 1 or kernel.bidirectional:
        missing.append("one layer and one direction in a call")
    if kernel.hidden_size % MULTIPLE or kernel.hidden_size > LARGEST_PERSISTENT:
        near = _near(kernel)
        missing.append(f"model.hidden_size={near} (a multiple of {MULTIPLE}, at most {LARGEST_PERSISTENT})")
    if kernel.input_size % MULTIPLE:
        missing.append(
            f"an input of a multiple of {MULTIPLE} (model.embed_size, above the first layer model.hidden_size)"
        )
    if not (_suits_newer(kernel, batch_size) if newer else _suits_volta(batch_size, tokens)):
        missing.append(_batches(kernel) if newer else _batches_of_volta(tokens))
    return tuple(missing)


def _suits_newer(kernel: nn.RNNBase, batch_size: int) -> bool:
    large = _kind(kernel) == "RNN" and kernel.hidden_size >= 896  # where it is slower from 96 sequences on
    return batch_size % 8 == 0 and batch_size <= (88 if large else 128)


def _batches(kernel: nn.RNNBase) -> str:
    most = 128 if _suits_newer(kernel, 128) else 88
    return f"data.batch_size of at most {most}, a multiple of 8"


def _suits_volta(batch_size: int, tokens: int) -> bool:
    fits = (batch_size % 16 == 0 and batch_size not in (80, 112)) or batch_size == 8
    return fits and batch_size <= _most_on_volta(tokens)


def _most_on_volta(tokens: int) -> int:
    return next((most for least, most in ((40, 128), (20, 96), (10, 32)) if tokens >= least), 0)


def _batches_of_volta(tokens: int) -> str:
    most = _most_on_volta(tokens)
    if not most:
        return "sequences of at least 10 tokens"
    legal = [str(size) for size in range(8, most + 1) if _suits_volta(size, tokens)]
    return f"data.batch_size={', '.join(legal[:-1])} or {legal[-1]}"


def _kind(kernel: nn.RNNBase) -> str:
    """RNN, LSTM or GRU; torch's mode of an RNN is RNN_TANH or RNN_RELU."""
    return kernel.mode.partition("_")[0]


def _near(kernel: nn.RNNBase) -> int:
    """The nearest hidden size for the persistent kernel, for which the small one is not chosen in the backward pass."""
    least = (SMALL[_kind(kernel)][1] // MULTIPLE + 1) * MULTIPLE
    return min(LARGEST_PERSISTENT, max(least, round(kernel.hidden_size / MULTIPLE) * MULTIPLE))
