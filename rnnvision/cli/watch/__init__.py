"""rnnvision watch ckpt=RUN source=PICTURE: a network reading, with what it believes after each token."""

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from rnnvision.checks import at_least, choose_one, positive
from rnnvision.cli.frame.app import run_verb
from rnnvision.cli.frame.arguments import arguments_of
from rnnvision.cli.frame.paths import expanded
from rnnvision.cli.frame.results import require_written
from rnnvision.cli.watch.reading import Reading, labels_line, reading_of
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import RunFolder

if TYPE_CHECKING:
    from rnnvision.inference import Classifier

ROWS = ("raw", "csv")
FILMS = (".gif", ".webp")
MOST_LINES = 32  # about as many as are seen at once


def main() -> None:
    run_verb("watch", watch, libraries=("rnnvision.inference",))


def watch(cfg: DictConfig, run: RunFolder) -> None:
    """Show how `cfg.ckpt` reads `cfg.source`: in the terminal, line by line where there is none, or in a file."""
    _check(cfg)
    from rnnvision.cli.frame.trainer.device_type import device_of
    from rnnvision.inference import load

    classifier = load(expanded(str(cfg.ckpt)), device=device_of(cfg.trainer))
    if cfg.source == "-":
        from rnnvision.cli.watch.pipe import watch_rows

        watch_rows(classifier, cfg.rows, cfg.every or 1, cfg.top_k)
        return
    reading = _reading(classifier, str(cfg.source), cfg.invert)
    if reading.note:
        print(f"note      {reading.note}", flush=True)
    if cfg.save is not None:
        from rnnvision.cli.watch.film import save_film

        save_film(Path(expanded(str(cfg.save))), reading, cfg.seconds)
        print(f"film      {cfg.save}")
    elif not _show(reading, cfg):
        every = cfg.every or -(-reading.num_tokens // MOST_LINES)
        for t in range(1, reading.num_tokens + 1):
            if t % every == 0 or t == reading.num_tokens:
                print(f"{reading.place(t)}   {labels_line(reading.ranked(t, cfg.top_k))}", flush=True)
    print(f"answer    {reading.verdict()}")
    require_written()


def _show(reading: Reading, cfg: DictConfig) -> bool:
    """Play the reading where a terminal can show it; returns whether it can."""
    from rnnvision.cli.watch.terminal import colour_terminal, play

    console = colour_terminal() if cfg.every is None else None
    if console is not None:
        play(console, reading, cfg.seconds, cfg.top_k)
    return console is not None


def _check(cfg: DictConfig) -> None:
    if cfg.source is None:
        raise UsageError("source=null: give an image, or - for rows of pixels on standard input")
    if not isinstance(cfg.ckpt, str) or not isinstance(cfg.source, str):
        raise UsageError("watch shows one network and one image; give one of each")
    if cfg.rows not in ROWS:
        raise UsageError(f"rows={cfg.rows}: {choose_one(cfg.rows, ROWS, 'rows=')}")
    with arguments_of(""):
        positive("seconds", cfg.seconds)
        at_least("top_k", cfg.top_k, 1)
        if cfg.every is not None:
            at_least("every", cfg.every, 1)
    if cfg.save is None:
        return
    save = Path(expanded(str(cfg.save)))
    if cfg.source == "-":
        raise UsageError(f"save={cfg.save}: a film is made of an image, not of rows on standard input")
    if save.suffix.lower() not in FILMS:
        raise UsageError(f"save={cfg.save}: must end in {' or '.join(FILMS)}")
    if not save.parent.is_dir():
        raise UsageError(f"save={cfg.save}: there is no folder {save.parent}")


def _reading(classifier: "Classifier", source: str, inverted: bool | str) -> Reading:
    from rnnvision.data import DataError
    from rnnvision.inference import How
    from rnnvision.inference.predict import invert, is_inverted, without_advice

    if Path(source).is_dir():
        raise UsageError(f"source={source}: is a folder; give one image of it")
    with arguments_of(""):
        How(invert=inverted)  # which says what is legal
    try:
        pixels = classifier.pixels(source)
    except DataError as error:
        raise FailureError(f"source={source}: {without_advice(error).removeprefix(f'{source}: ')}") from error
    pixels = invert(pixels, is_inverted(pixels, inverted, classifier))
    if hasattr(classifier.network, "forward_anytime"):
        return reading_of(classifier, pixels)
    name = classifier.description["network"]["name"]
    instead = "watch the checkpoint that it was exported from"
    if name not in ("sequence_classifier", "encoder_decoder"):
        instead = (
            f"{name} is not watched; a network to watch: rnnvision train model=lstm; the answer: rnnvision predict"
        )
    raise UsageError(f"ckpt={classifier.path}: answers only at the end, not after each token; {instead}")


if __name__ == "__main__":
    main()
