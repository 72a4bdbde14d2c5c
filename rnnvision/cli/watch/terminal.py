"""A reading in the terminal: the picture in half blocks, which are two pixels high, and bars beside it."""

import sys
import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rnnvision.cli.watch.reading import Reading, frames

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

BAR, NAME = 20, 16  # columns of a full bar, and at most of a class name
BESIDE = BAR + 13  # columns that stand beside the picture, but for the names: bar, number, mark, space
BELOW = 4  # rows of the terminal that the picture leaves


def colour_terminal() -> "Console | None":
    """The terminal that this process prints to, if it shows half blocks in colours."""
    from rich.console import Console

    if sys.__stdout__ is None:
        return None
    console = Console(file=sys.__stdout__, highlight=False)  # not sys.stdout, which also writes to the log of the run
    colours = console.is_terminal and console.color_system is not None and not console.no_color
    return console if colours and console.encoding.startswith("utf") else None


def play(console: "Console", reading: Reading, seconds: float, top_k: int) -> None:
    """Show the reading in so many seconds; the last frame stays."""
    from rich.live import Live

    shown = frames(reading.num_tokens, seconds)
    start = time.monotonic()
    with Live(console=console, auto_refresh=False) as live:
        for i, t in enumerate(shown):
            live.update(view(reading, t, top_k, console.size.width, console.size.height), refresh=True)
            time.sleep(max(0.0, start + (i + 1) * seconds / len(shown) - time.monotonic()))


def view(reading: Reading, t: int, top_k: int, width: int, height: int) -> "Table":
    """One frame, for a terminal of so many columns and rows."""
    from rich.table import Table

    classes = reading.bars(max(1, min(max(top_k, 10), height - BELOW - 4)))
    names = _names([reading.class_names[c] for c in classes])
    table = Table.grid(padding=(0, 2))
    picture = fitted(reading.picture(t), max(8, width - BESIDE - len(names[0])), max(8, 2 * (height - BELOW)))
    table.add_row(half_blocks(picture), _bars(reading, t, dict(zip(classes, names, strict=True))))
    return table


def fitted(picture: Tensor, width: int, height: int) -> Tensor:
    """A picture (3, H, W) at most so many pixels wide and high; enlarged by whole numbers only."""
    rows, columns = picture.shape[1:]
    scale = min(width / columns, height / rows)
    if scale >= 1:
        return picture.repeat_interleave(int(scale), dim=1).repeat_interleave(int(scale), dim=2)
    size = max(1, int(rows * scale)), max(1, int(columns * scale))
    return interpolate(picture[None].float(), size, mode="bilinear", antialias=True)[0].round().clamp(0, 255).byte()


def half_blocks(picture: Tensor) -> "Text":
    """A picture, uint8 (3, H, W), in ceil(H / 2) lines: the upper pixel is the character, the lower its background."""
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    if picture.shape[1] % 2:
        picture = torch.cat((picture, picture[:, -1:]), dim=1)
    text = Text(no_wrap=True)
    for upper, lower in picture.permute(1, 2, 0).unflatten(0, (-1, 2)).tolist():
        for above, below in zip(upper, lower, strict=True):
            text.append("▀", Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below)))
        text.append("\n")
    text.rstrip()
    return text


def _names(names: list[str]) -> list[str]:
    """Class names, all equally wide."""
    width = min(NAME, max(map(len, names)))
    return [f"{name if len(name) <= width else f'{name[: width - 1]}…':>{width}}" for name in names]


def _bars(reading: Reading, t: int, names: dict[int, str]) -> "Text":
    """Where the reading is, a bar for each class, and the answer, with a mark once it is final."""
    from rich.text import Text

    answer, beliefs = reading.answers[t - 1], reading.beliefs[t - 1].tolist()
    settled = t >= reading.settled
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{reading.place(t)}\n\n", "bold")
    for c, name in names.items():
        style = ("bold green" if settled else "bold yellow") if c == answer else "dim"
        mark = " ✓" if settled and c == answer else ""
        text.append(f"{name} {_bar(beliefs[c]):{BAR}} {beliefs[c]:4.2f}{mark}\n", style)
    if settled:
        text.append(f"\n{reading.since()}", "green")
    return text


def _bar(share: float) -> str:
    """A bar in eighths of a column."""
    eighths = round(share * BAR * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
