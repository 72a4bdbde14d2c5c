"""A layer of a user's own: its module, its option file and its oracle are all that it takes.

The two files lie in a folder of their own, as they would beside a user's command; nothing of the package is touched.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import Tensor, nn

from rnnvision.cli.frame import paths
from rnnvision.cli.frame.arguments import config_dir, named_arguments
from rnnvision.cli.frame.plugins import load_plugins
from rnnvision.insight import multiply_adds
from rnnvision.nn import MODELS, RECURRENCES, build, contract
from rnnvision.nn.layers import RecurrentLayer
from tests.nn.cases import Case, parameters_of, randomise, tiny

NAME = "made_up_leaky"
MODULE = '''
"""A leaky integrator: h_t = leak * h_{t-1} + (1 - leak) * g(gain * (W x_t + U h_{t-1} + b))."""

import torch
from torch import nn

from rnnvision.checks import one_of, positive, probability
from rnnvision.nn.layers import RECURRENCES, RecurrentLayer

ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu}


@RECURRENCES.register("made_up_leaky")
class Leaky(RecurrentLayer):
    def __init__(self, input_size, hidden_size, sequence_length=2, *, leak=0.5, activation="tanh", gain=1.0):
        super().__init__(input_size, hidden_size, sequence_length)
        probability("leak", leak)
        one_of("activation", activation, ACTIVATIONS)
        positive("gain", gain)
        self.leak, self.activation, self.gain = leak, ACTIVATIONS[activation], gain
        self.token = nn.Linear(input_size, hidden_size)
        self.memory = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, x, state=None):
        (h,) = self.initial_state(len(x)) if state is None else state
        states = []
        for driven in self.token(x).unbind(1):
            h = torch.lerp(self.activation(self.gain * (driven + self.memory(h))), h, self.leak)
            states.append(h)
        return torch.stack(states, dim=1), (h,)
'''
OPTIONS = """
defaults:
  - _sequence

recurrence: made_up_leaky
layer:
  leak: 0.5         # how much of a state each token leaves
  activation: tanh  # tanh relu
  gain: null        # null: the layer's own
"""


def oracle(x: Tensor, h: Tensor, weights: dict[str, Tensor], leak: float, activation: str, gain: float) -> Tensor:
    """The equation in plain loops: x (B, T, F), h (B, D) -> states (B, T, D)."""
    states = []
    for t in range(x.shape[1]):
        a = gain * (x[:, t] @ weights["token.weight"].T + weights["token.bias"] + h @ weights["memory.weight"].T)
        new = 1 - 2 / (torch.exp(2 * a) + 1) if activation == "tanh" else a.clamp(min=0)
        h = leak * h + (1 - leak) * new
        states.append(h)
    return torch.stack(states, dim=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's folder, its module imported as `plugins=[made_up_module]` imports it; gone afterwards."""
    path = tmp_path_factory.mktemp("user")
    (path / "made_up_module.py").write_text(MODULE)
    (path / "conf" / "model").mkdir(parents=True)
    (path / "conf" / "model" / f"{NAME}.yaml").write_text(OPTIONS)
    before = list(sys.path)
    load_plugins(["made_up_module"], path)
    yield path
    del RECURRENCES[NAME], sys.modules["made_up_module"]
    sys.path[:] = before


@pytest.fixture
def layer(folder: Path) -> RecurrentLayer:
    made = RECURRENCES[NAME](3, 4, 5, leak=0.3, activation="relu", gain=2.0).double()
    randomise(made)
    return made


def composed(folder: Path, *overrides: str) -> DictConfig:
    """What `train --config-dir FOLDER/conf model=made_up_leaky ...` reads."""
    paths.register_resolvers()
    search = f"hydra.searchpath=[file://{folder / 'conf'}]"
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        return compose("train", overrides=[search, f"model={NAME}", *overrides])


def network_of(cfg: DictConfig) -> nn.Module:
    return build(**named_arguments("model", cfg.model, MODELS), input_shape=(1, 4, 6), num_classes=3)


def test_it_is_its_equation(layer: RecurrentLayer) -> None:
    x = torch.randn(2, 7, 3, dtype=torch.float64, requires_grad=True)
    h = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    states, (after,) = layer(x, (h,))
    expected = oracle(x, h, dict(layer.named_parameters()), 0.3, "relu", 2.0)
    torch.testing.assert_close((states, after), (expected, expected[:, -1]), rtol=1e-10, atol=1e-10)
    leaves, cotangent = [x, h, *layer.parameters()], torch.randn_like(states)
    found, wanted = (torch.autograd.grad(v, leaves, cotangent) for v in (states, expected))
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


def test_it_keeps_the_contract(folder: Path) -> None:
    contract.check_shapes(RECURRENCES, NAME)
    assert len(contract.check_all(RECURRENCES, NAME)) == 4


@pytest.mark.parametrize("model", [name for name in MODELS if "recurrence" in parameters_of(name)])
def test_every_network_is_built_of_it_and_counted(model: str, folder: Path) -> None:
    case: Case = {"name": model} | tiny(model, recurrence=NAME, layer={"leak": 0.25, "activation": "relu"})
    network = build(**case)
    layers = [m for m in network.modules() if type(m).__name__ == "Leaky"]
    assert layers
    assert 0.25 in {layer.leak for layer in layers}
    counts = multiply_adds(network, case["input_shape"])
    names = [name for name, m in network.named_modules() if type(m).__name__ == "Leaky"]
    assert all(counts[name] > 0 for name in names)


def test_its_products_are_counted_by_the_tokens(folder: Path) -> None:
    network = build("sequence_classifier", input_shape=(1, 4, 6), num_classes=3, recurrence=NAME, hidden_size=5)
    assert multiply_adds(network, (1, 4, 6)) == {"recurrence.layers.0": 4 * (6 * 5 + 5 * 5), "head": 5 * 3}


@pytest.mark.parametrize(
    ("key", "given", "attribute"),
    [("leak", "0.75", 0.75), ("activation", "relu", torch.relu), ("gain", "3", 3)],
)
def test_a_configuration_binds_each_of_its_options(key: str, given: str, attribute: Any, folder: Path) -> None:
    usual, changed = (
        network_of(composed(folder, "model.hidden_size=8", *more)).recurrence.layers[0]
        for more in ([], [f"model.layer.{key}={given}"])
    )
    assert (usual.leak, usual.activation, usual.gain) == (0.5, torch.tanh, 1.0)
    assert getattr(changed, key) == attribute != getattr(usual, key)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.layer.leak=1.5"], r"^layer\.leak=1\.5: must be a number in \[0, 1\)$"),
        (["model.layer.activation=tahn"], r"^layer\.activation=tahn: choose one of tanh, relu; did you mean tanh\?$"),
        (["model.layer.gain=much"], r"^layer\.gain=much: must be a number above 0$"),
        (["+model.layer.leek=0.5"], r"^layer\.leek=0\.5: the layer made_up_leaky has no such option; it has leak, "),
        (["model.recurrence=gru"], r"^layer\.leak=0\.5: the layer gru has no such option; .*: made_up_leaky$"),
    ],
)
def test_a_mistake_in_an_option_is_told_with_its_key(overrides: list[str], message: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=message):
        network_of(composed(folder, *overrides))
