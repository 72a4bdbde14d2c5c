"""Prediction: options, names, order, bad files in between, batches, averages, ensembles, and reading until sure."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from rnnvision.data import DataError
from rnnvision.errors import UsageError
from rnnvision.inference import Answer, Classifier, Ensemble, How, predicted
from rnnvision.inference.averaging import shown_views
from rnnvision.inference.early import read_until_sure
from rnnvision.insight import stop_when_sure
from rnnvision.nn import RECURRENCES
from tests.inference.cases import NAMES, images, make_classifier


def scores_of(answer: Answer, names: tuple[str, ...] = NAMES) -> Tensor:
    """The probabilities of an answer with all classes, in their order."""
    return torch.tensor([dict(answer.ranking)[name] for name in names])


def all_scores(answers: Any, names: tuple[str, ...] = NAMES) -> Tensor:
    return torch.stack([scores_of(answer, names) for answer in answers])


def write_pictures(folder: Path, number: int) -> list[Path]:
    for i in range(number):
        pixels = np.random.default_rng(i).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return [folder / f"{i}.png" for i in range(number)]


# Options.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_k": 0}, "top_k=0: must be a whole number of at least 1"),
        ({"average": "rotated"}, "average=rotated: choose one of shifts, flips, both"),
        ({"invert": "yes"}, "invert=yes: choose one of false, true, auto"),
        ({"values": "probs"}, "values=probs: choose one of probabilities, logits, features"),
        ({"stop_at": 1.5}, "stop_at=1.5: must be a number from 0 to 1"),
        ({"stop_at": "sure"}, "stop_at=sure: must be a number from 0 to 1"),
        ({"stop_at": 0.0, "average": "flips"}, "stop_at=0.0: an average over views reads all of each; leave one out"),
        ({"stop_at": 0.0, "values": "logits"}, "values=logits: are those of one whole image; leave out stop_at"),
        ({"average": "both", "values": "features"}, "values=features: are those of one whole image; leave out average"),
    ],
)
def test_options_that_cannot_be_are_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        How(**options)
    assert str(error.value) == message


def test_what_a_network_cannot_do_is_told_before_any_picture_is_opened() -> None:
    two = (make_classifier(), make_classifier(seed=1))
    cases: list[tuple[tuple[Classifier, ...], dict[str, Any], str]] = [
        ((make_classifier(bidirectional=True),), {"stop_at": 0.5}, "stop_at=0.5: the network cannot be read token by"),
        ((make_classifier("cnn"),), {"stop_at": 0.5}, "stop_at=0.5: .*: a control reads no sequence"),
        ((make_classifier("encoder_decoder"),), {"stop_at": 0.5}, "stop_at=0.5: .*: an encoder-decoder takes its"),
        (two, {"stop_at": 0.5}, "stop_at=0.5: of one network alone; 2 are averaged here"),
        (two, {"values": "features"}, "values=features: of one network alone; 2 are averaged here"),
    ]
    for members, options, message in cases:
        with pytest.raises(UsageError, match=f"^{message}"):
            predicted(members, ["nowhere.png"], How(**options))


# Names, order, errors.


def test_pictures_are_named_by_their_path_or_number(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, 2)
    opened = Image.open(paths[1])
    shown = [paths[0], str(paths[1]), opened, Image.fromarray(np.zeros((4, 4), np.uint8)), torch.zeros(3, 5, 5)]
    answers = make_classifier(batch_size=2).predict(shown)
    assert [answer.image for answer in answers] == [str(paths[0]), str(paths[1]), str(paths[1]), "3", "4"]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_bad_files_take_their_place_among_the_good_ones(tmp_path: Path, batch_size: int) -> None:
    good = write_pictures(tmp_path, 5)
    (tmp_path / "text.png").write_text("no image")
    Image.new("L", (9000, 9000)).save(tmp_path / "large.png")
    shown = [good[0], tmp_path / "text.png", *good[1:4], tmp_path / "none.png", tmp_path / "large.png", good[4]]
    classifier = make_classifier(batch_size=batch_size)
    answers = classifier.predict(iter(shown), top_k=3)
    assert [answer.image for answer in answers] == [str(path) for path in shown]
    assert [i for i, answer in enumerate(answers) if answer.error] == [1, 5, 6]
    assert answers[5].error == "there is no such file"  # without its path, which stands beside it
    large = "9000 x 9000 pixels, more than data.max_pixels=64000000 allows"
    assert answers[6].error == large  # without the advice to add data.max_pixels, which is no key of predict
    torch.testing.assert_close(all_scores(a for a in answers if not a.error), classifier.probabilities(good))
    assert answers[1].labels() == []
    for name in (f"{tmp_path}/./none.png", f"{tmp_path}/no\nimage.png"):
        assert classifier.predict(name)[0].error == "there is no such file"
    assert classifier.predict([Image.new("F", (4, 4))])[0].error.startswith("values of mode F have no known range")
    with pytest.raises(DataError, match=r"text\.png: cannot be read as an image"):
        classifier(shown)


def test_an_image_size_of_two_sides_and_an_animation(tmp_path: Path) -> None:
    """A list from a checkpoint, which no cache takes as a key."""
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    classifier = make_classifier(data={"name": "image_folder", "image_size": [6, 8], "fit": "letterbox"})
    assert classifier.view.fit == "letterbox"
    answers = classifier.predict([tmp_path / "a.gif", frames[0]], top_k=3)
    torch.testing.assert_close(scores_of(answers[0]), scores_of(answers[1]))


def test_more_pictures_than_a_batch_are_answered_as_they_come() -> None:
    classifier = make_classifier(batch_size=4)
    shown = images(classifier, 11)
    taken = 0

    def counting() -> Any:
        nonlocal taken
        for image in shown:
            taken += 1
            yield image

    answers = predicted((classifier,), counting(), How(top_k=3))
    first = next(answers)
    assert taken == 4
    torch.testing.assert_close(all_scores([first, *answers]), classifier.probabilities(shown))


def test_of_one_picture_there_is_one_list_and_of_several_a_list_of_lists() -> None:
    classifier = make_classifier()
    one, several = images(classifier, 1)[0], images(classifier, 2)
    for answers in (classifier(one), Ensemble([classifier])(one)):
        assert [set(answer) for answer in answers] == [{"label", "score"}] * 3
    assert [len(answers) for answers in classifier(several, top_k=2)] == [2, 2]
    assert classifier(several[:1]) == [classifier(several[0])]


# Values.


def test_values_are_those_of_the_methods() -> None:
    classifier = make_classifier(temperature=1.6, batch_size=2)
    shown = images(classifier, 5)
    for kind, expected in {
        "probabilities": classifier.probabilities(shown),
        "logits": classifier.logits(shown),
        "features": classifier.features(shown),
    }.items():
        table = classifier.predict(shown, top_k=3, values=kind)
        assert len(table.table.values) == expected.shape[1]
        torch.testing.assert_close(torch.tensor([answer.values for answer in table]), expected)
        torch.testing.assert_close(all_scores(table), classifier.probabilities(shown))
    torch.testing.assert_close(classifier.probabilities(shown), (classifier.logits(shown) / 1.6).softmax(dim=1))


# Light and dark.


def digit(*, light: bool) -> np.ndarray:
    """A bar, light on dark or dark on light, with some grey."""
    pixels = np.full((12, 12), 20, np.uint8)
    pixels[3:9, 4:7] = 230
    return 255 - pixels if light else pixels


def test_light_and_dark_are_exchanged_where_the_network_knows_it_the_other_way() -> None:
    knows_dark = make_classifier(mean=0.13, input_shape=(1, 8, 8))
    shown = [digit(light=False), digit(light=True)]
    expected = knows_dark.probabilities(shown[0])[0]
    answers = knows_dark.predict(shown, top_k=3, invert="auto")
    assert [answer.inverted for answer in answers] == [False, True]
    for answer in answers:
        torch.testing.assert_close(scores_of(answer), expected)
    assert not torch.allclose(knows_dark.probabilities(shown[1])[0], expected)
    assert not any(answer.looks_inverted for answer in answers)
    assert [answer.looks_inverted for answer in knows_dark.predict(shown)] == [False, True]
    assert [answer.inverted for answer in knows_dark.predict(shown, invert=True)] == [True, True]
    fractions = knows_dark.predict([image / 255 for image in shown], top_k=3, invert="auto")
    torch.testing.assert_close(all_scores(fractions), torch.stack([expected, expected]), atol=0.01, rtol=0)
    knows_light = make_classifier(mean=0.5, input_shape=(1, 8, 8))
    assert not any(answer.looks_inverted for answer in knows_light.predict(shown))
    assert not any(answer.inverted for answer in knows_light.predict(shown, invert="auto"))


# Averages.


def test_views_are_shifted_by_a_pixel_and_mirrored() -> None:
    image = torch.arange(28 * 28).reshape(1, 1, 28, 28).to(torch.uint8)
    views = shown_views(image, "both")
    assert len(views) == 10
    assert all(view.shape == image.shape and view.dtype == torch.uint8 for view in views)
    down, up, right = views[3], views[4], views[1]
    assert torch.equal(down[..., 1:, :], image[..., :-1, :])
    assert torch.equal(up[..., :-1, :], image[..., 1:, :])
    assert torch.equal(right[..., 1:], image[..., :-1])
    assert torch.equal(right[..., 0], image[..., 0])  # the border is repeated
    assert [torch.equal(view, image.flip(-1)) for view in shown_views(image, "flips")] == [False, True]


@pytest.mark.parametrize("kind", ["shifts", "flips", "both"])
def test_an_average_is_the_mean_of_the_probabilities_of_the_views(kind: str) -> None:
    classifier = make_classifier(temperature=0.7, batch_size=3)
    shown = images(classifier, 7)
    expected = torch.stack([classifier.probabilities(view) for view in shown_views(shown, kind)]).mean(dim=0)
    assert not torch.allclose(expected, classifier.probabilities(shown), atol=1e-3)
    torch.testing.assert_close(classifier.probabilities(shown, average=kind), expected)
    torch.testing.assert_close(all_scores(classifier.predict(shown, top_k=3, average=kind)), expected)


def test_an_ensemble_is_the_mean_of_its_members_each_with_its_own_preprocessing(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, 3)
    members = [
        make_classifier(data={"name": "image_folder", "crop_ratio": 0.5}, temperature=2.0),
        make_classifier(input_shape=(1, 4, 4), seed=1),
    ]
    expected = (members[0].probabilities(paths) + members[1].probabilities(paths)) / 2
    ensemble = Ensemble(members)
    torch.testing.assert_close(ensemble.probabilities(iter(paths)), expected)
    torch.testing.assert_close(all_scores(ensemble.predict(paths, top_k=3)), expected)
    names = {"probability_cat", "probability_dog", "probability_owl"}
    assert names < set(ensemble.predict(paths, values="probabilities").table.columns)
    (tmp_path / "text.png").write_text("no image")
    assert [bool(a.error) for a in ensemble.predict([*paths, tmp_path / "text.png"])] == [False, False, False, True]


def test_networks_of_other_classes_are_not_averaged() -> None:
    with pytest.raises(UsageError, match=r"^ckpt: a.ckpt has other classes than a.ckpt; an average needs the same"):
        Ensemble([make_classifier(), make_classifier(names=("dog", "cat", "owl"))])
    with pytest.raises(UsageError, match=r"^ckpt=\[\]: give at least one checkpoint$"):
        Ensemble([])


# Reading until sure.


@pytest.mark.parametrize("patience", [1, 2])
@pytest.mark.parametrize("recurrence", [name for name in RECURRENCES if name != "none"])
def test_reading_until_sure_stops_where_the_anytime_answers_are_sure(recurrence: str, patience: int) -> None:
    classifier = make_classifier(recurrence=recurrence, temperature=0.5, num_layers=2)
    shown = images(classifier, 9)
    anytime = classifier.anytime(shown)
    threshold = float(anytime.amax(dim=-1).median()) + 1e-5  # between two of the values
    expected = stop_when_sure(anytime, threshold, patience)
    assert len(expected.tokens.unique()) > 1
    share = 0.0 if patience == 1 else patience / anytime.shape[1]
    answers = classifier.predict(shown, top_k=3, stop_at=threshold, patience=share, values="probabilities")
    assert [answer.tokens for answer in answers] == expected.tokens.tolist()
    assert [answer.ranking[0][0] for answer in answers] == [NAMES[i] for i in expected.answers.tolist()]
    there = anytime[torch.arange(9), expected.tokens - 1]
    torch.testing.assert_close(all_scores(answers), there, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.tensor([answer.values for answer in answers]), there, atol=1e-5, rtol=1e-5)


def test_what_is_not_read_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = make_classifier()
    shown = images(classifier, 20)
    step, rows = classifier.network.step, 0

    def counting(token: Tensor, state: Any) -> Any:
        nonlocal rows
        rows += len(token)
        return step(token, state)

    monkeypatch.setattr(classifier.network, "step", counting)
    threshold = float(classifier.anytime(shown).amax(dim=-1).median())
    early = read_until_sure(classifier, shown, threshold)
    assert rows == int(early.tokens.sum()) < 20 * 6
    rows = 0
    read_until_sure(classifier, shown, 0.0)
    assert rows == 20
