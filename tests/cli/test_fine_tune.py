"""weights=CHECKPOINT: a training that starts from the weights of another one."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from rnnvision.nn.networks.published import published
from rnnvision.training import read_checkpoint
from tests.cli.running import Copy, Verb
from tests.nn.networks.authors import Sequencer, VisionLSTM2, interpolated
from tests.training.cases import same


def body_of(run: Path) -> dict[str, torch.Tensor]:
    weights = read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"]
    return {name: weight for name, weight in weights.items() if not name.startswith("network.head.")}


def test_a_training_starts_from_the_weights_and_the_head_of_the_same_classes(trained: Copy, train: Verb) -> None:
    run = trained("before")
    still = ("optimizer=sgd", "optimizer.lr=1e-12")  # so small a step leaves the weights where they began
    done = train("weights=before", *still)
    assert done.code == 0, done.err
    assert "weights   of before/checkpoints/best.ckpt, with its head" in done.out
    after = read_checkpoint(Path("logs/train/latest/checkpoints/last.ckpt"))["state_dict"]
    before = read_checkpoint(run / "checkpoints" / "best.ckpt")["state_dict"]
    for name, weight in before.items():
        torch.testing.assert_close(after[name], weight, msg=name)


def test_the_latest_run_is_that_before_the_training_and_for_all_of_a_sweep(train: Verb) -> None:
    assert train("hydra.run.dir=logs/train/runs/first").code == 0
    done = train("weights=logs/train/latest/checkpoints/best.ckpt", "-m", "seed=1,2")
    assert done.message == ""
    logs = [log.read_text() for log in Path("logs/train/multiruns").glob("latest/*/train.log")]
    assert len(logs) == 2
    assert all("weights   of logs/train/runs/first/checkpoints/best.ckpt, with its head" in log for log in logs)


def test_other_classes_get_a_new_head(trained: Copy, train: Verb) -> None:
    run = trained("before")
    done = train("weights=before", "data=fake", "data.image_shape=[1,8,8]", "data.num_classes=3", "optimizer.lr=1e-12")
    assert done.code == 0, done.err
    assert "with a new head, for 0, 1, 2" in done.out
    before = read_checkpoint(run / "checkpoints" / "best.ckpt")["state_dict"]
    for name, weight in body_of(Path("logs/train/latest").resolve()).items():
        torch.testing.assert_close(weight, before[name], rtol=0, atol=1e-6, msg=name)


def test_the_weights_of_another_network_are_refused_with_what_to_add(trained: Copy, train: Verb, verb: Verb) -> None:
    trained("before")
    done = train("weights=before", "model.num_layers=2")
    assert done.code == 2
    layer = "only this network has recurrence.layers.1.kernel.weight_ih_l0, and 3 more"
    assert done.message == f"rnnvision train: weights=before: are of another network ({layer}); add model.num_layers=1"
    other = verb("train", "weights=before", "model=cnn", "trainer=smoke")
    assert other.message.endswith("this is a cnn; choose model=lstm model.hidden_size=8")


def test_what_the_same_weights_compute_otherwise_is_told_with_what_keeps_it(trained: Copy, train: Verb) -> None:
    trained("before")
    assert "note" not in train("weights=before", "model.dropout=0.1").out
    done = train("weights=before", "model.activation=gelu", "model.readout=mean")
    assert done.code == 0, done.err
    where = "where these weights were trained"
    for key, old, new in (("activation", "none", "gelu"), ("readout", "last", "mean")):
        told = f"note      {key}={old} {where}, {key}={new} here; to keep it add model.{key}={old}\n"
        assert told in done.out
    kept = train("weights=before", "model.activation=gelu", "model.activation=none")
    assert "note" not in kept.out


def test_images_of_another_shape_are_refused_with_the_size_to_read_them_at(trained: Copy, train: Verb) -> None:
    trained("before")  # on 1 x 8 x 8
    for name in "ab":
        Path("files", name).mkdir(parents=True)
        for i in range(10):
            Image.new("RGB", (9, 8), (10 * i, 0, 0)).save(Path("files", name, f"{i}.png"))
    read = "rnnvision train: weights=before: are of a network that reads images of 1 x 8 x 8, and these are of "
    words = ["weights=before", "data=image_folder", "data.root=files"]
    done = train(*words)
    weight = "(recurrence.layers.0.kernel.weight_ih_l0 is 32 x 8, here 32 x"
    assert done.message == f"{read}3 x 64 x 64 {weight} 192); add data.channels=1 data.image_size=[8,8]"
    assert train(*words, *done.message.partition("; add ")[2].split()).code == 0
    assert train(*words, "data.image_size=8").message.endswith(
        f"these are of 3 x 8 x 8 {weight} 24); add data.channels=1"
    )
    assert train("weights=before", "data=fake").message == f"{read}1 x 28 x 28 {weight} 28)"


def test_test_images_that_the_weights_were_trained_on_are_counted(train: Verb) -> None:
    """In a folder of the same images under other names, which the splits divide in another way."""
    for i in range(24):
        for root, name in (("one", f"{i}"), ("other", f"image {i}")):
            folder = Path(root, ("a", "two\nlines")[i % 2])
            folder.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (9, 8), (10 * i, 0, 0)).save(folder / f"{name}.png")
    words = ("data=image_folder", "data.image_size=8")
    done = train(*words, "data.root=one", "hydra.run.dir=before")
    assert done.code == 0, done.err
    assert "two\\nlines: " in done.out  # on the line of the classes
    assert "trained on" not in train(*words, "data.root=one", "weights=before").out
    done = train(*words, "data.root=other", "weights=before")
    record, now = (
        read_checkpoint(Path(run, "checkpoints", "best.ckpt"))["rnnvision"]["files"]["files"]
        for run in ("before", "logs/train/latest")
    )
    known = len({*record["train"][1].tolist()} & {*now["test"][1].tolist()})
    assert known > 1
    assert f"note      {known} images of test: these weights were trained on them\n" in done.out


SIZES: dict[str, Any] = {"layers": (1,), "patch_sizes": (4,), "embed_dims": (8,), "hidden_sizes": (2,)}
FILES = {
    "vil.th": VisionLSTM2(input_shape=(1, 8, 8), classes=10, width=8, depth=1),
    "sequencer.pth": Sequencer(classes=10, channels=1, mlp_ratios=(2.0,), **SIZES),
}
NETWORKS = {
    "vil.th": "model=vil_mini model.hidden_size=8 model.num_layers=2",
    "sequencer.pth": "model=sequencer2d_l model.layers=[1] model.patch_sizes=[4] model.embed_dims=[8] "
    "model.hidden_sizes=[2] model.mlp_ratios=[2.0]",
}


@pytest.mark.parametrize("name", FILES)
def test_weights_that_others_have_published_are_named_with_the_network_to_choose_and_train(
    name: str, verb: Verb
) -> None:
    """On images of another size too: positions are interpolated, and a Sequencer2D has none."""
    torch.save({"state_dict": FILES[name].state_dict(), "epoch": 3}, name)
    words = [f"weights={name}", "trainer=smoke", "device=cpu", "data=fake", "data.image_shape=[1,16,8]"]
    refused = verb("train", *words, "model=lstm")
    assert refused.code == 2
    assert refused.message.endswith(f"and this is a sequence_classifier; choose {NETWORKS[name]}")
    still = ("optimizer=sgd", "optimizer.lr=1e-12")
    done = verb("train", *words, *still, *refused.message.partition("; choose ")[2].split())
    assert done.code == 0, done.err
    assert ", its positions interpolated to 4 x 2" in done.out or name != "vil.th"
    assert ", with a new head, for " in done.out
    theirs = published(FILES[name].state_dict()).weights
    for key, weight in body_of(Path("logs/train/latest").resolve()).items():
        if not key.endswith("position.table"):
            torch.testing.assert_close(weight, theirs[key.removeprefix("network.")], rtol=0, atol=1e-6, msg=key)


def test_the_positions_of_our_own_weights_are_interpolated_too(verb: Verb) -> None:
    words = ["model=vil_mini", "model.hidden_size=8", "model.num_layers=2", "trainer=smoke", "device=cpu", "data=fake"]
    assert verb("train", *words, "data.image_shape=[1,16,8]", "hydra.run.dir=before").code == 0
    still = ("optimizer=sgd", "optimizer.lr=1e-12", "weights=before")
    done = verb("train", *words, "data.image_shape=[1,8,8]", *still)
    assert done.code == 0, done.err
    assert "its positions interpolated to " in done.out
    key = "network.position.table"
    before, after = (body_of(run)[key] for run in (Path("before"), Path("logs/train/latest").resolve()))
    patch = int((16 * 8 / len(before)) ** 0.5)
    grid = (16 // patch, 8 // patch)
    expected = interpolated(before.unflatten(0, grid)[None], (8 // patch, 8 // patch)).flatten(0, 2)
    torch.testing.assert_close(after, expected, rtol=0, atol=1e-5)


def test_parts_are_frozen_and_others_learn_at_rates_of_their_own(trained: Copy, train: Verb, verb: Verb) -> None:
    """Resumed too, and with a head for other classes; what it started from stands in the checkpoint."""
    trained("before")
    words = ("weights=before", "data=fake", "data.image_shape=[1,8,8]", "data.num_classes=3", "trainer.max_steps=-1")
    parts = ("freeze=[recurrence.*.weight_hh_l0]", "optimizer.lr_factors.head=0.5", "scheduler=constant")
    done = train(*words, *parts, "hydra.run.dir=whole", "trainer.max_epochs=2")
    assert done.code == 0, done.err
    assert "freeze    recurrence.*.weight_hh_l0; 347 of 603 parameters are trained\n" in done.out
    assert "rates     head 0.5, all else 1, times optimizer.lr=0.004\n" in done.out
    assert "note" not in done.out
    before, after = body_of(Path("before")), body_of(Path("whole"))
    assert [name for name in after if torch.equal(before[name], after[name])] == [
        "network.recurrence.layers.0.kernel.weight_hh_l0"
    ]
    assert train(*words, *parts, "hydra.run.dir=half", "trainer.max_epochs=1").code == 0
    shutil.rmtree("before")
    resumed = verb("train", "resume=half", "trainer.max_epochs=2")
    assert resumed.code == 0, resumed.err
    assert "347 of 603 parameters are trained\n" in resumed.out
    found = [read_checkpoint(Path(run, "checkpoints", "last.ckpt")) for run in ("whole", "half")]
    assert same(*(checkpoint["state_dict"] for checkpoint in found))
    for checkpoint in found:
        origin = {"from": "before/checkpoints/best.ckpt", "head": "new"}
        assert checkpoint["rnnvision"]["weights"] == origin
        assert checkpoint["rnnvision"]["frozen"] == ["recurrence.*.weight_hh_l0"]
    assert verb("evaluate", "ckpt=half").code == 0


def test_frozen_parts_and_rates_are_swept(trained: Copy, train: Verb) -> None:
    trained("before")
    done = train("-m", "weights=before", "freeze=null,[layer_0]", "optimizer.lr_factors.head=0.1")
    assert done.code == 0, done.err
    jobs = sorted(Path("logs/train/multiruns").glob("latest/*/checkpoints/last.ckpt"))
    found = [read_checkpoint(job)["rnnvision"].get("frozen") for job in jobs]
    assert sorted(found, key=str) == [None, ["layer_0"]]
    for job in jobs:
        assert {group["lr_factor"] for group in read_checkpoint(job)["optimizer_states"][0]["param_groups"]} >= {0.1}


def test_what_is_frozen_at_random_is_told(trained: Copy, train: Verb) -> None:
    trained("before")
    keeps = "note      what is frozen keeps its random weights; weights=RUN gives it those of a training\n"
    assert keeps in train("freeze=recurrence").out
    assert keeps not in train("freeze=recurrence", "pretrain=reconstruct", "pretrain_epochs=1").out
    other = ("data=fake", "data.image_shape=[1,8,8]", "data.num_classes=3")
    assert "note      the new head is frozen" in train("weights=before", "freeze=head", *other).out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("freeze=[recurrence,heed]",), "freeze=heed: this network has no such part; choose one of all_but_head, "),
        (("freeze=[all_but_head,head]",), "freeze=[all_but_head,head]: nothing is left to train"),
        (("freeze=2",), "freeze=2: must be text, or a list of text, or null"),
        (("optimizer.lr_factors.heed=1",), "optimizer.lr_factors.heed=1: this network has no such part; choose one of"),
        (("optimizer.lr_factors=0.1",), "optimizer.lr_factors=0.1: must be KEY: VALUE pairs or null"),
        (("init=before",), "init: there is no such key in train; give weights=before"),
    ],
)
def test_parts_that_cannot_be_are_refused(words: tuple[str, ...], message: str, train: Verb) -> None:
    done = train(*words)
    assert done.code == 2
    assert done.message.startswith(f"rnnvision train: {message}")
    assert "\n" not in done.message


def test_a_layer_that_reads_the_same_weights_otherwise_is_told(verb: Verb) -> None:
    words = ("model=mlstm", "model.hidden_size=8", "trainer=smoke", "device=cpu")
    assert verb("train", *words, "hydra.run.dir=before").code == 0
    other = ("model.layer.forget_gate=exponential", "model.layer.chunk_size=4")
    done = verb("train", *words, *other, "weights=before")
    assert done.out.count("note  ") == 1
    where = "layer.forget_gate=sigmoid where these weights were trained, layer.forget_gate=exponential here"
    assert f"note      {where}; to keep it add model.layer.forget_gate=sigmoid\n" in done.out


def test_model_load_is_refused_with_what_to_type(train: Verb) -> None:
    done = train("model.load=vil.th")
    assert done.code == 2
    assert "model.load: there is no such key in train; give weights=vil.th" in done.message


def test_two_sources_of_weights_are_refused(trained: Copy, train: Verb) -> None:
    trained("before")
    done = train("weights=before", "pretrain=reconstruct")
    assert done.code == 2
    assert "leave out one of the two" in done.message


def test_weights_that_are_not_there_are_named(train: Verb) -> None:
    done = train("weights=nowhere")
    assert done.code == 2
    assert done.message == "rnnvision train: nowhere: there is no such file or run folder"
