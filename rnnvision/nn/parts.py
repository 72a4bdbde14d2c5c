"""Parts of a network by name: what of it is trained, and what is left as it is.

A part is named in one of these ways:

    all_but_head           all weights but those of the head
    recurrence, head ...   a module of the network, of any depth, or a single weight: the name it has in a state dict
    layer_0, layer_1 ...   the layers of a network in the order in which an image goes through them: of a stack both
                           directions of one depth, the normalisation before and the gate after them
    recurrence.*.bias_*    any weights by a pattern, in which * stands for any text

A network names its layers, and other parts that are no module of it, with a method `parts() -> {name: module names}`.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from rnnvision.checks import nearest, shortened

ALL_BUT_HEAD = "all_but_head"
LAYER = "layer_{}"


def parts_of(network: nn.Module) -> dict[str, list[str]]:
    """The parts of a network that have a name of their own, each with the names of its parameters.

    Examples:
        >>> from rnnvision.nn import build
        >>> network = build("sequence_classifier", input_shape=(1, 4, 4), num_classes=3, num_layers=2, norm=True)
        >>> list(parts_of(network))
        ['all_but_head', 'layer_0', 'layer_1', 'recurrence', 'head']
        >>> parts_of(network)["head"]
        ['head.weight', 'head.bias']
    """
    names = [name for name, _ in network.named_parameters()]
    of_its_own: Any = getattr(network, "parts", dict)
    tops = dict.fromkeys(name.partition(".")[0] for name in names)
    modules: dict[str, Iterable[str]] = {
        ALL_BUT_HEAD: tops.keys() - {"head"},
        **of_its_own(),
        **{name: [name] for name in tops},
    }
    found = {part: [n for n in names if any(_lies_in(n, m) for m in inside)] for part, inside in modules.items()}
    return {part: held for part, held in found.items() if held}


def parameters_in(network: nn.Module, part: str) -> list[str]:
    """The names of the parameters in one part of a network.

    Raises:
        ValueError: for a part that it does not have; the message names those that there are.
    """
    parts = parts_of(network)
    if part in parts:
        return parts[part]
    names = [name for name, _ in network.named_parameters()]
    found = [name for name in names if fnmatchcase(name, part) or fnmatchcase(name, f"{part}.*")]
    if not found:
        near = nearest(part, parts)
        hint = f"; did you mean {near}?" if near else ""
        raise ValueError(
            f"this network has no such part; choose one of {', '.join(_in_short(list(parts)))}, "
            f"or a pattern such as {names[0].rpartition('.')[0]}.*{hint}"
        )
    return found


def freeze_parts(network: nn.Module, *, freeze: str | Sequence[str] | None = None) -> None:
    """Leave the parameters of some parts of a network as they are: gradient steps do not change them.

    Raises:
        ValueError: for a part that the network does not have, and if nothing is left to train.
    """
    parts = [freeze] if isinstance(freeze, str) else list(freeze or ())
    for part in parts:
        try:
            names = parameters_in(network, part)
        except ValueError as error:
            raise ValueError(f"freeze={part}: {error}") from error
        for name in names:
            network.get_parameter(name).requires_grad_(False)
    trained = [part for part, names in parts_of(network).items() if set(names) - frozen_names(network)]
    if parts and not trained:
        raise ValueError(f"freeze={_listed(parts)}: nothing is left to train; leave out a part, such as head")


def frozen_names(network: nn.Module) -> set[str]:
    """The names of the parameters that are not trained."""
    return {name for name, parameter in network.named_parameters() if not parameter.requires_grad}


def hold_frozen(network: nn.Module) -> None:
    """Put each module all of whose parameters are frozen into evaluation mode, with everything in it.

    Batch norm then keeps its statistics, and nothing is dropped. A kernel of torch's without dropout of its own stays
    as it is: it computes the same in both modes, and cuDNN gives gradients only in training mode, which layers before
    it may need.
    """
    for module in network.modules():
        held = list(module.parameters())
        if held and not any(parameter.requires_grad for parameter in held):
            for inside in module.modules():
                if not (isinstance(inside, nn.RNNBase) and inside.dropout == 0):
                    inside.training = False


def _lies_in(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def _in_short(parts: list[str]) -> list[str]:
    """The names of parts, of many layers the first and the last."""
    layers = [part for part in parts if part == LAYER.format(part.rpartition("_")[2])]
    if len(layers) < 4:
        return parts
    shown = [part for part in parts if part not in layers[1:]]
    return [f"{part} to {layers[-1]}" if part == layers[0] else part for part in shown]


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"[{shortened(parts).replace(', ', ',')}]"
