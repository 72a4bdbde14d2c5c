"""The network of a checkpoint: described, compared with the weights, and only then given memory.

A description may ask for terabytes or for a hundred thousand layers. So the network is first made on the device `meta`,
which has shapes and no values, and stopped as soon as it has more than the file holds.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode

from rnnvision.checks import shortened
from rnnvision.nn import build

OURS = ("rnnvision.", "torch.", "torchvision.")  # whose modules are whole again after `to_empty`
SLACK = 2  # times what a file holds: a head may be replaced by another one
SPARE_NUMBERS, SPARE_TENSORS, SPARE_MODULES = 1_000_000, 100, 1_000
MODULES_PER_TENSOR = 20


def network_of(arguments: Mapping[str, Any], weights: Mapping[str, Tensor], *, reconstructs: bool) -> nn.Module:
    """The network of these arguments with these weights.

    Raises:
        ValueError, RuntimeError: for arguments that are wrong, and for weights that are not those of the network.
    """
    network = _shape_of(arguments, weights, reconstructs)
    check_same(network.state_dict(), weights)
    for name, weight in weights.items():
        if weight.is_floating_point() and not weight.isfinite().all():
            raise ValueError(f"{name} holds what is no finite number; its training diverged")
    if all(type(part).__module__.startswith(OURS) for part in network.modules()):
        network.to_empty(device="cpu")
    else:  # of a plugin, which may keep values where `to_empty` does not find them
        network = _made(arguments, reconstructs)
    network.load_state_dict(weights)
    return network


def _made(arguments: Mapping[str, Any], reconstructs: bool) -> nn.Module:
    network: Any = build(**arguments)
    if reconstructs:
        network.use_reconstruction_head()
    return network


def _shape_of(arguments: Mapping[str, Any], weights: Mapping[str, Tensor], reconstructs: bool) -> nn.Module:
    with _no_more_than(weights), torch.device("meta"), _Uninitialised():
        try:
            return _made(arguments, reconstructs)
        except (TypeError, KeyError, IndexError, AttributeError, OverflowError, MemoryError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error


FILLS = {"uniform_", "normal_", "fill_", "zero_", "copy_", "erfinv_", "mul_", "add_", "clamp_"}


class _Uninitialised(TorchFunctionMode):
    """Leave out what gives weights their first values: on `meta` they have none, and others take their place."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        of_init = getattr(func, "__module__", None) == "torch.nn.init"
        given = (kwargs or {}).get("tensor", args[0] if args else None)
        if (of_init or getattr(func, "__name__", "") in FILLS) and isinstance(given, Tensor) and given.is_meta:
            return given
        return func(*args, **(kwargs or {}))


@contextmanager
def _no_more_than(weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Within, a network that gets more modules, tensors or numbers than these weights explain is a ValueError."""
    held = sum(weight.numel() for weight in weights.values())
    left = {
        "modules": MODULES_PER_TENSOR * len(weights) + SPARE_MODULES,
        "tensors": SLACK * len(weights) + SPARE_TENSORS,
        "numbers": SLACK * held + SPARE_NUMBERS,
    }
    thread = threading.get_ident()  # others may make networks of their own at the same time

    def take(**used: int) -> None:
        if threading.get_ident() != thread:
            return
        for what, count in used.items():
            left[what] -= count
            if left[what] < 0:
                raise ValueError(
                    f"its description asks for a larger network than its {len(weights)} weights of {held:,} numbers"
                )

    def tensor(_: nn.Module, __: str, value: Tensor | None) -> None:
        if value is not None:
            take(tensors=1, numbers=value.numel() if value.is_meta else 0)

    handles = [
        hooks.register_module_parameter_registration_hook(tensor),
        hooks.register_module_buffer_registration_hook(tensor),
        hooks.register_module_module_registration_hook(lambda *_: take(modules=1)),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def check_same(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Check the names, shapes and types of weights against those of the network."""
    if missing := [name for name in own if name not in weights]:
        raise ValueError(f"it lacks {shortened(missing)}")
    if strange := [name for name in weights if name not in own]:
        raise ValueError(f"it holds {shortened(strange)}, which the network has not")
    for name, weight in weights.items():
        mine = own[name]
        if weight.shape != mine.shape:
            shapes = (" x ".join(map(str, tensor.shape)) or "one number" for tensor in (weight, mine))
            raise ValueError("{} is {}, and in the network {}".format(name, *shapes))
        if weight.dtype != mine.dtype and not (weight.is_floating_point() and mine.is_floating_point()):
            raise ValueError(f"{name} is {weight.dtype}, and in the network {mine.dtype}")
