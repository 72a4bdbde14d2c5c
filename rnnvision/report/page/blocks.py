"""What a page is made of: sections of blocks. Plain data, no HTML: the template escapes every text."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Picture:
    """8-bit pixels, row by row: `channels` is 1 (grey), 3 (red, green, blue) or 4 (and opacity)."""

    width: int
    height: int
    channels: int
    data: bytes


@dataclass(frozen=True)
class Bar:
    """A cell of a table with a bar behind its text, as long as `share` of the cell."""

    text: str
    share: float


@dataclass(frozen=True)
class Link:
    """A cell that leads to another page, by a path relative to this one."""

    text: str
    path: str

    @classmethod
    def to(cls, text: str, file: Path, folder: Path) -> "Link":
        """From a page in `folder` to a file, whose name is nothing but a name: no scheme, no query, no fragment."""
        return cls(text, f"./{quote(os.fsencode(os.path.relpath(file, folder)))}")


Cell = str | Bar | Link


@dataclass(frozen=True)
class Text:
    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Facts:
    """Names with their values; `code` holds the names whose value is shown as code."""

    pairs: tuple[tuple[str, str], ...]
    code: frozenset[str] = frozenset()
    kind: str = "facts"


@dataclass(frozen=True)
class Table:
    """Rows under a head. The first column names a row; the columns in `words` are text, all others numbers."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: frozenset[int] = frozenset({0})
    kind: str = "table"


@dataclass(frozen=True)
class Plot:
    """A drawing on one pair of axes, of so many inches.

    Attributes:
        alt: what it shows, for those who do not see it.
        caption: what to look at.
    """

    draw: "Callable[[Axes], None]"
    alt: str
    caption: str = ""
    width: float = 3.5
    height: float = 2.6


@dataclass(frozen=True)
class Plots:
    """Drawings beside each other where there is room; `files`: PNG files beside the page, and the drawings in each."""

    plots: tuple[Plot, ...]
    files: Mapping[str, tuple[Plot, ...]]
    kind: str = "plots"


def plots(file: str, *drawings: Plot) -> Plots:
    """Drawings of which one file holds all."""
    return Plots(drawings, {file: drawings})


@dataclass(frozen=True)
class Card:
    """A picture with a title and lines of text below.

    `mark` says right or wrong in a sign; `share` is drawn as a bar.
    """

    picture: Picture
    alt: str
    title: str
    lines: tuple[str, ...] = ()
    mark: str = ""
    share: float | None = None


@dataclass(frozen=True)
class Gallery:
    cards: tuple[Card, ...]
    caption: str = ""
    kind: str = "gallery"


Block = Text | Facts | Table | Plots | Gallery


@dataclass(frozen=True)
class Section:
    """A heading, one sentence that says what the section answers, and blocks; `terms` are explained at the end."""

    id: str
    title: str
    lead: str
    blocks: tuple[Block, ...]
    terms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A number of the first screen."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Page:
    """A report. `missing` pairs a section that was left out with the reason."""

    title: str
    subtitle: str
    score: Figure | None
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]
    hero: Gallery | None = None
    missing: tuple[tuple[str, str], ...] = field(default=())
    footer: str = ""
