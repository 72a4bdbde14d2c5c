"""What a report of one run is made from: plain data, each part None where it could not be had."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rnnvision.report.page.blocks import Picture
from rnnvision.runs import Run


@dataclass(frozen=True)
class Answer:
    """A row of predictions.csv. `settled`: tokens after which the answer stayed, None where it is not known."""

    image: str
    truth: str
    answer: str
    probability: float  # of the answer
    loss: float  # -log p(truth), nats
    settled: int | None = None

    @property
    def right(self) -> bool:
        return self.truth == self.answer


@dataclass(frozen=True)
class Seen:
    """An image beside the answer that it got."""

    picture: Picture
    answer: Answer


@dataclass(frozen=True)
class Reading:
    """An image at some points of its reading, the part that was read in its own colours, the rest faded.

    Attributes:
        truth: its class.
        stops: picture, tokens read, answer, probability of the answer.
        tokens: T.
    """

    truth: str
    stops: tuple[tuple[Picture, int, str, float], ...]
    tokens: int


@dataclass(frozen=True)
class Curve:
    """Figures of the answers after each share of the tokens."""

    share: Sequence[float]
    accuracy: Sequence[float]
    nll: Sequence[float]
    ece: Sequence[float]
    area: float
    images: int


@dataclass(frozen=True)
class Flow:
    """Norm of the gradient of the loss: at each token, and at the states of each layer."""

    tokens: Sequence[float]
    layers: Sequence[Sequence[float]]
    verdict: str
    images: int


@dataclass(frozen=True)
class Path:
    """In which order the cells of the token grid are visited, drawn over an image."""

    picture: Picture
    cells: Sequence[tuple[float, float]]  # centre (x, y) of each token, in pixels, in the order of reading
    token: tuple[int, int]  # height and width of a token in pixels


@dataclass(frozen=True)
class Trajectories:
    """States of some images in the plane of largest variance: for each image its class and T points."""

    points: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    explained: float  # share of the variance of all states that the plane holds


@dataclass
class Found:
    """Everything about one run. `missing` says of each part that is None why.

    Attributes:
        run: the folder of the training; `of` that of an evaluation, where the answers are from one.
        network, data: each in one line.
        size: parameters.
        class_names: in the order of the logits.
        split: which the answers are of.
        temperature: of the probabilities; None where none was fitted.
        notes: for the reader.
    """

    run: Run
    of: Run | None = None
    network: str = ""
    data: str = ""
    size: int | None = None
    class_names: Sequence[str] = ()
    split: str = "test"
    temperature: float | None = None
    answers: Sequence[Answer] | None = None
    reading: Reading | None = None
    curve: Curve | None = None
    flow: Flow | None = None
    path: Path | None = None
    mistakes: Sequence[Seen] | None = None
    doubtful: Sequence[tuple[Seen, float]] | None = None
    trajectories: Trajectories | None = None
    missing: dict[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def metrics(self) -> dict[str, float]:
        """The figures of the evaluation, where there is one, else of the training."""
        return (self.of or self.run).metrics
