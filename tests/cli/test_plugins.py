"""plugins=[MODULE] and --config-dir: the parts of docs/extend.md in every verb, and what is refused."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rnnvision.cli.frame.plugins import load_plugins, registries
from rnnvision.errors import UsageError
from rnnvision.nn import RECURRENCES
from tests.cli.running import Here, Result, Verb, forgotten

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extend.md").read_text()
BLOCKS = re.findall(r"```(?:python|yaml)\n# ([\w/.]+)\n(.*?)```", PAGE, flags=re.DOTALL)
QUICK = ("trainer=smoke", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "device=cpu")
OWN = ("--config-dir", "my_conf", "plugins=[my_cell,my_parts]")


@pytest.fixture(autouse=True)
def _own_parts() -> Iterator[None]:
    """The files of the page in this folder; what they register is taken out again."""
    for name, content in BLOCKS:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(content)
    with forgotten(registries()):
        yield


def forget() -> None:
    """As in a new process: nothing is registered or imported."""
    for registry in registries():
        for name in ("mgu", "boustrophedon", "mean_colour", "stripes"):
            registry.pop(name, None)
    for module in ("my_cell", "my_parts"):
        sys.modules.pop(module, None)


def latest(verb: str) -> dict[str, float]:
    return json.loads(Path(f"logs/{verb}/latest/metrics.json").read_text())


def one_line(result: Result, code: int, *parts: str) -> None:
    message = result.message
    assert result.code == code, message
    assert len(message.splitlines()) == 1, message
    assert [part for part in parts if part not in message] == [], message


# Used -----------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_quick_benchmark")
def test_a_layer_of_ones_own_goes_through_every_verb(verb: Verb) -> None:
    plugin = "plugins=[my_cell]"
    words = ("model.recurrence=mgu", "+model.layer.forget_bias=-2.0", "model.hidden_size=8")
    result = verb("train", plugin, *words, *QUICK)
    assert result.code == 0, result.err
    assert "recurrence mgu" in result.out.splitlines()[0]
    assert "layer.forget_bias -2.0" in result.out.splitlines()[0]
    assert result.out.rstrip().endswith(f" '{plugin}'")  # the command to go on with
    forget()
    one_line(
        verb("evaluate", "ckpt=logs/train/latest", "device=cpu"),
        2,
        "best.ckpt: needs the plugin my_cell, which is not imported by itself; add plugins=[my_cell] to the command",
    )
    assert "mgu" not in RECURRENCES
    assert verb("evaluate", "ckpt=logs/train/latest", plugin, "device=cpu").code == 0
    assert latest("evaluate")["test/accuracy"] == latest("train")["test/accuracy"]
    forget()
    small = ("batch_sizes=[2]", "lengths=[4,8]", "rounds=1", "latency_rounds=1", "growth_batch=2", "device=cpu")
    result = verb("benchmark", "ckpt=logs/train/latest", plugin, *small)
    assert result.code == 0, result.err
    per_token = 2 * 8 * 8 + 8 * 8 + 8 * 8  # each matrix meets each token once
    assert latest("benchmark")["multiply_adds"] == 8 * per_token + 8 * 10


def test_a_scan_an_order_a_network_and_data_of_ones_own_are_options(verb: Verb) -> None:
    for word, shown in (("model.scan=boustrophedon", "scan boustrophedon"), ("model=mean_colour", "mean_colour, 1 x")):
        result = verb("train", *OWN, "data=stripes", word, *QUICK)
        assert result.code == 0, result.err
        first, second = result.out.splitlines()[:2]
        assert shown in first
        assert second.startswith(
            "data      stripes, 360 / 40 / 100 images (train / val / test) of 1 x 12 x 12, 2 classes"
        )
        forget()
        assert verb("evaluate", "ckpt=logs/train/latest", OWN[2], "device=cpu").code == 0
        assert latest("evaluate")["test/accuracy"] == latest("train")["test/accuracy"]


def test_an_experiment_of_ones_own_names_its_plugin(verb: Verb) -> None:
    result = verb("train", "--config-dir", "my_conf", "experiment=digits_mgu", *QUICK)
    assert result.code == 0, result.err
    assert "recurrence mgu" in result.out
    assert "plugins=[my_cell]" in result.out.splitlines()[-1]


def test_a_comparison_hands_plugin_and_configurations_to_its_children(
    verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnvision.cli.compare.make_place", Here())
    monkeypatch.setattr("rnnvision.cli.compare.plot_comparison", lambda *_: None)
    models = 'models=[mean_colour,"mgu hidden_size=4"]'
    words = (models, "budget=epochs:1", "seeds=1", "rounds=1", "latency_rounds=2", "hydra.run.dir=all")
    result = verb("compare", *OWN, *words, "data=stripes", *QUICK[:1], "device=cpu")
    assert result.code == 0, result.err
    rows = Path("all/comparison.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["label", "mean_colour", "mgu hidden_size=4"]
    assert json.loads(Path("all/comparison.json").read_text())["config_dir"][0] == "--config-dir"
    Path("all/mgu-hidden_size-4_0/status.json").unlink()  # as if it had been killed in its first epoch
    Path("all/mgu-hidden_size-4_0/checkpoints/last.ckpt").unlink()
    forget()
    again = f"rnnvision compare --config-dir {Path('my_conf').resolve()} resume=all"
    one_line(verb("compare", "resume=all"), 2, f"resume=all: began with configurations of your own; try: {again}")
    result = verb("compare", *again.split()[2:])  # all else that it needs lies in the folder
    assert result.code == 0, result.err
    assert json.loads(Path("all/mgu-hidden_size-4_0/status.json").read_text())["status"] == "completed"


def test_a_run_with_a_plugin_is_resumed_without_naming_it(verb: Verb) -> None:
    words = (*OWN, "model=mgu", "model.hidden_size=4", "data=stripes", "trainer=smoke", "trainer.max_steps=-1")
    assert verb("train", *words, "device=cpu", "trainer.max_epochs=1", "hydra.run.dir=run").code == 0
    forget()
    result = verb("train", "resume=run", "trainer.max_epochs=2")
    assert result.code == 0, result.err
    assert "mgu" in RECURRENCES
    assert len(Path("run/metrics.csv").read_text().splitlines()) == 3


# Options of a layer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ["model=lru", "model.layer.gate_bias=chrono"],
            ["model.layer.gate_bias", "the layer lru has no such option; it has state_size, r_min, r_max, max_phase"],
        ),
        (
            ["model=rnn", "model.layer.gate_bias=chrono"],
            ["the layer rnn has no such option; it has weight_init", "layers that have it: ", " gru", "lstm"],
        ),
        (
            ["model=gru", "model.layer.colour=red"],
            ["model.layer.colour", "the layer gru has no such option; it has weight_init, gate_bias"],
        ),
        (
            ["model=gru", "+model.layer.colour=red"],
            ["model.layer.colour=red: the layer gru has no such option; it has weight_init, gate_bias"],
        ),
        (["model=gru", "model.layer.gate_bias=chorno"], ["model.layer.gate_bias=chorno", "did you mean chrono?"]),
        (["model=lru", "model.layer.r_min=2"], ["model.layer.r_min=2", "from 0 to 1"]),
        (["model=gru", "model.layer=3"], ["model.layer=3: must be KEY: VALUE pairs"]),
        (
            ["model=lstm", "model.recurrence=lru", "model.layer.r_min=0.5"],
            ["model.layer.r_min: is not in this model's file; write it as +model.layer.r_min=VALUE"],
        ),
    ],
    ids=lambda value: " ".join(value) if "=" in value[0] else "",
)
def test_an_option_that_a_layer_does_not_have_is_told_with_those_that_have_it(
    verb: Verb, words: list[str], parts: list[str]
) -> None:
    one_line(verb("train", *words, *QUICK), 2, *parts)


def test_an_option_of_another_layer_is_given_with_a_plus(verb: Verb) -> None:
    result = verb(
        "train", "model=lstm", "model.recurrence=lru", "+model.layer.r_min=0.5", "model.hidden_size=4", *QUICK
    )
    assert result.code == 0, result.err
    assert "layer.r_min 0.5" in result.out.splitlines()[0]


# Refused --------------------------------------------------------------------------------------------------------------

LAYER = """
import torch
from rnnvision.nn import ORDERS, RECURRENCES, RecurrentLayer

@RECURRENCES.register("mine")
class Mine(RecurrentLayer):
    def __init__(self, input_size, hidden_size, sequence_length=2):
        super().__init__(input_size, hidden_size, sequence_length)
        self.map = torch.nn.Linear(input_size, hidden_size)

    def forward(self, x, state=None):
        states = self.map(x)
        return states, STATE
"""
ORDER = "from rnnvision.nn import ORDERS\nORDERS.register('mine')(lambda rows, columns, seed: [(0, 0)])\n"
REFUSED: dict[str, tuple[str, list[str]]] = {
    "raises": ("import json\nvalue = json.loads('[')\n", ["cannot be imported: JSONDecodeError", "my_bad.py, line 2"]),
    "syntax": ("def broken(:\n", ["cannot be imported: SyntaxError: ", "(my_bad.py, line 1)"]),
    "lacks": ("import not_installed_at_all\n", ["cannot be imported: ModuleNotFoundError", "not_installed_at_all"]),
    "taken": (
        "from rnnvision.nn import ORDERS, RECURRENCES, RecurrentLayer\nORDERS.register('left')(print)\n"
        "@RECURRENCES.register('gru')\nclass Mine(RecurrentLayer): ...\n",
        ["recurrence gru: is registered already, as rnnvision.nn.layers.fused.GRU; choose another name"],
    ),
    "kind": (
        "from torch import nn\nfrom rnnvision.nn import RECURRENCES\nRECURRENCES.register('mine')(nn.Linear)\n",
        ["recurrence mine: Linear is no subclass of rnnvision.nn.layers.layer.RecurrentLayer"],
    ),
    "name": (
        "from torch import nn\nfrom rnnvision.nn import MODELS\nMODELS.register('my net')(nn.Linear)\n",
        ["network 'my net': a name is a word of letters, digits and _"],
    ),
    "state": (
        LAYER.replace("STATE", "(states,)"),
        ["mine: forward gives a state whose tensor 0 is", "initial_state gives"],
    ),
    "no tuple": (LAYER.replace("STATE", "states[:, -1]"), ["mine: forward gives a state that is no tuple"]),
    "too many": (LAYER.replace("STATE", "(states[:, -1],) * 2"), ["mine: forward gives a state of 2 tensors, not 1"]),
    "fails": (LAYER.replace("STATE", "(self.nowhere,)"), ["mine: breaks the rule", "AttributeError", "nowhere"]),
    "order": (ORDER, ["mine: does not visit each cell of a 1 x 5 grid once"]),
    "scan": (
        "from rnnvision.nn import SCANS, Preset\nSCANS.register('mine')(Preset((1, 1), 'zigzag'))\n",
        ["scan mine: there is no order zigzag; register it first"],
    ),
    "data": (
        "from rnnvision.data import CATALOG\nCATALOG.register('mine')(len)\n",
        ["data set mine: ", "is no rnnvision.data.Dataset"],
    ),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_a_plugin_that_is_wrong_is_told_and_leaves_nothing(verb: Verb, wrong: str) -> None:
    content, parts = REFUSED[wrong]
    Path("my_bad.py").write_text(content)
    before = [dict(registry) for registry in registries()]
    result = verb("train", "plugins=[my_cell,my_bad]", *QUICK)
    one_line(result, 2, "plugins=[my_bad]: ", *parts)
    assert "my_bad" not in sys.modules
    forget()  # my_cell was right
    assert [dict(registry) for registry in registries()] == before
    assert not list(Path("logs").rglob("checkpoints"))


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["plugins=[my_cel]"], ["plugins=[my_cel]: there is no module my_cel in this folder or among the installed"]),
        (["plugins=[my_cell.sub]"], ["plugins=[my_cell.sub]: "]),
        (["plugins=my_cell"], ["plugins=my_cell: must be a list of modules, for example plugins=[my_module]"]),
        (["plugins=[3]"], ["plugins=[3]: must be a list of modules"]),
        (["plugin=[my_cell]"], ["did you mean plugins?"]),
        (["model.recurrence=mgu"], ["model.recurrence=mgu: choose one of "]),
        (["model=mgu"], ["model=mgu: there is no such option"]),
    ],
    ids=lambda value: value[0],
)
def test_what_names_no_plugin_is_told(verb: Verb, words: list[str], parts: list[str]) -> None:
    one_line(verb("train", *words, "device=cpu"), 2, *parts)
    assert "mgu" not in RECURRENCES


def test_two_plugins_that_give_the_same_name_are_told_apart(verb: Verb) -> None:
    Path("my_twin.py").write_text(Path("my_cell.py").read_text())
    one_line(
        verb("train", "plugins=[my_cell,my_twin]", *QUICK),
        2,
        "plugins=[my_twin]: recurrence mgu: is registered already, as my_cell.MGU; choose another name",
    )


def test_a_file_in_place_of_a_module_is_told_and_not_run(verb: Verb) -> None:
    Path("my_loud.py").write_text("raise SystemExit('ran')\n")
    said = "plugins=[my_loud.py]: is no name of a module; did you mean my_loud? Try: "
    one_line(verb("train", "plugins=[my_loud.py]", *QUICK), 2, said, "'plugins=[my_loud]'")


@pytest.mark.parametrize("name", ["evaluate", "benchmark", "compare", "shards"])
def test_every_verb_refuses_a_plugin_that_is_not_there(verb: Verb, name: str) -> None:
    one_line(verb(name, "plugins=[nowhere]"), 2, f"rnnvision {name}: plugins=[nowhere]: there is no module nowhere")


def test_a_module_is_imported_once_and_its_parts_are_known_while_it_is_asked_for() -> None:
    load_plugins(["my_cell"], Path.cwd())
    first = RECURRENCES["mgu"]
    load_plugins([], Path.cwd())
    assert "mgu" not in RECURRENCES
    load_plugins(["my_cell"], Path.cwd())
    assert RECURRENCES["mgu"] is first
    with pytest.raises(UsageError, match="must be a list"):
        load_plugins("my_cell", Path.cwd())


def test_a_job_of_a_sweep_does_not_know_the_plugins_of_another(verb: Verb) -> None:
    result = verb("train", "-m", "plugins=[my_cell],[]", "model.recurrence=mgu", *QUICK)
    assert result.code == 1
    assert "plugins= failed: model.recurrence=mgu: " in result.err
    assert result.message.endswith("of 2 jobs 1 failed")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["+model.layer.forget_bias=hello"], ["model.layer.forget_bias=hello: must be a number"]),
        (
            ["+model.layer.forget_bia=1"],
            ["model.layer.forget_bia=1: the layer mgu has no such option; it has forget_bias"],
        ),
    ],
    ids=["type", "name"],
)
def test_an_option_of_the_layer_is_bound_to_its_constructor(verb: Verb, words: list[str], parts: list[str]) -> None:
    one_line(verb("train", "plugins=[my_cell]", "model.recurrence=mgu", *words, *QUICK), 2, *parts)


def test_a_key_is_compared_with_those_of_the_model_in_a_folder_of_ones_own(verb: Verb) -> None:
    words = ["--config-dir", "my_conf", "plugins=[my_cell]", "model=mgu", "model.layer.forget_bais=1"]
    one_line(
        verb("train", *words), 2, "model.layer.forget_bais: ", "recurrence mgu", "did you mean model.layer.forget_bias?"
    )


def test_a_model_file_without_a_name_is_told(verb: Verb) -> None:
    Path("my_conf/model/nameless.yaml").write_text("hidden_size: 3\n")
    one_line(
        verb("train", "--config-dir", "my_conf", "model=nameless"),
        2,
        "model.name: is in no file of model=; choose one of",
    )


def test_a_network_without_anything_to_train_is_told(verb: Verb) -> None:
    Path("my_frozen.py").write_text(
        "from rnnvision.nn import MODELS, SequenceClassifier\n"
        "@MODELS.register('frozen')\n"
        "class Frozen(SequenceClassifier):\n"
        "    def __init__(self, **options):\n"
        "        super().__init__(**options)\n"
        "        self.requires_grad_(False)\n"
    )
    one_line(verb("train", "plugins=[my_frozen]", "model.name=frozen", *QUICK), 2, "has no parameter that is trained")


# A folder of configurations that is wrong -----------------------------------------------------------------------------


def test_a_folder_of_configurations_that_is_not_there_is_told(verb: Verb) -> None:
    one_line(verb("train", "--config-dir", "my_cnof", "model=mgu"), 2, "my_cnof")


def test_an_option_in_a_folder_of_ones_own_is_among_those_that_are_offered(verb: Verb) -> None:
    one_line(verb("train", "--config-dir", "my_conf", "model=mguu"), 2, " mgu, ", "did you mean model=mgu?")
    message = verb("train", *OWN, "model=mgu", "model.hiden_size=3").message
    assert "did you mean model.hidden_size?" in message
    assert "model.hidden_size=3" in message.partition("Try: ")[2]
