"""Export: a trained network as a file that other programs read, one format a module.

Each file carries a card (`card.py`), and `rnnvision.load` reads it back (`rnnvision.inference.exported`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from rnnvision.inference.export.card import ExportError
from rnnvision.inference.export.hub import write_hub
from rnnvision.inference.export.onnx_file import write_onnx
from rnnvision.inference.export.pt2 import write_torch_export
from rnnvision.inference.export.safetensors_file import write_safetensors
from rnnvision.inference.export.step_file import write_step
from rnnvision.inference.export.web import write_web
from rnnvision.registry import Registry


@dataclass(frozen=True)
class Format:
    """A format of exported files.

    Attributes:
        file: the usual name of the file, or of the folder, which has no suffix.
        says: one line on what it is.
        write: writes a Classifier to a Path; `quantize=True` only where `quantizes`.
        quantizes: whether the weights can be quantised.
        loads: whether `rnnvision.load` reads it.
        usage: otherwise, the command that uses what was written, with {path} in it.
    """

    file: str
    says: str
    write: Callable[..., None]
    quantizes: bool = False
    loads: bool = True
    usage: str = ""


FORMATS: Registry[Format] = Registry(
    "format",
    {
        "onnx": Format("model.onnx", "the network as an ONNX graph, for onnxruntime", write_onnx, quantizes=True),
        "step": Format(
            "step.onnx", "one time step as an ONNX graph, for streams of any length", write_step, quantizes=True
        ),
        "torch_export": Format("model.pt2", "a program of torch.export", write_torch_export),
        "safetensors": Format("model.safetensors", "the weights, with a card in the header", write_safetensors),
        "hub": Format("hub", "the folder that model hubs expect", write_hub),
        "web": Format(
            "web",
            "a page that runs the network in the browser, for any server of files",
            write_web,
            loads=False,
            usage="python -m http.server --bind 127.0.0.1 --directory {path}",
        ),
    },
)

__all__ = ["FORMATS", "ExportError", "Format"]
