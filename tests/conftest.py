"""For all tests: one thread, since several processes that spin on the same cores slow each other tenfold."""

import os
import signal
from collections.abc import Iterator

import pytest
import torch

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
torch.set_num_threads(1)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell; the commands that tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)  # would inherit it, and Ctrl-C would not end them


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests decode is not kept in the user's cache."""
    os.environ["RNNVISION_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _environment_is_put_back() -> Iterator[None]:
    """Lightning writes LOCAL_RANK, MASTER_PORT and others into it, by which a later process would wait for another."""
    before = dict(os.environ)
    yield
    for name in set(os.environ) | set(before):
        if name == "PYTEST_CURRENT_TEST":
            continue
        if name not in before:
            del os.environ[name]
        elif os.environ.get(name) != before[name]:
            os.environ[name] = before[name]


@pytest.fixture(autouse=True)
def _interrupts_are_heard_again() -> Iterator[None]:
    """Lightning ignores Ctrl-C for good once a training was interrupted; in a test the process goes on."""
    before = signal.getsignal(signal.SIGINT)
    yield
    if signal.getsignal(signal.SIGINT) is not before:
        signal.signal(signal.SIGINT, before)
