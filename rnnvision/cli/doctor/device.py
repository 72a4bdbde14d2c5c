"""Checks of torch and of the devices that it computes on."""

import importlib
import warnings
from collections.abc import Iterator
from pathlib import Path

from rnnvision.cli.doctor.finding import Finding
from rnnvision.cli.frame.signals import STOP

SAME_RELEASE = "pip install torch torchvision -c constraints.txt, which names versions that fit each other"


def check_devices() -> Iterator[Finding]:
    """Whether torch and torchvision can be imported, and whether each device computes."""
    for package in ("torch", "torchvision"):
        if why := _broken(package):
            yield Finding("fail", f"{package} cannot be imported: {why}", SAME_RELEASE)
            if package == "torch":
                return
    import torch

    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for the CPU"
    yield computes("cpu", f"torch {torch.__version__}, {built}: the CPU")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for index in range(count):
        about = torch.cuda.get_device_properties(index)
        yield computes(f"cuda:{index}", f"GPU {index}: {about.name}, {about.total_memory / 2**30:.0f} GiB")
    if not count:
        yield _no_gpu(torch.version.cuda, [str(warning.message) for warning in said])
    if torch.backends.mps.is_available():
        yield computes("mps", "the GPU of this Mac")
    yield precision("cuda" if count else "cpu")


def _broken(package: str) -> str:
    """Why a package cannot be imported; "" where it can, and is: the operators of torchvision are registered then."""
    try:
        with STOP.importing():
            importlib.import_module(package)
    except Exception as error:  # a shared library that is missing raises OSError, another build RuntimeError
        return _line(error)
    return ""


def computes(device: str, name: str) -> Finding:
    """A product of two small matrices on a device, and its gradient."""
    import torch

    try:
        x = torch.ones(8, 8, device=device, requires_grad=True)
        (x @ x).sum().backward()
        right = x.grad is not None and bool((x.grad == 16).all())
    except Exception as error:  # CUDA's and MPS's own
        return Finding("fail", f"{name} does not compute: {_line(error)}", _todo(device))
    return Finding("ok", f"{name} computes") if right else Finding("fail", f"{name} computes wrongly", _todo(device))


def precision(device: str) -> Finding:
    """What trainer.precision=auto takes on a device, where half precision is tried."""
    with STOP.importing():
        from rnnvision.training.precision import choose_precision
    chosen, why = choose_precision("auto", device)
    return Finding("-", f"trainer.precision=auto is {chosen}: {why}")


def _no_gpu(built_for: str | None, said: list[str]) -> Finding:
    if not Path("/dev/nvidia0").exists():
        return Finding("-", "no CUDA GPU")
    if built_for is None:
        return Finding("warn", "there is an NVIDIA GPU, and this torch is built for the CPU", "install torch for CUDA")
    why = f" ({' '.join(said[0].split())})" if said else ""
    return Finding("warn", f"there is an NVIDIA GPU that torch cannot use{why}", "nvidia-smi; update the driver")


def _todo(device: str) -> str:
    return SAME_RELEASE if device == "cpu" else "device=cpu trains without it; nvidia-smi says what else uses it"


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
