"""Conversion of the weights of timm's `sequencer2d_s`, `sequencer2d_m` and `sequencer2d_l` to our `Sequencer2D`.

`KEYS` is the complete mapping. All shapes are the same, and so is the order of an LSTM's gates; timm keeps both
directions in one module and marks the names of the backward one, which here is a layer of its own.

    network = build("sequencer2d", variant="s", input_shape=(3, 224, 224), num_classes=1000)
    load_timm_weights(network, torch.load("sequencer2d_s.pth", weights_only=True))
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict

from torch import Tensor

from rnnvision.checks import flags
from rnnvision.nn.layers.fused import LSTM
from rnnvision.nn.networks.sequencer import VARIANTS, Sequencer2D, Variant

# Part of timm's key -> part of ours, as regular expressions, applied in this order.
KEYS = {
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


def from_timm(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of timm's `sequencer2d_*` under the names of `Sequencer2D`.

    Examples:
        >>> from_timm({"stages.0.0.rnn_tokens.fc.bias": 1, "head.fc.weight": 2})
        {'stages.0.0.mixer.merge.bias': 1, 'head.weight': 2}
    """
    return {_our_key(key): value for key, value in weights.items()}


def load_timm_weights(network: Sequencer2D, weights: Mapping[str, Tensor], *, with_head: bool = True) -> None:
    """Copy a state dict of timm's `sequencer2d_*` into a network of the same sizes.

    `with_head=False` keeps the network's own head, for other classes than those that the weights were trained for.

    Raises:
        ValueError: for weights of another network, or of other sizes; nothing is copied then. The message begins with
            the wrong argument, and names the sizes and the variant of the weights.
    """
    flags(with_head=with_head)
    ours = from_timm(weights)
    _check_sizes(network, ours)
    if not with_head:
        ours |= {key: value for key, value in network.state_dict().items() if key.startswith("head.")}
    _check_shapes(network, ours)
    network.load_state_dict(ours)


def _our_key(key: str) -> str:
    for theirs, ours in KEYS.items():
        key = re.sub(theirs, ours, key)
    return key


def _check_sizes(network: Sequencer2D, ours: Mapping[str, Tensor]) -> None:
    if not any(isinstance(module, LSTM) for module in network.modules()):
        raise ValueError("recurrence: the weights are of LSTMs; build the network with recurrence=lstm")
    try:
        found = _sizes_of(ours)
    except (KeyError, ValueError, IndexError):
        raise ValueError(_foreign(ours, network)) from None
    for name, size in asdict(network.sizes).items():
        if size != getattr(found, name):
            variant = next((name for name, sizes in VARIANTS.items() if sizes == found), None)
            sizes = ", ".join(f"{name}={list(values)}" for name, values in asdict(found).items())
            raise ValueError(
                f"{name}={list(size)}: the weights have {list(getattr(found, name))}; build the network with "
                f"{sizes if variant is None else f'variant={variant}'}"
            )


def _check_shapes(network: Sequencer2D, ours: Mapping[str, Tensor]) -> None:
    expected = network.state_dict()
    if expected.keys() != ours.keys():
        raise ValueError(_foreign(ours, network))
    channels, classes = ours["stages.0.embed.weight"].shape[1], len(ours["head.bias"])
    if channels != network.input_shape[0]:
        raise ValueError(f"input_shape={network.input_shape}: the weights are for images of {channels} channels")
    if classes != network.head.out_features:
        raise ValueError(
            f"num_classes={network.head.out_features}: the weights have {classes}; build the network with "
            f"num_classes={classes}, or leave its head as it is with with_head=False"
        )
    wrong = [key for key, value in expected.items() if ours[key].shape != value.shape]
    if wrong:
        raise ValueError(
            f"weights: {wrong[0]} has shape {tuple(ours[wrong[0]].shape)}, not {tuple(expected[wrong[0]].shape)}"
        )


def _foreign(ours: Mapping[str, Tensor], network: Sequencer2D) -> str:
    """The message for weights that are not those of a Sequencer2D."""
    expected = network.state_dict().keys()
    strange, missing = [key for key in ours if key not in expected], [key for key in expected if key not in ours]
    found = f"they have {strange[0]}" if strange else f"they lack {missing[0]}"
    near = difflib.get_close_matches(strange[0], missing, n=1) if strange else []
    return (
        f"weights: are not those of timm's sequencer2d_s, sequencer2d_m or sequencer2d_l: {found}"
        f"{f' where {near[0]} belongs' if near else ''}"
    )


def _sizes_of(ours: Mapping[str, Tensor]) -> Variant:
    """The sizes of weights under our names."""
    stages = 1 + max(int(key.split(".")[1]) for key in ours if key.startswith("stages."))
    blocks = [{key.split(".")[3] for key in ours if key.startswith(f"stages.{s}.blocks.")} for s in range(stages)]
    embeds = [ours[f"stages.{s}.embed.weight"] for s in range(stages)]
    recurrent = "blocks.0.mixer.columns.recurrence.layers.0.kernel.weight_hh_l0"
    return Variant(
        layers=tuple(map(len, blocks)),
        patch_sizes=tuple(embed.shape[-1] for embed in embeds),
        embed_dims=tuple(embed.shape[0] for embed in embeds),
        hidden_sizes=tuple(ours[f"stages.{s}.{recurrent}"].shape[1] for s in range(stages)),
        mlp_ratios=tuple(len(ours[f"stages.{s}.blocks.0.mlp.0.bias"]) / len(embeds[s]) for s in range(stages)),
    )
