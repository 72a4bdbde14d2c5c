"""The encoder-decoder against its equations, where its glimpses fall, and the head that draws the picture."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnvision.nn import ATTENTIONS, MODELS, RECURRENCES, EncoderDecoder, build
from rnnvision.nn.layers.fused import FusedLayer
from rnnvision.nn.networks import encoder_decoder, sequence_classifier
from rnnvision.nn.reconstruction import ReconstructionHead
from rnnvision.nn.recurrence import Recurrence
from rnnvision.nn.scan import Scan
from tests.nn.cases import Case, images, network_cases, randomise
from tests.nn.networks.test_sequence_classifier import SCAN, STACK
from tests.oracles import ORACLES, gru, look_back

SIZES: dict[str, Any] = {"input_shape": (2, 4, 6), "num_classes": 3, "hidden_size": 5}
GLIMPSES = {label: case for label, case in network_cases() if case["name"] == "encoder_decoder"}
FUSED = [name for name, layer in RECURRENCES.items() if issubclass(layer, FusedLayer)]
DRAWING = [name for name, model in MODELS.items() if hasattr(model, "use_reconstruction_head")]


def make_network(**arguments: Any) -> EncoderDecoder:
    network = EncoderDecoder(**(SIZES | arguments)).double().eval()
    randomise(network)
    return network


def assert_same(actual: object, expected: object) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


# The equations --------------------------------------------------------------------------------------------------------


def oracle_answers(network: EncoderDecoder, image: Tensor, decoder: str) -> tuple[Tensor, Tensor]:
    """Logits after each glimpse and the weights of each, by the plain loops of `look_back`."""
    states, _ = network.recurrence(network.embed(network.scan(image)))
    half = network.recurrence.output_size // 2
    two = network.recurrence.bidirectional
    summary = torch.cat((states[:, -1, :half], states[:, 0, half:]), dim=1) if two else states[:, -1]
    layer = network.decoder.layers[0]
    zeros = tuple(torch.zeros(len(image), layer.hidden_size).double() for _ in range(layer.num_states))
    weights = dict(network.named_parameters())
    known, looks = look_back(states, summary, weights, ORACLES[decoder], zeros, network.num_glimpses)
    return known @ weights["head.weight"].T + weights["head.bias"], looks


@pytest.mark.parametrize("encoder", [{}, {"bidirectional": True, "num_layers": 2, "embed_size": 3, "scan": "snake"}])
@pytest.mark.parametrize("num_glimpses", [1, 2, 7])
@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("decoder", FUSED)  # whose oracles take the kernel's weights
def test_answers_glimpses_and_gradients_are_those_of_the_equations(
    decoder: str, attention: str, num_glimpses: int, encoder: dict[str, Any]
) -> None:
    sizes = {"decoder_size": 6, "attention_size": 4, "num_glimpses": num_glimpses}
    network = make_network(decoder=decoder, attention=attention, **sizes, **encoder)
    image = torch.randn(3, 2, 4, 6, dtype=torch.float64, requires_grad=True)
    expected, looks = oracle_answers(network, image, decoder)
    found = network.forward_anytime(image)
    assert_same(found, expected)
    assert_same(network(image), expected[:, -1])
    assert_same(network.attention(image), looks)

    pull, of = torch.randn_like(expected), (image, *network.parameters())
    gradients = [torch.autograd.grad((y * pull).sum(), of, retain_graph=True) for y in (found, expected)]
    assert_same(gradients[0], gradients[1])


def test_the_defaults_are_those_that_are_documented() -> None:
    network = EncoderDecoder(**SIZES, recurrence="gru")
    assert (network.num_glimpses, type(network.glimpse)) == (4, ATTENTIONS["additive"])
    assert type(network.decoder.layers[0]) is type(network.recurrence.layers[0])
    assert network.head.in_features == network.glimpse.key.out_features == SIZES["hidden_size"]


# Parts ----------------------------------------------------------------------------------------------------------------


def spy_on(part: type[nn.Module], monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments of each part of this kind that is made from here on."""
    seen: list[dict[str, Any]] = []

    def make(**arguments: Any) -> nn.Module:
        seen.append(arguments)
        return part(**arguments)

    for module in (sequence_classifier, encoder_decoder):
        monkeypatch.setattr(module, part.__name__, make, raising=False)
    return seen


def test_the_scan_gets_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spy_on(Scan, monkeypatch)
    EncoderDecoder(**SIZES, **SCAN)
    assert seen == [SCAN | {"input_shape": SIZES["input_shape"], "margin": 0}]


@pytest.mark.parametrize(("embed_size", "input_size"), [(None, 12), (7, 7)])
def test_encoder_and_decoder_get_their_arguments(
    monkeypatch: pytest.MonkeyPatch, embed_size: int | None, input_size: int
) -> None:
    seen = spy_on(Recurrence, monkeypatch)
    EncoderDecoder(**(SIZES | STACK), embed_size=embed_size, num_glimpses=3, decoder="lstm", decoder_size=9)
    encoder, decoder = seen
    assert encoder.items() >= (STACK | {"input_size": input_size, "sequence_length": 4}).items()
    assert decoder == {"input_size": 10, "recurrence": "lstm", "hidden_size": 9, "sequence_length": 3}


# Where it looks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", GLIMPSES.values(), ids=GLIMPSES)
def test_each_glimpse_is_shared_out_over_the_picture(case: Case) -> None:
    network, batch = build(**case).double().eval(), images(case)
    looks, maps = network.attention(batch), network.attention_maps(batch)
    assert looks.shape == (4, network.num_glimpses, network.scan.num_tokens)
    assert looks.min() > 0
    assert_same(looks.sum(dim=2), torch.ones(4, network.num_glimpses).double())
    assert maps.shape == (4, network.num_glimpses, *case["input_shape"][1:])
    for t, (row, column) in enumerate(network.scan.path().tolist()):  # the middle, which may lie between two pixels
        assert_same(maps[:, :, int(row), int(column)], looks[:, :, t])


def test_a_glimpse_goes_where_the_keys_fit_the_query() -> None:
    network = make_network(attention="dot", num_glimpses=1, scan="hilbert", input_shape=(1, 4, 4))
    image = torch.randn(1, 1, 4, 4).double()
    with torch.no_grad():
        network.glimpse.query.weight.zero_()
        states, _ = network.recurrence(network.scan(image))
        network.glimpse.query.bias.copy_(1e4 * network.glimpse.key(states)[0, 11])
    best = (network.glimpse.key(states)[0] @ network.glimpse.query.bias).argmax()
    expected = torch.zeros(16).double()
    expected[network.scan.order[best]] = 1.0
    assert_same(network.attention_maps(image).flatten(), expected)


# The head that draws --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scan", ["rows", "hilbert"])
def test_a_picture_is_drawn_as_the_equations_say(scan: str) -> None:
    head = ReconstructionHead(5, Scan(input_shape=(2, 4, 4), scan=scan)).double()
    randomise(head)
    features = torch.randn(3, 5).double()
    zeros = (torch.zeros(3, 5).double(),)
    inputs = torch.stack([features] * head.scan.num_tokens, dim=1)
    states, _ = gru(inputs, zeros, dict(head.writer.kernel.named_parameters()))
    tokens = states @ head.token.weight.T + head.token.bias
    assert_same(head.scan(head(features)), tokens)
    assert_same(head(features.reshape(3, 1, 5)), head(features).unsqueeze(1))


@pytest.mark.parametrize("model", DRAWING)
def test_a_network_learns_to_draw_what_it_sees(model: str) -> None:
    network = build(model, input_shape=(1, 4, 4), num_classes=3, hidden_size=32)
    before = {name: p.clone() for name, p in network.named_parameters() if not name.startswith("head.")}
    network.use_reconstruction_head()
    pictures = torch.randn(8, 1, 4, 4)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for _ in range(400):
        loss = nn.functional.mse_loss(network(pictures), pictures)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.8  # noise of variance 1, of which nothing is known at first
    assert losses[-1] < 0.1
    assert all(not torch.equal(p, before[name]) for name, p in network.named_parameters() if name in before)


def test_a_picture_can_be_drawn_after_each_glimpse() -> None:
    network = make_network()
    network.use_reconstruction_head()
    image = torch.randn(3, 2, 4, 6).double()
    drawn = network.forward_anytime(image)
    assert drawn.shape == (3, network.num_glimpses, 2, 4, 6)
    assert_same(drawn[:, -1], network(image))
