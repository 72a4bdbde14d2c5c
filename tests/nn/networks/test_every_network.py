"""The contract of every network: all of MODELS with all of SCANS, READOUTS and RECURRENCES that they take."""

import inspect
import io
import itertools
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnvision.nn import ATTENTIONS, MODELS, READOUTS, RECURRENCES, SCANS, build
from rnnvision.nn.networks.sequencer import VARIANTS
from tests.nn.cases import images, label, network_cases, parameters_of, scan_arguments, tiny

Case = dict[str, Any]
ALL = list(network_cases())
ANYTIME = [case for case in ALL if hasattr(MODELS[case["name"]], "forward_anytime")]
GLIMPSES = [case for case in ANYTIME if "num_glimpses" in parameters_of(case["name"])]  # time is looks
TOKENS = [case for case in ANYTIME if case not in GLIMPSES]
CASES = pytest.mark.parametrize("case", ALL, ids=label)
ANYTIME_CASES = pytest.mark.parametrize("case", ANYTIME, ids=label)
GLIMPSE_CASES = pytest.mark.parametrize("case", GLIMPSES, ids=label)
TOKEN_CASES = pytest.mark.parametrize("case", TOKENS, ids=label)


def make_network(case: Case) -> nn.Module:
    return build(**case).double().eval()


def assert_same(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


# What a network computes ----------------------------------------------------------------------------------------------


@CASES
def test_logits_are_finite_and_every_parameter_gets_a_gradient(case: Case) -> None:
    network = build(**case)
    logits = network(images(case, dtype=torch.float32))
    assert logits.shape == (4, case["num_classes"])
    assert logits.isfinite().all()
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None or not gradient.any()] == []
    assert [name for name, gradient in gradients.items() if not gradient.isfinite().all()] == []


def hears_few(case: Case) -> bool:
    """Whether nothing is remembered, and the readout picks some of the tokens."""
    forgets = "recurrence" in case and not RECURRENCES[case["recurrence"]](2, 2).initial_state(1)
    return forgets and case.get("readout") in ("last", "first_last")


def heard_tokens(case: Case, length: int) -> list[int]:
    """The tokens that the logits depend on."""
    if not hears_few(case):
        return list(range(length))
    return [0, length - 1] if case["readout"] == "first_last" or case.get("bidirectional") else [length - 1]


@CASES
def test_the_logits_depend_on_every_pixel(case: Case) -> None:
    image = images(case, batch_size=32).requires_grad_()  # many: the readout `max` may pass over a token in one image
    network = make_network(case)
    network(image).square().sum().backward()
    if "scan" not in case:
        assert (image.grad != 0).any(dim=0).all() != hears_few(case)
        return
    heard = (network.scan(image.grad) != 0).any(dim=0)  # (T, F)
    assert torch.equal(heard.all(dim=1), heard.any(dim=1))
    assert heard[:, 0].nonzero().flatten().tolist() == heard_tokens(case, len(heard))


@CASES
def test_an_image_alone_gets_the_answer_that_it_gets_in_a_batch(case: Case) -> None:
    network, batch = make_network(case), images(case)
    assert_same(torch.cat([network(image.unsqueeze(0)) for image in batch]), network(batch))


@CASES
def test_forward_is_the_head_of_the_features(case: Case) -> None:
    network, batch = make_network(case), images(case)
    features = network.forward_features(batch)
    assert features.ndim == 2
    assert torch.equal(network.forward_head(features), network(batch))


@ANYTIME_CASES
def test_anytime_ends_with_forward(case: Case) -> None:
    network, batch = make_network(case), images(case)
    anytime = network.forward_anytime(batch)
    times = network.num_glimpses if case in GLIMPSES else network.scan.num_tokens
    assert anytime.shape == (len(batch), times, case["num_classes"])
    assert_same(anytime[:, -1], network(batch))


@TOKEN_CASES
def test_anytime_knows_nothing_of_later_tokens(case: Case) -> None:
    network, batch = make_network(case), images(case)
    seen = network.scan.num_tokens // 2
    tokens = network.scan(batch)
    changed = torch.cat((tokens[:, :seen], torch.randn_like(tokens[:, seen:])), dim=1)
    before, after = network.forward_anytime(batch), network.forward_anytime(network.scan.inverse(changed))
    assert_same(after[:, :seen], before[:, :seen])
    assert not torch.allclose(after[:, seen:], before[:, seen:])


@GLIMPSE_CASES
def test_anytime_knows_nothing_of_later_glimpses(case: Case) -> None:
    network, batch = make_network(case), images(case)
    answers = network.forward_anytime(batch)
    for count in range(1, network.num_glimpses + 1):
        shorter = make_network(case | {"num_glimpses": count})
        shorter.load_state_dict(network.state_dict())
        assert_same(shorter(batch), answers[:, count - 1])
    if network.decoder.initial_state(1)[0]:  # one that forgets looks the same way each time
        assert all(not torch.allclose(one, other) for one, other in itertools.combinations(answers.unbind(1), 2))


@CASES
def test_a_state_dict_goes_through_a_file_into_another_network(case: Case) -> None:
    network, other, batch = make_network(case), make_network(case), images(case)
    assert not torch.equal(other(batch), network(batch))
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(batch), network(batch))


# Options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("model", [name for name in MODELS if {"scan", "norm"} <= set(parameters_of(name))])
def test_a_normalised_network_still_sees_a_grey_image(model: str, scan: str) -> None:
    case = {"name": model, **tiny(model, **scan_arguments(scan, channels=1), norm=True)}
    network = make_network(case)
    one, other = network(images(case, batch_size=2))
    assert (one - other).abs().max() > 1e-6


@pytest.mark.parametrize("model", [name for name in MODELS if {"scan", "hidden_size"} <= set(parameters_of(name))])
@pytest.mark.parametrize("scan", ["pixels", "hilbert", "permuted_pixels"])
def test_weights_of_pixel_tokens_do_not_depend_on_the_image_size(model: str, scan: str) -> None:
    small, large = (build(model, **tiny(model, input_shape=(1, side, side), scan=scan)) for side in (4, 6))
    large.load_state_dict(small.state_dict())
    assert large(torch.randn(2, 1, 6, 6)).shape == (2, 3)


@pytest.mark.parametrize("model", [name for name in MODELS if "head_dropout" in parameters_of(name)])
def test_head_dropout_drops_features_in_training_only(model: str) -> None:
    network = build(model, **tiny(model, head_dropout=0.5))
    features = torch.ones(1, network.head.in_features)
    assert torch.equal(network.eval().forward_head(features), network.head(features))
    assert len({tuple(network.train().forward_head(features)[0].tolist()) for _ in range(20)}) > 1


# Constructors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_a_constructor_takes_typed_keywords_only(model: str) -> None:
    parameters = inspect.signature(MODELS[model]).parameters.values()
    assert {"input_shape", "num_classes"} <= {p.name for p in parameters}
    assert [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY or p.annotation is p.empty] == []


MISTAKES = [
    *[("num_classes", value) for value in (0, -1, 2.5, "ten", True, None)],
    *[("hidden_size", value) for value in (0, -3, 1.5, "abc", True, None)],
    *[("num_layers", value) for value in (0, -1, 1.5, "two")],
    *[(f"{part}_size", value) for part in ("embed", "attention", "decoder") for value in (0, -1, 1.5, "abc", True)],
    *[("num_glimpses", value) for value in (0, -1, 1.5, "two", True, None)],
    *[("dropout", value) for value in (1.0, -0.1, 2, float("nan"), "abc", None)],
    *[("head_dropout", value) for value in (1.0, -0.1, 2, float("nan"), "abc", None)],
    *[("input_shape", value) for value in ((4, 6), (1, 0, 6), (1, 4, 0), (0, 4, 6), (1, -4, 6), 4)],
    *[("margin", value) for value in (-1, 2, 1.5, "abc")],
    *[("patch_size", value) for value in (5, (2, 5), 0, -2, 1.5, (2, 2, 2), "abc")],
    *[("patch_sizes", value) for value in ([5, 1], [2, 3], 2, [0, 1], [1.5, 1], "22", [], [True, 1])],
    *[(name, value) for name in ("layers", "embed_dims", "hidden_sizes") for value in (1, [0, 1], [1.5, 1], "ab", [])],
    *[(name, [1, 1, 1]) for name in ("layers", "embed_dims", "hidden_sizes", "mlp_ratios")],
    *[("mlp_ratios", value) for value in (3.0, [0.5, 1], ["a", 1], [], [float("nan"), 1], [True, 1])],
    *[("head_size", value) for value in (0, -1, 1.5, "abc", True)],
    *[("drop_path", value) for value in (1.0, -0.1, 2, float("nan"), "abc", None)],
    *[(flag, "no") for flag in ("bidirectional", "norm", "residual", "tied_dropout")],
    *[(name, "nonsense") for name in ("scan", "order", "recurrence", "block", "readout", "weight_init", "gate_bias")],
    *[(name, "nonsense") for name in ("attention", "decoder", "variant")],
]


@pytest.mark.parametrize(
    ("model", "argument", "value"),
    [(model, *mistake) for model in MODELS for mistake in MISTAKES if mistake[0] in parameters_of(model)],
    ids=str,
)
def test_a_mistake_is_told_with_its_argument(model: str, argument: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{argument}=.*: "):
        build(model, **(tiny(model) | {argument: value}))


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


@pytest.mark.parametrize(
    ("model", "argument", "value"),
    [
        ("vit", "num_heads", 0),
        ("vit", "mlp_ratio", 0),
        ("vit", "input_shape", (1, 4, 8)),
        ("resnet18", "stem_size", 4),
        ("resnet18", "stem_stride", 0),
        ("resnet18", "stem_pool", 1),
        ("cnn", "channels", 0),
        ("cnn", "num_stages", 0),
        ("linear_svm", "cost", 0),
        ("linear_svm", "num_classes", 1),
        ("rbf_svm", "cost", float("inf")),
        ("rbf_svm", "gamma", -1.0),
        ("rbf_svm", "num_vectors", 0),
    ],
)
def test_a_mistake_of_a_control_is_told_with_its_argument(model: str, argument: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{argument}=.*: "):
        build(model, **({"input_shape": (1, 8, 8), "num_classes": 3} | {argument: value}))


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
