"""What a network shows on some images: each look fills its part of `Found`, or raises ValueError with the reason."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rnnvision.cli.frame.reporting.samples import picture, pixels, spread
from rnnvision.report.page.found import Curve, Flow, Found, Path, Reading, Seen, Suspicion, Trajectories

if TYPE_CHECKING:
    from rnnvision.data.splits import Samples
    from rnnvision.inference import Classifier

IMAGES = 512  # that the anytime curve is measured on
LONG = 2**18  # images x tokens x tokens, at the most, where each prefix of the tokens is read anew
DIFFERENTIATED = 64  # images whose gradients are taken
DRAWN_CLASSES, DRAWN_IMAGES = 10, 3  # trajectories: of so many classes, so many images each
MISTAKES = 24
SUSPECTS = 12
MOST_SUSPECTED, WORK, BATCH = 10_000, 10**11, 500  # images, multiply-adds: some seconds; images at a time
STOPS = (0.25, 0.5, 0.75, 1.0)  # of the reading of one image

Looks = dict[str, Callable[[], None]]


def looks_at(classifier: "Classifier", samples: "Samples", found: Found) -> Looks:
    """The looks by the name of the part that each fills."""
    some = Sample(classifier, samples, found)
    return {
        "progress": some.progress,
        "reading": some.reading,
        "scan": some.scan,
        "gradient": some.gradient,
        "states": some.states,
        "mistakes": some.mistakes,
        "labels": some.suspects,
    }


class Sample:
    """A network, and images of a split spread evenly."""

    def __init__(self, classifier: "Classifier", samples: "Samples", found: Found) -> None:
        self.classifier, self.samples, self.found = classifier, samples, found
        self.network: Any = classifier.network
        self.temperatures = classifier.temperatures  # (T,) or (1,)
        self.name = str(classifier.description["network"]["name"])
        self.indices = spread(len(samples), self._most())
        self.pixels = pixels(samples, self.indices)  # uint8 (B, C, H, W)
        self.labels = samples.labels[self.indices]
        classifier.logits(self.pixels[:DIFFERENTIATED])  # raises where they are not finite: nothing can be shown then

    def _most(self) -> int:
        """How many images: fewer where each prefix is read anew."""
        return IMAGES if self._passes() == 1 else max(8, min(IMAGES, LONG // self._passes() ** 2))

    def _passes(self) -> int:
        """How often an image is read for the answers after each token."""
        scan = getattr(self.network, "scan", None)
        return 1 if scan is None or getattr(self.network, "is_causal", False) else scan.num_tokens

    def _check_anytime(self) -> None:
        if not hasattr(self.network, "forward_anytime"):
            raise ValueError(f"a {self.name} answers only at the end")
        if self._passes() ** 2 > LONG:
            raise ValueError(f"it reads in two directions, and would have to read each image {self._passes()} times")

    def images(self, count: int | None = None) -> Tensor:
        """As the network reads them: (B, C, H, W)."""
        return self.classifier.preprocess(self.pixels[:count])

    def reading(self) -> None:
        from rnnvision.insight import anytime_curve

        self._check_anytime()
        curve = anytime_curve(self.network, [(self.images(), self.labels)], self.temperatures)
        parts = (curve.share.tolist(), curve.accuracy.tolist(), curve.nll.tolist(), curve.ece.tolist())
        unit = "glimpse" if hasattr(self.network, "num_glimpses") else "token"
        self.found.reading = Curve(*parts, curve.area, len(self.labels), unit)

    def progress(self) -> None:
        """One image that is answered rightly, and not at once: that which settles later than three quarters."""
        from rnnvision.insight import settled_after

        self._check_anytime()
        scan = self._scan()
        with torch.inference_mode():
            anytime = self.network.forward_anytime(self.images(64)).float() / self.temperatures[:, None]  # (B, T, K)
        if anytime.shape[1] != scan.num_tokens:
            raise ValueError(f"a {self.name} answers after each glimpse, not after each token")
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
        h, w = scan.token_shape
        factor = shown.width / self.pixels.shape[-1]
        cells = [((c + 0.5) * factor - 0.5, (r + 0.5) * factor - 0.5) for r, c in scan.path().tolist()]
        self.found.scan = Path(shown, cells, (factor * h, factor * w), (h, w))

    def _scan(self) -> Any:
        scan = getattr(self.network, "scan", None)
        if scan is None:
            raise ValueError(
                f"a {self.classifier.description['network']['name']} does not read an image as one sequence"
            )
        return scan

    def gradient(self) -> None:
        from rnnvision.insight import gradient_flow, memory_length

        count = min(DIFFERENTIATED, len(self.indices))
        flow = gradient_flow(self.network, self.images(count), self.labels[:count])
        series = {layer_name(name): norms.tolist() for name, norms in flow.states.items()}
        tokens = {} if flow.tokens is None else {"tokens": flow.tokens.tolist()}
        verdicts = {layer_name(name): (word, flow.ratios[name]) for name, word in flow.verdicts.items()}
        try:
            memory = float(memory_length(self.network, self.images(count)).nanmean())
        except ValueError:  # of a network that reads in both directions
            memory = None
        self.found.gradient = Flow({**tokens, **series}, verdicts, count, memory)

    def states(self) -> None:
        from rnnvision.insight import state_trajectories

        if not hasattr(self.network, "states"):
            raise ValueError(f"a {self.name} has no states over time")
        chosen = _of_each(self.labels.tolist(), DRAWN_CLASSES, DRAWN_IMAGES)
        with torch.inference_mode():
            states = self.network.states(self.classifier.preprocess(self.pixels[chosen])).float()  # (B, T, D)
        found = state_trajectories(states)
        names = [self.classifier.class_names[int(self.labels[i])] for i in chosen]
        points = [(name, [(x, y) for x, y in steps]) for name, steps in zip(names, found.points.tolist(), strict=True)]
        self.found.states = Trajectories(points, float(found.explained.sum()))

    def suspects(self) -> None:
        """By the probabilities of the whole split, or of as many images as are read in some seconds."""
        from rnnvision.insight import wrong_labels

        indices = spread(len(self.samples), self._affordable())
        parts = [indices[start : start + BATCH] for start in range(0, len(indices), BATCH)]
        with torch.inference_mode():
            logits = [self.network(self.classifier.preprocess(pixels(self.samples, part))).float() for part in parts]
        probabilities = (torch.cat(logits).cpu() / self.temperatures[-1]).softmax(dim=-1)
        suspects = wrong_labels(probabilities, self.samples.labels[indices], top=SUSPECTS)
        shown = pixels(self.samples, [indices[s.index] for s in suspects]) if suspects else ()
        names = self.classifier.class_names
        self.found.labels = [
            Suspicion(
                picture(image),
                self.samples.name(indices[s.index]),
                names[s.label],
                names[s.suggested],
                s.of_label,
                s.of_suggested,
            )
            for image, s in zip(shown, suspects, strict=True)
        ]

    def _affordable(self) -> int:
        """How many images may be read: a number of the network alone, so that a report can be made again."""
        from rnnvision.insight import multiply_adds

        try:
            cost = sum(multiply_adds(self.network, self.classifier.input_shape).values())
        except ValueError:  # of a part without a formula
            return len(self.indices)
        return max(len(self.indices), min(MOST_SUSPECTED, WORK // max(1, cost)))

    def mistakes(self) -> None:
        from rnnvision.insight import surest_mistakes

        answers = self.found.answers
        if answers is None:
            raise ValueError("there is no predictions.csv; see Classes")
        truth, said = [a.truth for a in answers], [a.answer for a in answers]
        self.found.mistakes = self.seen(surest_mistakes(truth, said, [a.probability for a in answers], MISTAKES))

    def seen(self, rows: list[int]) -> list[Seen]:
        """Images beside their answers, by the rows of predictions.csv."""
        answers = self.found.answers or ()
        if len(answers) != len(self.samples):
            raise ValueError(
                f"predictions.csv has {len(answers)} rows and the {self.found.split} split {len(self.samples)} images:"
                " the data has changed since"
            )
        shown = list(pixels(self.samples, rows)) if rows else []
        return [Seen(picture(image), answers[row]) for image, row in zip(shown, rows, strict=True)]


def layer_name(name: str) -> str:
    """The name of a recurrent layer within its network, in words.

    Examples:
        >>> layer_name("recurrence.layers.0"), layer_name("recurrence.backward_layers.1")
        ('layer 1', 'layer 2 backward')
        >>> layer_name("decoder.layers.0"), layer_name("layers.0.columns.recurrence.backward_layers.0")
        ('decoder layer 1', 'layer 1 columns layer 1 backward')
    """
    said: list[str] = []
    for word in (word for word in name.split(".") if word != "recurrence"):
        if word.isdecimal() and said and said[-1] in ("layers", "backward_layers"):
            backward = said.pop() == "backward_layers"
            said += ["layer", str(int(word) + 1), *(["backward"] if backward else [])]
        else:
            said.append(word)
    return " ".join(said)


def _of_each(labels: list[int], classes: int, images: int) -> list[int]:
    """Indices of some images of the first classes that occur, class by class."""
    shown = sorted(set(labels))[:classes]
    return [i for c in shown for i in [i for i, label in enumerate(labels) if label == c][:images]]
