"""Weights that others have published: the logits of their networks, and what is said of weights that do not fit."""

import re
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from rnnvision.nn import build
from rnnvision.nn.networks.published import published
from tests.nn.cases import randomise
from tests.nn.networks.authors import Sequencer, VisionLSTM2, interpolated

VIL: dict[str, Any] = {"input_shape": (3, 8, 12), "classes": 5}


def theirs(network_class: type[nn.Module], **arguments: Any) -> nn.Module:
    network = network_class(**arguments).double().eval()
    randomise(network, 0.4)
    return network


def ours(content: dict[str, Any], **changes: Any) -> Any:
    found = published(content)
    network = build(**{**found.arguments, **changes}).double().eval()
    network.load_state_dict(found.weights)
    return network


def of_a_training(weights: dict[str, Tensor], wrapper: str = "") -> dict[str, Any]:
    """What the authors' trainings of a Vision-LSTM save: other names, masks, and entries beside the weights."""
    names = {}
    for name in weights:
        new = name
        for index, way in enumerate(("rowwise_from_top_left", "rowwise_from_bot_right")):
            for pair in range(9):
                new = new.replace(f"blocks.{pair}.{way}.", f"xlstm.blocks.{2 * pair + index}.")
        if new.startswith("xlstm."):
            new = new.replace(".norm.", ".xlstm_norm.").replace(".layer.", ".xlstm.").replace(".conv.", ".conv1d.")
        new = new.replace("head.", "head.1.").replace("legacy_norm.", "head.0.")
        names[name] = f"{wrapper}xlstm.post_blocks_{new}" if name.startswith("norm.") else wrapper + new
    masks = {
        f"{wrapper}xlstm.blocks.{i}.xlstm.mlstm_cell.causal_mask": torch.ones(6, 6).tril().bool() for i in range(4)
    }
    state = {names[name]: weight for name, weight in weights.items()} | masks
    return {
        "state_dict": state,
        "ctor_kwargs": {"patch_size": 4},
        "ckpt": {"epoch": 800},
        "abs_ckpt": {},
        "stage_id": "x",
    }


# Vision-LSTM ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"width": 12, "depth": 3, "heads": 2, "expansion": 1, "size": 2, "kernel": 5},
        {"input_shape": (1, 8, 12), "patch": (2, 4)},
        {"legacy_norm": False},
    ],
    ids=str,
)
def test_vision_lstm_gives_the_logits_of_the_authors_class(sizes: dict[str, Any]) -> None:
    reference = theirs(VisionLSTM2, **(VIL | sizes))
    images = torch.randn(3, *(VIL | sizes)["input_shape"], dtype=torch.float64)
    expected = reference(images)
    assert expected.std() > 0.1
    weights = reference.state_dict()
    for content in (weights, of_a_training(weights), of_a_training(weights, "module."), {"model": weights}):
        torch.testing.assert_close(ours(content)(images), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("side", [(8, 8), (16, 24), (4, 20)], ids=str)
def test_positions_are_interpolated_bicubically_for_another_size(side: tuple[int, int]) -> None:
    reference = theirs(VisionLSTM2, **VIL)
    found = published(reference.state_dict())
    network = build(**{**found.arguments, "input_shape": (3, *side)}).double().eval()
    network.load_state_dict(network.resized(found.weights, found.arguments["input_shape"]))
    other = theirs(VisionLSTM2, **(VIL | {"input_shape": (3, *side)}))
    grid = (side[0] // 4, side[1] // 4)
    weights = reference.state_dict()
    other.load_state_dict(weights | {"pos_embed.embed": interpolated(weights["pos_embed.embed"], grid)})
    images = torch.randn(2, 3, *side, dtype=torch.float64)
    torch.testing.assert_close(network(images), other(images), rtol=1e-8, atol=1e-8)
    back = build(**found.arguments).double()  # of our own weights too
    table = back.resized(network.state_dict(), (3, *side))["position.table"]
    expected = interpolated(network.position.table.detach().unflatten(0, grid)[None], (2, 3))
    torch.testing.assert_close(table, expected.flatten(0, 2), rtol=1e-8, atol=1e-8)


def test_weights_of_half_precision_are_widened_before_one_is_added() -> None:
    weights = {name: weight.half() for name, weight in theirs(VisionLSTM2, **VIL).state_dict().items()}
    found = published(weights).weights["blocks.1.norm.weight"]
    assert torch.equal(found, 1 + weights["blocks.0.rowwise_from_bot_right.norm.weight"].float())


def test_the_arguments_are_those_of_the_published_sizes() -> None:
    with torch.device("meta"):
        weights = VisionLSTM2(input_shape=(3, 224, 224), classes=1000, width=192, depth=12, patch=(16, 16)).state_dict()
        found = published(weights)
    assert found.arguments == {
        "name": "vision_lstm",
        "input_shape": [3, 224, 224],
        "num_classes": 1000,
        "patch_size": 16,
        "hidden_size": 192,
        "num_layers": 24,
        "num_heads": 4,
        "expansion": 2,
        "qkv_block_size": 4,
        "kernel_size": 3,
        "readout": "first_last",
        "feature_norm_eps": 1e-5,
    }


# Sequencer2D ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {
            "layers": (2, 1, 1),
            "patch_sizes": (2, 2, 1),
            "embed_dims": (4, 6, 8),
            "hidden_sizes": (1, 2, 3),
            "mlp_ratios": (1.0, 2.0, 3.0),
        },
        {"kind": nn.GRU, "channels": 1},
        {"kind": nn.RNN},
    ],
    ids=str,
)
def test_sequencer2d_gives_the_logits_of_the_authors_class(sizes: dict[str, Any]) -> None:
    reference = theirs(Sequencer, classes=5, **sizes)
    images = torch.randn(3, sizes.get("channels", 3), 16, 24, dtype=torch.float64)
    expected = reference(images)
    assert expected.std() > 0.1
    weights = reference.state_dict()
    strange = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    training = {"epoch": 3, "arch": "sequencer2d_s", "state_dict": strange, "state_dict_ema": weights, "optimizer": {}}
    for content in (weights, training):  # of the average, where there is one
        network = ours(content, input_shape=images.shape[1:])
        torch.testing.assert_close(network(images), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("variant", "layers"), [("s", (4, 3, 8, 3)), ("m", (4, 3, 14, 3)), ("l", (8, 8, 16, 4))])
def test_published_sequencers_are_known_by_name(variant: str, layers: tuple[int, ...]) -> None:
    sizes = {"patch_sizes": (7, 2, 1, 1), "embed_dims": (192, 384, 384, 384), "hidden_sizes": (48, 96, 96, 96)}
    with torch.device("meta"):
        weights = Sequencer(classes=1000, layers=layers, mlp_ratios=(3.0,) * 4, **sizes).state_dict()
    assert published(weights).arguments == {
        "name": "sequencer2d",
        "input_shape": [3, 224, 224],
        "num_classes": 1000,
        "variant": variant,
        "recurrence": "lstm",
    }


# Weights that do not fit ----------------------------------------------------------------------------------------------


TIMM: dict[str, Any] = {
    "layers": [1, 2],
    "patch_sizes": [4, 2],
    "embed_dims": [8, 12],
    "hidden_sizes": [3, 5],
    "mlp_ratios": [3.0, 2.0],
}


def authors_files() -> dict[str, dict[str, Tensor]]:
    """Weights in each of the namings that are read."""
    vil = theirs(VisionLSTM2, **VIL).state_dict()
    training = of_a_training(vil)["state_dict"]
    timms = timm.create_model("sequencer2d_s", num_classes=5, **TIMM).state_dict()
    return {
        "VisionLSTM2": vil,
        "a training of it": {name: weight for name, weight in training.items() if "mask" not in name},
        "Sequencer2D": theirs(Sequencer, classes=5).state_dict(),
        "timm's": timms,
    }


@pytest.mark.parametrize("kind", ["VisionLSTM2", "a training of it", "Sequencer2D", "timm's"])
def test_each_weight_that_is_missing_unknown_or_of_another_shape_is_named(kind: str) -> None:
    weights = authors_files()[kind]
    published(weights)
    for name, weight in weights.items():
        less = {key: value for key, value in weights.items() if key != name}
        with pytest.raises(ValueError, match=rf"^weights: are not those of .*: lacks .*{re.escape(name)}"):
            published(less)
        with pytest.raises(ValueError, match=r"^weights: "):
            published(weights | {name: weight[..., None].expand(*weight.shape, 2)})
        with pytest.raises(ValueError, match=rf"{re.escape(name)}\.X, where {re.escape(name)} belongs|lacks"):
            published(less | {f"{name}.X": weight})
    with pytest.raises(ValueError, match=r"^weights: are not those of .*: holds blocks\.7\.what\.weight$"):
        published(weights | {"blocks.7.what.weight": torch.ones(1)})


def test_the_first_version_of_vision_lstm_is_told_apart() -> None:
    weights = theirs(VisionLSTM2, **VIL).state_dict()
    first = {name.replace("layer.conv.", "layer.conv.conv."): weight for name, weight in weights.items()}
    with pytest.raises(ValueError, match=r"first version of Vision-LSTM.*vil2_"):
        published(first)


@pytest.mark.parametrize(
    "content", [{}, {"conv1.weight": torch.ones(1)}, {"state_dict": {}}, {"state_dict": 3, "epoch": 2}]
)
def test_other_weights_are_refused_with_what_is_read(content: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^weights: holds .*what is read are those of Sequencer2D .*Vision-LSTM"):
        published(content)
