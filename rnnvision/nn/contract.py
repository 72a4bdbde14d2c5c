"""Contract checks for registered parts: recurrent layers, scans and their orders, readouts, networks.

Each check raises a ValueError that names the part and the rule it breaks. The tests apply them to the project's own
parts, `plugins=` and `rnnvision check` to a user's.

Shapes: B images, T tokens, F features of a token, D of a state.
"""

import math
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from rnnvision.nn import MODELS, ORDERS, READOUTS, RECURRENCES, SCANS
from rnnvision.nn.layers import RecurrentLayer, State
from rnnvision.nn.readout import Readout
from rnnvision.nn.scan import Preset, Scan
from rnnvision.nn.streaming import no_stream
from rnnvision.signature import parameters

BATCH, TOKENS, FEATURES, HIDDEN = 2, 5, 3, 4
SHAPES = ((1, 28, 28), (3, 32, 32), (3, 224, 224))  # (C, H, W) of images for a network
TOLERANCE = 1e-8  # of float64
STEP_TOLERANCE = 1e-10
MOST_STEPS = 100  # of a network that may read thousands of tokens


def check_shapes(registry: Mapping[str, Any], name: str) -> None:
    """Run the checks that need only a forward pass on a tiny example, in milliseconds; networks have none."""
    quick: dict[int, Callable[[str], None]] = {
        id(RECURRENCES): layer_shapes,
        id(ORDERS): order_is_a_bijection,
        id(SCANS): scan_is_invertible,
        id(READOUTS): readout_shapes,
    }
    if check := quick.get(id(registry)):
        _named(check, name)


def check_all(registry: Mapping[str, Any], name: str, **arguments: Any) -> list[str]:
    """Every rule of one part; returns what was checked, in words.

    Args:
        registry: RECURRENCES, ORDERS, SCANS, READOUTS or MODELS.
        name: the part.
        **arguments: of a network, in place of its defaults and of images of 28 x 28 pixels in 3 classes.

    Raises:
        ValueError: that names the part and the rule it breaks.
    """
    rules: dict[int, list[Callable[..., None]]] = {
        id(RECURRENCES): [layer_shapes, layer_reads_in_parts, layer_learns, layer_counts],
        id(ORDERS): [order_is_a_bijection],
        id(SCANS): [scan_is_invertible],
        id(READOUTS): [readout_shapes, readout_prefixes_end_with_it, readout_steps],
        id(MODELS): [network_shapes, network_steps, network_learns],
    }
    checks = rules.get(id(registry), [])
    for check in checks:
        _named(check, name, **arguments)
    return [(check.__doc__ or "").partition(":")[0].strip() for check in checks]


def _named(check: Callable[..., None], name: str, **arguments: Any) -> None:
    try:
        check(name, **arguments)
    except (RuntimeError, TypeError, IndexError, AttributeError, NotImplementedError) as error:
        rule = (check.__doc__ or "").partition(":")[0].strip()
        reason = " ".join(str(error).split())
        raise ValueError(f"{name}: breaks the rule «{rule}»: {type(error).__name__}: {reason}") from error


# Recurrent layers -----------------------------------------------------------------------------------------------------


def layer_shapes(name: str) -> None:
    """states are (B, T, D) and a state is a tuple of tensors (B, ...): the same before and after a sequence."""
    given = [key for key, p in parameters(RECURRENCES[name]).items() if p.kind is not p.KEYWORD_ONLY]
    first = ["input_size", "hidden_size", "sequence_length"]
    wrong = f"its constructor takes {', '.join(given)}; it takes {', '.join(first)}, and its own options keyword-only"
    _require(given == first, name, wrong)
    layer = _layer(name)
    before = layer.initial_state(BATCH)
    _require(isinstance(before, tuple), name, f"initial_state gives a {type(before).__name__}, not a tuple of tensors")
    states, after = layer(torch.randn(BATCH, TOKENS, FEATURES, dtype=torch.float64))
    wanted = (BATCH, TOKENS, HIDDEN)
    _require(tuple(states.shape) == wanted, name, f"forward gives states of {_shape(states)}, not (B, T, D) = {wanted}")
    for when, state in (("forward", after), ("step", layer.step(torch.randn_like(states[:, 0, :FEATURES]), before)[1])):
        _same_shapes(name, when, before, state)


def _same_shapes(name: str, when: str, before: State, after: Any, what: str = "state") -> None:
    _require(isinstance(after, tuple), name, f"{when} gives a {what} that is no tuple but a {type(after).__name__}")
    _require(len(after) == len(before), name, f"{when} gives a {what} of {len(after)} tensors, not {len(before)}")
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        wrong = f"{when} gives a {what} whose tensor {i} is {_shape(new)}; initial_{what} gives {_shape(old)}"
        _require(new.shape == old.shape, name, wrong)


def layer_reads_in_parts(name: str) -> None:
    """a sequence read whole equals its two halves with the state handed over: and equals step after step."""
    layer = _layer(name)
    x = torch.randn(BATCH, TOKENS, FEATURES, dtype=torch.float64)
    whole, last = layer(x)
    first, state = layer(x[:, :2])
    second, state = layer(x[:, 2:], state)
    _close(name, "two halves with the state handed over", torch.cat((first, second), dim=1), whole)
    for part, one in zip(state, last, strict=True):
        _close(name, "the state after two halves", part, one)
    state, steps = layer.initial_state(BATCH), []
    for x_t in x.unbind(1):
        y_t, state = layer.step(x_t, state)
        steps.append(y_t)
    _close(name, "step after step", torch.stack(steps, dim=1), whole)


def layer_learns(name: str) -> None:
    """every parameter and the tokens get a finite gradient: what is named in state_parameters is one of them."""
    layer = _layer(name)
    x = torch.randn(BATCH, TOKENS, FEATURES, dtype=torch.float64, requires_grad=True)
    layer(x)[0].square().sum().backward()
    named = {"the tokens": x.grad, **{key: p.grad for key, p in layer.named_parameters()}}
    for key, gradient in named.items():
        if gradient is None or not gradient.any():
            raise ValueError(f"{name}: {key} gets no gradient")
        _require(bool(gradient.isfinite().all()), name, f"the gradient of {key} is not finite")
    for key in layer.state_parameters:
        _require(
            isinstance(getattr(layer, key, None), nn.Parameter), name, f"state_parameters names {key}: no parameter"
        )


def layer_counts(name: str) -> None:
    """multiply_adds is a whole number that grows with the tokens: many cost no less than one."""
    layer = _layer(name)
    one, many = layer.multiply_adds(1), layer.multiply_adds(TOKENS)
    _require(isinstance(one, int) and isinstance(many, int), name, "multiply_adds gives no whole number")
    _require(0 <= one <= many, name, f"multiply_adds gives {one} for 1 token and {many} for {TOKENS}")


def _layer(name: str) -> RecurrentLayer:
    torch.manual_seed(0)
    layer = RECURRENCES[name](FEATURES, HIDDEN, TOKENS).double().eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # biases too
    return layer


# Orders and scans -----------------------------------------------------------------------------------------------------


def order_is_a_bijection(name: str) -> None:
    """an order visits each cell of a grid once: also of one that is not square, or of one row."""
    for rows, columns in ((1, 1), (1, 5), (4, 4), (3, 5), (6, 2)):
        cells = list(ORDERS[name](rows, columns, 0))
        every = list(product(range(rows), range(columns)))
        _require(sorted(cells) == every, name, f"does not visit each cell of a {rows} x {columns} grid once")


def scan_is_invertible(name: str) -> None:
    """the inverse of a scan gives the image back: every pixel is read once."""
    preset: Preset = SCANS[name]
    height, width = preset.token or (2, 2)
    shape = (2, 4 * (height or 1), 6 * (width or 1))  # which its tokens tile
    scan = Scan(input_shape=shape, scan=name, patch_size=None if preset.token else 2)
    image = torch.arange(2 * math.prod(shape), dtype=torch.float64).reshape(2, *shape)
    tokens = scan(image)
    wanted = (2, scan.num_tokens, scan.token_size)
    _require(tuple(tokens.shape) == wanted, name, f"gives tokens of {_shape(tokens)}, not {wanted}")
    _require(torch.equal(scan.inverse(tokens), image), name, "its inverse does not give the image back")


# Readouts -------------------------------------------------------------------------------------------------------------


def readout_shapes(name: str) -> None:
    """a readout gives (B, out_features), and (B, T, out_features) for prefixes: of one direction and of two."""
    states = torch.randn(BATCH, TOKENS, HIDDEN, dtype=torch.float64)
    for bidirectional in (False, True):
        readout: Readout = READOUTS[name](HIDDEN, bidirectional).double()
        wanted = (BATCH, readout.out_features)
        found = readout(states)
        _require(tuple(found.shape) == wanted, name, f"gives {_shape(found)}, not (B, out_features) = {wanted}")
    found = READOUTS[name](HIDDEN, False).double().prefixes(states)
    _require(found.shape[:2] == (BATCH, TOKENS), name, f"prefixes gives {_shape(found)}, not (B, T, out_features)")


def readout_prefixes_end_with_it(name: str) -> None:
    """the last of the prefixes equals the readout: of one direction."""
    torch.manual_seed(0)
    states = torch.randn(BATCH, TOKENS, HIDDEN, dtype=torch.float64)
    readout: Readout = READOUTS[name](HIDDEN, False).double()
    _close(name, "the last of the prefixes", readout.prefixes(states)[:, -1], readout(states))


def readout_steps(name: str) -> None:
    """step after step, where a readout has it, equals the prefixes: with the carry handed over."""
    torch.manual_seed(0)
    states = torch.randn(BATCH, TOKENS, HIDDEN, dtype=torch.float64)
    readout: Readout = READOUTS[name](HIDDEN, False).double()
    if not readout.steps:
        return
    carry, steps = readout.initial_carry(BATCH, states), []
    for state in states.unbind(1):
        before = carry
        vector, carry = readout.step(state, carry)
        _same_shapes(name, "step", before, carry, "carry")
        steps.append(vector)
    _close(name, "step after step", torch.stack(steps, dim=1), readout.prefixes(states))


# Networks -------------------------------------------------------------------------------------------------------------


def network_shapes(name: str, **arguments: Any) -> None:
    """forward is forward_head of forward_features: (B, num_classes), and forward_anytime, if there, ends with it."""
    network, images, num_classes = _network(name, arguments)
    with torch.no_grad():
        logits, features = network(images), network.forward_features(images)
        wanted = (BATCH, num_classes)
        _require(
            tuple(logits.shape) == wanted, name, f"forward gives {_shape(logits)}, not (B, num_classes) = {wanted}"
        )
        _require(features.ndim == 2, name, f"forward_features gives {_shape(features)}, not (B, D)")
        _close(name, "forward_head of forward_features", network.forward_head(features), logits, 1e-4)
        if hasattr(network, "forward_anytime"):
            _close(name, "the last of forward_anytime", network.forward_anytime(images)[:, -1], logits, 1e-4)


def network_steps(name: str, **arguments: Any) -> None:
    """step after step, where a network has it, gives the answers of forward_anytime: from the tokens of its scan."""
    network, images, _ = _network(name, arguments)
    if no_stream(network) is not None:
        return
    network, images = network.double(), images.double()
    with torch.no_grad():
        tokens = network.scan(images)[:, :MOST_STEPS]
        state, steps = network.initial_state(BATCH), []
        for token in tokens.unbind(1):
            logits, state = network.step(token, state)
            steps.append(logits)
        whole = network.forward_anytime(images)[:, : len(steps)]
        _close(name, "step after step", torch.stack(steps, dim=1), whole, STEP_TOLERANCE)


def network_learns(name: str, **arguments: Any) -> None:
    """every parameter that is trained gets a finite gradient: from the cross-entropy of a batch."""
    network, images, num_classes = _network(name, arguments)
    trained = {key: parameter for key, parameter in network.named_parameters() if parameter.requires_grad}
    if not trained:
        return  # it is fitted in one go
    nn.functional.cross_entropy(network(images), torch.arange(len(images)) % num_classes).backward()
    for key, parameter in trained.items():
        found = parameter.grad
        _require(found is not None and bool(found.isfinite().all()), name, f"{key} gets no finite gradient")


def _network(name: str, arguments: Mapping[str, Any]) -> tuple[Any, Tensor, int]:
    """The network, for the first of `SHAPES` that it takes if none is given, a batch of images, and its classes."""
    torch.manual_seed(0)
    refusals = []
    for shape in [arguments["input_shape"]] if "input_shape" in arguments else SHAPES:
        given = {"num_classes": 3, **arguments, "input_shape": shape}
        try:
            return MODELS[name](**given).eval(), torch.randn(BATCH, *shape), given["num_classes"]
        except (ValueError, TypeError) as error:
            refusals.append(f"{shape}: {' '.join(str(error).split())}")
    raise ValueError(f"{name}: cannot be made from input_shape and num_classes alone; {'; '.join(refusals)}")


def _require(holds: bool, name: str, wrong: str) -> None:
    if not holds:
        raise ValueError(f"{name}: {wrong}")


def _close(name: str, what: str, found: Tensor, wanted: Tensor, tolerance: float = TOLERANCE) -> None:
    if found.shape != wanted.shape:
        raise ValueError(f"{name}: {what} is {_shape(found)}, the whole {_shape(wanted)}")
    distance = (found - wanted).detach().abs().max().item()
    _require(distance <= tolerance, name, f"{what} differs from the whole by up to {distance:.3g}")


def _shape(v: Any) -> str:
    return str(tuple(v.shape)) if isinstance(v, Tensor) else type(v).__name__
