"""rnnvision check MODULE: what of a plugin holds, what does not, and the exit code that says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rnnvision.cli.frame.plugins import registries
from rnnvision.nn import RECURRENCES
from tests.cli.running import Verb, forgotten

GOOD = """
import torch
from torch import nn
from rnnvision.data import CATALOG, Dataset, Split, Splits
from rnnvision.nn import MODELS, ORDERS, READOUTS, RECURRENCES, SCANS, Preset, Readout, RecurrentLayer


@RECURRENCES.register("leaky")
class Leaky(RecurrentLayer):
    def __init__(self, input_size, hidden_size, sequence_length=2, *, keep=0.5):
        super().__init__(input_size, hidden_size, sequence_length)
        self.map = nn.Linear(input_size, hidden_size)
        self.keep = keep

    def forward(self, x, state=None):
        (h,) = self.initial_state(len(x)) if state is None else state
        states = []
        for token in self.map(x).unbind(1):
            h = self.keep * h + token
            states.append(h)
        return torch.stack(states, 1), (h,)


@ORDERS.register("backwards")
def backwards(rows, columns, seed):
    return ((r, c) for r in reversed(range(rows)) for c in range(columns))


SCANS.register("backwards")(Preset((1, 1), "backwards"))


@MODELS.register("mean")
class Mean(nn.Module):
    def __init__(self, *, input_shape, num_classes):
        super().__init__()
        self.head = nn.Linear(input_shape[0], num_classes)

    def forward_features(self, x):
        return x.mean(dim=(2, 3))

    def forward_head(self, features):
        return self.head(features)

    def forward(self, x):
        return self.forward_head(self.forward_features(x))


def read(class_names, root, *, count=4):
    split = Split(torch.zeros(count, 1, 4, 4, dtype=torch.uint8), torch.arange(count) % 2)
    return Splits(split, split, class_names, origin="made up")


CATALOG.register("two")(Dataset(read, (0.5,), (0.3,), "a choice", ("a", "b")))
"""
# The first of GOOD is replaced by the second, which breaks a rule that only the whole contract asks for.
BROKEN = {
    "parts": ("self.keep * h + token", "self.keep * h + token + x.shape[1]", "recurrence leaky: two halves with"),
    "learns": ("self.map(x)", "self.map(x.detach())", "recurrence leaky: the tokens gets no gradient"),
    "features": (
        "return self.forward_head(self.forward_features(x))",
        "return self.head(self.forward_features(x)) + 1",
        "network mean: forward_head of forward_features",
    ),
    "classes": (
        "nn.Linear(input_shape[0], num_classes)",
        "nn.Linear(input_shape[0], 7)",
        "network mean: forward gives",
    ),
    "labels": ("torch.arange(count) % 2", "torch.arange(count)", "data set two: labels of train go from 0 to 3"),
    "pixels": ("dtype=torch.uint8", "dtype=torch.float32", "data set two: "),
    "mean": ("(0.5,), (0.3,)", "(0.5, 0.5), (0.3, 0.3)", "data set two: mean and std have 2 and 2 values"),
    "options": ("*, count=4", "count=4", "data set two: read takes ['class_names', 'root', 'count']"),
    "empty": ("Split(torch.zeros(count", "Split(torch.zeros(0 * count", "data set two: IndexError: index 0"),
    "reader": ("split = Split(", "split = Splitt(", "data set two: NameError: name 'Splitt' is not defined"),
    "order": (
        "for r in reversed(range(rows))",
        "for r in range(rows - 1)",
        "order backwards: does not visit each cell",
    ),
    "positional": (
        "*, keep=0.5",
        "keep=0.5",
        "recurrence leaky: its constructor takes input_size, hidden_size, sequence_",
    ),
    "nothing": ("*, count=4", "*, count=0", "data set two: train is empty"),
}


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    with forgotten(registries()):
        yield


def test_each_rule_of_each_part_is_named_as_it_holds(verb: Verb) -> None:
    Path("my_good.py").write_text(GOOD)
    result = verb("check", "my_good")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    parts = [line for line in lines if not line.startswith("  holds: ")]
    assert parts == ["recurrence leaky", "network mean", "order backwards", "scan backwards", "data set two"]
    rules = [sum(line.startswith("  holds: ") for line in lines[lines.index(part) :]) for part in [*parts]]
    assert rules[-1] >= 2
    assert rules == sorted(rules, reverse=True)
    assert len(set(rules)) == len(rules)  # each part has at least one
    assert "  holds: a sequence read whole equals its two halves with the state handed over" in result.out


def test_the_file_itself_may_be_named_and_several_modules(verb: Verb) -> None:
    Path("my_good.py").write_text(GOOD)
    Path("my_order.py").write_text(
        "from rnnvision.nn import ORDERS\n"
        "@ORDERS.register('downwards')\n"
        "def downwards(rows, columns, seed):\n    return ((r, c) for c in range(columns) for r in range(rows))\n"
    )
    result = verb("check", "my_good.py", "my_order")
    assert result.code == 0, result.err
    assert "order downwards" in result.out


@pytest.mark.parametrize("broken", BROKEN)
def test_a_rule_that_is_broken_is_named_with_its_part(verb: Verb, broken: str) -> None:
    before, after, message = BROKEN[broken]
    assert before in GOOD
    Path("my_bad.py").write_text(GOOD.replace(before, after))
    result = verb("check", "my_bad")
    assert result.code == 1, result.out
    assert len(result.message.splitlines()) == 1, result.message
    assert result.message.startswith("rnnvision check: my_bad: ")
    assert message in result.message


def test_a_layer_without_weights_is_held_to_its_contract_and_its_own_error_is_told(verb: Verb) -> None:
    head = GOOD.partition("\n\n\n")[0] + "\n@RECURRENCES.register('sums')\nclass Sums(RecurrentLayer):\n"
    sums = "        s = self.initial_state(len(x)) if s is None else s\n"
    sums += "        y = x.sum(2, keepdim=True).cumsum(1) + s[0][:, None]\n"
    Path("my_sums.py").write_text(f"{head}    def forward(self, x, s=None):\n{sums}        return y, (y[:, -1],)\n")
    assert verb("check", "my_sums").code == 0
    RECURRENCES.pop("sums")
    Path("my_boom.py").write_text(f"{head}    def forward(self, x, s=None):\n        raise ValueError('boom')\n")
    assert "my_boom: recurrence sums: ValueError: boom (my_boom.py, line " in verb("check", "my_boom").message


@pytest.mark.parametrize(
    ("content", "words", "parts"),
    [
        (None, ["my_bad"], ["plugins=[my_bad]: there is no module my_bad in this folder"]),
        ("", ["my_bad"], ["plugins=[my_bad]: registers nothing (", "a part needs @RECURRENCES.register(NAME)"]),
        ("1 / 0\n", ["my_bad"], ["cannot be imported: ZeroDivisionError: division by zero (my_bad.py, line 1)"]),
        (None, ["--config-dir"], ["--config-dir: is no module"]),
        (None, ["json"], ["plugins=[json]: registers nothing"]),
        ("raise SystemExit(0)\n", ["my_bad"], ["cannot be imported: SystemExit: 0"]),
    ],
    ids=["missing", "empty", "raises", "no module", "not a plugin", "exits"],
)
def test_a_module_that_is_no_plugin_is_wrong_use(
    verb: Verb, content: str | None, words: list[str], parts: list[str]
) -> None:
    if content is not None:
        Path("my_bad.py").write_text(content)
    result = verb("check", *words)
    assert result.code == 2
    assert len(result.message.splitlines()) == 1, result.message
    assert [part for part in parts if part not in result.message] == [], result.message


@pytest.mark.parametrize("words", [[], ["--help"]], ids=str)
def test_it_says_how_it_is_used(verb: Verb, words: list[str]) -> None:
    result = verb("check", *words)
    assert result.code == 0
    assert result.out.startswith("rnnvision check MODULE ...")


def test_data_that_is_not_here_is_not_read(verb: Verb) -> None:
    content = GOOD.replace("    split = Split(", "    raise DataError('two: download it first')\n    split = Split(")
    content = content.replace("import CATALOG,", "import CATALOG, DataError,")
    Path("my_absent.py").write_text(content)
    result = verb("check", "my_absent")
    assert result.code == 0, result.err
    assert "  not checked, since it cannot be read here: two: download it first" in result.out


def test_data_of_which_the_user_has_to_give_the_folder_is_not_read(verb: Verb) -> None:
    content = GOOD.replace("    split = Split(", "    raise ValueError('root=null: give a folder')\n    split = Split(")
    assert '("a", "b"))' in content
    Path("my_folder.py").write_text(content.replace('("a", "b"))', '("a", "b"), needs_root=True)'))
    result = verb("check", "my_folder")
    assert result.code == 0, result.err
    assert "  not checked, since it needs data.root=FOLDER" in result.out
