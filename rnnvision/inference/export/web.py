"""web: the page of the demo as a folder for any server of files, with the network as a graph that the browser runs."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rnnvision.atomic import replaced
from rnnvision.inference.demo.facts import PAGE, facts_of, mode_of
from rnnvision.inference.demo.onnxruntime_web import FILES, runtime
from rnnvision.inference.export.card import ExportError
from rnnvision.inference.export.tracing.graphs import EXAMPLES, require, to_onnx, trace
from rnnvision.inference.export.tracing.kernels import with_operators
from rnnvision.inference.export.tracing.portable import portable

if TYPE_CHECKING:
    from rnnvision.inference.classifier import Classifier

TOLERANCE = 1e-4  # of a probability
MAX_PASSES = 8  # each is written out in the graph: 28 of an LSTM take a minute
# Of the server's page it is a header (`guard.py`). WebAssembly is code.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'"
)


class Beliefs(nn.Module):
    """pixels (B, C, H, W) from 0 to 1 -> probabilities (B, T, K), and of glimpses their attention (B, T, H, W)."""

    def __init__(self, classifier: "Classifier") -> None:
        super().__init__()
        self.network: Any = with_operators(portable(classifier.network))
        temperatures = classifier.temperatures  # (T,) or (1,)
        self.mode, _ = mode_of(classifier.network, MAX_PASSES)
        self.register_buffer("temperatures", (temperatures[-1:] if self.mode == "end" else temperatures)[:, None])
        for key in ("mean", "std"):
            values = torch.tensor(classifier.description["normalisation"][key])
            self.register_buffer(key, values[:, None, None])

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        x = (pixels - self.get_buffer("mean")) / self.get_buffer("std")
        logits = self.network(x).unsqueeze(1) if self.mode == "end" else self.network.forward_anytime(x)
        probabilities = (logits / self.get_buffer("temperatures")).softmax(dim=-1)
        return (probabilities, self.network.attention_maps(x)) if self.mode == "glimpses" else (probabilities,)


def write_web(classifier: "Classifier", path: Path) -> None:
    """Write the folder: index.html with its styles and scripts, facts.json, model.onnx and onnxruntime-web.

    Raises:
        ExportError: for a folder that holds something else, or a network that cannot be exported.
    """
    require("onnx", "onnxscript", "onnxruntime")
    if path.is_dir() and any(path.iterdir()) and not (path / "facts.json").is_file():
        raise ExportError(f"{path}: holds other files; give a new folder with output=")
    found = runtime()
    beliefs = Beliefs(classifier).eval()
    outputs = ["probabilities", "attention"][: 2 if beliefs.mode == "glimpses" else 1]
    program = trace(beliefs, (torch.zeros(EXAMPLES, *classifier.input_shape),), str(classifier.path))
    graph = to_onnx(program, ["pixels"], outputs, str(classifier.path)).SerializeToString(deterministic=True)
    _check(graph, beliefs, classifier.input_shape, str(classifier.path))
    _put(path / "model.onnx", graph)
    for file in PAGE.iterdir():
        if file.name != "reader.js":
            _put(path / file.name.replace("reader_in_browser", "reader"), file.read_bytes())
    _put(path / "index.html", _page().encode())
    _put(path / "facts.json", json.dumps(facts_of(classifier, MAX_PASSES)).encode())
    for name in FILES:
        with replaced(path / name) as temporary:
            shutil.copyfile(found / name, temporary)


def _page() -> str:
    """index.html with the policy that a server would send as a header."""
    first = '<meta charset="utf-8">\n'
    policy = f'<meta http-equiv="content-security-policy" content="{POLICY}">\n'
    text = (PAGE / "index.html").read_text(encoding="utf-8")
    assert first in text
    return text.replace(first, first + policy)


def _check(graph: bytes, beliefs: Beliefs, shape: tuple[int, ...], of: str) -> None:
    """Compare what onnxruntime answers with the network's own answer."""
    import onnxruntime

    pixels = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    found = torch.from_numpy(session.run(["probabilities"], {"pixels": pixels.numpy()})[0])
    with torch.inference_mode():
        difference = float((found - beliefs(pixels)[0]).abs().max())
    if not difference <= TOLERANCE:
        raise ExportError(f"{of}: its graph gives other probabilities, by {difference:.1e}; it is not written")


def _put(path: Path, content: bytes) -> None:
    with replaced(path) as temporary:
        temporary.write_bytes(content)
