"""torch_export: a program of `torch.export` (.pt2), images (B, C, H, W) -> logits (B, K), for batches of any size.

It runs without the code of the network, in Python or, compiled ahead of time, without Python.
"""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import GraphModule

from rnnvision.atomic import replaced
from rnnvision.inference.export.card import card_of, check_answers, check_content, dumped, parsed
from rnnvision.inference.export.pt2_archive import checked, repacked
from rnnvision.inference.export.tracing.graphs import EXAMPLES, quiet, trace
from rnnvision.inference.export.tracing.portable import portable
from rnnvision.training import CheckpointError
from rnnvision.training.saving.content import digest

if TYPE_CHECKING:
    from rnnvision.inference.classifier import Classifier

CARD_FILE = "rnnvision.json"
# Where in the code a node comes from: names folders of this machine.
NOTES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node", "custom")


def write_torch_export(classifier: "Classifier", path: Path) -> None:
    """Write the program of a classifier, with its card among the extra files."""
    network = portable(classifier.network)
    program = trace(network, (torch.zeros(EXAMPLES, *classifier.input_shape),), str(classifier.path))
    program.graph.eliminate_dead_code()  # torch cannot read back a node without outputs
    for graph in program.graph_module.modules():
        for node in graph.graph.nodes if isinstance(graph, GraphModule) else ():
            for key in NOTES:
                node.meta.pop(key, None)
    card = card_of(classifier, "torch_export", content_of(program))
    made = BytesIO()  # in a file, its entries would have the name of the file
    with quiet():
        torch.export.save(program, made, extra_files={CARD_FILE: dumped(card)})
    with replaced(path, suffix=path.suffix) as temporary:
        temporary.write_bytes(made.getvalue())


def read_torch_export(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a .pt2 file that this project exported, and its card.

    Raises:
        CheckpointError: for a file that is damaged, has no card or one that is not its own, or that holds more than a
            program and its weights.
    """
    entries = checked(path)
    card = parsed(entries.get(f"extra/{CARD_FILE}"), path)
    try:
        with quiet():
            program = torch.export.load(repacked(entries))
    except Exception as error:  # of any type, in what is damaged
        raise CheckpointError(f"{path}: torch {torch.__version__} cannot read it: {_line(error)}") from error
    check_content(card, content_of(program), path)
    network = Program(program)
    check_answers(network, card, path)
    return network, card


class Program(nn.Module):
    """A program as a network in evaluation mode, which it cannot leave."""

    no_stream = "a program of the whole network reads whole images; export the checkpoint with format=step"

    def __init__(self, program: ExportedProgram) -> None:
        super().__init__()
        self.program = program.module()

    def forward(self, images: Tensor) -> Tensor:
        return self.program(images.float().cpu()).to(images.device)

    def _apply(self, *_: Any, **__: Any) -> "Program":
        """Stay where it is, on the CPU, in float32: a program names both for the states that it begins with."""
        return self

    def train(self, mode: bool = True) -> "Program":
        self.training = False
        return self


def content_of(program: ExportedProgram) -> str:
    """The digest of a program's weights; the archive has a checksum of each of its entries."""
    return digest({name: program.state_dict[name].detach() for name in sorted(program.state_dict)})


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
