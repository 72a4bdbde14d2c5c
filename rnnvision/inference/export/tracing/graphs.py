"""From a network to a program of torch, and from that to a graph of ONNX."""

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from rnnvision.inference.export.card import ExportError
from rnnvision.inference.export.tracing.kernels import translations

if TYPE_CHECKING:
    from onnx import ModelProto

BATCH = "batch"  # the name of the dimension that may have any size
LARGEST = 2**31  # bytes of a tensor
EXAMPLES = 2  # images in the example that is traced: of 1 torch would think that it is always 1


def trace(network: nn.Module, inputs: tuple[Tensor | tuple[Tensor, ...], ...], of: str) -> ExportedProgram:
    """The program of a network that `portable` gave, for batches of any size.

    Raises:
        ExportError: for a network, of a plugin say, that cannot be traced or only with one size of batch.
    """
    batch = {0: Dim(BATCH)}
    shapes = tuple(batch if isinstance(given, Tensor) else (batch,) * len(given) for given in inputs)
    try:
        with quiet(), torch.no_grad():
            return torch.export.export(network, inputs, dynamic_shapes=shapes, strict=False)
    except Exception as error:  # torch.export fails with errors of any type
        raise ExportError(f"{of}: cannot be exported: {_first_line(error)}") from error


def to_onnx(program: ExportedProgram, inputs: Sequence[str], outputs: Sequence[str], of: str) -> "ModelProto":
    """The graph of a program, with what it was made from left out: line by line, it names folders of this machine.

    Raises:
        ExportError: for an operator that ONNX does not have; UsageError where packages are missing.
    """
    from onnxscript.optimizer import fold_constants, remove_unused_nodes

    try:
        with quiet(), torch.no_grad():
            made = torch.onnx.export(
                program,
                dynamo=True,
                input_names=list(inputs),
                output_names=list(outputs),
                custom_translation_table=translations(),
                verbose=False,
            )
            assert made is not None
            # What is computed from the weights alone is computed now, however large: the exporter stops at 8 kB.
            fold_constants(made.model, input_size_limit=LARGEST, output_size_limit=LARGEST)
            remove_unused_nodes(made.model)
            graph = made.model_proto
    except Exception as error:
        raise ExportError(f"{of}: cannot be exported to ONNX: {_first_line(error)}") from error
    _strip(graph)
    _name_batch(graph)
    return graph


def require(*packages: str, extra: str = "export") -> None:
    """Check that packages are installed.

    Raises:
        ExportError: that says what to type.
    """
    import importlib.util

    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ExportError(f'{package} is not installed; type: pip install "rnnvision[{extra}]"')


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings and the log of torch's exporters, which are about their own code."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(before)


def parts(graph: "ModelProto") -> Iterator[Any]:
    """The graph of a model, its functions, and the graphs within their nodes, such as the body of a Scan."""
    waiting: list[Any] = [graph.graph, *graph.functions]
    while waiting:
        part = waiting.pop()
        yield part
        for node in part.node:
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += attribute.graphs


def _strip(graph: "ModelProto") -> None:
    """Take out the notes of the exporter."""
    del graph.metadata_props[:]
    for part in parts(graph):
        for noted in (part, *part.value_info, *part.node):
            noted.ClearField("doc_string")
            del noted.metadata_props[:]


def _name_batch(graph: "ModelProto") -> None:
    """Call the dimension of any size by its name; torch has a symbol for it, such as s34."""
    symbol = graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    named = [value for part in parts(graph) for value in part.value_info]
    for value in (*graph.graph.input, *graph.graph.output, *named):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = re.sub(rf"\b{symbol}\b", BATCH, dim.dim_param)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "No ONNX function" in line or "Constraints" in line] or lines or [""]
    return f"{type(error).__name__}: {telling[0][:200]}"
