"""Studies made by hand: random search on a function that is known, with every kind of parameter and of trial."""

import math
import random
from dataclasses import replace
from typing import Any

from rnnvision.runs.study import Axis, StudyRecord, TrialRow, as_word

LONG = "model.layer.an_option_with_a_name_that_is_longer_than_any_plot_has_room_for"
SPACE = {
    "model": Axis("choice", choices=("gru", "lstm", "mingru", "an_encoder_decoder_with_attention")),
    "optimizer.lr": Axis("float", 1e-5, 1e-1, log=True),
    "model.hidden_size": Axis("int", 8, 512, log=True),
    "model.num_layers": Axis("int", 1, 3),
    "model.head_dropout": Axis("float", 0.0, 0.5, step=0.1),
    "model.bidirectional": Axis("choice", choices=(True, False)),
    "model.norm": Axis("choice", choices=(None, "layer", "rms")),
    "model.patch": Axis("choice", choices=([1, 1], [2, 2], [4, 4])),
    "name": Axis("choice", choices=("<b>$x$</b>", "_y^")),
    LONG: Axis("float", 3.0, 3.0),
}


def _value(axis: Axis, draw: random.Random) -> Any:
    if axis.kind == "choice":
        return draw.choice(axis.choices)
    low, high = axis.low or 0.0, axis.high or 0.0
    found = math.exp(draw.uniform(math.log(low), math.log(high))) if axis.log else draw.uniform(low, high)
    if axis.step:
        found = low + round((found - low) / axis.step) * axis.step
    return round(found) if axis.kind == "int" else found


def _score(params: dict[str, Any], draw: random.Random) -> float:
    """Best at a rate of 3e-3, more so for a GRU, rising with the size; the rest changes nothing."""
    rate = (math.log10(params["optimizer.lr"]) + 2.5) ** 2 / 4
    size = 0.1 * math.log(params["model.hidden_size"] / 8) / math.log(64)
    return max(0.1, 0.88 - 0.4 * rate + size - 0.05 * (params["model"] != "gru") + draw.gauss(0, 0.01))


def searched(count: int, space: dict[str, Axis] = SPACE) -> StudyRecord:
    """So many trials of random search, a third of them pruned, some failed, the last one running."""
    draw, trials = random.Random(0), []
    for number in range(count):
        params = {key: _value(axis, draw) for key, axis in space.items()}
        best = _score(params, draw)
        steps = {epoch: best * (1 - 0.7 * math.exp(-epoch / 3)) + draw.gauss(0, 0.005) for epoch in range(1, 11)}
        words = tuple(f"{key}={as_word(value)}" for key, value in params.items())
        trial = TrialRow(number, "completed", (max(steps.values()),), params, words, steps, 12.5)
        if number % 3 == 2:
            trial = replace(trial, state="pruned", values=(), steps={e: steps[e] for e in range(1, 3 + number % 4)})
        elif number % 16 == 4:
            trial = replace(trial, state="failed", values=(), steps={1: math.nan}, error="the loss is nan in epoch 1")
        elif number == count - 1 and count > 1:
            trial = replace(trial, state="running", values=(), steps={1: steps[1]}, seconds=None)
        trials.append(trial)
    shares = {"optimizer.lr": 0.62, "model.hidden_size": 0.2, "model": 0.1, LONG: 0.0}
    return StudyRecord(
        "digits <b>",
        ("val/accuracy",),
        ("maximize",),
        space,
        tuple(trials),
        ("data=digits", "trainer.max_epochs=10"),
        {key: shares[key] for key in shares if key in space},
        {"sampler": "random", "pruner": "median"},
    )


def of_two_metrics(count: int) -> StudyRecord:
    """Accuracy and multiply-adds, which nothing is pruned by."""
    found = searched(count)
    trials = tuple(
        replace(trial, values=(*trial.values, 40.0 * trial.params["model.hidden_size"] ** 2), steps={})
        for trial in found.trials
        if trial.state == "completed"
    )
    two = ("val/accuracy", "multiply_adds"), ("maximize", "minimize")
    return replace(found, metrics=two[0], directions=two[1], trials=trials, importances={})
