"""conf/model: every value of every option file changes something when it is changed.

One value at a time is set to another legal one. The network then differs in its weights or in the numbers that it
computes, in training or in evaluation; or the change is refused with a message that names the key.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import Tensor, nn

from rnnvision.cli.frame.arguments import config_dir, named_arguments, plain
from rnnvision.errors import UsageError
from rnnvision.nn import MODELS, RECURRENCES
from rnnvision.nn.networks.sequencer import VARIANTS
from tests.nn.cases import Case

OPTIONS = sorted(path.stem for path in (config_dir() / "model").glob("*.yaml") if not path.stem.startswith("_"))
INPUT_SHAPE, LARGE_SHAPE = (1, 16, 16), (1, 56, 56)  # the second is tiled by every variant of Sequencer2D

# Other legal values of a key, of which the first that is not the file's is taken. Of a key that is not here the type
# says one: the other flag, the next whole number, a rate of a half.
OTHER: dict[str, list[Any]] = {
    "name": ["mlp", "logistic"],
    "scan": ["columns"],
    "patch_size": [2, 4],
    "patch_sizes": [[2, 1]],
    "order": ["reverse"],
    "recurrence": ["gru", "lstm"],
    "block": ["gated", "plain"],
    "activation": ["gelu", "none"],
    "readout": ["max"],
    "attention": ["dot"],
    "decoder": ["gru"],
    "variant": ["tiny_64", "tiny"],
    "embed_size": [5],
    "attention_size": [3],
    "decoder_size": [3],
    "head_size": [4],
    "num_heads": [2, 1],
    "hidden_size": [24],
    "stem_size": [5],
    "kernel_size": [5],
    "qkv_block_size": [2],
    "gamma": [0.5],
    "layer.weight_init": ["torch", "orthogonal"],
    "layer.gate_bias": ["torch", "chrono"],
    "layer.num_heads": [2],
    "layer.forget_gate": ["exponential"],
    "layer.chunk_size": [2],
    "layer.state_size": [3],
    "layer.r_min": [0.5],
    "layer.r_max": [0.95],
    "layer.max_phase": [0.5],
    "layer.clip": [True, False],
}
# What makes the networks small while another key is changed, of all and of single ones
SMALL: Case = {"hidden_size": 16, "num_layers": 2, "channels": 4}
SMALL_ONES: dict[str, Case] = {
    "sequencer2d": {
        "patch_sizes": [2, 2],
        "layers": [1, 1],
        "embed_dims": [8, 8],
        "hidden_sizes": [3, 3],
        "mlp_ratios": [2.0, 2.0],
    },
    "vision_lstm": {"patch_size": 2},
    "vit": {"num_heads": 4},
}
SIZES = {"variant", *SMALL_ONES["sequencer2d"]}  # of a Sequencer2D, by which its weights alone differ
# What has to hold for a key to be of use: a mean over tokens that are read one by one hears no order
NEEDED: dict[str, Case] = {
    "order": {"readout": "last"},
    "order_seed": {"readout": "last", "order": "random"},
    "tied_dropout": {"dropout": 0.5},
}
# Values that show in no number: where the network keeps them. For the fit, for speed, for steps of an optimiser
KEPT = {
    "cost": "cost",
    "layer.chunk_size": "recurrence.layers.0.memory.chunk_size",
    "layer.clip": "recurrence.layers.0.clip",
}


@cache
def values(option: str) -> Case:
    """What an option file says, with what its defaults say."""
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        return plain(compose(overrides=[f"+model={option}"]).model)


def keys(option: str) -> Iterator[str]:
    """The keys of an option file, those of the layer as layer.KEY."""
    for key, value in values(option).items():
        yield from (f"{key}.{inner}" for inner in value) if isinstance(value, dict) else [key]


def value_of(arguments: Case, key: str) -> Any:
    group, _, inner = key.rpartition(".")
    return arguments[group][inner] if group else arguments[key]


def with_value(arguments: Case, key: str, value: Any) -> Case:
    group, _, inner = key.rpartition(".")
    return arguments | ({group: arguments[group] | {inner: value}} if group else {key: value})


def another(option: str, key: str) -> Any:
    """A legal value of this key that is not the file's."""
    value = value_of(values(option), key)
    if values(option)["name"] == "sequencer2d" and key in SIZES - {"variant"}:  # one value a stage
        sizes = asdict(VARIANTS[values(option)["variant"]])[key]
        return tuple(1 if key == "patch_sizes" else 2 * size for size in sizes)
    if key in OTHER:
        return next(other for other in OTHER[key] if other != value)
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else 0.5


def made(arguments: Case, shape: tuple[int, ...] = INPUT_SHAPE) -> nn.Module:
    torch.manual_seed(0)
    bound = named_arguments("model", OmegaConf.create(arguments), MODELS)
    return MODELS[bound.pop("name")](input_shape=shape, num_classes=3, **bound)


def shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}


@cache
def effects(arguments: str) -> tuple[dict[str, torch.Size], Tensor, dict[str, Any]]:
    """All that a network with these arguments (as JSON) can differ in: weights' shapes, numbers, values that it keeps.

    The numbers are logits of the same images in evaluation and in training, where the same dice are thrown.
    """
    network = made(json.loads(arguments)).double()
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(2, *INPUT_SHAPE, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        evaluated = network.eval()(images)
        torch.manual_seed(2)
        numbers = torch.stack((evaluated, network.train()(images)))
    modules = dict(network.named_modules())
    places = {key: path.rpartition(".") for key, path in KEPT.items()}
    kept = {key: getattr(modules.get(path), name, None) for key, (path, _, name) in places.items()}
    return shapes(network), numbers, kept


def has_effect(option: str, key: str) -> bool:
    """Whether the network changes with this value, or its refusal names the key."""
    given = values(option)
    if given["name"] == "sequencer2d" and key in SIZES:
        return sequencer_shapes(option, **{key: another(option, key)}) != sequencer_shapes(option)
    smaller = SMALL | SMALL_ONES.get(given["name"], {}) | NEEDED.get(key, {})
    given = given | {name: value for name, value in smaller.items() if name in given and name != key}
    before_shapes, before, before_kept = effects(json.dumps(given))
    try:
        after_shapes, after, after_kept = effects(json.dumps(with_value(given, key, another(option, key))))
    except (UsageError, ValueError) as error:
        return key == "name" or key.rpartition(".")[2] in str(error)  # another network lacks the other keys
    if before_shapes != after_shapes or not torch.allclose(before, after, rtol=1e-9, atol=1e-9):
        return True
    return before_kept.get(key) != after_kept.get(key)


@cache
def sequencer_shapes(option: str, **changes: Any) -> dict[str, torch.Size]:
    """The weights' shapes of a Sequencer2D as its file has it, which is large: made on no device."""
    given = with_value(values(option), "layer.weight_init", "torch")  # orthogonal matrices take a second there
    with torch.device("meta"):
        return shapes(made(given | changes, LARGE_SHAPE))


@pytest.mark.parametrize("option", OPTIONS)
def test_no_value_is_without_effect(option: str) -> None:
    assert [key for key in keys(option) if not has_effect(option, key)] == []


def test_a_value_without_effect_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OTHER, "order", ["raster"])  # the order that the scan `rows` has anyway
    monkeypatch.setitem(NEEDED, "tied_dropout", {"dropout": 0.0})
    assert [key for key in keys("lstm") if not has_effect("lstm", key)] == ["order", "tied_dropout"]


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_of_the_layer_stands_in_its_file(option: str) -> None:
    """So that --help and a message name it."""
    given = values(option)
    own = RECURRENCES[given["recurrence"]].options() if "layer" in given else {}
    assert set(given.get("layer", {})) == set(own)


def test_every_network_and_every_recurrence_has_a_file() -> None:
    assert {values(option)["name"] for option in OPTIONS} == set(MODELS)
    assert {values(option)["recurrence"] for option in OPTIONS if "recurrence" in values(option)} == set(RECURRENCES)
