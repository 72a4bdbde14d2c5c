"""rnnvision evaluate: the number that training ended with, from the checkpoint alone."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from rnnvision.cli.frame import app
from rnnvision.cli.frame.arguments import config_dir
from rnnvision.training import VerifiedCheckpointIO, read_checkpoint
from tests.cli.running import TINY, Copy, Verb
from tests.data.layouts import write_eurosat


def _metrics(folder: str) -> dict[str, float]:
    return json.loads((Path(folder) / "metrics.json").read_text())


def test_it_gives_the_number_that_training_ended_with(
    trained: Copy, verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained("run").resolve()
    found = _metrics("run")

    edited = tmp_path / "conf"  # another model, other data by default: none of it may matter
    shutil.copytree(config_dir(), edited)
    (edited / "model" / "lstm.yaml").write_text("name: sequence_classifier\nrecurrence: rnn\nhidden_size: 3\n")
    (edited / "data" / "digits.yaml").write_text("name: fake\nval_fraction: 0.5\n")
    monkeypatch.setattr(app, "config_dir", lambda: edited)
    monkeypatch.setenv("RNNVISION_TRUST_CONFIG", "1")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    result = verb("evaluate", f"ckpt={run}", "device=cpu", "hydra.run.dir=out")
    assert result.code == 0, result.err
    evaluated = _metrics("out")
    assert evaluated == {name: value for name, value in found.items() if name.startswith("test/")}
    assert f"test accuracy {found['test/accuracy']:.4f}" in result.out


def test_the_weakest_classes_are_shown_and_all_of_them_are_in_the_file(train: Verb, verb: Verb) -> None:
    data = ("data=fake", "data.num_classes=12", "data.num_train=48", "data.num_test=24")
    assert train(*data, "hydra.run.dir=run").code == 0
    result = verb("evaluate", "ckpt=run", "device=cpu", "hydra.run.dir=out")
    rows = list(csv.DictReader(Path("out/classes.csv").read_text().splitlines()))
    weakest = sorted((row for row in rows if row["support"] != "0"), key=lambda row: float(row["f1"]))
    assert len(weakest) == 12
    lines = [line for line in result.out.splitlines() if line.startswith("class  ")]
    assert lines == [
        f"class       {row['class']:2}   precision {float(row['precision']):.3f}   recall {float(row['recall']):.3f}   "
        f"f1 {float(row['f1']):.3f}   of {row['support']}"
        for row in weakest[:10]
    ] + ["class       ... 2 more, in classes.csv"]
    assert result.out.splitlines()[-1] == "results     out: predictions.csv, classes.csv"


def test_a_file_a_folder_and_the_newest_are_the_same(train: Verb, verb: Verb) -> None:
    train("hydra.run.dir=logs/train/runs/a")
    found = []
    for number, ckpt in enumerate(("logs/train/latest", "logs/train/runs/a/checkpoints/best.ckpt")):
        assert verb("evaluate", f"ckpt={ckpt}", "device=cpu", f"hydra.run.dir=out{number}").code == 0
        found.append(_metrics(f"out{number}"))
    assert found[0] == found[1]


def test_on_validation_it_gives_the_accuracy_the_checkpoint_was_chosen_for(train: Verb, verb: Verb) -> None:
    train("hydra.run.dir=run", "trainer.limit_val_batches=1.0")
    assert verb("evaluate", "ckpt=run", "split=val", "device=cpu", "hydra.run.dir=out").code == 0
    assert _metrics("out")["val/accuracy"] == pytest.approx(_metrics("run")["val/accuracy"])


def test_the_training_split_can_be_measured(trained: Copy, verb: Verb) -> None:
    trained("run")
    assert verb("evaluate", "ckpt=run", "split=train", "device=cpu", "hydra.run.dir=out").code == 0
    assert 0.0 < _metrics("out")["train/accuracy"] <= 1.0


def test_data_with_other_classes_is_refused_though_they_are_as_many(verb: Verb) -> None:
    for folder, names in (("letters", "ab"), ("digits", "12")):
        for name in names:
            Path(folder, name).mkdir(parents=True)
            for i in range(10):
                Image.new("RGB", (4, 4), (i, 0, 0)).save(Path(folder, name, f"{i}.png"))
    words = ("data=image_folder", "data.image_size=4", "trainer=smoke", "device=cpu", "model.hidden_size=4")
    assert verb("train", *words, "data.root=letters").code == 0
    assert verb("evaluate", "ckpt=logs/train/latest", "device=cpu").code == 0
    result = verb("evaluate", "ckpt=logs/train/latest", "data.root=digits", "device=cpu")
    assert result.code == 1
    assert "digits: holds classes that the network does not know: 1, 2; it has a, b" in result.message
    assert len(result.message.splitlines()) == 1


def test_a_score_that_is_no_number_is_not_kept(trained: Copy, verb: Verb) -> None:
    path = trained("run") / "checkpoints" / "best.ckpt"
    checkpoint = read_checkpoint(path)
    checkpoint["state_dict"]["network.head.bias"][:2] = torch.tensor([-3e38, 3e38])  # finite, and the loss is not
    VerifiedCheckpointIO().save_checkpoint(checkpoint, path)
    result = verb("evaluate", "ckpt=run", "device=cpu", "hydra.run.dir=out")
    assert result.code == 1
    assert "the network gives no finite numbers" in result.message
    assert not Path("out/metrics.json").exists()


def test_a_network_of_other_classes_than_the_data_has_is_refused(trained: Copy, verb: Verb) -> None:
    path = trained("run") / "checkpoints" / "best.ckpt"
    checkpoint = read_checkpoint(path)
    names = list(checkpoint["rnnvision"]["class_names"])
    checkpoint["rnnvision"]["class_names"] = names[::-1]  # as many, and the same ones
    VerifiedCheckpointIO().save_checkpoint(checkpoint, path)
    result = verb("evaluate", "ckpt=run", "device=cpu")
    assert result.code == 1
    assert result.message.endswith(f"its classes are not those that {path.resolve()} was trained on")


def test_only_a_root_that_is_recorded_may_fall_back_and_it_is_told(
    train: Verb, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_eurosat(Path("there"), monkeypatch)
    words = ("data=eurosat", "data.image_size=4", "trainer.limit_val_batches=1.0")
    assert train(*words, "data.root=there", "hydra.run.dir=run").code == 0
    result = verb("evaluate", "ckpt=run", "device=cpu", "hydra.run.dir=out0")
    assert (result.code, "is not here" in result.out) == (0, False)
    there, moved = Path("there").resolve(), Path("moved").resolve()
    Path("there").rename(moved)
    monkeypatch.setenv("RNNVISION_DATA", str(moved))
    result = verb("evaluate", "ckpt=run", "device=cpu", "hydra.run.dir=out1")
    line = next(line for line in result.out.splitlines() if line.startswith("data "))
    assert f" from {moved / 'eurosat' / '2750'};" in line
    assert f"note        {there}, where the training read it, is not here" in result.out.splitlines()
    assert _metrics("out0") == _metrics("out1")
    for name, root in (("evaluate", "there"), ("evaluate", "elsewhere"), ("train", "elsewhere")):
        chosen = ("ckpt=run", "device=cpu") if name == "evaluate" else ("data=eurosat", *TINY)
        result = verb(name, *chosen, f"data.root={root}", "hydra.run.dir=out2")
        assert result.code == 1
        assert result.message.endswith(f"it is in {moved / 'eurosat' / '2750'}, try: data.root={moved}")
        assert len(result.message.splitlines()) == 1
        assert not Path(root).exists()
    result = verb("evaluate", "ckpt=run", "device=cpu", "data.root=")
    assert (result.code, "data.root=: names no folder" in result.message) == (2, True)


@pytest.mark.parametrize("word", ["name=mnist", "split_seed=1", "val_fraction=0.5", "seed=1", "batch_size=2"])
def test_what_decides_which_images_were_trained_on_cannot_change(trained: Copy, verb: Verb, word: str) -> None:
    """With another split_seed, most images of val would be images of the training."""
    result = verb("evaluate", f"ckpt={trained('run')}", "split=val", f"+data.{word}")
    assert result.code == 2
    assert result.message.endswith(
        f"data.{word.partition('=')[0]}: is that of the training, which the checkpoint says; leave it out"
    )


def test_images_of_another_size_are_refused(train: Verb, verb: Verb) -> None:
    assert train("data=fake", "data.num_train=40", "data.num_test=10", "hydra.run.dir=run").code == 0
    result = verb("evaluate", "ckpt=run", "+data.image_shape=[1,14,14]")
    assert result.code == 2
    assert result.message.endswith("data: gives images of 1 x 14 x 14, and the network reads 1 x 28 x 28")


@pytest.mark.parametrize("devices", ["0", "-1", "[0]"])
def test_devices_that_cannot_be_are_told_as_in_a_training(trained: Copy, verb: Verb, devices: str) -> None:
    trained("run")
    result = verb("evaluate", "ckpt=run", "device=cpu", f"trainer.devices={devices}")
    assert result.code == 2
    assert f"trainer.devices={devices}: must be the number of processes on the CPU" in result.message


def test_several_checkpoints_are_for_predict_alone(trained: Copy, verb: Verb) -> None:
    trained("run")
    result = verb("evaluate", "ckpt=[run,run]", "device=cpu")
    assert result.code == 2
    assert (
        result.message
        == "rnnvision evaluate: ckpt=[run,run]: evaluate takes one; try one after the other: -m ckpt=run,run"
    )
