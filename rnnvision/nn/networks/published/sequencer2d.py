"""Weights of Sequencer2D, its authors' (github.com/okojoalg/sequencer) and timm's, for our `Sequencer2D`.

`KEYS` is the complete mapping. All shapes are the same, and so is the order of an LSTM's gates; they keep both
directions in one module and mark the names of the backward one, which here is a layer of its own. The authors' names
differ from timm's in three places: stages are called blocks, the map between two stages is the last part of the first
of them, and the head has no part of its own.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from math import prod
from typing import Any

import torch
from torch import Tensor

from rnnvision.nn.networks.published.names import Published, check_shapes, counted_from_zero, lacks
from rnnvision.nn.networks.sequencer import VARIANTS, Sequencer2D, Variant

ORIGIN = "Sequencer2D"
# Part of their key -> part of ours, as regular expressions, applied in this order.
KEYS = {
    r"^blocks\.(\d+)\.(\d+)\.(?!down\.)": r"stages.\1.blocks.\2.",  # the authors'
    r"^stem\.proj\.": "stages.0.embed.",
    r"\.downsample\.down\.": ".embed.",
    r"\.norm1\.": ".mixer_norm.",
    r"\.rnn_tokens\.rnn_v\.": ".mixer.columns.",
    r"\.rnn_tokens\.rnn_h\.": ".mixer.rows.",
    r"\.(columns|rows)\.(\w+_l0)$": r".\1.recurrence.layers.0.kernel.\2",
    r"\.(columns|rows)\.(\w+_l0)_reverse$": r".\1.recurrence.backward_layers.0.kernel.\2",
    r"\.rnn_tokens\.fc\.": ".mixer.merge.",
    r"\.norm2\.": ".mlp_norm.",
    r"\.mlp_channels\.fc1\.": ".mlp.0.",
    r"\.mlp_channels\.fc2\.": ".mlp.3.",
    r"^head\.fc\.": "head.",
}
PARTS = {  # their part of a key <- ours, as regular expressions
    ".norm1.": r"\.mixer_norm\.",
    ".norm2.": r"\.mlp_norm\.",
    ".rnn_tokens.fc.": r"\.mixer\.merge\.",
    r".rnn_tokens.rnn_v.\1": r"\.mixer\.columns\.recurrence\.layers\.0\.kernel\.(.*)",
    r".rnn_tokens.rnn_h.\1": r"\.mixer\.rows\.recurrence\.layers\.0\.kernel\.(.*)",
    r".rnn_tokens.rnn_v.\1_reverse": r"\.mixer\.columns\.recurrence\.backward_layers\.0\.kernel\.(.*)",
    r".rnn_tokens.rnn_h.\1_reverse": r"\.mixer\.rows\.recurrence\.backward_layers\.0\.kernel\.(.*)",
    ".mlp_channels.fc1.": r"\.mlp\.0\.",
    ".mlp_channels.fc2.": r"\.mlp\.3\.",
}
DOWN = re.compile(r"^blocks\.(\d+)\.\d+\.down\.")  # the authors' map to the next stage
RECURRENCES = {1: "rnn", 3: "gru", 4: "lstm"}  # by the gates of a state; an RNN is theirs with tanh
SIDE = 224  # of the published networks' images; weights do not depend on it


def read_sequencer2d(weights: Mapping[str, Tensor]) -> Published:
    """The network of the weights of a `sequencer2d_*`, of the same names or a network of one's own.

    Raises:
        ValueError: for other weights, or not all of them.
    """
    ours = {_our_key(key): weight for key, weight in weights.items()}
    typed = {_our_key(key): key for key in weights}
    try:
        sizes, recurrence = _sizes_of(ours)
        channels, classes = ours["stages.0.embed.weight"].shape[1], len(ours["head.bias"])
        stride = prod(sizes.patch_sizes)
        arguments: dict[str, Any] = {
            "name": "sequencer2d",
            "input_shape": [channels, *[max(stride, SIDE // stride * stride)] * 2],
            "num_classes": classes,
            **_variant(sizes),
            "recurrence": recurrence,
        }
        with torch.device("meta"):
            expected = Sequencer2D(**{key: value for key, value in arguments.items() if key != "name"}).state_dict()
    except KeyError as error:
        raise lacks(ORIGIN, _their_key(error.args[0], weights)) from None
    except (ValueError, IndexError, TypeError):
        raise ValueError(f"weights: are not those of {ORIGIN}: sizes of its parts do not fit") from None
    shapes = {typed.get(key) or _their_key(key, weights): tuple(weight.shape) for key, weight in expected.items()}
    check_shapes(ORIGIN, weights, shapes)
    return Published(ORIGIN, arguments, ours)


def _our_key(key: str) -> str:
    key = DOWN.sub(lambda found: f"stages.{int(found[1]) + 1}.embed.", key)
    for theirs, ours in KEYS.items():
        key = re.sub(theirs, ours, key)
    return key


def _their_key(key: str, weights: Iterable[str]) -> str:
    """The name in their file, for messages; of timm's and the authors' the ones that the other weights have."""
    of_authors = any(name.startswith("blocks.") for name in weights)
    stage, block = r"^stages\.(\d+)\.", r"^stages\.(\d+)\.blocks\.(\d+)\."
    key = re.sub(r"^stages\.0\.embed\.", "stem.proj.", key)
    if (found := re.match(stage + r"embed\.", key)) and of_authors:
        before = int(found[1]) - 1
        last = counted_from_zero(weights, rf"blocks\.{before}\.(\d+)\.norm1\.")
        key = key.replace(found[0], f"blocks.{before}.{last}.down.")
    key = re.sub(stage + r"embed\.", r"stages.\1.downsample.down.", key)
    key = re.sub(block, r"blocks.\1.\2.", key) if of_authors else re.sub(r"^head\.", "head.fc.", key)
    for theirs, ours in PARTS.items():
        key = re.sub(ours, theirs, key)
    return key


def _variant(sizes: Variant) -> dict[str, object]:
    """The name of a variant, or the sizes of a network that has none."""
    name = next((name for name, known in VARIANTS.items() if known == sizes), None)
    return {"variant": name} if name else {key: list(values) for key, values in asdict(sizes).items()}


def _sizes_of(ours: Mapping[str, Tensor]) -> tuple[Variant, str]:
    """The sizes of weights under our names, and what reads rows and columns."""
    stages = counted_from_zero(ours, r"stages\.(\d+)\.")
    blocks = [counted_from_zero(ours, rf"stages\.{s}\.blocks\.(\d+)\.") for s in range(stages)]
    embeds = [ours[f"stages.{s}.embed.weight"] for s in range(stages)]
    recurrent = [
        ours[f"stages.{s}.blocks.0.mixer.columns.recurrence.layers.0.kernel.weight_hh_l0"] for s in range(stages)
    ]
    sizes = Variant(
        layers=tuple(blocks),
        patch_sizes=tuple(embed.shape[-1] for embed in embeds),
        embed_dims=tuple(embed.shape[0] for embed in embeds),
        hidden_sizes=tuple(weight.shape[1] for weight in recurrent),
        mlp_ratios=tuple(len(ours[f"stages.{s}.blocks.0.mlp.0.bias"]) / len(embeds[s]) for s in range(stages)),
    )
    return sizes, RECURRENCES.get(len(recurrent[0]) // recurrent[0].shape[1], "lstm")
