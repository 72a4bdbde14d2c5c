"""Arguments of networks: each is checked, and what is wrong with one is told with its name and with what is legal.

Which values the checks refuse is shown in `tests/test_checks.py`.
"""

import inspect
from collections.abc import Iterable
from typing import Any

import pytest

from rnnvision.nn import ATTENTIONS, MODELS, READOUTS, RECURRENCES, SCANS, build, changed_arguments, fits_in_one_go
from rnnvision.nn.networks.sequencer import VARIANTS
from rnnvision.signature import parameters
from tests.nn.cases import parameters_of, tiny

# A value that no argument of such a kind may have, by a word of the annotation; the first that is found counts.
WRONG: dict[str, Any] = {
    "Sequence": [],
    "Mapping": {"nonsense": 1},
    "int": -1,
    "float": -1.0,
    "str": "nonsense",
    "bool": "no",
}


def wrong_arguments(model: str) -> dict[str, Any]:
    """Of each argument a value that cannot be right."""
    kinds = {name: inspect.formatannotation(p.annotation) for name, p in parameters(MODELS[model]).items()}
    return {name: next(value for word, value in WRONG.items() if word in kind) for name, kind in kinds.items()}


EACH = [(model, *given) for model in MODELS for given in wrong_arguments(model).items()]


@pytest.mark.parametrize(("model", "argument", "value"), EACH, ids=str)
def test_each_argument_is_checked_and_told_by_its_name(model: str, argument: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^{argument}(\.nonsense)?=.*: "):
        build(model, **(tiny(model) | {argument: value}))


@pytest.mark.parametrize(
    ("model", "argument", "value"),
    [  # that hang on other arguments
        ("renet", "patch_sizes", [5, 1]),
        ("renet", "patch_sizes", [2, 3]),
        *[("sequencer2d", name, [1, 1, 1]) for name in ("layers", "embed_dims", "hidden_sizes", "mlp_ratios")],
        *[("sequencer2d", "mlp_ratios", v) for v in (3.0, [0.5, 1], ["a", 1], [float("nan"), 1], [True, 1], "22")],
        ("vit", "input_shape", (1, 4, 8)),
        ("resnet18", "stem_size", 4),
        ("linear_svm", "num_classes", 1),
        ("rbf_svm", "num_classes", 1),
    ],
    ids=str,
)
def test_what_does_not_fit_the_other_arguments_is_told_with_its_name(model: str, argument: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{argument}=.*: "):
        build(model, **(tiny(model) | {argument: value}))


def test_heads_that_do_not_share_a_token_are_told() -> None:
    with pytest.raises(ValueError, match=r"^hidden_size=8: must be a multiple of num_heads=3"):
        build("vit", **tiny("vit", num_heads=3))


@pytest.mark.parametrize("model", [name for name in MODELS if {"scan", "patch_size"} <= set(parameters_of(name))])
def test_patches_need_a_patch_size(model: str) -> None:
    with pytest.raises(ValueError, match=r"^patch_size=null: scan=patches needs one"):
        build(model, input_shape=(1, 4, 6), num_classes=3, scan="patches")


@pytest.mark.parametrize(
    ("model", "argument", "value", "names", "meant"),
    [
        ("sequence_classifier", "scan", "permuted_pixel", SCANS, "permuted_pixels"),
        ("sequence_classifier", "recurrence", "lstmm", RECURRENCES, "lstm"),
        ("sequence_classifier", "readout", "atention", READOUTS, "attention"),
        ("encoder_decoder", "attention", "aditive", ATTENTIONS, "additive"),
        ("encoder_decoder", "decoder", "lstmm", RECURRENCES, "lstm"),
        ("renet", "readout", "flaten", ["flatten", *READOUTS], "flatten"),
        ("renet", "recurrence", "grru", RECURRENCES, "gru"),
        ("sequencer2d", "variant", "tinny", VARIANTS, "tiny"),
        ("sequencer2d", "recurrence", "lstmm", RECURRENCES, "lstm"),
    ],
)
def test_an_unknown_name_is_told_with_all_names_and_the_nearest(
    model: str, argument: str, value: str, names: Iterable[str], meant: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{argument}={value}: .*did you mean {meant}\?") as error:
        build(model, **(tiny(model) | {argument: value}))
    assert [name for name in names if name not in str(error.value)] == []


@pytest.mark.parametrize("patch_size", [3, 16])
def test_patches_that_do_not_tile_are_told_with_those_that_do(patch_size: int) -> None:
    with pytest.raises(ValueError, match=rf"^patch_size={patch_size}: .*choose one of 1, 2, 4, 8$"):
        build("vit", input_shape=(1, 8, 8), num_classes=3, patch_size=patch_size)


@pytest.mark.parametrize("model", [name for name in MODELS if "scan" not in parameters_of(name)])
def test_a_network_without_a_scan_refuses_one_and_tells_what_it_has(model: str) -> None:
    with pytest.raises(ValueError, match=rf"^scan=rows: {model} has no such argument; choose one of ") as error:
        build(model, **tiny(model), scan="rows")
    assert [name for name in parameters_of(model) if name not in str(error.value)] == []


@pytest.mark.parametrize("model", MODELS)
def test_an_argument_that_is_misspelt_is_told_with_the_nearest(model: str) -> None:
    with pytest.raises(
        ValueError, match=rf"^num_clases=3: {model} has no such argument; .*did you mean num_classes\?$"
    ):
        build(model, **{"input_shape": (1, 4, 4), "num_clases": 3})


def test_an_unknown_network_is_told_with_all_names_and_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"^name=sequence_clasifier: .*did you mean sequence_classifier\?") as error:
        build("sequence_clasifier", input_shape=(1, 4, 6), num_classes=3)
    assert [name for name in MODELS if name not in str(error.value)] == []


# What a layer's own options are told by -------------------------------------------------------------------------------

WITH_LAYERS = [name for name in MODELS if "layer" in parameters_of(name)]


@pytest.mark.parametrize("model", WITH_LAYERS)
def test_an_option_that_the_layer_lacks_is_told_with_the_layers_that_have_it(model: str) -> None:
    having = ", ".join(name for name, layer in RECURRENCES.items() if "gate_bias" in layer.options())
    begins = r"layer\.gate_bias=forget: the layer rnn has no such option; it has weight_init; layers that have it: "
    with pytest.raises(ValueError, match=rf"^{begins}{having}$"):
        build(model, **tiny(model, recurrence="rnn", layer={"gate_bias": "forget"}))


@pytest.mark.parametrize("model", WITH_LAYERS)
def test_a_value_that_the_layer_refuses_is_told_with_the_legal_ones(model: str) -> None:
    with pytest.raises(
        ValueError, match=r"^layer\.gate_bias=forgt: choose one of torch, forget, chrono; did you mean "
    ):
        build(model, **tiny(model, recurrence="lstm", layer={"gate_bias": "forgt"}))


@pytest.mark.parametrize("model", WITH_LAYERS)
def test_an_option_of_none_is_the_layers_own_default(model: str) -> None:
    build(model, **tiny(model, recurrence="rnn", layer={"gate_bias": None, "weight_init": None}))


# What is told of a network's arguments --------------------------------------------------------------------------------


def test_changed_arguments_are_those_that_are_no_default() -> None:
    given = {"input_shape": (1, 8, 8), "num_classes": 3, "hidden_size": 64, "scan": "rows", "norm": False}
    assert changed_arguments("sequence_classifier", **given) == {"hidden_size": 64}
    assert changed_arguments("renet", patch_sizes=[2, 2], hidden_size=5) == {"hidden_size": 5}
    options = {"gate_bias": "chrono", "weight_init": None}
    assert changed_arguments("sequence_classifier", layer=options) == {"layer.gate_bias": "chrono"}
    assert changed_arguments("sequence_classifier", layer=None) == {}


def test_only_support_vector_machines_are_fitted_in_one_go() -> None:
    assert [name for name in MODELS if fits_in_one_go(name)] == ["linear_svm", "rbf_svm"]
