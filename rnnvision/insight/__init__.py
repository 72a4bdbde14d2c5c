"""Insight: questions about a network and its answers, as functions.

Importing this package imports nothing more: a name is fetched when it is asked for, so that what needs no torch
(`classes`, `reliability`, `mcnemar`) does without it.
"""

from typing import TYPE_CHECKING

from rnnvision.lazy import lazily

if TYPE_CHECKING:
    from rnnvision.insight.anytime import AnytimeCurve, Stop, anytime_curve, settled_after, stop_when_sure
    from rnnvision.insight.attention import attention_maps, scan_path
    from rnnvision.insight.classes import (
        ClassScore,
        Confusion,
        class_scores,
        confusion_matrix,
        most_confused,
        names_in,
        surest_mistakes,
    )
    from rnnvision.insight.cost import multiply_adds
    from rnnvision.insight.gates import Saturation, gate_values, network_gates, saturation
    from rnnvision.insight.gradients import GradientFlow, gradient_flow, memory_length, token_influence
    from rnnvision.insight.kernels import Gpu, Kernels, cudnn_kernels, network_kernels
    from rnnvision.insight.labels import Suspect, class_thresholds, confident_classes, confident_joint, wrong_labels
    from rnnvision.insight.mcnemar import disagreements, mcnemar_test
    from rnnvision.insight.memory import activation_bytes, eval_batch_size, training_bytes
    from rnnvision.insight.reliability import Bin, calibration_error, reliability_bins
    from rnnvision.insight.saliency import (
        completeness_gap,
        gradient_saliency,
        input_times_gradient,
        integrated_gradients,
    )
    from rnnvision.insight.speed import (
        Speed,
        forget_peak,
        growth,
        latency,
        matrix_rate,
        peak_memory,
        quick_latency,
        throughput,
        wait_for,
    )
    from rnnvision.insight.trajectories import Trajectories, state_trajectories
else:
    __getattr__ = lazily(
        __name__,
        anytime="AnytimeCurve Stop anytime_curve settled_after stop_when_sure",
        attention="attention_maps scan_path",
        classes=("ClassScore Confusion class_scores confusion_matrix most_confused names_in surest_mistakes"),
        cost="multiply_adds",
        gates="Saturation gate_values network_gates saturation",
        gradients="GradientFlow gradient_flow memory_length token_influence",
        kernels="Gpu Kernels cudnn_kernels network_kernels",
        labels="Suspect class_thresholds confident_classes confident_joint wrong_labels",
        mcnemar="disagreements mcnemar_test",
        memory="activation_bytes eval_batch_size training_bytes",
        reliability="Bin calibration_error reliability_bins",
        saliency="completeness_gap gradient_saliency input_times_gradient integrated_gradients",
        speed="Speed forget_peak growth latency matrix_rate peak_memory quick_latency throughput wait_for",
        trajectories="Trajectories state_trajectories",
    )

__all__ = [
    "AnytimeCurve",
    "Bin",
    "ClassScore",
    "Confusion",
    "Gpu",
    "GradientFlow",
    "Kernels",
    "Saturation",
    "Speed",
    "Stop",
    "Suspect",
    "Trajectories",
    "activation_bytes",
    "anytime_curve",
    "attention_maps",
    "calibration_error",
    "class_scores",
    "class_thresholds",
    "completeness_gap",
    "confident_classes",
    "confident_joint",
    "confusion_matrix",
    "cudnn_kernels",
    "disagreements",
    "eval_batch_size",
    "forget_peak",
    "gate_values",
    "gradient_flow",
    "gradient_saliency",
    "growth",
    "input_times_gradient",
    "integrated_gradients",
    "latency",
    "matrix_rate",
    "mcnemar_test",
    "memory_length",
    "most_confused",
    "multiply_adds",
    "names_in",
    "network_gates",
    "network_kernels",
    "peak_memory",
    "quick_latency",
    "reliability_bins",
    "saturation",
    "scan_path",
    "settled_after",
    "state_trajectories",
    "stop_when_sure",
    "surest_mistakes",
    "throughput",
    "token_influence",
    "training_bytes",
    "wait_for",
    "wrong_labels",
]
