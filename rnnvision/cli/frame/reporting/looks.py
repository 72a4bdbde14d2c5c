"""What a network shows on some images: each look fills its part of `Found`, or raises ValueError with the reason."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rnnvision.cli.frame.reporting.samples import picture, pixels, spread
from rnnvision.report.page.found import Curve, Found, Path, Reading, Seen

if TYPE_CHECKING:
    from rnnvision.data.splits import Samples
    from rnnvision.inference import Classifier

IMAGES = 512  # that the anytime curve is measured on
LONG = 2**18  # tokens of all those images together that are read again for each prefix at the most
MISTAKES = 24
STOPS = (0.25, 0.5, 0.75, 1.0)  # of the reading of one image

Looks = dict[str, Callable[[], None]]


def looks_at(classifier: "Classifier", samples: "Samples", found: Found) -> Looks:
    """The looks by the name of the part that each fills."""
    some = Sample(classifier, samples, found)
    return {
        "progress": some.progress,
        "reading": some.reading,
        "scan": some.scan,
        "mistakes": some.mistakes,
    }


class Sample:
    """A network, and images of a split spread evenly."""

    def __init__(self, classifier: "Classifier", samples: "Samples", found: Found) -> None:
        self.classifier, self.samples, self.found = classifier, samples, found
        self.network: Any = classifier.network
        self.temperature = found.temperature or 1.0
        self.indices = spread(len(samples), self._most())
        self.pixels = pixels(samples, self.indices)  # uint8 (B, C, H, W)
        self.labels = samples.labels[self.indices]

    def _most(self) -> int:
        """How many images: fewer where each prefix has to be read anew."""
        scan = getattr(self.network, "scan", None)
        if scan is None or getattr(self.network, "is_causal", True):
            return IMAGES
        return max(8, min(IMAGES, LONG // scan.num_tokens**2))

    def images(self, count: int | None = None) -> Tensor:
        """As the network reads them: (B, C, H, W)."""
        return self.classifier.preprocess(self.pixels[:count])

    def reading(self) -> None:
        from rnnvision.insight import anytime_curve

        curve = anytime_curve(self.network, [(self.images(), self.labels)], self.temperature)
        parts = (curve.share.tolist(), curve.accuracy.tolist(), curve.nll.tolist(), curve.ece.tolist())
        self.found.reading = Curve(*parts, curve.area, len(self.labels))

    def progress(self) -> None:
        """One image that is answered rightly, and not at once: that which settles later than three quarters."""
        from rnnvision.insight import settled_after

        scan = self._scan()
        with torch.inference_mode():
            anytime = self.network.forward_anytime(self.images(64)).float() / self.temperature  # (B, T, K)
        right = (anytime[:, -1].argmax(dim=-1) == self.labels[: len(anytime)]).nonzero().flatten()
        chosen = right if len(right) else torch.arange(len(anytime))
        order = chosen[settled_after(anytime)[chosen].argsort(stable=True)]
        index = int(order[3 * len(order) // 4])
        p, answers = anytime[index].softmax(dim=-1).max(dim=-1)  # (T,)
        stops = []
        for share in STOPS:
            tokens = max(1, round(share * scan.num_tokens))
            read = torch.arange(scan.num_tokens) < tokens
            mask = scan.inverse(read.float()[None, :, None].expand(1, -1, scan.token_size))[0, 0].cpu()  # (H, W)
            name = self.classifier.class_names[int(answers[tokens - 1])]
            stops.append((picture(self.pixels[index], mask), tokens, name, float(p[tokens - 1])))
        truth = self.classifier.class_names[int(self.labels[index])]
        self.found.progress = Reading(truth, tuple(stops), scan.num_tokens)

    def scan(self) -> None:
        scan = self._scan()
        shown = picture(self.pixels[0])
        factor = shown.width / self.pixels.shape[-1]
        cells = [((c + 0.5) * factor - 0.5, (r + 0.5) * factor - 0.5) for r, c in scan.path().tolist()]
        self.found.scan = Path(shown, cells, tuple(scan.token_shape))

    def _scan(self) -> Any:
        scan = getattr(self.network, "scan", None)
        if scan is None or not hasattr(scan, "path") or not hasattr(self.network, "forward_anytime"):
            raise ValueError(f"a {self.classifier.description['network']['name']} does not read an image as one sequence")
        return scan

    def mistakes(self) -> None:
        answers = self.found.answers
        if answers is None:
            raise ValueError("there is no predictions.csv; see Classes")
        wrong = [i for i, a in enumerate(answers) if not a.right]
        worst = sorted(wrong, key=lambda i: -answers[i].loss)[:MISTAKES]
        self.found.mistakes = self.seen(worst)

    def seen(self, rows: list[int]) -> list[Seen]:
        """Images beside their answers, by the rows of predictions.csv."""
        answers = self.found.answers or ()
        if len(answers) != len(self.samples):
            raise ValueError(
                f"predictions.csv has {len(answers)} rows and the {self.found.split} split {len(self.samples)} images:"
                " the data has changed since"
            )
        shown = pixels(self.samples, rows) if rows else []
        return [Seen(picture(image), answers[row]) for image, row in zip(shown, rows, strict=True)]
