"""A reading as an animated picture, for a page: the image fills in, bars beside it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnvision.cli.watch.reading import Reading, frames
from rnnvision.errors import FailureError

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE, GAP, LINE = 320, 24, 27  # pixels: of the picture, of the space around, from bar to bar
NAME, BAR, NUMBER = 120, 200, 50  # columns of pixels beside it: of the longest name, of a full bar, of a number
PAPER, INK, FADED, FAINT, OPEN, SETTLED = "#ffffff", "#20242e", "#6b7280", "#b4bac6", "#e09a2b", "#2f9e57"
MOST = 10  # bars that the height holds
END = 2000  # milliseconds that the last frame stays


def save_film(path: Path, reading: Reading, seconds: float) -> None:
    """Write an animated GIF or WebP that plays in so many seconds, again and again."""
    shown = frames(reading.num_tokens, seconds)
    pictures = [draw(reading, t) for t in shown]
    pause = max(20, round(1000 * seconds / len(shown)))
    durations = [pause] * (len(shown) - 1) + [END]
    kind: dict[str, Any] = {"lossless": True} if path.suffix.lower() == ".webp" else {"optimize": True}
    try:
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, loop=0, **kind)
    except (OSError, KeyError) as error:  # KeyError: a Pillow without WebP
        raise FailureError(f"save={path}: cannot be written ({error})") from error


def draw(reading: Reading, t: int) -> "Image":
    """One frame."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size=17)
    names = {c: _cut(reading.class_names[c], font) for c in reading.bars(MOST)}
    column = 8 + max(round(font.getlength(name)) for name in names.values())
    height = 2 * GAP + SIDE
    frame = Image.new("RGB", (SIDE + column + BAR + NUMBER + 3 * GAP, height), PAPER)
    pen = ImageDraw.Draw(frame)
    frame.paste(*_fitted(reading, t))
    beliefs, answer, settled = reading.beliefs[t - 1].tolist(), reading.answers[t - 1], t >= reading.settled
    left = SIDE + 2 * GAP
    pen.text((left, GAP - 4), reading.place(t), INK, font)
    top = GAP + 32
    for i, (c, name) in enumerate(names.items()):
        y, colour = top + i * LINE, (SETTLED if settled else OPEN) if c == answer else FAINT
        ink = INK if c == answer else FADED
        pen.text((left + column - 8, y), name, ink, font, anchor="ra")
        pen.rectangle((left + column, y + 2, left + column + BAR * beliefs[c], y + LINE - 9), colour)
        pen.text((left + column + BAR + 8, y), f"{beliefs[c]:.2f}", ink, font)
    if settled:
        where = (left, height - GAP - 14)
        pen.text(where, reading.since(), SETTLED, font)
    return frame


def _fitted(reading: Reading, t: int) -> "tuple[Image, tuple[int, int]]":
    """The picture in its square, and where it is put."""
    from PIL import Image

    image = Image.fromarray(reading.picture(t).permute(1, 2, 0).contiguous().numpy())
    scale = min(SIDE / image.width, SIDE / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    place = GAP + (SIDE - size[0]) // 2, GAP + (SIDE - size[1]) // 2
    return image.resize(size, how), place


def _cut(name: str, font: Any) -> str:
    """A class name that fits its column."""
    if font.getlength(name) <= NAME:
        return name
    while name and font.getlength(f"{name}...") > NAME:
        name = name[:-1]
    return f"{name}..."
