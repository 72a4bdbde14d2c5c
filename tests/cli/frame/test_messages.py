"""Wrong input: one clear line, no traceback, the right exit code."""

import os
import pickle
from pathlib import Path

import pytest
import torch

from rnnvision.cli.frame.arguments import config_dir
from rnnvision.cli.frame.command_line.known import REFUSED as REFUSED_KEYS
from rnnvision.cli.frame.command_line.known import SYNONYMS, keys_of
from rnnvision.cli.frame.trainer.arguments import REFUSED
from tests.cli.running import Copy, Result, Verb


def _check(result: Result, code: int, *parts: str) -> None:
    message = result.message
    assert result.code == code, message
    assert "Traceback" not in message
    assert len(message.splitlines()) == 1, message
    assert message.startswith("rnnvision ")
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["model.hiden_size=4"], ["did you mean model.hidden_size?", "Try: rnnvision train model.hidden_size=4"]),
        (["hidden_size=4"], ["did you mean model.hidden_size?"]),
        (["modle=gru"], ["did you mean model?", "Try: rnnvision train model=gru"]),
        (["model.zzzzz=4"], ["model.zzzzz: there is no such key", "model.readout"]),
        (["model=lsmt"], ["choose one of ", " gru, ", " lstm, ", " rnn, ", "did you mean model=lstm?"]),
        (["data=imagenette9"], ["data=imagenette9", "digits", "mnist"]),
        (["model.hidden_size=abc"], ["model.hidden_size=abc: must be a whole number"]),
        (["model.hidden_size=2.5"], ["model.hidden_size=2.5: must be a whole number"]),
        (["model.hidden_size=0"], ["model.hidden_size=0", "at least 1"]),
        (["model.bidirectional=maybe"], ["model.bidirectional=maybe: must be true or false"]),
        (["model.dropout=1.5"], ["model.dropout=1.5", "[0, 1)"]),
        (["model.scan=rosw"], ["model.scan=rosw", "did you mean rows?"]),
        (["model.recurrence=lsmt"], ["model.recurrence=lsmt", "did you mean lstm?"]),
        (
            ["model.gate_bias=forget"],
            ["model.gate_bias: there is no such key", "Try: rnnvision train model.layer.gate_bias=forget"],
        ),
        (["model.scan=patches", "model.patch_size=3"], ["model.patch_size=3", "8 x 8", "1, 2, 4, 8"]),
        (["model.scan=patches"], ["model.patch_size=null", "patch_size=2"]),
        (["model.patch_size=[1,2,3]"], ["model.patch_size=[1, 2, 3]"]),
        (["optimizer.lr=-1"], ["optimizer.lr=-1: must be a number from 0 to 1000"]),
        (["optimizer.lr=fast"], ["optimizer.lr=fast: must be a number"]),
        (["scheduler.warmup=2"], ["scheduler.warmup=2", "[0, 1)"]),
        (["label_smoothing=2"], ["train: label_smoothing=2"]),
        (["label_smoothing=much"], ["label_smoothing=much: must be a number"]),
        (["+sabotage=1"], ["sabotage: there is no such key", "label_smoothing"]),
        (["+model.num_classes=3"], ["model.num_classes: cannot be chosen, the data decides it"]),
        (["model=lstm,gru"], ["model=lstm,gru: several values; add -m for a run each"]),
        (["data.mean=1,0", "seed=1"], ["-m data.mean=1,0 seed=1, or write a list: ", "train 'data.mean=[1,0]' seed=1"]),
        (["trainer.overfit_batches=1"], ["trainer.overfit_batches: the batches would be others", "debug=overfit"]),
        (["trainer.detect_anomaly=true"], ["write it as +trainer.detect_anomaly=VALUE"]),
        (["device=cuda"], ["did you mean device=gpu? Try: rnnvision train device=gpu"]),
        (["optimizer.lr=1e"], ["optimizer.lr=1e: must be a number"]),
        (["model=cnn", "model.scan=rows"], ["model.scan: this model has no such key", "model=encoder_decoder, gru, "]),
        (
            ["optimizer=adamw", "optimizer.momentum=1"],
            ["those that have it are optimizer=rmsprop, sgd; choose one of optimizer."],
        ),
        (["data=fake", "data.num_test=0"], ["data.num_test=0", "at least 1"]),
        (["seed=one"], ["seed=one: must be a whole number"]),
        (["trainer.max_epochs=many"], ["trainer.max_epochs=many: must be a whole number"]),
        (["trainer.max_epochs=-1"], ["trainer.max_epochs=-1"]),
        (["+trainer.max_epoch=3"], ["trainer.max_epoch: there is no such key", "max_epochs"]),
        (["trainer.precision=17"], ["trainer.precision=17", "bf16-mixed"]),
        (["data.val_fraction=1.5"], ["data.val_fraction=1.5"]),
        (["data.batch_size=0"], ["data.batch_size=0", "at least 1"]),
        (["+data.image_size=32"], ["data.image_size: there is no such key"]),
        (["model.hidden_size=[1"], ["model.hidden_size=[1"]),
        (["callbacks.best._target_=os.system"], ["callbacks.best._target_=os.system", "ModelCheckpoint"]),
        (["+callbacks.best.colour=red"], ["callbacks.best.colour"]),
        (
            ["callbacks=[early_stopping,emma]"],
            ["callbacks=emma: ", "default, early_stopping, ema", "Try: rnnvision train 'callbacks=[early_stopping,ema"],
        ),
        (["logger=[csv,tensorbord]"], ["did you mean logger=tensorboard?", "train 'logger=[csv,tensorboard]'"]),
        (["--config-name=x"], ["--config-name x: there is no such file in conf/; leave it out, for that of train"]),
        (
            ["callbacks.early_stopping.patience=2"],
            [
                "is of callbacks=early_stopping, which is not chosen. Try: ",
                "train callbacks=early_stopping callbacks.early_stopping.patience=2",
            ],
        ),
        (["callbacks.ema.decay=0.1", "callbacks=early_stopping"], ["'callbacks=[early_stopping,ema]'"]),
        (["callbacks.ema.colour=1"], ["is of callbacks=ema, which is not chosen; it has decay"]),
        (["-m", "logger=csv,none", "logger.tensorboard.name=x"], ["is of logger=tensorboard, which is not chosen"]),
        (["logger.tensorboard.save_dir=x", "logger=none"], ["train logger.tensorboard.save_dir=x logger=tensorboard"]),
        (["callbacks.best.mode=max", "callbacks=none"], ["train callbacks.best.mode=max callbacks=default"]),
        (["data=image_folder"], ["data.root=null: image_folder needs data.root=FOLDER"]),
        (["resume=nowhere"], ["resume=nowhere"]),
        (["log_dir=/dev/null/logs"], ["/dev/null", "log_dir=FOLDER"]),
        (["hydra.run.dir=/dev/null/run"], ["/dev/null", "that can be written: hydra.run.dir=FOLDER"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and "=" in value[0] else "",
)
def test_wrong_use_of_train_is_told(verb: Verb, words: list[str], parts: list[str]) -> None:
    _check(verb("train", *words), 2, *parts)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_told(verb: Verb) -> None:
    _check(verb("train", "device=gpu"), 2, "train: device=gpu: torch sees 0 CUDA GPUs; choose device=cpu")
    _check(verb("train", "trainer.accelerator=gpu"), 2, "train: trainer.accelerator=gpu: torch sees 0 CUDA GPUs")


def test_data_that_is_missing_is_told(verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr("rnnvision.data.sets.locate.SYSTEM_ROOT", tmp_path / "none")
    root = tmp_path / "root"
    _check(
        verb("train", "data=mnist", f"data.root={root}"),
        1,
        str(root / "MNIST" / "raw"),
        "train-images-idx3-ubyte.gz",
        "no route to host",
        "data=digits and data=fake need no network",
    )


def test_data_that_is_damaged_is_told(verb: Verb, tmp_path: Path) -> None:
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{name}-ubyte.gz").write_bytes(b"\x1f\x8b cut short")
    _check(verb("train", "data=mnist", f"data.root={tmp_path}"), 1, "train-images-idx3-ubyte.gz is damaged")


@pytest.mark.parametrize("word", ["seed=1,2", "optimizer.lr=1,2", "data.batch_size=4,8", "model.hidden_size=1,2"])
def test_a_list_is_offered_only_to_a_key_that_takes_one(verb: Verb, word: str) -> None:
    result = verb("train", word, "data=fake")
    _check(result, 2)
    assert result.message.endswith(f"add -m for a run each: rnnvision train -m {word} data=fake")


@pytest.mark.parametrize(
    "word",
    ["plugins=a,b", "loss.class_weight=1,2", "model.patch_size=1,2", "callbacks=early_stopping,ema"],
)
def test_a_list_is_offered_to_every_key_that_takes_one(verb: Verb, word: str) -> None:
    key, _, values = word.partition("=")
    _check(verb("train", "data=fake", word), 2, f"or write a list: rnnvision train data=fake '{key}=[{values}]'")


def test_the_legal_arguments_of_a_trainer_leave_out_those_that_are_refused(verb: Verb) -> None:
    result = verb("train", "+trainer.foo=1")
    _check(result, 2, "trainer.foo: there is no such key", "max_epochs")
    assert not [name for name in REFUSED if f" {name}," in result.message]


@pytest.mark.parametrize(
    ("words", "end"),
    [
        (["models=lstm,gru", "data=mnist"], "write a list: rnnvision compare 'models=[lstm,gru]' data=mnist"),
        (["-m", "models=lstm,gru", "data=mnist"], "leave out -m: rnnvision compare 'models=[lstm,gru]' data=mnist"),
        (["optimizer.lr=1,2"], "compare takes one"),
        (["model=lstm,gru"], "several values; give models=[NAME,...]"),
        (["seed=0,1"], "several values; give seeds=N for 0 to N - 1"),
        (["epochs=3"], "there is no such key in compare; give budget=epochs:3"),
        (["max_time=3"], "give budget=minutes:X"),
        (["--epochs", "3"], "there is no such flag; give budget=epochs:N"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_compare_is_not_told_of_what_it_refuses(verb: Verb, words: list[str], end: str) -> None:
    result = verb("compare", *words)
    _check(result, 2)
    assert result.message.endswith(end)


def test_no_suggestion_of_a_comparison_is_a_key_that_it_refuses() -> None:
    assert not set(keys_of("compare", config_dir())) & set(REFUSED_KEYS["compare"])


@pytest.mark.parametrize(
    ("name", "word", "near"),
    [
        ("evaluate", "data.image_size=64", None),
        ("evaluate", "data.folder=x", "data.root"),
        ("evaluate", "path=x", "data.root"),
        ("evaluate", "checkpoint=x", "ckpt"),
        ("train", "batch=8", "data.batch_size"),
        ("train", "learning_rate=1", "optimizer.lr"),
        ("train", "network=gru", "model"),
        ("train", "model.hidden=8", "model.hidden_size"),
    ],
)
def test_a_suggestion_means_the_same(verb: Verb, name: str, word: str, near: str | None) -> None:
    result = verb(name, word)
    _check(result, 2)
    assert near is not None or "did you mean" not in result.message
    assert (
        near is None or f"did you mean {near}? Try: rnnvision {name} {near}={word.partition('=')[2]}" in result.message
    )


@pytest.mark.parametrize("name", SYNONYMS)
def test_other_names_of_a_key_are_none_of_a_key_itself(name: str) -> None:
    assert name in {key for verb in ("train", "evaluate", "benchmark") for key in keys_of(verb, config_dir())}
    assert not [other for other in SYNONYMS[name] if other in SYNONYMS]


class _Attack:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch attacked",)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (None, ["there is no such file"]),
        (b"some text", ["is no checkpoint"]),
        (b"", ["is no checkpoint"]),
        (b"PK\x03\x04 and no more", ["is cut short"]),
        (pickle.dumps(_Attack()), ["is no checkpoint", "nothing in it was run"]),
    ],
    ids=["missing", "text", "empty", "cut", "pickle"],
)
def test_a_checkpoint_that_is_none_is_told(verb: Verb, content: bytes | None, parts: list[str]) -> None:
    if content is not None:
        Path("x.ckpt").write_bytes(content)
    _check(verb("evaluate", "ckpt=x.ckpt", "device=cpu"), 2, "x.ckpt", *parts)
    assert not Path("attacked").exists()


def test_a_checkpoint_that_holds_code_is_refused(verb: Verb) -> None:
    torch.save({"state_dict": _Attack()}, "x.ckpt")
    _check(verb("evaluate", "ckpt=x.ckpt", "device=cpu"), 2, "x.ckpt", "system", "nothing in it was run")
    assert not Path("attacked").exists()


def test_a_truncated_and_a_changed_checkpoint_are_refused(trained: Copy, verb: Verb) -> None:
    trained("run")
    content = Path("run/checkpoints/best.ckpt").read_bytes()
    Path("cut.ckpt").write_bytes(content[: len(content) // 2])
    _check(verb("evaluate", "ckpt=cut.ckpt", "device=cpu"), 2, "cut.ckpt", "cut short")
    weight = torch.load("run/checkpoints/best.ckpt", weights_only=True)["state_dict"]["network.head.weight"]
    place = content.index(weight.numpy().tobytes())
    Path("changed.ckpt").write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    _check(verb("evaluate", "ckpt=changed.ckpt", "device=cpu"), 2, "changed.ckpt", "digest", "state_dict")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["ckpt=."], ["holds no checkpoints/best.ckpt"]),
        (["ckpt=x", "split=tset"], ["split=tset", "train, val, test"]),
        (["ckpt=x", "model=gru"], ["model: there is no such key"]),
        (["ckpt=x", "data=mnist"], ["data: cannot be replaced as a whole; choose one of data.root"]),
        (["."], [".: is not KEY=VALUE; try: rnnvision evaluate ckpt=."]),
        (["chkpt=x"], ["did you mean ckpt?", "Try: rnnvision evaluate ckpt=x"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_wrong_use_of_evaluate_is_told(verb: Verb, words: list[str], parts: list[str]) -> None:
    _check(verb("evaluate", *words), 2, *parts)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["augmentation=digit"], ["did you mean augmentation=digits?", "flip_shift"]),
        (["augmentation.rotat=3"], ["did you mean augmentation.rotate?"]),
        (["augmentation.rotate=200"], ["augmentation.rotate=200", "from 0 to 180"]),
        (["augmentation.shift=1.5"], ["augmentation.shift=1.5: must be a whole number"]),
        (["augmentation.flip=often"], ["augmentation.flip=often: must be a number"]),
        (["augmentation.policy=autoaugment"], ["augmentation.policy=autoaugment", "randaugment, trivialaugment"]),
        (["augmentation.padding=zero"], ["augmentation.padding=zero", "did you mean zeros?"]),
        (["augmentation.crop=0.5", "data.format=resident"], ["data.format=resident", "augmentation.crop"]),
        (["data.format=stream"], ["data.format=stream", "did you mean streaming?"]),
        (["data.on_bad_file=ignore"], ["data.on_bad_file=ignore", "stop, skip, convert"]),
        (["data.num_workers=-1"], ["data.num_workers=-1", "at least 0"]),
        (["data.timeout=0"], ["data.timeout=0", "above 0"]),
    ],
    ids=lambda value: value[0],
)
def test_wrong_use_of_what_happens_to_images_is_told(verb: Verb, words: list[str], parts: list[str]) -> None:
    _check(verb("train", *words), 2, *parts)
