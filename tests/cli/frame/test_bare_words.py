"""Words without KEY=, and commands without a checkpoint: told with the whole command that is meant."""

from pathlib import Path

import pytest

from rnnvision.cli.frame.command_line.bare import NEED_CKPT
from tests.cli.running import Verb, one_line

LATEST = "ckpt=logs/train/latest"


@pytest.mark.parametrize(
    ("name", "words", "right"),
    [
        ("train", ["resume", "run", "seed=1"], "resume=run seed=1"),
        ("train", ["model", "gru"], "model=gru"),
        ("train", ["run", "seed=1"], "resume=run seed=1"),
        ("train", ["run/checkpoints/best.ckpt"], "resume=run"),
        ("train", ["../here/pictures", "seed=1"], "data=image_folder data.root=../here/pictures seed=1"),
        ("evaluate", ["run"], "ckpt=run"),
        ("report", ["run/checkpoints/best.ckpt"], "run=run"),
    ],
)
def test_a_word_alone_is_told_with_what_it_means(verb: Verb, name: str, words: list[str], right: str) -> None:
    for folder in ("run/.hydra", "run/checkpoints", "pictures/cats"):
        Path(folder).mkdir(parents=True)
    Path("run/checkpoints/best.ckpt").touch()
    assert one_line(verb, name, *words).endswith(f"is not KEY=VALUE; try: rnnvision {name} {right}")


@pytest.mark.parametrize(
    ("name", "words", "right"),
    [
        ("predict", ["photo.jpg"], f"{LATEST} source=photo.jpg"),
        ("predict", ["run", "a b.png", "c.PNG", "top_k=1"], "ckpt=run 'source=[a b.png,c.PNG]' top_k=1"),
        ("predict", ["source=a.png", "run", "b.png"], "'source=[a.png,b.png]' ckpt=run"),
        ("predict", ["ckpt", "run", "photos/*.jpg"], "ckpt=run 'source=photos/*.jpg'"),
        ("predict", ["many/1.png", "many/2.png", "many/3.png", "many/4.png"], f"{LATEST} 'source=many/*.png'"),
        ("predict", ["run/plots", "run/checkpoints"], "source=run/plots ckpt=run"),
        ("predict", ["run", "net.onnx", "many"], "'ckpt=[run,net.onnx]' source=many"),
        ("predict", ["--config-dir", "many", "ckpt=null", "a.png"], f"{LATEST} --config-dir many source=a.png"),
        ("watch", ["copied", "photo.jpg"], "ckpt=copied source=photo.jpg"),
        ("demo", ["run", "port", "9000"], "ckpt=run port=9000"),
        ("export", ["run", "net.onnx"], "ckpt=run output=net.onnx"),
    ],
)
def test_all_words_alone_are_told_in_one_command(verb: Verb, name: str, words: list[str], right: str) -> None:
    for folder in ("run/.hydra", "run/checkpoints", "run/plots", "copied/checkpoints", "many"):
        Path(folder).mkdir(parents=True)
    for number in range(1, 5):
        Path(f"many/{number}.png").touch()
    needed = "train one first: rnnvision train experiment=digits_lstm; then" if LATEST in right else "try"
    assert one_line(verb, name, *words).endswith(f": is not KEY=VALUE; {needed}: rnnvision {name} {right}")


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        (
            "watch",
            ["ckpt=run", "a.png", "b.png"],
            "a.png: is not KEY=VALUE, and watch takes one source; try: rnnvision watch ckpt=run source=a.png",
        ),
        (
            "predict",
            ["a.png", "nonsense"],
            "a.png: is not KEY=VALUE, nor is nonsense; rnnvision predict --help lists the keys",
        ),
        ("evaluate", ["a.png"], "a.png: is not KEY=VALUE; rnnvision evaluate --help lists the keys"),
        ("predict", [""], ": is not KEY=VALUE; rnnvision predict --help lists the keys"),
    ],
)
def test_words_alone_that_are_too_many_or_mean_nothing(verb: Verb, name: str, words: list[str], told: str) -> None:
    assert one_line(verb, name, *words) == told


@pytest.mark.parametrize("name", NEED_CKPT)
def test_a_missing_checkpoint_is_told_with_the_whole_command(verb: Verb, name: str) -> None:
    words = ["plugins=[]", "ckpt=null"]
    first = "train one first: rnnvision train experiment=digits_lstm; then"
    for advice in (first, "try"):
        result = verb(name, *words)
        assert (result.code, result.message) == (
            2,
            f"rnnvision {name}: ckpt=null: give a checkpoint file or a run folder; "
            f"{advice}: rnnvision {name} {LATEST} 'plugins=[]'",
        )
        Path("logs/train/latest").mkdir(parents=True, exist_ok=True)
