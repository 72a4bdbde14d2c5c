"""Session: the answer of the whole image from its rows, one by one, and memory that does not grow."""

import os
import re
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import rnnvision
from rnnvision.errors import UsageError
from rnnvision.inference import Classifier, Session
from rnnvision.nn import MODELS, READOUTS, RECURRENCES, SCANS, build
from rnnvision.nn.readout import Readout
from tests.nn.cases import randomise, scan_arguments, tiny

SHAPE = (3, 6, 8)
CASES: dict[str, dict[str, Any]] = {f"recurrence-{name}": {"recurrence": name} for name in RECURRENCES}
CASES |= {f"readout-{name}": {"readout": name} for name in READOUTS}
CASES |= {f"scan-{name}": scan_arguments(name, channels=3) for name in SCANS}
CASES |= {
    "margin": {"scan": "pixels", "margin": 2},
    "gated": {"block": "gated", "num_layers": 2, "embed_size": 7, "scan": "snake"},
}


def make_classifier(model: str = "sequence_classifier", temperature: float = 1.0, **arguments: Any) -> Classifier:
    """One with weights that no training gives, so that its answers differ from image to image."""
    torch.manual_seed(0)
    given = {"name": model, **tiny(model, **({"input_shape": SHAPE} | arguments))}
    network = build(**given).eval()
    randomise(network, scale=0.5)
    channels = given["input_shape"][0]
    description = {
        "network": given,
        "class_names": ["cat", "dog", "owl"],
        "normalisation": {"mean": [0.4, 0.5, 0.6][:channels], "std": [0.2, 0.3, 0.4][:channels]},
        "temperature": temperature,
        "data": {"name": "fake"},
    }
    return Classifier(network, description, Path("a.ckpt"))


def pixels(classifier: Classifier, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, classifier.input_shape, dtype=torch.uint8, generator=generator)


def along(session: Session) -> int:
    return 1 if session.axis == "rows" else 2


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_after_the_last_row_it_says_what_the_classifier_says_of_the_image(case: dict[str, Any]) -> None:
    classifier = make_classifier(**case, temperature=1.7)
    session = Session(classifier)
    for seed, size in ((1, 1), (2, 2), (3, 100)):
        image = pixels(classifier, seed)
        for rows in image.split(size, dim=along(session)):
            ranked = session.push(rows)
        whole = classifier.probabilities(image)[0]
        assert session.probabilities is not None
        torch.testing.assert_close(session.probabilities, whole, rtol=0, atol=1e-6)
        assert session.tokens_read == classifier.network.scan.num_tokens
        assert ranked[0]["label"] == classifier.class_names[int(whole.argmax())]
        assert [answer["score"] for answer in ranked] == sorted(session.probabilities.tolist(), reverse=True)
        session.reset()
        assert (session.tokens_read, session.rows_read, session.settled, session.probabilities) == (0, 0, None, None)


def test_beliefs_and_the_settled_answer_are_those_after_each_row() -> None:
    classifier = make_classifier()
    session, image = rnnvision.Session(classifier), pixels(classifier)
    anytime = classifier.network.forward_anytime(classifier.preprocess(image))[0].softmax(dim=-1)  # (T, K)
    answers = anytime.argmax(dim=-1).tolist()
    assert len(set(answers)) > 1
    for t, row in enumerate(image.unbind(1)):
        assert session.push(row, top_k=1)[0]["score"] == pytest.approx(anytime[t].max().item(), abs=1e-6)
        since = next(s for s in range(t + 1) if set(answers[s : t + 1]) == {answers[t]})
        assert session.settled == since + 1


@pytest.mark.parametrize(("scan", "axis"), [("rows", 1), ("columns", 2)])
def test_rows_of_a_grey_image_need_no_channel_and_any_kind_of_array_will_do(scan: str, axis: int) -> None:
    classifier = make_classifier(input_shape=(1, 6, 8), scan=scan)
    session, image = Session(classifier), pixels(classifier)
    ways = [
        [image],
        list(image.split(2, dim=axis)),
        [image[0]],
        list(image[0].unbind(axis - 1)),
        [image.numpy()],
        [image.numpy() / 255],
        [image.float() / 255],
        [(image[0] / 255).tolist()],
    ]
    for way in ways:
        session.reset()
        for rows in way:
            session.push(rows)
        assert session.rows_read == image.shape[axis]
        torch.testing.assert_close(session.probabilities, classifier.probabilities(image)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("scan", "axis"), [("rows", 1), ("columns", 2)])
def test_arrays_in_colour_have_their_channels_last_or_first(scan: str, axis: int) -> None:
    classifier = make_classifier(scan=scan)
    session, image = Session(classifier), pixels(classifier)
    last = image.permute(1, 2, 0)
    for way in (last.split(3, dim=axis - 1), last.unbind(axis - 1), image.split(3, dim=axis), image.unbind(axis)):
        session.reset()
        for rows in way:
            session.push(rows.numpy())
        torch.testing.assert_close(session.probabilities, classifier.probabilities(image)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (torch.zeros(3, 8, 6), "rows of shape (3, 8, 6): this network reads rows of (3, n, 8) or (3, 8)"),
        (torch.zeros(8), "rows of shape (8,): this network reads rows of (3, n, 8) or (3, 8)"),
        (torch.zeros(2, 3, 1, 8), "rows of shape (2, 3, 1, 8): this network reads rows of (3, n, 8) or (3, 8)"),
        (torch.full((3, 8), 200), "rows of int64 from 200 to 200: give pixels as uint8, or as floating point from 0 "),
        (torch.full((3, 8), 1.5), "rows of float32 from 1.5 to 1.5: give pixels as uint8, or as floating point from "),
        (torch.full((3, 8), torch.nan), "rows of float32 from nan to nan: give pixels as uint8, or as floating "),
    ],
    ids=lambda value: "rows" if isinstance(value, Tensor) else "",
)
def test_rows_of_another_shape_or_range_are_refused_and_nothing_is_read(rows: Tensor, message: str) -> None:
    session = Session(make_classifier())
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        session.push(rows)
    assert (session.rows_read, session.push(torch.zeros(3, 0, 8))) == (0, [])


def test_an_order_that_ends_with_the_image_reads_no_row_more() -> None:
    classifier = make_classifier(scan="reverse")
    session, image = Session(classifier), pixels(classifier)
    assert session.push(image[:, :5]) == []
    with pytest.raises(ValueError, match=r"^rows: 2 given, 1 of the image's 6 rows are left; .* reset"):
        session.push(image[:, :2])
    assert session.push(image[:, 5:])
    assert not session.endless


@pytest.mark.parametrize("model", [name for name in MODELS if not hasattr(MODELS[name], "step")])
def test_a_network_that_needs_the_whole_image_is_refused_with_the_reason(model: str) -> None:
    classifier = make_classifier(model, input_shape=(1, 4, 4))
    with pytest.raises(UsageError, match=r"^a.ckpt: cannot be read row by row: .*; a network that can: .*model=lstm$"):
        Session(classifier)


def test_two_directions_are_refused_with_what_to_train_instead() -> None:
    with pytest.raises(UsageError, match=r"the end of the image; train it with model.bidirectional=false$"):
        Session(make_classifier(bidirectional=True))


def test_what_a_plugin_or_an_export_leaves_out_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(READOUTS["mean"], "step", Readout.step)
    with pytest.raises(UsageError, match=r"its readout Mean has no `step`: .*; train it with model.readout=last$"):
        Session(make_classifier(readout="mean"))
    exported = make_classifier()
    exported.network = torch.nn.Identity()
    with pytest.raises(
        UsageError, match=r"Identity has no `step`: .*; load the checkpoint that it was exported from, or "
    ):
        Session(exported)


def resident_bytes() -> int:
    """Memory of this process that lies in RAM, as Linux counts it: second field of /proc/self/statm, in pages."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(session: Session, pushes: int) -> int:
    """Bytes by which the process grows in so many pushes of one row, after some to fill the allocator's pools."""
    rows = torch.randint(256, (16, 3, 8), dtype=torch.uint8)
    for i in range(500):
        session.push(rows[i % 16])
    before = resident_bytes()
    for i in range(pushes):
        session.push(rows[i % 16])
    return resident_bytes() - before


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads Linux's /proc")
@pytest.mark.parametrize("readout", READOUTS)
def test_memory_does_not_grow_with_the_stream(readout: str) -> None:
    session = Session(make_classifier(readout=readout))
    assert growth(session, 2_000) < 2**20
    assert session.tokens_read == 2_500


def growth_of(recurrence: str) -> int:
    """Of a hundred thousand rows."""
    session = Session(make_classifier(recurrence=recurrence, readout="attention"))
    grown = growth(session, 100_000)
    assert session.probabilities is not None
    assert session.probabilities.isfinite().all()
    return grown


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads Linux's /proc")
@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_a_hundred_thousand_rows_take_less_than_a_megabyte(recurrence: str) -> None:
    with get_context("spawn").Pool(1) as pool:  # what other tests leave behind is not of this one
        assert pool.apply(growth_of, (recurrence,)) < 2**20
