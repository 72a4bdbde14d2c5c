"""Insight: questions about a network and its answers, as functions.

Importing this package imports nothing else: a name is fetched when it is asked for, so that what needs no torch
(`classes`, `reliability`, `mcnemar`) does without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnvision.insight.anytime import AnytimeCurve, Stop, anytime_curve, settled_after, stop_when_sure
    from rnnvision.insight.classes import ClassScore, Confusion, class_scores, confusion_matrix, most_confused, names_in
    from rnnvision.insight.cost import multiply_adds
    from rnnvision.insight.kernels import cudnn_kernel
    from rnnvision.insight.mcnemar import disagreements, mcnemar_test
    from rnnvision.insight.memory import activation_bytes, eval_batch_size
    from rnnvision.insight.reliability import Bin, calibration_error, reliability_bins
    from rnnvision.insight.speed import (
        Speed,
        forget_peak,
        growth,
        latency,
        matrix_rate,
        peak_memory,
        throughput,
        wait_for,
    )

__all__ = [
    "AnytimeCurve",
    "Bin",
    "ClassScore",
    "Confusion",
    "Speed",
    "Stop",
    "activation_bytes",
    "anytime_curve",
    "calibration_error",
    "class_scores",
    "confusion_matrix",
    "cudnn_kernel",
    "disagreements",
    "eval_batch_size",
    "forget_peak",
    "growth",
    "latency",
    "matrix_rate",
    "mcnemar_test",
    "most_confused",
    "multiply_adds",
    "names_in",
    "peak_memory",
    "reliability_bins",
    "settled_after",
    "stop_when_sure",
    "throughput",
    "wait_for",
]
_MODULES = ("classes", "mcnemar", "reliability", "anytime", "cost", "kernels", "memory", "speed")  # without torch first


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            if hasattr(found := import_module(f"{__name__}.{module}"), name):
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
