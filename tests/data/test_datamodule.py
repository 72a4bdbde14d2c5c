"""ImageData: how the official splits become train, val and test, and the facts of every data set."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnvision.data import CATALOG, ImageData, Split
from rnnvision.data.resident import ResidentLoader
from rnnvision.data.sets.builtin import read_fake

TINY = {"image_shape": (1, 4, 4), "num_classes": 4, "num_train": 100, "num_test": 30}


def fake(**arguments: Any) -> ImageData:
    return ImageData("fake", **{**TINY, **arguments})


def rows(split: Split) -> list[tuple[int, ...]]:
    """Each sample as something that can be sorted and compared; the noise makes each its own."""
    return [tuple(pixels) for pixels in torch.cat([split.images.flatten(1), split.labels[:, None]], dim=1).tolist()]


def equal(one: Split, other: Split) -> bool:
    return torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)


# Splits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fraction", "count"), [(0.1, 10), (0.25, 25), (0.5, 50)])
def test_val_is_cut_from_train_and_takes_nothing_twice(fraction: float, count: int) -> None:
    data = fake(val_fraction=fraction)
    official = read_fake((), None, **TINY).train
    assert (len(data.splits.train), len(data.val_split)) == (100 - count, count)
    assert sorted(rows(data.splits.train) + rows(data.val_split)) == sorted(rows(official))
    assert len(set(rows(official))) == 100


def test_val_depends_on_split_seed_and_on_nothing_else() -> None:
    data = fake(split_seed=1, seed=0)
    torch.manual_seed(9)
    assert equal(data.val_split, fake(split_seed=1, seed=5, batch_size=7, max_train_samples=3).val_split)
    assert not equal(data.val_split, fake(split_seed=2, seed=0).val_split)


def test_the_test_split_stays_as_it_is() -> None:
    official = read_fake((), None, **TINY).test
    assert equal(fake(val_fraction=0.5, split_seed=3, max_train_samples=5).splits.test, official)


@pytest.mark.parametrize(("most", "kept"), [(1, 1), (40, 40), (90, 90), (1000, 90)])
def test_max_train_samples_keeps_so_many_of_train(most: int, kept: int) -> None:
    data = fake(max_train_samples=most)
    assert len(data.splits.train) == kept
    assert rows(data.splits.train) == rows(fake().splits.train)[:kept]


@pytest.mark.parametrize("fraction", [1e-4, 0.9999])
def test_a_split_without_a_sample_is_told(fraction: float) -> None:
    with pytest.raises(ValueError, match=f"^val_fraction={fraction}"):
        fake(val_fraction=fraction).setup()


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_tested_split_can_be_chosen(split: str) -> None:
    data = fake(eval_batch_size=7)
    data.tested_split = split
    expected = {"train": data.splits.train, "val": data.val_split, "test": data.splits.test}[split]
    assert torch.cat([labels for _, labels in data.test_dataloader()]).tolist() == expected.labels.tolist()


def test_test_is_tested_unless_told_otherwise() -> None:
    data = fake()
    assert torch.cat([labels for _, labels in data.test_dataloader()]).tolist() == data.splits.test.labels.tolist()


# Loaders --------------------------------------------------------------------------------------------------------------


def test_train_is_shuffled_by_the_seed_and_val_is_not() -> None:
    def order(loader: ResidentLoader) -> list[int]:
        return torch.cat([labels for _, labels in loader]).tolist()

    data = fake(seed=1, batch_size=8, eval_batch_size=9)
    assert order(data.train_dataloader()) == order(fake(seed=1).train_dataloader())
    assert order(data.train_dataloader()) != order(fake(seed=2).train_dataloader())
    assert sorted(order(data.train_dataloader())) == sorted(data.splits.train.labels.tolist())
    assert order(data.val_dataloader()) == data.val_split.labels.tolist()
    assert [len(labels) for _, labels in data.val_dataloader()] == [9, 1]
    assert next(iter(data.train_dataloader()))[0].shape == (8, 1, 4, 4)


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 31, 90])
@pytest.mark.parametrize("batch_size", [1, 8, 200])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_training_batches_are_counted_as_they_come(size: int, batch_size: int, world_size: int) -> None:
    data = fake(batch_size=batch_size, max_train_samples=size)
    for rank in range(world_size):
        strategy = SimpleNamespace(root_device=torch.device("cpu"))
        data.trainer = SimpleNamespace(strategy=strategy, global_rank=rank, world_size=world_size)  # type: ignore[assignment]
        assert data.num_train_batches(world_size) == len(data.train_dataloader())


@pytest.mark.parametrize(
    ("limit", "batches"), [(1.0, 12), (1, 1), (5, 5), (100, 12), (0.5, 6), (0.3, 3), (0.99, 11), (0, 0), (0.0, 0)]
)
def test_a_limit_counts_as_lightning_counts_it(limit: float, batches: int) -> None:
    assert fake(batch_size=8).num_train_batches(limit=limit) == batches  # of 90 samples


# Arguments ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *[(size, value) for size in ("batch_size", "eval_batch_size", "max_train_samples") for value in (0, -3)],
        *[("val_fraction", value) for value in (0.0, 1.0, -0.1, 2.0, float("nan"))],
    ],
)
def test_an_argument_out_of_range_is_named(argument: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{argument}={value}: must"):
        fake(**{argument: value})


@pytest.mark.parametrize("argument", ["batch_size", "eval_batch_size", "max_train_samples", "val_fraction"])
@pytest.mark.parametrize("value", ["abc", 2.5])
def test_an_argument_of_another_type_is_named(argument: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{argument}={value}: must"):
        fake(**{argument: value})


def test_an_unknown_name_is_told_with_all_names_and_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"^name=fasion_mnist: .*did you mean fashion_mnist\?") as error:
        ImageData("fasion_mnist")
    assert [name for name in CATALOG if name not in str(error.value)] == []


@pytest.mark.parametrize("name", ["digits", "fake"])
def test_a_description_makes_the_same_data_again(name: str) -> None:
    data = ImageData(name, val_fraction=0.2, split_seed=4, batch_size=5, seed=6, **(TINY if name == "fake" else {}))
    again = ImageData(**data.describe())
    assert equal(again.splits.train, data.splits.train)
    assert equal(again.val_split, data.val_split)
    assert equal(again.splits.test, data.splits.test)
    assert again.describe() == data.describe()


def test_the_summary_tells_sizes_shape_and_origin() -> None:
    summary = fake().summary()
    assert "\n" not in summary
    assert "fake, 90 / 10 / 30 images (train / val / test) of 1 x 4 x 4, 4 classes, from made up" in summary


# Facts ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CATALOG)
def test_the_facts_of_a_data_set_agree(name: str) -> None:
    facts = CATALOG[name]
    assert len(facts.mean) == len(facts.std) in (1, 3)
    assert all(0 < mean < 1 for mean in facts.mean)
    assert all(0 < std <= 0.5 for std in facts.std)  # no more is possible in [0, 1]
    assert len(set(facts.class_names)) == len(facts.class_names)
    assert facts.source


CLASSES = {"digits": 10, "mnist": 10, "fashion_mnist": 10, "kmnist": 10, "cifar10": 10, "cifar100": 100}


@pytest.mark.parametrize("name", CLASSES)
def test_the_classes_are_as_many_as_the_data_set_has(name: str) -> None:
    assert len(CATALOG[name].class_names) == CLASSES[name]


def statistics(images: Tensor) -> tuple[float, float]:
    pixels = images.double() / 255
    return float(pixels.mean()), float(pixels.std())


@pytest.mark.parametrize("name", ["digits", "fake"])
def test_mean_and_deviation_are_those_of_the_official_training_split(name: str) -> None:
    facts = CATALOG[name]
    found = statistics(facts.read(facts.class_names, None).train.images)
    tolerance = 5e-5 if name == "digits" else 5e-3  # the figures of fake are given with two digits
    assert found == pytest.approx((*facts.mean, *facts.std), abs=tolerance)


def test_normalised_training_images_have_mean_0_and_deviation_1() -> None:
    images = torch.cat([batch for batch, _ in ImageData("digits").train_dataloader()])
    assert abs(float(images.mean())) < 0.01
    assert abs(float(images.std()) - 1) < 0.01


def test_grey_facts_serve_coloured_images() -> None:
    norm = fake(image_shape=(3, 4, 4)).normalisation
    assert norm == {"mean": pytest.approx([0.5] * 3), "std": pytest.approx([0.33] * 3)}


def test_each_channel_has_its_own_mean_and_deviation(monkeypatch: pytest.MonkeyPatch) -> None:
    mean, std = (0.1, 0.4, 0.8), (0.2, 0.3, 0.5)
    monkeypatch.setitem(CATALOG, "fake", replace(CATALOG["fake"], mean=mean, std=std))
    data = fake(image_shape=(3, 4, 4))
    images, _ = next(iter(data.test_dataloader()))
    split = data.splits.test
    assert isinstance(split, Split)
    for channel in range(3):
        expected = (split.images[:, channel] / 255 - mean[channel]) / std[channel]
        torch.testing.assert_close(images[:, channel], expected, rtol=1e-5, atol=1e-5)


def test_a_mean_and_a_deviation_may_be_given() -> None:
    data = fake(image_shape=(3, 4, 4), mean=[0.1, 0.2, 0.3], std=[0.5])
    assert data.normalisation == {"mean": [0.1, 0.2, 0.3], "std": [0.5] * 3}
    images, _ = next(iter(data.test_dataloader()))
    split = data.splits.test
    assert isinstance(split, Split)
    expected = (split.images / 255 - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / 0.5
    torch.testing.assert_close(images, expected[: len(images)], rtol=1e-5, atol=1e-5)
    assert {"mean": [0.1, 0.2, 0.3], "std": [0.5]}.items() <= data.describe().items()
    assert not {"mean", "std"} & set(fake().describe())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean": [123.7, 116.3, 103.5]}, r"mean=\[123.7, 116.3, 103.5\]: must be a list of numbers from 0 to 1"),
        ({"mean": []}, r"mean=\[\]: must be a list"),
        ({"mean": [0.1, float("nan"), 0.1]}, "mean=.*: must be a list of numbers"),
        ({"std": [0.2, 0.0, 0.2]}, r"std=\[0.2, 0.0, 0.2\]: must be a list of numbers above 0 and at most 1"),
        ({"std": [-0.2]}, r"std=\[-0.2\]: must be a list of numbers above 0"),
        ({"mean": [0.1, 0.2]}, r"mean=\[0.1, 0.2\]: give 1 value or 3, one for each channel"),
        ({"std": [0.1] * 4}, r"std=.*: give 1 value or 3, one for each channel"),
    ],
)
def test_figures_that_cannot_be_right_are_told(options: dict[str, list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        fake(image_shape=(3, 4, 4), **options).setup()
