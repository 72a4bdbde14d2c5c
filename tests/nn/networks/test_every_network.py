"""What every network does: each in each way in which it can differ, and in a slow test in the product of all ways."""

import io
import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from rnnvision.nn import MODELS, READOUTS, RECURRENCES, SCANS, build
from rnnvision.nn.readout import Last, Readout
from rnnvision.nn.streaming import no_stream
from tests.nn.cases import Case, images, network_cases, network_product, parameters_of, scan_arguments, tiny


def make_network(case: Case) -> nn.Module:
    return build(**case).double().eval()


def assert_same(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


def is_anytime(case: Case) -> bool:
    return hasattr(MODELS[case["name"]], "forward_anytime")


def has_steps(case: Case) -> bool:
    return hasattr(MODELS[case["name"]], "step")


def looks_back(case: Case) -> bool:
    """Whether time is glimpses, not tokens."""
    return "num_glimpses" in parameters_of(case["name"])


def hears_few(case: Case) -> bool:
    """Whether nothing is remembered, and the readout picks some of the tokens."""
    forgets = "recurrence" in case and not RECURRENCES[case["recurrence"]](2, 2).initial_state(1)
    return forgets and case.get("readout") in ("last", "first_last")


def heard_tokens(case: Case, length: int) -> list[int]:
    """The tokens that the logits depend on."""
    if not hears_few(case):
        return list(range(length))
    return [0, length - 1] if case["readout"] == "first_last" or case.get("bidirectional") else [length - 1]


# What a network computes ----------------------------------------------------------------------------------------------


def every_parameter_gets_a_gradient(case: Case) -> None:
    network = build(**case).requires_grad_()  # of a support vector machine too
    logits = network(images(case, dtype=torch.float32))
    assert logits.shape == (4, case["num_classes"])
    assert logits.isfinite().all()
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None or not gradient.any()] == []
    assert [name for name, gradient in gradients.items() if gradient is None or not gradient.isfinite().all()] == []


def the_logits_depend_on_every_pixel(case: Case) -> None:
    image = images(case, batch_size=32).requires_grad_()  # many: the readout `max` may pass over a token in one image
    network = make_network(case)
    network(image).square().sum().backward()
    assert image.grad is not None
    if "scan" not in case:
        assert (image.grad != 0).any(dim=0).all() != hears_few(case)
        return
    heard = (network.scan(image.grad) != 0).any(dim=0)  # (T, F)
    assert torch.equal(heard.all(dim=1), heard.any(dim=1))
    assert heard[:, 0].nonzero().flatten().tolist() == heard_tokens(case, len(heard))


def an_image_alone_gets_the_answer_that_it_gets_in_a_batch(case: Case) -> None:
    network, batch = make_network(case), images(case)
    assert_same(torch.cat([network(image.unsqueeze(0)) for image in batch]), network(batch))


def forward_is_the_head_of_the_features(case: Case) -> None:
    network, batch = make_network(case), images(case)
    features = network.forward_features(batch)
    assert features.ndim == 2
    assert torch.equal(network.forward_head(features), network(batch))


def anytime_ends_with_forward(case: Case) -> None:
    network, batch = make_network(case), images(case)
    anytime = network.forward_anytime(batch)
    times = network.num_glimpses if looks_back(case) else network.scan.num_tokens
    assert anytime.shape == (len(batch), times, case["num_classes"])
    assert_same(anytime[:, -1], network(batch))


def anytime_knows_nothing_of_later_tokens(case: Case) -> None:
    network, batch = make_network(case), images(case)
    seen = network.scan.num_tokens // 2
    tokens = network.scan(batch)
    changed = torch.cat((tokens[:, :seen], torch.randn_like(tokens[:, seen:])), dim=1)
    before, after = network.forward_anytime(batch), network.forward_anytime(network.scan.inverse(changed))
    assert_same(after[:, :seen], before[:, :seen])
    assert not torch.allclose(after[:, seen:], before[:, seen:])


def anytime_knows_nothing_of_later_glimpses(case: Case) -> None:
    network, batch = make_network(case), images(case)
    answers = network.forward_anytime(batch)
    for count in range(1, network.num_glimpses + 1):
        shorter = make_network(case | {"num_glimpses": count})
        shorter.load_state_dict(network.state_dict())
        assert_same(shorter(batch), answers[:, count - 1])
    if network.decoder.initial_state(1)[0]:  # one that forgets looks the same way each time
        assert all(not torch.allclose(one, other) for one, other in itertools.combinations(answers.unbind(1), 2))


def steps_give_the_anytime_answers(case: Case) -> None:
    network, batch = make_network(case), images(case)
    if reason := no_stream(network):
        assert "bidirectional" in reason
        with pytest.raises(ValueError, match=r"^bidirectional=True: "):
            network.initial_state(4)
        return
    state, answers = network.initial_state(len(batch)), []
    for token in network.scan(batch).unbind(1):
        logits, state = network.step(token, state)
        answers.append(logits)
    assert_same(torch.stack(answers, dim=1), network.forward_anytime(batch))


def a_state_dict_goes_through_a_file_into_another_network(case: Case) -> None:
    network, other, batch = make_network(case), make_network(case), images(case)
    assert not torch.equal(other(batch), network(batch))
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(batch), network(batch))


def made_on_no_device_it_is_the_same_network(case: Case) -> None:
    """Filled after `to_empty`, which leaves garbage in what no state dict holds, or given the tensors of a file."""
    network, batch = make_network(case), images(case)
    for assign in (False, True):
        with torch.device("meta"):
            other = build(**case)
        assert all(parameter.is_meta for parameter in other.parameters())
        if not assign:
            other.to_empty(device="cpu")
        other.double().eval().load_state_dict(network.state_dict(), assign=assign)
        assert torch.equal(other(batch), network(batch))


def always(case: Case) -> bool:
    return True


# A rule; the cases that it is for; the kinds of ways in which a network may come to break it, () for all.
RULES: list[tuple[Callable[[Case], None], Callable[[Case], bool], tuple[str, ...]]] = [
    (every_parameter_gets_a_gradient, always, ()),
    (the_logits_depend_on_every_pixel, always, ()),
    (an_image_alone_gets_the_answer_that_it_gets_in_a_batch, always, ("recurrence", "variant")),
    (forward_is_the_head_of_the_features, always, ("readout", "variant")),
    (anytime_ends_with_forward, is_anytime, ("recurrence", "readout", "variant")),
    (anytime_knows_nothing_of_later_tokens, lambda case: is_anytime(case) and not looks_back(case), ()),
    (anytime_knows_nothing_of_later_glimpses, looks_back, ("recurrence", "variant")),
    (steps_give_the_anytime_answers, has_steps, ("recurrence", "readout", "variant")),
    (a_state_dict_goes_through_a_file_into_another_network, always, ("recurrence", "variant")),
    (made_on_no_device_it_is_the_same_network, always, ("recurrence", "scan", "variant")),
]
PAIRS = [
    pytest.param(rule, case, id=f"{rule.__name__}-{label}")
    for rule, fits, kinds in RULES
    for label, case in network_cases(*kinds)
    if fits(case)
]


@pytest.mark.parametrize(("rule", "case"), PAIRS)
def test_of_every_network(rule: Callable[[Case], None], case: Case) -> None:
    rule(case)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("model", MODELS)
def test_of_every_network_in_every_combination(model: str) -> None:
    broken = []
    for label, case in network_product():
        for rule, fits, _ in RULES:
            if case["name"] == model and fits(case):
                torch.manual_seed(0)
                try:
                    rule(case)
                except Exception as error:  # all of them are told at the end
                    broken.append(f"{rule.__name__} of {label}: {error}")
    assert broken == []


def test_every_part_has_a_case() -> None:
    cases = [case for _, case in network_cases()]
    assert {case["name"] for case in cases} == set(MODELS)
    assert {case["recurrence"] for case in cases if "recurrence" in case} == set(RECURRENCES)
    assert {case["scan"] for case in cases if "scan" in case} == set(SCANS)
    assert {case["readout"] for case in cases if "readout" in case} > set(READOUTS)


# Streams --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [name for name in MODELS if not hasattr(MODELS[name], "step")])
def test_a_network_without_a_stream_says_why(model: str) -> None:
    reason = no_stream(build(model, **tiny(model)))
    assert reason is not None
    assert "has no `step`" not in reason  # a reason of its own


def test_what_a_plugin_leaves_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Middle(Last):
        step = Readout.step

    monkeypatch.setitem(READOUTS, "middle", Middle)
    network = build("sequence_classifier", **tiny("sequence_classifier", readout="middle"))
    assert network.forward_anytime(torch.randn(1, *network.scan.input_shape)).shape == (1, 4, 3)
    with pytest.raises(ValueError, match=r"^its readout Middle has no `step`: it needs the states of all tokens"):
        network.initial_state(1)
    with pytest.raises(ValueError, match="Middle has no `step`"):
        network.readout.step(torch.zeros(1, 5), ())
    assert no_stream(nn.Linear(2, 2)) == "Linear has no `step`: it needs the whole image at once"


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
