"""rnnvision export: a file, the proof that it is right, and the line that uses it."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image

import rnnvision
from rnnvision.cli.frame.arguments import config_dir
from rnnvision.inference.export import FORMATS
from tests.cli.running import Copy, Verb

pytest.importorskip("onnxruntime")
pytest.importorskip("safetensors")


def test_it_writes_into_the_run_and_evaluate_gives_the_number_of_the_training(trained: Copy, verb: Verb) -> None:
    run = trained("run")
    score = json.loads((run / "metrics.json").read_text())["test/accuracy"]
    result = verb("export", "ckpt=run", "hydra.run.dir=out")
    assert result.code == 0, result.err
    lines = dict(line.split(maxsplit=1) for line in result.out.splitlines())
    assert lines["written"].startswith("run/export/model.onnx, ")
    assert lines["python"] == "import rnnvision; print(rnnvision.load('run/export/model.onnx')('image.png'))"
    assert lines["next"] == "rnnvision evaluate ckpt=run/export/model.onnx"
    assert json.loads(Path("out/metrics.json").read_text())["export/largest_difference"] < 1e-5
    assert verb("evaluate", "ckpt=run/export/model.onnx", "device=cpu", "hydra.run.dir=out1").code == 0
    assert json.loads(Path("out1/metrics.json").read_text())["test/accuracy"] == score


def test_where_it_writes(trained: Copy, verb: Verb) -> None:
    """Of a checkpoint within a run into the run; of one alone beside it; or where it is told."""
    run = trained("run")
    alone = Path(shutil.copy(run / "checkpoints" / "best.ckpt", "alone.ckpt"))
    for ckpt, words, target in (
        (run / "checkpoints" / "best.ckpt", [], run / "export" / "model.safetensors"),
        (alone, ["quantize=none"], Path("model.safetensors")),
        (run, ["output=a folder/b=c.safetensors"], Path("a folder/b=c.safetensors")),
    ):
        result = verb("export", f"ckpt={ckpt}", "format=safetensors", *words)
        assert result.code == 0, result.err
        assert rnnvision.load(target).description["data"]["name"] == "digits"


def test_a_network_of_a_users_folder_is_exported_and_the_command_that_follows_runs(verb: Verb, train: Verb) -> None:
    for i in range(24):
        folder = Path("my pets", "ab"[i % 2])
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 8), (10 * i, 0, 0)).save(folder / f"{i}.png")
    done = train("data=image_folder", "data.root=my pets", "data.image_size=8", "hydra.run.dir=run")
    assert done.code == 0, done.err
    score = json.loads(Path("run/metrics.json").read_text())["test/nll"]
    for format in ("safetensors", "hub"):
        result = verb("export", "ckpt=run", f"format={format}")
        assert result.code == 0, result.err
        words = shlex.split(result.out.splitlines()[-1].removeprefix("next "))
        assert verb(*words[1:], "device=cpu", f"hydra.run.dir={format}").code == 0
        assert json.loads(Path(format, "metrics.json").read_text())["test/nll"] == pytest.approx(score, abs=1e-6)


def test_what_quantising_costs_is_measured_on_the_data_of_the_checkpoint(trained: Copy, verb: Verb) -> None:
    trained("run")
    result = verb("export", "ckpt=run", "quantize=dynamic", "hydra.run.dir=out")
    assert result.code == 0, result.err
    assert "\nquantised   val accuracy 0." in result.out
    figures = json.loads(Path("out/metrics.json").read_text())
    assert figures["val/images"] == 144
    assert abs(figures["val/accuracy"] - figures["val/accuracy_before"]) < 0.05
    assert Path("run/export/model_int8.onnx").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ckpt=run", "format=onxx"), "format=onxx: choose one of onnx, "),
        (("ckpt=run", "output=model.png"), "output=model.png: format=onnx writes a file that ends in .onnx"),
        (("ckpt=run", "quantize=static"), "quantize=static: must be dynamic or null"),
        (("ckpt=run", "quantize=dynamic", "format=hub"), "quantize=dynamic: is for format=onnx and format=step, not"),
        (("ckpt=run", "split=tset"), "split=tset: choose one of train, val, test; did you mean split=test?"),
        (("ckpt=a.onnx",), "ckpt=a.onnx: was exported already; give the checkpoint or the run folder"),
        (("ckpt=nowhere",), "nowhere: there is no such file or run folder"),
    ],
)
def test_wrong_use_is_told_in_one_line(words: tuple[str, ...], told: str, trained: Copy, verb: Verb) -> None:
    trained("run")
    Path("a.onnx").touch()
    result = verb("export", *words)
    assert (result.code, told in result.message, len(result.message.splitlines())) == (2, True, 1), result.message


def test_help_names_every_format() -> None:
    text = (config_dir() / "export.yaml").read_text()
    comment = next(line for line in text.splitlines() if line.startswith("format: ")).partition("#")[2]
    assert comment.split() == list(FORMATS)


def test_the_commands_and_the_code_of_the_page_run(trained: Copy, verb: Verb) -> None:
    """docs/export.md, from top to bottom; what downloads from elsewhere is not on it."""
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    Path("logs/train").mkdir(parents=True)
    trained("logs/train/latest")
    Image.new("L", (8, 8), 100).save("image.png")
    names: dict[str, object] = {}
    for kind, block in re.findall(r"^```(bash|python)\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE):
        if kind == "python":
            exec(block, names)
            continue
        for line in block.splitlines():
            name, *words = line.partition(" #")[0].removeprefix("rnnvision ").split()
            result = verb(name, *words, *(["device=cpu"] if name == "evaluate" else []))
            assert result.code == 0, result.err
    assert Path("logs/train/latest/export/model_int8.onnx").is_file()
    assert {path.name for path in Path("my_network").iterdir()} == {"config.json", "model.safetensors", "README.md"}
