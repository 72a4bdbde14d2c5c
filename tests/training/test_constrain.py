"""Weights that a layer limits are brought back after each step of an optimiser, and groups of earlier versions."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

from rnnvision.nn import RECURRENCES, RecurrentLayer
from rnnvision.nn.layers.fused import GRU
from rnnvision.nn.layers.indrnn import IndRNN
from rnnvision.training import VerifiedCheckpointIO, make_optimizer, read_checkpoint
from rnnvision.training.optim import constraining, parameter_groups, regrouped
from tests.training.cases import (
    OPTIMIZERS,
    best,
    checkpoint_of,
    last,
    make_data,
    make_learner,
    make_trainer,
    same,
    train,
)

pytestmark = [
    # Lightning's own check of nested batches uses a function that torch has deprecated.
    pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning"),
    # It says so of every resumed run.
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning"),
]
CLIPPED: dict[str, Any] = {"recurrence": "indrnn", "scan": "pixels", "layer": {"clip": True}}
VIL: dict[str, Any] = {"name": "vision_lstm", "patch_size": 2, "hidden_size": 8, "num_layers": 2}


class Small(GRU):
    """A layer of a user's own: no weight of it may be larger than 0.01."""

    def constrain(self) -> None:
        for parameter in self.parameters():
            parameter.clamp_(-0.01, 0.01)


class Largest(Callback):
    """The largest recurrent weight after each step, and before any."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_end(self, trainer: Any, learner: Any, *_: Any) -> None:
        layers = [layer for layer in learner.modules() if isinstance(layer, IndRNN)]
        self.seen.append(max(layer.recurrent.abs().max().item() for layer in layers))


@pytest.mark.parametrize("length", [1, 3, 784])
def test_indrnn_is_brought_back_to_the_bound_of_the_paper(length: int) -> None:
    """Nothing grows more than twofold over the tokens; of weights in between none moves."""
    layer, free = IndRNN(2, 5, length, clip=True), IndRNN(2, 5, length)
    given = torch.tensor([-9.0, -0.3, 0.0, 0.9, 2.5])
    for each in (layer, free):
        each.recurrent.data.copy_(given)
        each.constrain()
    bound = 2 ** (1 / length)
    assert layer.recurrent.tolist() == pytest.approx([-bound, -0.3, 0.0, 0.9, bound])
    assert torch.equal(free.recurrent, given)


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_training_keeps_weights_where_they_may_be(tmp_path: Path, clip: bool, accumulate: int) -> None:
    largest, data = Largest(), make_data()
    learner = make_learner(data, network={**CLIPPED, "layer": {"clip": clip}}, optimizer="adam")
    trainer = make_trainer(tmp_path, max_epochs=4, callbacks=[largest], accumulate_grad_batches=accumulate)
    for layer in learner.network.recurrence.layers:
        layer.recurrent.data.fill_(layer.bound)
    trainer.fit(learner, datamodule=data)
    bound = torch.tensor(2 ** (1 / 16)).item()  # float32
    assert len(largest.seen) == 4 * data.num_train_batches()
    assert (max(largest.seen) <= bound) is clip


def test_a_resumed_run_limits_as_one_that_was_never_stopped(tmp_path: Path) -> None:
    def run(folder: Path, epochs: int) -> dict[str, Any]:
        data, found = make_data(), checkpoint_of(folder)
        learner = make_learner(data, network=CLIPPED)
        trainer = make_trainer(folder, max_epochs=epochs, callbacks=[last(folder)])
        trainer.fit(learner, datamodule=data, ckpt_path=found if found.is_file() else None)
        return read_checkpoint(found)

    whole = run(tmp_path / "whole", 3)
    run(tmp_path / "parts", 1)
    resumed = run(tmp_path / "parts", 3)
    assert same(whole["state_dict"], resumed["state_dict"])
    assert same(whole["optimizer_states"], resumed["optimizer_states"])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_layer_of_ones_own_is_limited_by_every_optimiser(optimizer: str) -> None:
    network = nn.Sequential(Small(3, 4), nn.Identity())
    made = constraining(make_optimizer(network, **OPTIMIZERS[optimizer]), network)
    network[0](torch.randn(2, 5, 3))[0].sum().backward()
    made.step()
    assert max(p.abs().max().item() for p in network.parameters()) <= torch.tensor(0.01).item()


@pytest.mark.parametrize("name", RECURRENCES)
def test_a_layer_that_limits_nothing_is_left_alone(name: str) -> None:
    layer = RECURRENCES[name](3, 4)
    for parameter in layer.parameters():
        parameter.data.mul_(1e6)
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    layer.constrain()
    assert same(before, dict(layer.state_dict()))
    made = constraining(torch.optim.SGD(layer.parameters(), lr=0.1), layer)
    assert bool(made._optimizer_step_post_hooks) == (type(layer).constrain is not RecurrentLayer.constrain)


def test_a_layer_that_is_frozen_is_left_as_it_is() -> None:
    network = nn.Sequential(Small(3, 4), Small(4, 4))
    network[0].requires_grad_(False)
    before = {key: value.clone() for key, value in network[0].state_dict().items()}
    made = constraining(make_optimizer(network, "sgd", lr=0.1), network)
    network[1](network[0](torch.randn(2, 5, 3))[0])[0].sum().backward()
    made.step()
    assert same(before, dict(network[0].state_dict()))
    assert max(p.abs().max().item() for p in network[1].parameters()) <= torch.tensor(0.01).item()


# Groups of earlier versions -------------------------------------------------------------------------------------------


def without_factors(state: dict[str, Any]) -> dict[str, Any]:
    """The state dict of an optimiser without the factor on the learning rate that each group has by now."""
    groups = [{key: v for key, v in group.items() if key != "lr_factor"} for group in state["param_groups"]]
    return {**state, "param_groups": groups}


def in_earlier_groups(network: nn.Module, state: dict[str, Any]) -> dict[str, Any]:
    """The state dict of an optimiser as an earlier version wrote it: positions among the matrices that decay."""
    now, before = parameter_groups(network, 0.05), parameter_groups(network, 0.05, spare=False)
    place = {id(p): i for i, p in enumerate(p for group in now for p in group["params"])}
    order = [place[id(p)] for group in before for p in group["params"]]
    sizes, indices = [len(group["params"]) for group in before], iter(range(len(order)))
    groups = [
        {**group, "params": [next(indices) for _ in range(size)]}
        for group, size in zip(without_factors(state)["param_groups"], sizes, strict=True)
    ]
    return {"state": {i: state["state"][j] for i, j in enumerate(order)}, "param_groups": groups}


def test_a_training_of_an_earlier_version_goes_on_with_the_moments_of_each_weight(tmp_path: Path) -> None:
    learner = train(tmp_path, network=VIL)
    path = checkpoint_of(tmp_path)
    checkpoint = read_checkpoint(path)
    (state,) = checkpoint["optimizer_states"]
    earlier = in_earlier_groups(learner.network, state)
    assert [len(g["params"]) for g in earlier["param_groups"]] != [len(g["params"]) for g in state["param_groups"]]
    assert same(regrouped(earlier, learner.network), without_factors(state))
    assert regrouped(state, learner.network) is state

    def resumed(states: list[Any]) -> dict[str, Any]:
        VerifiedCheckpointIO().save_checkpoint({**checkpoint, "optimizer_states": states}, path)
        data = make_data()
        trainer = make_trainer(tmp_path, max_epochs=3, callbacks=[best(tmp_path), last(tmp_path)])
        trainer.fit(make_learner(data, network=VIL), datamodule=data, ckpt_path=path)
        return read_checkpoint(path)

    expected = resumed([state])
    assert same(resumed([earlier])["state_dict"], expected["state_dict"])


def test_a_state_that_fits_neither_is_left_to_torch() -> None:
    linear = nn.Linear(2, 2)
    state = torch.optim.SGD([linear.weight], lr=0.1).state_dict()
    assert regrouped(state, nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))) is state
