"""rnnvision models: every part is listed, says what it can be told, and is chosen by a command that composes."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from rnnvision.cli.frame.command_line.files import config_dir, options_of
from rnnvision.cli.frame.paths import register_resolvers
from rnnvision.cli.frame.plugins import registries
from rnnvision.cli.models.docstrings import arguments, values
from rnnvision.cli.models.pages import OF_THE_DATA
from rnnvision.cli.models.parts import Part, registered
from rnnvision.nn import MODELS, ORDERS, READOUTS, RECURRENCES, SCANS
from rnnvision.signature import parameters
from tests.cli.frame.test_config import bind
from tests.cli.running import Verb, forgotten

CONF = config_dir()
LISTED = {
    "recurrence": RECURRENCES,
    "readout": READOUTS,
    "scan": SCANS,
    "order": ORDERS,
    "network": MODELS,
    **{group: options_of([CONF], group) for group in ("model", "data", "experiment")},
}


def test_every_part_is_listed_with_a_line_of_its_own(verb: Verb) -> None:
    listed: dict[str, dict[str, str]] = {}
    kind = ""
    for line in verb("models").out.splitlines()[:-1]:
        if line.startswith("  "):
            name, _, about = line.strip().partition(" ")
            listed[kind][name] = about.strip()
        elif line:
            kind = line.partition(":")[0]
            listed[kind] = {}
    assert {kind: set(names) for kind, names in listed.items()} == {kind: set(names) for kind, names in LISTED.items()}
    assert [name for names in listed.values() for name, about in names.items() if not about] == []


@pytest.mark.parametrize("part", registered([CONF], ()), ids=lambda part: f"{part.kind} {part.name}")
def test_the_command_of_a_part_composes_and_has_it(part: Part) -> None:
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        cfg = compose("train", overrides=list(part.words))
    assert cfg.model["name" if part.kind == "network" else part.kind] == part.name
    bind(cfg)


@pytest.mark.parametrize("registry", [RECURRENCES, MODELS], ids=lambda registry: registry.kind)
def test_every_option_says_what_it_means(registry: dict[str, type]) -> None:
    silent = []
    for name, entry in registry.items():
        options = RECURRENCES[name].options() if registry is RECURRENCES else parameters(entry)
        said = {**arguments(entry), **values(entry)}
        silent += [f"{name}: {option}" for option in options if option not in OF_THE_DATA and not said.get(option)]
    assert silent == []


def test_a_page_has_the_equations_the_defaults_and_the_values(verb: Verb) -> None:
    page = verb("models", "lstm").out
    assert "\n  rnnvision train model=lstm\n" in page
    assert "c_t = f_t * c_{t-1} + i_t * g_t" in page
    assert "gate_bias=forget        torch: as set by" in page  # from the signature, and the docstring of a base
    assert "hidden_size=128           features of a state" in page  # from the files of conf/, and their comments
    assert verb("models", "name=lstm").out == page


def test_a_recipe_opens_with_its_time_and_score_and_shows_what_it_sets(verb: Verb) -> None:
    page = verb("models", "digits_lstm").out
    assert page.startswith("experiment digits_lstm: 3.3 s on 2 cores of a shared Xeon; test accuracy 0.9778 (seed 0)\n")
    assert "\n  rnnvision train experiment=digits_lstm\n" in page
    assert "\n    trainer:\n      max_epochs: 20" in page


def test_parts_of_a_plugin_and_of_a_folder_of_ones_own_are_there_too(verb: Verb) -> None:
    Path("my_order.py").write_text(
        "from rnnvision.nn import ORDERS\n"
        "@ORDERS.register('downwards')\n"
        "def downwards(rows, columns, seed):\n"
        "    '''Column by column.'''\n"
        "    return ((r, c) for c in range(columns) for r in range(rows))\n"
    )
    own = Path("mine/model/narrow.yaml")
    own.parent.mkdir(parents=True)
    own.write_text("# A narrow LSTM.\ndefaults:\n  - _sequence\n\nhidden_size: 8\n")
    with forgotten(registries()):
        listed = verb("models", "plugins=[my_order]", "--config-dir", "mine").out
    with forgotten(registries()):
        page = verb("models", "downwards", "plugins=[my_order]").out
    assert "  downwards               [my_order] Column by column.\n" in listed
    assert "  narrow                  A narrow LSTM.\n" in listed
    assert page.startswith("order downwards [my_order]: Column by column.\n")
    assert "rnnvision train 'plugins=[my_order]' model.order=downwards" in page
    narrow = verb("models", "narrow", "--config-dir=mine").out
    assert "train --config-dir" in narrow
    assert "hidden_size=8             features of a state" in narrow


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lsmt"], "lsmt: there is no such part; did you mean lstm? Try: rnnvision models lstm"),
        (["name=mnits"], "mnits: there is no such part; did you mean mnist? Try: rnnvision models name=mnist"),
        (["svm"], "svm: there is no such part; did you mean linear_svm? Try: rnnvision models linear_svm"),
        (["xyzzy"], "xyzzy: there is no such part; rnnvision models lists them"),
        (["nam=lstm"], "nam: there is no such key; choose one of name, plugins; did you mean name?"),
        (["lstm", "gru"], "gru: is one word too many; settings are KEY=VALUE, and rnnvision models --help lists them"),
        (["--all"], "--all: there is no such flag; settings are KEY=VALUE, and rnnvision models --help lists them"),
        (["lstm", "name=gru"], "name: is given twice, as lstm and as gru"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line(verb: Verb, words: list[str], message: str) -> None:
    result = verb("models", *words)
    assert (result.code, result.out) == (2, "")
    assert result.message == f"rnnvision models: {message}"
