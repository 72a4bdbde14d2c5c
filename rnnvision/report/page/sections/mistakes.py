"""Images that are worth looking at: the surest mistakes, and labels that are probably wrong."""

from collections.abc import Sequence

from rnnvision.checks import counted
from rnnvision.report.page.blocks import Card, Gallery, Section
from rnnvision.report.page.found import Seen, Suspicion
from rnnvision.report.page.words import label, percent


def mistake_section(mistakes: Sequence[Seen], wrong: int, unit: str) -> Section:
    """Where the network was wrong and surest; `unit`: what it reads in a time step, a token or a glimpse."""
    cards = tuple(_card(seen, (f"loss {seen.answer.loss:.2f}", *_settled(seen, unit))) for seen in mistakes)
    if wrong < 2:
        lead = "The one wrong answer." if wrong else "No answer was wrong."
    else:
        lead = f"{'All' if len(cards) == wrong else f'{len(cards)} of the'} {wrong:,} wrong answers, the surest first."
    note = "Below each image: its true class, the answer and its probability, the loss, and which image it is."
    blocks = (Gallery(cards, note),) if cards else ()
    return Section("mistakes", "Surest mistakes", lead, blocks, ("loss", "probability", "settled"))


def label_section(suspicions: Sequence[Suspicion]) -> Section:
    """Images whose label may be wrong, the surest first."""
    cards = tuple(
        Card(
            s.picture,
            f"Image {s.image}, labelled {s.label}, which looks like {s.suggested}.",
            f"{label(s.label)}, or {label(s.suggested)}?",
            (f"{percent(s.of_label, 1)} and {percent(s.of_suggested, 1)}", _name(s.image)),
        )
        for s in suspicions
    )
    lead = (
        f"{counted(len(cards), 'image')} whose label the network doubts most. A label is not wrong because the network"
        " says so: look at each."
        if cards
        else "There is no label that the network has reason to doubt."
    )
    note = "Below each image: its label, the class that it seems to be, and the probabilities of the two."
    return Section(
        "labels",
        "Probably wrong labels",
        lead,
        (Gallery(cards, note),) if cards else (),
        ("confident learning", "probability"),
    )


def _settled(seen: Seen, unit: str) -> tuple[str, ...]:
    return () if seen.answer.settled is None else (f"settled after {unit} {seen.answer.settled}",)


def _card(seen: Seen, lines: tuple[str, ...]) -> Card:
    a = seen.answer
    alt = f"Image {a.image} of class {a.truth}, answered with {a.answer}."
    title = f"{label(a.truth)} → {label(a.answer)} ({percent(a.probability, 1)})"
    return Card(seen.picture, alt, title, (*lines, _name(a.image)))


def _name(image: str) -> str:
    return f"image {image}" if image.isdecimal() else label(image.rpartition("/")[2], 34)
