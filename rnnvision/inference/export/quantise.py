"""Dynamic quantisation by onnxruntime: weights as 8-bit integers, activations quantised as they come."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rnnvision.inference.export.card import ExportError
from rnnvision.inference.export.tracing.graphs import parts, quiet, require

if TYPE_CHECKING:
    from onnx import ModelProto

KINDS = ["LSTM", "MatMul"]  # operators whose weights are quantised; Gemm becomes MatMul
STAY = {"GRU": "GRU", "RNN": "RNN", "Scan": "a recurrence that is a Scan"}


def quantised(graph: "ModelProto") -> "ModelProto":
    """A graph with quantised weights.

    Raises:
        ExportError: for a recurrence that would stay as it is.
    """
    require("onnx", "onnxruntime")
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    kinds = {node.op_type for part in parts(graph) for node in part.node}
    if stays := [said for kind, said in STAY.items() if kind in kinds]:
        raise ExportError(
            f"quantize=dynamic: onnxruntime quantises LSTM, and this network has {stays[0]}; leave quantize out"
        )
    with TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "quantised.onnx"
        quantize_dynamic(graph, path, op_types_to_quantize=KINDS, weight_type=QuantType.QInt8)
        return onnx.load(str(path))
