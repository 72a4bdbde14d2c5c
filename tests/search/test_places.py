"""Jobs of a cluster: they go on where they were cut short, end with what has started them, and come out once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from rnnvision.cli.frame.places import make_place
from rnnvision.errors import FailureError, UsageError
from rnnvision.launch import module_command
from rnnvision.runs import RunFolder
from rnnvision.search import Job
from rnnvision.search.places import Place
from rnnvision.search.places.command import Command
from rnnvision.search.places.ray import Ray
from rnnvision.search.places.slurm import Slurm, SlurmCommand
from rnnvision.search.places.tied import tied

ROOT = Path(__file__).parents[2]
# A run: it says what it was told and in how many threads, and saves when it is told to end.
SAYS = """
import os, signal, sys, time
from pathlib import Path
folder, code, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
def save(*_):
    (folder / "checkpoints").mkdir(exist_ok=True)
    (folder / "checkpoints" / "last.ckpt").write_text("saved")
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
print(*sys.argv[4:], os.environ["OMP_NUM_THREADS"], os.environ.get("SLURM_NTASKS"), flush=True)
time.sleep(seconds)
sys.exit(code)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "says.py").write_text(SAYS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path}")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return tmp_path


def job(folder: Path, name: str, code: int = 0, seconds: float = 0, after: float = 0) -> Job:
    run = folder / name
    return Job(name, run, "says", (str(run), str(code), str(seconds), "begins"), (str(run), "0", str(after), "goes-on"))


def output(job: Job) -> str:
    file = job.folder / "output.log"
    return file.read_text() if file.is_file() else ""


def wait_for(done: Callable[[], object], seconds: float = 20.0) -> None:
    begin = time.monotonic()
    while not done():
        assert time.monotonic() - begin < seconds
        time.sleep(0.05)


def place_of(option: str, jobs: int = 2, /, **values: Any) -> Place:
    return make_place(OmegaConf.merge(OmegaConf.load(ROOT / "conf" / "where" / f"{option}.yaml"), values), jobs=jobs)  # type: ignore[arg-type]


def ended(place: Place, count: int) -> dict[str, int]:
    found: dict[str, int] = {}
    begin = time.monotonic()
    while len(found) < count and time.monotonic() - begin < 60:
        found |= {job.name: code for job, code in place.ended(1.0)}
    return found


def runs_in(folder: Path) -> list[str]:
    shown = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if str(folder) in line]


def check(place: Place, folder: Path) -> None:
    """What every place does; it is closed while a job runs."""
    short, long, left = job(folder, "short", 3), job(folder, "long", seconds=90), job(folder, "left", seconds=90)
    place.start(short)
    place.start(long)
    assert ended(place, 1) == {"short": 3}
    assert place.ended(0) == []
    assert output(short) == "begins 1 None\n"
    wait_for(lambda: output(long))
    place.stop(long)
    assert ended(place, 1) == {"long": 143}
    place.start(long)  # by now it has a checkpoint
    assert ended(place, 1) == {"long": 0}
    assert output(long) == "begins 1 None\ngoes-on 1 None\n"
    place.start(left)
    wait_for(lambda: output(left))
    place.close()
    assert (left.folder / "checkpoints" / "last.ckpt").is_file()
    wait_for(lambda: not runs_in(folder))


def test_submitit_on_this_machine(folder: Path) -> None:
    check(place_of("slurm", cluster="local"), folder)


def test_what_does_not_end_when_it_is_told_is_killed(folder: Path) -> None:
    (folder / "says.py").write_text(
        "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint(1, flush=True)\ntime.sleep(90)\n"
    )
    place = place_of("slurm", cluster="local")
    deaf = job(folder, "deaf")
    place.start(deaf)
    wait_for(lambda: output(deaf))
    place.close(4)
    wait_for(lambda: not runs_in(folder), 3)


@pytest.mark.slow
def test_ray_on_this_machine(folder: Path) -> None:
    check(place_of("ray"), folder)


def test_a_job_that_is_queued_again_goes_on(folder: Path) -> None:
    """As when its time is up, which submitit says by SIGUSR2."""
    place = place_of("slurm", cluster="local")
    assert isinstance(place, Slurm)
    one = job(folder, "one", seconds=90)
    place.start(one)
    wait_for(lambda: output(one))
    (submitted,) = place._running
    (task,) = subprocess.check_output(["ps", "-o", "pid=", "--ppid", submitted.job_id], text=True).split()
    os.kill(int(task), signal.SIGUSR2)
    assert ended(place, 1) == {"one": 0}
    assert output(one) == "begins 1 None\ngoes-on 1 None\n"
    place.close()


def test_what_is_completed_is_left_alone(folder: Path) -> None:
    one = job(folder, "one", 3)
    one.folder.mkdir()
    RunFolder(one.folder, folder, "train").write_status("completed")
    assert Command(one, cpus=1)() == 0
    assert output(one) == ""


def test_the_process_of_a_job_ends_with_the_one_that_waits_for_it(folder: Path) -> None:
    one = job(folder, "one", seconds=90)
    drives = (
        "from pathlib import Path\nfrom rnnvision.search import Job\n"
        "from rnnvision.search.places.command import Command\n"
        f"Command(Job('one', Path({str(one.folder)!r}), 'says', {one.fresh!r}), cpus=1)()\n"
    )
    with subprocess.Popen([sys.executable, "-c", drives]) as driver:
        wait_for(lambda: output(one))
        (child,) = (line for line in runs_in(folder) if ".tied " in line)
        driver.kill()
    wait_for(lambda: child not in runs_in(folder))
    assert (one.folder / "checkpoints" / "last.ckpt").is_file()  # it was told, not killed


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
def test_a_process_whose_starter_has_died_meanwhile_does_not_begin(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    command = tied(module_command("says", str(folder), "0", "0"))
    command[command.index(str(os.getpid()))] = str(dead.pid)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "")


@pytest.mark.parametrize(("several", "said"), [(False, "None"), (True, "2")])
def test_a_job_of_one_task_starts_its_own_processes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, several: bool, said: str
) -> None:
    """Lightning takes SLURM_NTASKS for a sign that SLURM has started all of them."""
    handlers = [(signum, signal.getsignal(signum)) for signum in (signal.SIGTERM, signal.SIGINT)]
    monkeypatch.setenv("SLURM_NTASKS", "2")
    monkeypatch.setenv("SLURM_PROCID", "0")
    one = job(folder, "one")
    assert SlurmCommand(one, cpus=4, stop_file=folder / "stop", several=several)() == 0
    assert output(one) == f"begins 4 {said}\n"
    for signum, handler in handlers:
        signal.signal(signum, handler)


def test_a_job_that_is_stopped_before_its_process_begins_ends_at_once(folder: Path) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    one, stop_file = job(folder, "one", seconds=15), folder / "one.stop"
    stop_file.touch()
    begin = time.monotonic()
    assert SlurmCommand(one, cpus=1, stop_file=stop_file, several=False)() in (143, -signal.SIGTERM)
    assert time.monotonic() - begin < 10
    signal.signal(signal.SIGTERM, handler)


def test_what_submitit_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every option of where=slurm; SLURM itself is not here."""
    submitit = pytest.importorskip("submitit")
    made: dict[str, Any] = {}

    class Executor:
        def __init__(self, folder: Path, cluster: str, **options: Any) -> None:
            made.update(cluster=cluster, **options)

        def update_parameters(self, **given: Any) -> None:
            made.update(given)

        def submit(self, command: SlurmCommand) -> object:
            made.update(several=command.several, threads=command.environment["OMP_NUM_THREADS"])
            return object()

    monkeypatch.setattr(submitit, "AutoExecutor", Executor)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    words = {"partition": "long", "account": "me", "qos": "low", "minutes": 9, "requeues": 2, "cpus": 3, "gpus": 1}
    words |= {"memory_gb": 1.5, "nodes": 2, "tasks": 4, "setup": ["module load cuda"]}
    place = place_of("slurm", 5, **words)
    assert place.slots == 5
    place.start(job(folder, "one"))
    assert made == {
        **{"cluster": "slurm", "slurm_max_num_timeout": 2, "name": "one", "several": True, "threads": "3"},
        **{"timeout_min": 9, "cpus_per_task": 3, "gpus_per_node": 1, "mem_gb": 1.5, "nodes": 2, "tasks_per_node": 4},
        **{"slurm_partition": "long", "slurm_account": "me", "slurm_qos": "low", "slurm_setup": ["module load cuda"]},
        "stderr_to_stdout": True,
    }


def test_what_slurm_refuses_is_told_in_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from submitit.core.utils import FailedJobError

    def refuse(self: object, command: object) -> None:
        raise FailedJobError("sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed")

    place = place_of("slurm", cluster="local")
    monkeypatch.setattr("submitit.AutoExecutor.submit", refuse)
    with pytest.raises(FailureError, match=r"^where=slurm: sbatch takes no job: sbatch: error: QOSMax.* failed$"):
        place.start(job(folder, "one"))
    assert place.ended(0) == []


def test_what_ray_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every option of where=ray, and how a task that left no exit code has ended."""
    made: list[Any] = []
    codes: dict[object, Any] = {}

    class CancelledError(Exception):
        pass

    class GoneError(Exception):
        pass

    def get(one: object) -> int:
        if isinstance(codes[one], type):
            raise codes[one]
        return int(codes[one])

    def options(**given: Any) -> Any:
        made.append(given)
        return SimpleNamespace(remote=lambda command: made.append(command.environment) or f"task {len(made)}")

    ray = SimpleNamespace(
        remote=lambda function: SimpleNamespace(options=options),
        wait=lambda waiting, num_returns, timeout: (waiting[:num_returns], []),
        get=get,
        cancel=lambda one, **_: made.append(f"{one} cancelled"),
        shutdown=lambda: made.append("shut down"),
        exceptions=SimpleNamespace(TaskCancelledError=CancelledError, RayError=GoneError),
    )
    monkeypatch.setattr("rnnvision.search.places.ray._begin", lambda address: made.append(address) or ray)
    place = place_of("ray", address="host:1", cpus=2, gpus=0.5)
    assert isinstance(place, Ray)
    for name, end in (("a", 7), ("b", CancelledError), ("c", GoneError)):
        place.start(job(folder, name))
        codes[f"task {len(made)}"] = end
    assert made[:2] == ["host:1", {"num_cpus": 2, "num_gpus": 0.5, "max_retries": 0, "name": "a"}]
    assert made[2] == {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    assert ended(place, 3) == {"a": 7, "b": 143, "c": -9}
    place.close()
    assert made[-1] == "shut down"


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("local", {"jobs": 0}, "jobs=0: must be a whole number of at least 1"),
        ("local", {"jobs": "two"}, "jobs=two: must be a whole number"),
        ("local", {"gpus": "all"}, "where.gpus=all: must be"),
        ("local", {"cpus": 2}, "where.cpus: there is no such key; choose one of gpus"),
        ("slurm", {"cpus": 0, "cluster": "local"}, "where.cpus=0: must be a whole number of at least 1"),
        ("slurm", {"cluster": "lokal"}, "where.cluster=lokal: must be slurm or local"),
        ("slurm", {"partition": "long", "cluster": "local"}, "where.partition=long: is SLURM's"),
        ("slurm", {}, "where=slurm: this machine has no sbatch"),
        ("ray", {"gpus": -1}, "where.gpus=-1: must be a number of at least 0"),
        ("ray", {"name": "rai"}, "where.name=rai: choose one of local, slurm, ray; did you mean where.name=ray?"),
    ],
    ids=str,
)
def test_a_mistake_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, values: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(UsageError) as raised:
        place_of(name, values.pop("jobs", 1), **values)
    assert str(raised.value).startswith(said)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(("name", "package"), [("slurm", "submitit"), ("ray", "ray")])
def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch, name: str, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=rf'pip install "rnnvision\[{name}\]"'):
        place_of(name)


def test_the_gpus_of_a_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those that are visible, else those that nvidia-smi sees."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho GPU-a\necho GPU-b\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    seen: list[Any] = []
    monkeypatch.setattr("rnnvision.cli.frame.places.Local", lambda jobs, gpus, **_: seen.append(gpus))
    place_of("local")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")
    place_of("local")
    place_of("local", gpus=[5])
    assert seen == [["GPU-a", "GPU-b"], ["3", "1"], ["5"]]
