"""Optimisers and schedules: which parameters decay, and the learning rate at each step."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau

from rnnvision.nn import RECURRENCES, build
from rnnvision.nn.parts import freeze_parts, parts_of
from rnnvision.training import OPTIMIZERS, SCHEDULES, count_steps, make_optimizer, make_scheduler
from rnnvision.training.optim import constant, cosine, learning_rate, parameter_groups

SHARES = [i / 200 for i in range(201)]


def network(recurrence: str = "lstm") -> nn.Module:
    return build(
        "sequence_classifier",
        input_shape=(1, 4, 4),
        num_classes=3,
        recurrence=recurrence,
        hidden_size=5,
        num_layers=2,
        norm=True,
        embed_size=3,
    )


# Parameter groups -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_matrices_decay_and_vectors_do_not_and_none_is_missing(recurrence: str) -> None:
    module = network(recurrence)
    matrices, vectors, *moving = parameter_groups(module, 0.3)
    assert [group["weight_decay"] for group in (matrices, vectors, *moving)] == [0.3, 0.0, *[0.0] * len(moving)]
    assert all(parameter.ndim >= 2 for parameter in matrices["params"])
    assert all(parameter.ndim < 2 for parameter in vectors["params"])
    assert len(moving) == bool(RECURRENCES[recurrence].state_parameters)
    grouped = [id(parameter) for group in (matrices, vectors, *moving) for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in module.parameters())


class Shifted(nn.Module):
    """A module of a user's own, with a matrix that is to be left as large as it is."""

    undecayed = ("shift",)

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(3, 3)
        self.shift = nn.Parameter(torch.zeros(3, 3))


def test_a_module_says_which_of_its_matrices_do_not_decay() -> None:
    vil = build("vision_lstm", input_shape=(1, 8, 8), num_classes=3, patch_size=4, hidden_size=8, num_layers=2)
    module = nn.ModuleList([Shifted(), vil])
    matrices, vectors = (set(map(id, group["params"])) for group in parameter_groups(module, 0.3))
    kept = {id(module[0].shift), id(vil.position.table)}
    assert kept <= vectors
    assert {id(p) for p in module.parameters() if p.ndim >= 2} - kept == matrices


@pytest.mark.parametrize("recurrence", [name for name, layer in RECURRENCES.items() if layer.state_parameters])
def test_what_moves_a_state_learns_at_a_rate_of_its_own(recurrence: str) -> None:
    module = network(recurrence)
    optimizer = make_optimizer(module, "adamw", lr=0.5, weight_decay=0.1, state_lr_factor=0.2)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5, pytest.approx(0.1)]
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    found = {names[id(parameter)].rpartition(".")[2] for parameter in optimizer.param_groups[2]["params"]}
    assert found == set(RECURRENCES[recurrence].state_parameters)
    schedule = make_scheduler(optimizer, "cosine", total_steps=10, warmup=0.0)["scheduler"]
    optimizer.step()
    schedule.step()
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates[2] == pytest.approx(0.2 * rates[0])


@pytest.mark.parametrize("factor", [-1.0, math.inf, math.nan])
def test_a_rate_of_its_own_is_a_finite_number(factor: float) -> None:
    with pytest.raises(ValueError, match=rf"^state_lr_factor={factor}: must be"):
        make_optimizer(nn.Linear(3, 2), "adamw", state_lr_factor=factor)


def test_a_part_learns_at_a_rate_of_its_own_in_every_group() -> None:
    """With what does not decay, what moves a state and what is frozen left as they are, and under a schedule."""
    module = network("lru")
    freeze_parts(module, freeze="embed")
    factors = {"layer_0": 0.1, "head": 2.0}
    optimizer = make_optimizer(module, "adamw", lr=0.5, weight_decay=0.3, state_lr_factor=0.2, lr_factors=factors)
    moving = {id(p) for p in parameter_groups(module, 0.3)[2]["params"]}
    rates = {id(p): (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for p in group["params"]}
    assert rates.keys() == {id(p) for p in module.parameters() if p.requires_grad}
    parts = parts_of(module)
    for name, p in module.named_parameters():
        if p.requires_grad:
            part = next((factor for part, factor in factors.items() if name in parts[part]), 1.0)
            moves = id(p) in moving
            decay = 0.3 if p.ndim >= 2 and not moves else 0.0
            assert rates[id(p)] == (pytest.approx(0.5 * part * (0.2 if moves else 1.0)), decay), name
    schedule = make_scheduler(optimizer, "cosine", total_steps=10, warmup=0.0)["scheduler"]
    before = [group["lr"] for group in optimizer.param_groups]
    for _ in range(5):
        optimizer.step()
        schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([rate / 2 for rate in before])
    assert learning_rate(optimizer) == pytest.approx(0.25)


def test_the_rate_that_is_logged_is_that_of_the_optimiser_where_every_part_has_a_factor() -> None:
    module = network()
    factors = {"all_but_head": 0.1, "head": 0.5}
    assert learning_rate(make_optimizer(module, "sgd", lr=0.4, lr_factors=factors)) == pytest.approx(0.4)
    freeze_parts(module, freeze=["embed", "recurrence"])
    assert learning_rate(make_optimizer(module, "sgd", lr=0.4, lr_factors={"head": 0.1})) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"heed": 0.1}, "lr_factors.heed=0.1: this network has no such part; choose one of .*; did you mean head"),
        ({"head": 0}, "lr_factors.head=0: must be a number above 0"),
        ({"head": -0.5}, "lr_factors.head=-0.5: must be a number above 0"),
        ({"embed": 0.1}, "lr_factors.embed=0.1: is frozen, and has no learning rate"),
        (
            {"recurrence": 1.0, "layer_1": 0.1},
            r"lr_factors.layer_1=0.1: recurrence.layers.1.\S+ lies in recurrence too",
        ),
    ],
)
def test_a_factor_that_cannot_be_is_refused(factors: dict[str, float], message: str) -> None:
    module = network()
    freeze_parts(module, freeze="embed")
    with pytest.raises(ValueError, match=f"^{message}"):
        make_optimizer(module, "adamw", lr_factors=factors)


def test_a_shared_weight_is_taken_once() -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[1].weight = module[0].weight
    assert [len(group["params"]) for group in parameter_groups(module, 0.1)] == [1, 2]


def test_what_is_frozen_is_left_out_and_no_group_is_empty() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    module[0].requires_grad_(False)
    module[1].bias.requires_grad_(False)
    (only,) = parameter_groups(module, 0.1)
    assert [id(parameter) for parameter in only["params"]] == [id(module[1].weight)]


@pytest.mark.parametrize(("name", "decoupled"), [("adamw", True), ("sgd", False)])
def test_decay_shrinks_matrices_alone(name: str, decoupled: bool) -> None:
    module = nn.Linear(3, 2)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    optimizer = make_optimizer(module, name, lr=0.5, weight_decay=0.1)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    torch.testing.assert_close(module.weight.data, before["weight"] * (1 - 0.5 * 0.1))
    assert torch.equal(module.bias.data, before["bias"])
    assert optimizer.param_groups[0].get("decoupled_weight_decay", False) is decoupled


def test_options_reach_the_optimizer() -> None:
    optimizer = make_optimizer(nn.Linear(3, 2), "sgd", lr=0.7, momentum=0.6, nesterov=True)
    for group in optimizer.param_groups:
        assert (group["lr"], group["momentum"], group["nesterov"]) == (0.7, 0.6, True)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(("option", "value"), [("lr", -1.0), ("weight_decay", -0.1)])
def test_a_negative_value_is_refused(name: str, option: str, value: float) -> None:
    with pytest.raises(ValueError, match=option.replace("lr", "learning rate") + f"|{option}"):
        make_optimizer(nn.Linear(3, 2), name, **{"lr": 0.1, option: value})


# Schedules ------------------------------------------------------------------------------------------------------------


def rates(name: str, total_steps: int, steps: int | None = None, lr: float = 1.0, **options: Any) -> list[float]:
    """The learning rate of each step, taken from the optimiser."""
    optimizer = make_optimizer(nn.Linear(1, 1), "sgd", lr=lr)
    scheduler = make_scheduler(optimizer, name, total_steps=total_steps, **options)
    assert scheduler["interval"] == "step"
    found = []
    for _ in range(total_steps + 1 if steps is None else steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler["scheduler"].step()
    return found


@pytest.mark.parametrize(
    ("name", "options", "start", "peak_at", "end"),
    [
        ("constant", {}, 1.0, 0.0, 1.0),
        ("constant", {"warmup": 0.25}, 0.0, 0.25, 1.0),
        ("cosine", {}, 0.0, 0.05, 0.0),
        ("cosine", {"warmup": 0.0}, 1.0, 0.0, 0.0),
        ("cosine", {"warmup": 0.5, "final": 0.1}, 0.0, 0.5, 0.1),
        ("one_cycle", {}, 0.04, 0.25, 1e-4),
        ("one_cycle", {"warmup": 0.0}, 1.0, 0.0, 1e-4),
        ("one_cycle", {"warmup": 0.4, "initial": 0.2, "final": 0.3}, 0.2, 0.4, 0.3),
    ],
)
def test_a_schedule_rises_to_1_and_falls(
    name: str, options: dict[str, float], start: float, peak_at: float, end: float
) -> None:
    def schedule(done: float) -> float:
        return SCHEDULES[name](done, **options)

    assert schedule(0.0) == pytest.approx(start)
    assert schedule(peak_at) == pytest.approx(1.0)
    assert schedule(1.0) == pytest.approx(end, abs=1e-12)
    rise = [schedule(done) for done in SHARES if done <= peak_at]
    fall = [schedule(done) for done in SHARES if done >= peak_at]
    assert rise == sorted(rise)
    assert fall == sorted(fall, reverse=True)
    steepest = max(abs(a - b) for a, b in itertools.pairwise(map(schedule, SHARES)))
    assert steepest < 0.12  # no jump
    assert schedule(1.5) == pytest.approx(end, abs=1e-12)  # a step too many neither rises again nor falls further


def test_a_linear_rise_is_linear() -> None:
    for schedule in (constant, cosine):
        assert [schedule(d, warmup=0.5) for d in (0.1, 0.2, 0.4)] == pytest.approx([0.2, 0.4, 0.8])


def test_cosine_is_torchs_and_its_closed_form() -> None:
    found = rates("cosine", 40, lr=0.3, warmup=0.0, final=0.1)
    closed = [0.3 * (0.1 + 0.9 * (1 + math.cos(math.pi * step / 40)) / 2) for step in range(41)]
    assert found == pytest.approx(closed)
    optimizer = make_optimizer(nn.Linear(1, 1), "sgd", lr=0.3)
    torchs = CosineAnnealingLR(optimizer, T_max=40, eta_min=0.03)
    for rate in found:
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        torchs.step()


def test_cosine_falls_after_the_warm_up_over_what_is_left() -> None:
    assert rates("cosine", 40, warmup=0.25)[10:] == pytest.approx(rates("cosine", 30, warmup=0.0))


@pytest.mark.parametrize(("total", "share"), [(41, 0.25), (101, 0.3), (61, 0.5)])
def test_one_cycle_is_torchs(total: int, share: float) -> None:
    optimizer = make_optimizer(nn.Linear(1, 1), "sgd", lr=0.1)
    torchs = OneCycleLR(optimizer, 0.2, total_steps=total, pct_start=share, cycle_momentum=False, final_div_factor=50)
    # Torch's first step is 0 and its last total - 1; its peak lies at share * total - 1.
    options = {"warmup": (share * total - 1) / (total - 1), "initial": 1 / 25, "final": 1 / 25 / 50}
    for rate in rates("one_cycle", total - 1, steps=total, lr=0.2, **options):
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if torchs.last_epoch < total - 1:
            torchs.step()


@pytest.mark.parametrize("scheduler", [*SCHEDULES, "plateau"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_steps_with_every_schedule(optimizer: str, scheduler: str) -> None:
    module = network()
    before = [parameter.detach().clone() for parameter in module.parameters()]
    made = make_optimizer(module, optimizer, lr=0.01, weight_decay=0.01)
    schedule = make_scheduler(made, scheduler, total_steps=10)["scheduler"]
    arguments = (1.0,) if scheduler == "plateau" else ()
    for _ in range(3):
        made.zero_grad()
        module(torch.randn(4, 1, 4, 4)).square().mean().backward()
        made.step()
        schedule.step(*arguments)
    changed = [not torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True)]
    assert all(changed)
    assert all(parameter.isfinite().all() for parameter in module.parameters())


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warmup", [1.0, -0.1, 2.0, float("nan")])
def test_a_warm_up_outside_the_training_is_refused(name: str, warmup: float) -> None:
    optimizer = make_optimizer(nn.Linear(1, 1), "sgd", lr=1.0)
    with pytest.raises(ValueError, match=f"^warmup={warmup}: must lie in"):
        make_scheduler(optimizer, name, total_steps=10, warmup=warmup)


def test_plateau_halves_the_rate_of_a_loss_that_does_not_fall() -> None:
    optimizer = make_optimizer(nn.Linear(1, 1), "sgd", lr=0.8)
    made = make_scheduler(optimizer, "plateau", total_steps=1, factor=0.5, patience=1, min_lr=0.3)
    assert (made["interval"], made["monitor"]) == ("epoch", "val/loss")
    assert isinstance(made["scheduler"], ReduceLROnPlateau)
    found = []
    for loss in (1.0, 0.5, 0.6, 0.6, 0.6, 0.6):
        made["scheduler"].step(loss)
        found.append(optimizer.param_groups[0]["lr"])
    assert found == pytest.approx([0.8, 0.8, 0.8, 0.4, 0.4, 0.3])


def test_the_least_rate_of_a_plateau_is_that_of_a_part_times_its_factor() -> None:
    optimizer = make_optimizer(nn.ModuleDict({"head": nn.Linear(1, 1)}), "sgd", lr=0.8, lr_factors={"head": 0.1})
    schedule = make_scheduler(optimizer, "plateau", total_steps=1, factor=0.1, patience=0, min_lr=0.3)["scheduler"]
    for _ in range(3):
        schedule.step(1.0)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.03, 0.03])


# Steps ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batches", "limits", "steps"),
    [
        (10, {"max_epochs": 3}, 30),
        (10, {"max_epochs": 3, "max_steps": 7}, 7),
        (10, {"max_epochs": 3, "max_steps": 100}, 30),
        (10, {"max_epochs": -1, "max_steps": 7}, 7),
        (10, {"max_epochs": None, "max_steps": 7}, 7),
        (10, {"max_epochs": 3, "accumulate": 4}, 9),  # the rest of an epoch makes a step
        (0, {"max_epochs": 3}, 1),
        (10, {"max_epochs": 0}, 1),
    ],
)
def test_steps_are_counted(batches: int, limits: dict[str, Any], steps: int) -> None:
    assert count_steps(batches, **limits) == steps


@pytest.mark.parametrize("max_epochs", [None, -1])
def test_a_training_without_an_end_is_refused(max_epochs: int | None) -> None:
    with pytest.raises(ValueError, match=r"^max_epochs=-1: a schedule needs an end"):
        count_steps(10, max_epochs=max_epochs)
