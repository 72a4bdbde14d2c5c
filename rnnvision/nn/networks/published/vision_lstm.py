"""Weights of the authors' Vision-LSTM, version 2 (github.com/NX-AI/vision-lstm), for our `VisionLSTM`.

They have two sets of names. Their package (`vision_lstm2.py`) keeps two blocks, one of either direction, in a pair;
their trainings, whose checkpoints are the files that they publish, count blocks as we do. `KEYS` leads from there to
the package's names. What a weight means differs from ours in four places:

    LayerNorm         they keep w of 1 + w, but not in the normalisation before the head (theirs: legacy_norm, head.0)
    gates             input and forget gates are apart; here they are joined, input gates first
    patch_embed       a convolution with E filters (C, p, p); here a linear map of the C * p * p pixels of a patch
    pos_embed         (1, R, K, E), which here are R * K positions in raster order
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from rnnvision.nn.networks.published.names import Published, check_shapes, counted_from_zero, lacks

ORIGIN = "the authors' Vision-LSTM, version 2"
PAIR = ("rowwise_from_top_left", "rowwise_from_bot_right")  # the blocks 2 i and 2 i + 1 of the pair i
# Names of their trainings -> names of their package, as regular expressions, applied in this order.
KEYS = {
    r"^xlstm\.": "",
    r"\.xlstm\.": ".layer.",
    r"\.xlstm_norm\.": ".norm.",
    r"\.conv1d\.": ".conv.",
    r"^post_blocks_norm\.": "norm.",
    r"^head\.0\.": "legacy_norm.",
    r"^head\.1\.": "head.",
}
MASK = "causal_mask"  # early checkpoints hold one in each block; it follows from the number of tokens
RESIDUAL = re.compile(r"(^|\.)(norm|outnorm)\.weight$")  # where 1 is to be added

# Names of the package in a block -> ours, of weights that are the same.
IN_A_BLOCK = {
    "norm.": "norm.",
    "layer.proj_up.": "up.",
    "layer.conv.": "conv.",
    "layer.q_proj.": "q.",
    "layer.k_proj.": "k.",
    "layer.v_proj.": "v.",
    "layer.mlstm_cell.outnorm.": "memory.norm_",
    "layer.learnable_skip": "skip.weight",
    "layer.proj_down.": "down.",
}
GATES = "layer.mlstm_cell.{}gate."
OUTSIDE = {"patch_embed.proj.": "embed.", "norm.": "norm.", "legacy_norm.": "feature_norm.", "head.": "head."}


def read_vision_lstm(weights: Mapping[str, Tensor]) -> Published:
    """The network of the weights of a package or a training.

    Raises:
        ValueError: for weights of another version, or not all of them.
    """
    typed = {_name_in_package(name): name for name in weights if not name.endswith(MASK)}
    theirs = {name: weights[before] for name, before in typed.items()}
    _check_version(theirs)
    of_training = any(name.startswith("xlstm.") for name in weights)
    name_in_file = _name_in_training if of_training else str
    count = counted_from_zero(theirs, r"blocks\.(\d+)\.")
    try:
        shapes, arguments = _sizes(theirs, count)
    except KeyError as error:
        raise lacks(ORIGIN, name_in_file(error.args[0])) from None
    except (ValueError, IndexError):
        raise ValueError(f"weights: are not those of {ORIGIN}, though their names are: sizes do not fit") from None
    expected = {typed.get(name) or name_in_file(name): shape for name, shape in shapes.items()}
    check_shapes(ORIGIN, {before: weights[before] for before in typed.values()}, expected)
    return Published(ORIGIN, arguments, _ours(theirs, count))


def _name_in_package(name: str) -> str:
    for training, package in KEYS.items():
        name = re.sub(training, package, name)
    if block := re.match(r"blocks\.(\d+)\.(norm|layer)\.", name):  # not in pairs
        index = int(block[1])
        return f"blocks.{index // 2}.{PAIR[index % 2]}.{name[block.start(2) :]}"
    return name


def _name_in_training(name: str) -> str:
    """The name in the file of a training, for messages."""
    if block := re.match(r"blocks\.(\d+)\.(\w+)\.", name):
        rest = name[block.end() :].replace("norm.", "xlstm_norm.", 1 if name[block.end() :].startswith("norm.") else 0)
        rest = rest.replace("layer.conv.", "layer.conv1d.").replace("layer.", "xlstm.")
        return f"xlstm.blocks.{2 * int(block[1]) + PAIR.index(block[2])}.{rest}"
    places = {"norm.": "xlstm.post_blocks_norm.", "legacy_norm.": "head.0.", "head.": "head.1."}
    return next((name.replace(old, new, 1) for old, new in places.items() if name.startswith(old)), name)


def _check_version(theirs: Mapping[str, Tensor]) -> None:
    if any(name.endswith(".conv.conv.weight") for name in theirs):
        raise ValueError(
            "weights: are of the first version of Vision-LSTM, which convolves along the sequence; those of the second "
            "are read, whose files are called vil2_..."
        )


def _sizes(theirs: Mapping[str, Tensor], pairs: int) -> tuple[dict[str, tuple[int, ...]], dict[str, object]]:
    """The shape of each of their weights, and the arguments of our network."""
    first = f"blocks.0.{PAIR[0]}."
    width, channels, *patch = theirs["patch_embed.proj.weight"].shape
    inner = theirs[f"{first}layer.proj_down.weight"].shape[1]
    heads = len(theirs[f"{first}{GATES.format('i')}bias"])
    size, kernel = theirs[f"{first}layer.q_proj.weight"].shape[-1], theirs[f"{first}layer.conv.weight"].shape[-1]
    classes = len(theirs["head.bias"])
    _, rows, columns, _ = theirs["pos_embed.embed"].shape
    has_norm = any(name.startswith("legacy_norm.") for name in theirs)  # not by default in their package
    height, breadth = patch
    in_a_block = {
        **_linear("norm", (width,)),
        **_linear("layer.proj_up", (2 * inner, width)),
        **_linear("layer.conv", (inner, 1, kernel, kernel)),
        **{f"layer.{x}_proj.weight": (inner // size, size, size) for x in "qkv"},
        **{f"layer.{x}_proj.bias": (inner,) for x in "qkv"},
        **{f"{GATES.format(x)}weight": (heads, 3 * inner) for x in "if"},
        **{f"{GATES.format(x)}bias": (heads,) for x in "if"},
        **_linear("layer.mlstm_cell.outnorm", (inner,)),
        "layer.learnable_skip": (inner,),
        **_linear("layer.proj_down", (width, inner)),
    }
    shapes = {
        **_linear("patch_embed.proj", (width, channels, height, breadth)),
        "pos_embed.embed": (1, rows, columns, width),
        **{
            f"blocks.{i}.{way}.{name}": shape
            for i in range(pairs)
            for way in PAIR
            for name, shape in in_a_block.items()
        },
        **_linear("norm", (width,)),
        **(_linear("legacy_norm", (2 * width,)) if has_norm else {}),
        **_linear("head", (classes, 2 * width)),
    }
    arguments = {
        "name": "vision_lstm",
        "input_shape": [channels, rows * height, columns * breadth],
        "num_classes": classes,
        "patch_size": height if height == breadth else [height, breadth],
        "hidden_size": width,
        "num_layers": 2 * pairs,
        "num_heads": heads,
        "expansion": inner // width,
        "qkv_block_size": size,
        "kernel_size": kernel,
        "readout": "first_last",
        "feature_norm_eps": 1e-5 if has_norm else None,
    }
    return shapes, arguments


def _linear(name: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """A weight of this shape, and a bias of as many as its first dimension has."""
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _ours(theirs: Mapping[str, Tensor], pairs: int) -> dict[str, Tensor]:
    weights = {name: weight + 1 if RESIDUAL.search(name) else weight for name, weight in theirs.items()}
    ours = _renamed(weights, OUTSIDE)
    ours["embed.weight"] = ours["embed.weight"].flatten(1)
    ours["position.table"] = weights["pos_embed.embed"].flatten(0, 2)
    for index in range(2 * pairs):
        prefix = f"blocks.{index // 2}.{PAIR[index % 2]}."
        block = {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}
        mine = _renamed(block, IN_A_BLOCK)
        for part in ("weight", "bias"):
            mine[f"memory.gates.{part}"] = torch.cat([block[f"{GATES.format(gate)}{part}"] for gate in "if"])
        ours |= {f"blocks.{index}.{name}": weight for name, weight in mine.items()}
    return ours


def _renamed(weights: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Those weights whose names begin with one of `names`, under what it stands for."""
    return {
        name.replace(old, new, 1): weight
        for old, new in names.items()
        for name, weight in weights.items()
        if name.startswith(old)
    }
