"""Scores: what is measured on a test split, and what is summed up while an epoch of training runs."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics import MeanMetric, Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from rnnvision.training.answers import Answers

BINS = 15  # of the calibration error


class CalibrationError:
    """The expected calibration error over `BINS` bins of confidence, the last of which holds a confidence of 1.

    The figure of `rnnvision.insight.calibration_error`, where confidences come in batches. (torchmetrics has a bin
    more, for those of exactly 1, which a trained network often has in float32.)
    """

    def __init__(self) -> None:
        self.gaps = torch.zeros(BINS, dtype=torch.float64)  # in each bin the sum of right - confidence
        self.count = 0

    def update(self, probabilities: Tensor, labels: Tensor) -> None:
        """Add a batch: (B, K), (B,)."""
        confidence, answer = probabilities.max(dim=-1)
        right, confidence = (answer == labels).cpu().double(), confidence.cpu().double()
        edges = torch.arange(1, BINS, dtype=torch.float64) / BINS
        self.gaps.index_add_(0, torch.bucketize(confidence, edges, right=True), right - confidence)
        self.count += len(labels)

    def compute(self) -> float:
        return float(self.gaps.abs().sum()) / self.count if self.count else math.nan


class Scores(nn.Module):
    """accuracy, top5 (with more than five classes), f1 (macro), nll (nats), ece (15 bins), images (how many).

    And where `temperature` is set nll_calibrated and ece_calibrated, of the probabilities at it.

    Attributes:
        temperature: by which logits are divided where a probability has to mean what it says; None where none was
            fitted, see `rnnvision.training.fit_temperature`.
        answers: of the images since `reset`, at this temperature.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.temperature: float | None = None
        self.answers = Answers()
        measured: dict[str, Metric] = {
            "accuracy": MulticlassAccuracy(num_classes, average="micro"),
            "f1": MulticlassF1Score(num_classes, average="macro"),
        }
        if num_classes > 5:
            measured["top5"] = MulticlassAccuracy(num_classes, average="micro", top_k=5)
        # A mean over batches of which one is NaN has to be NaN; torchmetrics would leave that batch out.
        self.nll, self.nll_calibrated = MeanMetric(nan_strategy=math.nan), MeanMetric(nan_strategy=math.nan)
        self.measured = MetricCollection(dict(measured), compute_groups=False)
        self.ece, self.ece_calibrated = CalibrationError(), CalibrationError()

    def update(self, loss: Tensor, logits: Tensor, labels: Tensor, settled: Tensor | None) -> None:
        """Add a batch: its mean loss, logits (B, K), labels (B,) and tokens after which an answer stayed (B,)."""
        self.nll.update(loss, len(labels))
        probabilities = logits.softmax(dim=-1)
        self.measured.update(probabilities, labels)
        self.ece.update(probabilities, labels)
        if self.temperature is not None:
            scaled = logits / self.temperature
            self.nll_calibrated.update(cross_entropy(scaled, labels), len(labels))
            self.ece_calibrated.update(scaled.softmax(dim=-1), labels)
        self.answers.add(logits, labels, settled)

    def compute(self) -> dict[str, Tensor | float]:
        """Each figure by its name."""
        found = {**self.measured.compute(), "nll": self.nll.compute(), "ece": self.ece.compute()}
        found["images"] = float(len(self.answers))
        if self.temperature is not None:
            found |= {"nll_calibrated": self.nll_calibrated.compute(), "ece_calibrated": self.ece_calibrated.compute()}
        return found

    def reset(self) -> None:
        self.answers = Answers(self.temperature or 1.0)
        self.ece, self.ece_calibrated = CalibrationError(), CalibrationError()
        for metric in (self.measured, self.nll, self.nll_calibrated):
            metric.reset()


class EpochSums:
    """Loss and correct answers of the images that this process has trained on in an epoch.

    They are summed on the device: metric objects in the step, or a log each step, cost a tenth of a small network's
    time.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        precise = torch.float32 if torch.device(device).type == "mps" else torch.float64
        self.sums = torch.zeros(2, dtype=precise, device=device)  # loss, correct
        self.count = 0  # kept on the host, since adding it to the sums would copy it to the device each step

    @classmethod
    def of(cls, sums: Tensor, device: torch.device | str = "cpu") -> "EpochSums":
        """Those of which `all` has given these (3,)."""
        found = cls(device)
        found.sums, found.count = sums[:2].to(found.sums), int(sums[2])
        return found

    def add(self, loss: Tensor, correct: Tensor, count: int) -> None:
        """Add a batch: its mean loss, and how many of its images were answered correctly."""
        self.sums += torch.stack((loss * count, correct))
        self.count += count

    def all(self) -> Tensor:
        """(3,) the sums and the count, on the device."""
        return torch.cat((self.sums, self.sums.new_tensor([self.count])))

    def means(self) -> tuple[float, float]:
        """The loss of an image and the share that is correct, so far; waits for the device."""
        loss, correct = self.sums.tolist()
        return (loss / self.count, correct / self.count) if self.count else (math.nan, math.nan)
