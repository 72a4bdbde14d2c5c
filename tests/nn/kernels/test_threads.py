"""Threads give way to other processes, and no number changes."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from rnnvision.nn import RECURRENCES, build, is_exact_in_threads
from rnnvision.nn.kernels.threads import CHOSEN, Threads, one_thread, openmp
from rnnvision.nn.layers.fused import FusedLayer
from rnnvision.others import Others
from rnnvision.training import make_optimizer

if openmp() is None:
    pytest.skip("torch has no GNU OpenMP here", allow_module_level=True)

# In each time step above torch's grain for threads (32768 elements), and no multiple of what a CPU takes at once.
ODD = {"input_shape": (1, 5, 31), "num_classes": 7, "hidden_size": 53, "num_layers": 2}
IMAGES = 701
EXACT = [name for name, kind in RECURRENCES.items() if issubclass(kind, FusedLayer) and name != "gru"]
READ = {
    "last": {},
    "two directions": {"bidirectional": True, "readout": "first_last"},
    "mean, dropout, residual": {"readout": "mean", "dropout": 0.2, "residual": True},
    "max, embedded, tied": {"readout": "max", "embed_size": 33, "dropout": 0.2, "tied_dropout": True},
}


class Made(Others):
    """Others that use what the test says."""

    def __init__(self, *loads: float) -> None:
        super().__init__()
        self.loads = list(loads)

    def load(self, least_s: float = 0.0) -> float:
        return self.loads.pop(0) if len(self.loads) > 1 else self.loads[0]


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in CHOSEN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("rnnvision.nn.kernels.threads.cores", lambda: 4.0)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def trained(threads: tuple[int, ...], **arguments: object) -> list[torch.Tensor]:
    """The weights after three steps, each in the next of these numbers of threads."""
    torch.manual_seed(0)
    torch.set_num_threads(threads[0])
    network = build("sequence_classifier", **ODD, **arguments)  # type: ignore[arg-type]
    optimizer = make_optimizer(network, "adamw", lr=1e-2, weight_decay=0.05)
    torch.set_num_threads(4)
    images, labels = torch.rand(IMAGES, *ODD["input_shape"]), torch.randint(7, (IMAGES,))
    crew = Threads(exact=True, others=Made(*(4.0 - count for count in (threads[0], *threads))))
    for count in threads:
        crew.look()
        assert (crew.count, torch.get_num_threads()) == (count, count)
        optimizer.zero_grad()
        cross_entropy(network(images), labels).backward()
        with one_thread():
            clip_grad_norm_(network.parameters(), 0.5)
        optimizer.step()
    crew.restore()
    return [p.detach() for p in network.parameters()]


@pytest.mark.parametrize("recurrence", EXACT)
@pytest.mark.parametrize("read", READ)
def test_weights_do_not_depend_on_how_many_threads_trained_them(recurrence: str, read: str) -> None:
    network = build("sequence_classifier", **ODD, recurrence=recurrence, **READ[read])  # type: ignore[arg-type]
    if recurrence == "lstm" and torch.backends.cpu.get_cpu_capability() != "AVX512":
        assert not is_exact_in_threads(network)
        pytest.skip("without AVX-512 the threads of an LSTM keep their number")
    assert is_exact_in_threads(network)
    alone = trained((1, 1, 1), recurrence=recurrence, **READ[read])
    for threads in ((4, 4, 4), (2, 1, 3)):
        for one, other in zip(alone, trained(threads, recurrence=recurrence, **READ[read]), strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("limit", ["", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
def test_an_lstm_without_avx512_keeps_the_number_of_its_threads(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """oneDNN then has another kernel for it, whose products threads share."""
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    if limit:
        monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
        monkeypatch.setenv(limit, "avx2")
    else:
        monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")
    exact = {name: is_exact_in_threads(build("sequence_classifier", **ODD, recurrence=name)) for name in EXACT}  # type: ignore[arg-type]
    assert exact == {"rnn": True, "lstm": False}
    if limit:
        monkeypatch.setenv(limit, "AVX512_CORE")
        assert is_exact_in_threads(build("sequence_classifier", **ODD))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [
        *({"block": "gated"}, {"norm": True}, {"readout": "attention"}),
        *({"recurrence": "gru"}, {"recurrence": "mingru"}, {"recurrence": "ur_lstm"}),
    ],
)
def test_what_depends_on_threads_keeps_their_number(arguments: dict[str, object]) -> None:
    network = build("sequence_classifier", **ODD, **{"recurrence": "lstm", **arguments})  # type: ignore[arg-type]
    assert not is_exact_in_threads(network)
    assert not is_exact_in_threads(build("sequence_classifier", **ODD).double())  # type: ignore[arg-type]
    assert not is_exact_in_threads(build("cnn", input_shape=(1, 28, 28), num_classes=10))


def test_threads_become_as_many_as_others_leave() -> None:
    crew = Threads(exact=True, others=Made(0.0, 0.2, 1.0, 2.5, 9.0, 0.0))
    counts = [crew.count]
    for _ in range(5):
        crew.look()
        counts.append(torch.get_num_threads())
    assert counts == [4, 4, 3, 1, 1, 4]
    assert not crew.gives_way
    crew.restore()


def idle_teams() -> int:
    return sum(thread.name == "idle-team" for thread in threading.enumerate())


def native_threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def test_threads_that_keep_their_number_sleep_and_spin_again() -> None:
    """A second team is there as long as others are, and its threads go with it."""
    torch.ones(2**18).add_(1)
    before = native_threads()
    crew = Threads(exact=False, others=Made(0.0, 1.0, 1.0, 0.0))
    assert [crew.look(), idle_teams(), native_threads() - before] == [True, 1, 4]
    assert (crew.gives_way, torch.get_num_threads()) == (True, 4)
    assert [crew.look(), crew.look(), idle_teams()] == [False, True, 0]
    time.sleep(0.05)  # the system takes a moment to forget them
    assert native_threads() == before


def test_who_has_cores_of_their_own_disturbs_nobody() -> None:
    """As the processes do that read images, to each of which a core is left: neither kind of network gives way."""
    torch.set_num_threads(2)
    for exact in (True, False):
        crew = Threads(exact=exact, others=Made(2.0, 2.2, 3.0, 0.0))
        states = [crew.gives_way, *((crew.look(), crew.gives_way)[1] for _ in range(3))]
        crew.restore()
        assert (states, torch.get_num_threads()) == ([False, False, True, False], 2)


def test_an_environment_that_is_reached_over_a_link_has_its_openmp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(Path(torch.__file__).resolve().parent)
    monkeypatch.setattr(torch, "__file__", str(tmp_path / "link" / "__init__.py"))
    assert openmp.__wrapped__() is not None


def test_products_in_openmps_threads_keep_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    crew = Threads(exact=True, others=Made(3.0))
    try:
        assert (torch.get_num_threads(), crew.gives_way, idle_teams()) == (4, True, 1)
    finally:
        crew.restore()


@pytest.mark.parametrize("name", CHOSEN)
def test_what_the_user_has_chosen_stays(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "4")
    for exact in (True, False):
        crew = Threads(exact=exact, others=Made(4.0))
        assert not crew.look()
        assert (torch.get_num_threads(), idle_teams(), crew.gives_way) == (4, 0, False)


@pytest.mark.parametrize(("quota", "load"), [(64.0, 40.0), (30.0, 6.0), (4.0, 0.0)])
def test_a_quota_leaves_the_rest_of_the_machine_to_others(
    quota: float, load: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 64 cores 40 are in use by others, and one by this process."""
    seconds = iter([(0.0, 0.0, 0.0), (10.0, 410.0, 10.0)])
    monkeypatch.setattr("rnnvision.others._seconds", lambda: next(seconds))
    monkeypatch.setattr("rnnvision.others._affinity", lambda: 64.0)
    monkeypatch.setattr("rnnvision.others.cores", lambda: quota)
    assert Others().load(0.0) == load


def test_a_forked_process_begins_to_watch_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clock begins at 0, so that what its parent has computed would count as others' work."""
    seconds = iter([(0.0, 0.0, 900.0), (1000.0, 900.0, 0.0), (1001.0, 901.0, 1.0)])
    monkeypatch.setattr("rnnvision.others._seconds", lambda: next(seconds))
    others = Others()
    monkeypatch.setattr("rnnvision.others.os.getpid", lambda: -1)
    assert others.load(0.0) == 0.0


def test_others_are_seen_and_oneself_is_not() -> None:
    """A process that computes is seen by another one; this one is not seen by itself."""
    others = Others()
    if not others.seen:
        pytest.skip("the system does not say what others use")

    def watched() -> float:
        others.load(0.0)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            pass
        return others.load(0.0)

    least = min(watched() for _ in range(3))  # whoever else computes here goes on, we hope
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        time.sleep(0.2)
        beside = watched()
        busy.kill()
    assert beside > least
    assert others.load(60.0) == beside  # no look before its time
