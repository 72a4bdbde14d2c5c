"""Classifier: a trained network with what its checkpoint says of it, for use from Python."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rnnvision.checks import shortened
from rnnvision.data.images import View
from rnnvision.errors import UsageError
from rnnvision.inference.averaging import shown_views
from rnnvision.inference.exported import is_exported, load_exported
from rnnvision.inference.pixels import as_seen, check_values, joined, listed, stacked
from rnnvision.inference.predict import How, labels_of, table_of
from rnnvision.inference.predictions import Predictions
from rnnvision.inference.published import is_published, read_trained
from rnnvision.inference.viewing import view_of
from rnnvision.training import CheckpointError, find_checkpoint, load_network
from rnnvision.training.failures import TrainingError, finite, ran_out

if TYPE_CHECKING:
    from rnnvision.inference.session import Session

BATCH_SIZE = 1000  # as in evaluation, where a checkpoint does not say


def load(source: str | Path, *, device: str | torch.device = "cpu") -> "Classifier":
    """The classifier of a run folder (its best checkpoint, else its last), a checkpoint file, or an exported file.

    A file of weights that others have published is read too, see `rnnvision.inference.published`.

    Raises:
        UsageError: if there is none, or it is damaged, or was pre-trained only, or needs a plugin.
    """
    path = Path(source).expanduser()
    if is_exported(path) and not is_published(path):
        network, description = load_exported(path, device)
        path = path.resolve()
    else:
        path = find_checkpoint(source)
        checkpoint = read_trained(path)
        network, description = load_network(checkpoint, path, classifies=True), checkpoint["rnnvision"]
    try:
        return Classifier(network.to(device), description, path, device=device)
    except (ValueError, TypeError) as error:  # of the options of its images, which are checked where they are used
        raise CheckpointError(f"{path}: its description cannot be used: {' '.join(str(error).split())}") from error


class Classifier:
    """Images to ranked labels.

    Wherever a method takes images, they may be a path, a PIL image, an array (height, width[, channels]), a tensor
    (channels, height, width), or several of them in a list or a batch. They are opened, coloured and sized as those
    that the network was trained on.

    Attributes:
        network: in evaluation mode.
        class_names: in the order of the logits.
        input_shape: (C, H, W) of the images that it reads.
        view: how a picture becomes such an image.
        temperature: what logits are divided by to give probabilities; 1 where none was fitted.
        temperatures: the same after each token (T,), or one for all of them (1,).
        description: all that the checkpoint says of itself, see `rnnvision.training.checkpoint`.
        path: of the checkpoint.

    Examples:
        >>> classifier = rnnvision.load("logs/train/latest")  # doctest: +SKIP
        >>> classifier("seven.png", top_k=2)  # doctest: +SKIP
        [{'label': '7', 'score': 0.998}, {'label': '9', 'score': 0.001}]
    """

    def __init__(
        self,
        network: nn.Module,
        description: dict[str, Any],
        path: Path,
        *,
        device: str | torch.device = "cpu",
    ) -> None:
        self.network: Any = network
        self.description = description
        self.path = path
        self.device = torch.device(device)
        self.class_names: tuple[str, ...] = tuple(description["class_names"])
        self.input_shape: tuple[int, ...] = tuple(description["network"]["input_shape"])
        self.temperature: float = description.get("temperature", 1.0)
        self.temperatures = torch.tensor(description.get("temperatures") or [self.temperature])
        self.view: View = view_of(description)
        facts = description["normalisation"]
        self._mean, self._std = (torch.tensor(facts[k], device=self.device)[:, None, None] for k in ("mean", "std"))
        self.batch_size: int = description.get("data", {}).get("eval_batch_size") or BATCH_SIZE

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.input_shape))
        return f"Classifier({self.description['network']['name']}, {shape} -> {shortened(self.class_names)})"

    # From pictures to what the network reads.

    def pixels(self, images: Any) -> Tensor:
        """Pictures as the network sees them: uint8 (B, C, H, W), or floating point where some were given as such.

        Raises:
            DataError: for a file that cannot be read.
            ValueError: for what is no picture.
        """
        return joined(list(self._parts(images)))

    def preprocess(self, pixels: Tensor) -> Tensor:
        """Normalised pixels: uint8, or float in [0, 1], (B, C, H, W) or (C, H, W) -> float (B, C, H, W).

        Raises:
            ValueError: for images of another shape or range.
        """
        batch = pixels.unsqueeze(0) if pixels.ndim == 3 else pixels
        if tuple(batch.shape[1:]) != self.input_shape:
            wanted = ", ".join(map(str, self.input_shape))
            raise ValueError(f"images of shape {tuple(pixels.shape)}: this network reads ({wanted}) or (B, {wanted})")
        check_values("images", pixels)
        return self.normalised(batch)

    def normalised(self, pixels: Tensor) -> Tensor:
        """Pixels of any part of an image, uint8 or float in [0, 1], (..., C, h, w) -> as the network reads them."""
        scaled = pixels.to(self.device).to(torch.float32) / (255 if pixels.dtype == torch.uint8 else 1)
        like = next(self.network.parameters(), scaled)  # an exported network computes in float32 and shows none
        return ((scaled - self._mean) / self._std).to(like.dtype)

    # What the network says.

    def logits(self, images: Any) -> Tensor:
        """In the order of `class_names`: (B, K), on the CPU."""
        return self._batches(images, self.network)

    def probabilities(self, images: Any, *, average: str | None = None) -> Tensor:
        """Of each class, at `temperature`: (B, K), rows that sum to 1.

        Args:
            images: pictures.
            average: shifts, flips or both: the mean over so many views of each image, see
                `rnnvision.inference.averaging`.
        """
        if average is None:
            return self._at_temperature(self.logits(images))
        means = []
        for part in self._parts(images):
            views = [self._at_temperature(self.logits(view)) for view in shown_views(part, average)]
            means.append(torch.stack(views).mean(dim=0))
        return joined(means)

    def anytime(self, images: Any) -> Tensor:
        """The probabilities after each token: (B, T, K); the last are those of `probabilities`.

        Of an encoder-decoder after each glimpse; one that reads in two directions reads the image T times.

        Raises:
            ValueError: for a network that answers only at the end.
        """
        if not hasattr(self.network, "forward_anytime"):
            name = self.path.name if "exported" in self.description else self.description["network"]["name"]
            raise ValueError(f"{name} answers only at the end, not after each token")
        logits = self._batches(images, self.network.forward_anytime)
        return (logits / self.temperatures[:, None]).softmax(dim=-1)

    def temperature_after(self, tokens: int) -> float:
        """What logits are divided by after so many tokens, at least 1; a stream may have more than an image."""
        return float(self.temperatures[min(tokens, len(self.temperatures)) - 1])

    def features(self, images: Any) -> Tensor:
        """The vector that the head classifies: (B, D).

        Raises:
            UsageError: for a network that does not give it, such as an exported one.
        """
        if not hasattr(self.network, "forward_features"):
            raise UsageError(f"{self.path}: gives no features; load the checkpoint that it was made from")
        return self._batches(images, self.network.forward_features)

    def __call__(self, images: Any, top_k: int = 5, **how: Any) -> list[dict[str, Any]] | list[list[dict[str, Any]]]:
        """The likeliest classes, best first: {"label": name, "score": probability}; of several images a list each.

        Args:
            images: one picture or several.
            top_k: so many classes of each.
            **how: see `rnnvision.inference.predict.How`.
        """
        return labels_of(self.members, images, How(top_k=top_k, **how))

    def predict(self, images: Any, top_k: int = 5, **how: Any) -> Predictions:
        """A table of answers, one row an image, which writes itself as CSV, JSON lines, Parquet or a data frame.

        Of a picture that cannot be read it holds the reason.

        Args:
            images: pictures, any number: they are opened a batch at a time.
            top_k: so many classes of each.
            **how: see `rnnvision.inference.predict.How`.
        """
        return table_of(self.members, images, How(top_k=top_k, **how))

    @property
    def members(self) -> "tuple[Classifier, ...]":
        """The networks whose probabilities are averaged: this one."""
        return (self,)

    def value_names(self, values: str | None) -> tuple[str, ...]:
        """The names of the columns of a table with `values`, see `rnnvision.inference.predict.How`."""
        if values == "features":
            width = self.features(torch.zeros(1, *self.input_shape, dtype=torch.uint8)).shape[1]
            return tuple(f"feature_{i}" for i in range(width))
        prefix = {"probabilities": "probability", "logits": "logit"}.get(values or "")
        return () if prefix is None else tuple(f"{prefix}_{name}" for name in self.class_names)

    def session(self) -> "Session":
        """A reader of a stream of image rows.

        Raises:
            UsageError: for a network that cannot read one.
        """
        from rnnvision.inference.session import Session

        return Session(self)

    def _at_temperature(self, logits: Tensor) -> Tensor:
        return (logits / self.temperature).softmax(dim=-1)

    def _parts(self, images: Any) -> Iterator[Tensor]:
        """The pixels of a batch at a time: of any number of files no more are in memory."""
        if isinstance(images, Tensor) and images.ndim == 4 and tuple(images.shape[1:]) == self.input_shape:
            yield from images.split(self.batch_size)
            return
        items = iter(listed(images))
        while batch := list(islice(items, self.batch_size)):
            yield stacked([as_seen(image, self.view) for image in batch])

    @torch.inference_mode()
    def _batches(self, images: Any, forward: Any) -> Tensor:
        return joined([finite(self._forward(part, forward), self.path) for part in self._parts(images)])

    def _forward(self, pixels: Tensor, forward: Any) -> Tensor:
        """In parts of half the size each time that memory runs out; those of later batches stay that small."""
        while True:
            size = min(self.batch_size, len(pixels))
            try:
                return torch.cat([forward(self.preprocess(part)).float().cpu() for part in pixels.split(size)])
            except (MemoryError, RuntimeError) as error:
                if not ran_out(error):
                    raise
            if size == 1:
                raise TrainingError(f"{self.path}: the memory of the device is too small for a single image")
            self.batch_size = size // 2
