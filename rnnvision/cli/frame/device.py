"""The Trainer of a verb: where it runs, and what it says."""

import ctypes
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, Checkpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.profilers import AdvancedProfiler, PyTorchProfiler, SimpleProfiler
from torch import nn

from rnnvision.checks import counted
from rnnvision.cli.frame.live.bar import LiveBar
from rnnvision.cli.frame.live.line import is_live
from rnnvision.cli.frame.trainer.arguments import ALIASES, REFUSED, check_trainer
from rnnvision.cli.frame.trainer.device_type import check_devices, device_type
from rnnvision.cli.frame.trainer.give_way import GiveWay
from rnnvision.cli.frame.trainer.position import Position
from rnnvision.cli.frame.trainer.saving import Saving, last_of
from rnnvision.cli.frame.trainer.stop import Stop
from rnnvision.errors import UsageError
from rnnvision.others import cores
from rnnvision.runs import RunFolder, is_first_process
from rnnvision.runs.ranks import name_of_ranks
from rnnvision.training import VerifiedCheckpointIO
from rnnvision.training.precision import FP16, choose_precision

# Of this process, before a job of a sweep takes fewer; torch does not see the quota of a container.
ALL_THREADS = min(torch.get_num_threads(), max(1, int(cores())))
PROFILERS: dict[str, Any] = {  # into the run folder
    "simple": SimpleProfiler,
    "advanced": AdvancedProfiler,
    "pytorch": PyTorchProfiler,
}
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
KEPT_BYTES = 2**30


def make_trainer(
    arguments: dict[str, Any],
    run: RunFolder,
    *,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    save_every: int | None = None,
) -> L.Trainer:
    """A Lightning Trainer from the keyword arguments in the configuration, and the callbacks and loggers of a verb.

    `save_every` steps the last checkpoint is written within an epoch too.

    Raises:
        UsageError: for a device that is not there, an unknown argument, or a value that Lightning refuses.
    """
    _quieten()
    keep_freed_memory()
    check_trainer(arguments)
    _check_device(arguments)
    kind = device_type(str(arguments.get("accelerator", "auto")))
    asked = arguments.get("precision")
    precision, _ = choose_precision(ALIASES.get(str(asked), asked), kind)
    if str(precision) == FP16 and kind == "cpu":
        raise UsageError(f"trainer.precision={asked}: a GPU's; choose trainer.precision=bf16-mixed, or auto")
    arguments = {k: v for k, v in arguments.items() if k not in REFUSED} | {"precision": precision}
    if profiler := PROFILERS.get(str(arguments.get("profiler"))):
        arguments["profiler"] = profiler(dirpath=str(run.path), filename="profile")
    shows_bar = arguments.pop("enable_progress_bar", None)
    shows_bar = is_first_process() and (is_live(sys.stdout) if shows_bar is None else shows_bar)
    position = Position()
    within_epochs = [position, Saving(position, last_of(callbacks), save_every), Stop()]
    try:
        return L.Trainer(
            **arguments,
            logger=loggers,
            callbacks=[GiveWay(), *within_epochs, *callbacks, *([LiveBar()] if shows_bar else [])],
            plugins=[VerifiedCheckpointIO()],
            default_root_dir=str(run.path),
            enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
            enable_progress_bar=shows_bar,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
    except (MisconfigurationException, ImportError, RuntimeError, ValueError, TypeError) as error:
        raise UsageError(f"trainer: {' '.join(str(error).split())}") from error


def keep_freed_memory() -> None:
    """Let this process keep memory that it has freed, for the next step, where the C library is glibc.

    By default glibc gives blocks of megabytes back to the system, which clears them page by page when the next step
    asks for them again: for two LSTM layers of 256 a quarter of a step's time on a CPU. What the user has set for
    malloc in the environment stays.
    """
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)


def share_cores(num_workers: int) -> None:
    """Leave a core to each of the processes that read images beside a training on the CPU; 0 takes all back.

    A number that the user has chosen ($OMP_NUM_THREADS) stays.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, ALL_THREADS - num_workers))


def device_line(trainer: L.Trainer, precision: object) -> str:
    """Where the run runs, and in which precision and why, in words; `precision` is what was asked for."""
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else counted(torch.get_num_threads(), "thread")
    processes = f", {trainer.world_size} processes" if trainer.world_size > 1 else ""
    _, reason = choose_precision(precision, device.type)
    return f"{device.type} ({name}){processes}, precision {trainer.precision}{f' ({reason})' if reason else ''}"


def kernel_lines(network: nn.Module, input_shape: Sequence[int], trainer: L.Trainer, batch_size: int) -> list[str]:
    """On a GPU: which of cuDNN's kernels the recurrences get, and what would make it a faster one."""
    from rnnvision.insight import Gpu, network_kernels

    device = trainer.strategy.root_device
    if device.type != "cuda" or torch.version.hip is not None or not torch.backends.cudnn.enabled:
        return []
    found = network_kernels(
        network, input_shape, Gpu.of(device), batch_size=batch_size, precision=str(trainer.precision)
    )
    return [
        f"kernel    cuDNN's {kernels}"
        f"{'; for the persistent one: ' + ', '.join(kernels.missing) if kernels.missing else ''}"
        for kernels in found
    ]


def _check_device(arguments: dict[str, Any]) -> None:
    accelerator, devices = arguments.get("accelerator", "auto"), arguments.get("devices", 1)
    check_devices(devices, on_cpu=accelerator != "gpu" and device_type(str(accelerator)) == "cpu")
    if accelerator in ("gpu", "cuda"):
        found = torch.cuda.device_count()
        wanted = devices if isinstance(devices, int) else 1
        if found == 0 or wanted > found:
            seen = counted(found, "CUDA GPU")
            raise UsageError(f"{_typed_device(accelerator)}: torch sees {seen}; choose device=cpu or device=auto")
    if arguments.get("sync_batchnorm") and (device_type(str(accelerator)) != "cuda" or devices == 1):
        raise UsageError("trainer.sync_batchnorm=true: works between several GPUs; choose device=ddp")
    if arguments.get("num_nodes", 1) > 1 and name_of_ranks() is None:
        raise UsageError(
            f"trainer.num_nodes={arguments['num_nodes']}: the processes of several machines are started by torchrun or "
            f"srun, see docs/clusters.md; for one machine choose trainer.devices"
        )
    if accelerator == "mps" and not torch.backends.mps.is_available():
        raise UsageError(f"{_typed_device('mps')}: there is no Apple GPU here; choose device=cpu or device=auto")
    if arguments.get("deterministic"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuDNN's recurrences are not repeatable without


def _typed_device(accelerator: str) -> str:
    """The word that has chosen the accelerator: device=gpu, device=ddp, or the key itself."""
    chosen = HydraConfig.get().runtime.choices.get("device") if HydraConfig.initialized() else None
    by_key = chosen in (None, "auto", "cpu", "cpu_ddp")
    return f"trainer.accelerator={accelerator}" if by_key else f"device={chosen}"


def _quieten() -> None:
    """Lightning's banners say what our own first lines say; of its warnings, those that are of no use here."""
    if not torch.cuda.is_available():
        # Lightning has torch ask the GPU's driver library, which is looked for anew in every step of an optimiser.
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        r"Checkpoint directory .* exists and is not empty",  # a resumed run
        r"The dirpath has changed",  # of a run that was renamed; BestCheckpoint goes on all the same
        r".*does not have many workers",
        r"GPU available but not used",
        r"`ModelCheckpoint\(monitor=.*could not find the monitored key",  # an epoch without a validation
        r"The number of training batches .* is smaller than the logging interval",  # nothing is logged within an epoch
        r"The `srun` command is available on your system but is not used",  # a job of one task starts its own processes
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    ):
        warnings.filterwarnings("ignore", message=message)
