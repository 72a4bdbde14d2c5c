"""What a report of one run is made from: plain data, each part None where it could not be had."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rnnvision.report.page.blocks import Picture
from rnnvision.runs import Prediction, Run


@dataclass(frozen=True)
class Seen:
    """An image beside the answer that it got."""

    picture: Picture
    answer: Prediction


@dataclass(frozen=True)
class Suspicion:
    """An image whose label is probably wrong, with the probabilities of its label and of the class it seems to be."""

    picture: Picture
    image: str
    label: str
    suggested: str
    of_label: float
    of_suggested: float


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
    """Figures of the answers after each share of the tokens, or of the glimpses of an encoder-decoder (`unit`)."""

    share: Sequence[float]
    accuracy: Sequence[float]
    nll: Sequence[float]
    ece: Sequence[float]
    area: float
    images: int
    unit: str = "token"


@dataclass(frozen=True)
class Flow:
    """Norms of the gradient of the loss over time.

    Attributes:
        series: what -> its norm at each time step.
        verdicts: layer -> vanishing, exploding or fine, with the ratio of its first to its last norms.
        images: how many the norms are means over.
        memory: how many tokens the answer reaches back on average; None for a network without a last token.
    """

    series: Mapping[str, Sequence[float]]
    verdicts: Mapping[str, tuple[str, float]]
    images: int
    memory: float | None = None


@dataclass(frozen=True)
class Path:
    """In which order the cells of the token grid are visited, drawn over an image."""

    picture: Picture
    cells: Sequence[tuple[float, float]]  # centre (x, y) of each token in the picture, in the order of reading
    size: tuple[float, float]  # height and width of a token in the picture
    token: tuple[int, int]  # the same in pixels of the image that the network reads


@dataclass(frozen=True)
class Trajectories:
    """States of some images in the plane of largest variance: for each image its class and T points."""

    points: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    explained: float  # share of the variance of all states that the plane holds


@dataclass
class Found:
    """Everything about one run.

    Attributes:
        run: the folder of the training.
        evaluation: that of an evaluation, whose answers and scores are shown in place of those of the training.
        network, data: each in one line.
        size: parameters.
        class_names: in the order of the logits.
        split: which the answers are of.
        temperature: of the probabilities; None where none was fitted.
        missing: of a part that could not be had, why; by the names of `rnnvision.report.page.build.PARTS`.
        notes: for the reader.
    """

    run: Run
    evaluation: Run | None = None
    network: str = ""
    data: str = ""
    size: int | None = None
    class_names: Sequence[str] = ()
    split: str = "test"
    temperature: float | None = None
    answers: Sequence[Prediction] | None = None
    progress: Reading | None = None
    reading: Curve | None = None
    gradient: Flow | None = None
    scan: Path | None = None
    mistakes: Sequence[Seen] | None = None
    labels: Sequence[Suspicion] | None = None
    states: Trajectories | None = None
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def metrics(self) -> dict[str, float]:
        """The figures of the evaluation, where there is one, else of the training."""
        return (self.evaluation or self.run).metrics
