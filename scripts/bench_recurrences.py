"""Time every recurrent layer, forward and backward, beside torch's LSTM; prints the Markdown of docs/benchmarks.md.

python scripts/bench_recurrences.py                 by default torch's allocator gives memory back after each step
python scripts/bench_recurrences.py --keep-memory   as `rnnvision train` does it: freed memory is kept

All layers are timed in turn, round after round, and a ratio is the median of those of the rounds, so that what else the
machine does meets all of them. Time grows as T to the power of the exponent.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from rnnvision.cli.frame.device import keep_freed_memory
from rnnvision.insight import wait_for
from rnnvision.nn import RECURRENCES
from rnnvision.nn.recurrence import Recurrence

REFERENCE = "nn.LSTM"


def layer_step(name: str, told: argparse.Namespace, length: int) -> Callable[[], None]:
    """One pass forward and backward, with the gradients of the input and of all weights."""
    layer: nn.Module
    if name == REFERENCE:
        layer = nn.LSTM(told.width, told.width, batch_first=True)
    else:
        stack = Recurrence(input_size=told.width, recurrence=name, hidden_size=told.width, sequence_length=length)
        layer = stack.layers[0]
    layer.to(told.device)
    x = torch.randn(told.batch, length, told.width, device=told.device, requires_grad=not told.first)
    leaves: list[Tensor] = [*([] if told.first else [x]), *layer.parameters()]
    cotangent = torch.randn_like(x)

    def step() -> None:
        torch.autograd.grad(layer(x)[0], leaves, cotangent)

    return step


def seconds(told: argparse.Namespace, length: int) -> dict[str, list[float]]:
    """Of each layer in each round, after one that does not count."""
    steps = {name: layer_step(name, told, length) for name in [REFERENCE, *told.recurrences]}
    found: dict[str, list[float]] = {name: [] for name in steps}
    device = torch.device(told.device)
    for round_ in range(told.rounds + 1):
        for name, step in steps.items():
            wait_for(device)
            started = time.perf_counter()
            step()
            wait_for(device)
            if round_:
                found[name].append(time.perf_counter() - started)
    return found


def markdown(found: dict[int, dict[str, list[float]]]) -> str:
    """A row a layer: ms at each T, times faster than the reference at the first, and the exponent of growth."""
    lengths = list(found)
    first, last = lengths[0], lengths[-1]
    lines = ["| layer | " + " | ".join(f"T = {t}, ms" for t in lengths) + f" | faster at T = {first} | exponent |"]
    lines.append("|---|" + "---:|" * (len(lengths) + 2))
    for name in found[first]:
        cells = [_milliseconds(statistics.median(found[t][name])) for t in lengths]
        pairs = zip(found[first][REFERENCE], found[first][name], strict=True)
        cells.append(f"{statistics.median(reference / mine for reference, mine in pairs):.2f}x")
        growth = statistics.median(found[last][name]) / statistics.median(found[first][name])
        cells.append(f"{math.log(growth) / math.log(last / first):.2f}" if last > first else "not measured")
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.0f}" if seconds >= 0.1 else f"{1e3 * seconds:.3g}"


def _where(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recurrences", nargs="+", choices=RECURRENCES, default=list(RECURRENCES), metavar="NAME")
    parser.add_argument("--lengths", nargs="+", type=int, default=[784, 4096])
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--first", action="store_true", help="as the first of a stack, whose input needs no gradient")
    parser.add_argument("--keep-memory", action="store_true")
    parser.add_argument("--device", default="cpu")
    told = parser.parse_args()
    if told.keep_memory:
        keep_freed_memory()
    torch.manual_seed(0)
    found = {length: seconds(told, length) for length in told.lengths}
    print(markdown(found))
    print(
        f"\nForward and backward{', no gradient of the input' if told.first else ''}: width {told.width}, batch "
        f"{told.batch}, float32, {_where(told.device)}, median of {told.rounds} rounds, torch "
        f"{torch.__version__}, freed memory {'kept' if told.keep_memory else 'given back'}."
    )


if __name__ == "__main__":
    main()
