"""What needs a process of its own: start-up, signals, the dispatcher, distributed runs, the wheel."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("measures")  # several at a time would disturb each other, and what is timed
ROOT = Path(__file__).parents[2]
SMOKE = ("data=fake", "data.num_train=200", "data.num_test=20", "trainer=smoke", "device=cpu", "model.hidden_size=8")
ENDLESS = (*SMOKE, "trainer.max_steps=-1")  # trainer=smoke ends after 20 steps
PLUGIN = """
from rnnvision.nn import ORDERS
print("imported")
ORDERS.register("mine")(lambda rows, columns, seed: ((r, c) for r in range(rows) for c in range(columns)))
"""


def run(*command: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HYDRA_FULL_ERROR": "0"}
    words = [sys.executable, *command]
    return subprocess.run(words, capture_output=True, text=True, timeout=240, env=environment, **options)


def test_help_answers_without_loading_torch() -> None:
    code = (
        "import sys, runpy; sys.argv = ['train.py', '--help']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print('loaded:', [m for m in ('torch', 'torchvision', 'lightning', 'sklearn') if m in sys.modules])"
    )
    result = run("-c", code, cwd=ROOT)
    assert "python train.py model=lstm data=mnist" in result.stdout
    assert result.stdout.splitlines()[-1] == "loaded: []"


def test_the_dispatcher_runs_a_verb_and_lists_them() -> None:
    dispatch = ("-c", "from rnnvision.cli.dispatch import main; main()")
    assert "evaluate" in run(*dispatch).stdout
    assert "Train a recurrent network" in run(*dispatch, "train", "--help").stdout
    wrong = run(*dispatch, "trian", "data=mnist")
    assert wrong.returncode == 2
    assert "Try: rnnvision train data=mnist" in wrong.stderr


def begun(words: list[str], cwd: Path, run_folder: Path) -> "subprocess.Popen[str]":
    """A process that has written its first checkpoint and goes on."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, *words], cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 240
    while not (run_folder / "checkpoints" / "last.ckpt").is_file():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"it ended before it was told to: {process.communicate()}")
        time.sleep(0.05)
    return process


def ended(process: "subprocess.Popen[str]", signum: int) -> tuple[str, str]:
    """What it has printed, after the signal; of this process alone, as `kill` sends it."""
    process.send_signal(signum)
    try:
        return process.communicate(timeout=120)
    finally:
        process.kill()


CTRL_C = pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)  # the comparison below sends it to its training


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), CTRL_C])
def test_a_signal_ends_a_run_with_its_code(tmp_path: Path, signum: int, code: int) -> None:
    words = [str(ROOT / "train.py"), *ENDLESS, "trainer.max_epochs=100000", "hydra.run.dir=run"]
    process = begun(words, tmp_path, tmp_path / "run")
    _, err = ended(process, signum)
    assert process.returncode == code
    assert "interrupted" in err
    assert "Traceback" not in err
    assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "interrupted"


def test_ctrl_c_ends_a_comparison_and_its_training(tmp_path: Path) -> None:
    words = ["models=[rnn]", "budget=epochs:100000", "seeds=1", *SMOKE, "hydra.run.dir=all"]
    process = begun(["-m", "rnnvision.cli.compare", *words], tmp_path, tmp_path / "all" / "rnn_0")
    out, err = ended(process, signal.SIGINT)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "next      rnnvision compare resume=all" in out
    for folder in (tmp_path / "all" / "rnn_0", tmp_path / "all"):
        assert json.loads((folder / "status.json").read_text())["status"] == "interrupted"


def test_two_processes_train_and_one_tests(tmp_path: Path) -> None:
    """A sweep of a job of two processes and of one of one; with a plugin, which each process imports."""
    (tmp_path / "my_order.py").write_text(PLUGIN)
    words = [word for word in SMOKE if word != "device=cpu"]
    words += ["device=cpu_ddp,cpu", "plugins=[my_order]", "model.order=mine", "hydra.sweep.dir=sweep"]
    result = run(str(ROOT / "train.py"), "-m", *words, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for processes, job in ((1, "device=cpu"), (2, "device=cpu_ddp")):
        said = (tmp_path / "sweep" / job / "output.log").read_text()
        assert said.count("imported") == processes
        assert ("2 processes" in said) == (processes == 2)
        assert "test/accuracy" in json.loads((tmp_path / "sweep" / job / "metrics.json").read_text())
    assert len([path for path in (tmp_path / "sweep").iterdir() if path.is_dir()]) == 2


def test_the_wheel_holds_the_package_and_its_configuration_and_runs(tmp_path: Path) -> None:
    built = run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT))
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert {name.split("/")[0].split("-")[0] for name in names} == {"rnnvision"}
    assert "rnnvision/conf/train.yaml" in names
    assert "rnnvision/conf/data/mnist.yaml" in names
    assert {"rnnvision/report/page/page.html.jinja", "rnnvision/report/page/page.css"} <= set(names)
    (tmp_path / "my_order.py").write_text(PLUGIN)
    # As an installed command, which has not the current folder on its path.
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "rnnvision.cli.train", *SMOKE, "plugins=[my_order]", "model.order=mine"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == "imported"
    assert done.stdout.splitlines()[2].startswith("network   ")
    assert (tmp_path / "logs" / "train" / "latest" / "metrics.json").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each has a process that imports everything")
def test_a_comparison_starts_its_trainings_and_measurements_in_forks(tmp_path: Path) -> None:
    parent = "import os\nprint('of', 'fork_server' in open(f'/proc/{os.getppid()}/cmdline').read())\n"
    (tmp_path / "my_order.py").write_text(PLUGIN.replace('print("imported")\n', parent))
    words = ["models=[rnn]", "seeds=2", *SMOKE, "budget=epochs:1", "rounds=1", "latency_rounds=1", "hydra.run.dir=all"]
    done = run("-m", "rnnvision.cli.compare", *words, "plugins=[my_order]", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for seed in (0, 1):
        for folder in (f"rnn_{seed}", f"costs/rnn_{seed}"):
            said = (tmp_path / "all" / folder / "output.log").read_text()
            assert said.count("of True\n") == 1
            assert "of False" not in said
