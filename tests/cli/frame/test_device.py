"""What a verb does to its process before it trains."""

import os
import platform
import subprocess
import sys

import pytest

from rnnvision.training import precision
from tests.cli.running import Verb

FAULTS = """
import os, resource, torch
from rnnvision.cli.frame.device import keep_freed_memory

def step():
    a, b = torch.ones(20 * 2**20 // 4), torch.ones(30 * 2**20 // 4)
    return float(a[0] + b[0])

def faults():
    keep_freed_memory()
    for _ in range(5):  # until blocks have found their places
        step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

as_the_user_says = faults()
del os.environ["MALLOC_MMAP_THRESHOLD_"]
print(as_the_user_says, faults())
"""


@pytest.mark.xdist_group("measures")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_memory_that_a_step_frees_is_there_for_the_next_unless_the_user_has_set_malloc() -> None:
    """Pages that the system had to hand out again for ten steps that take and free 50 MB."""
    words, variables = [sys.executable, "-c", FAULTS], {**os.environ, "MALLOC_MMAP_THRESHOLD_": "1000000"}
    done = subprocess.run(words, env=variables, capture_output=True, text=True, check=True)
    as_the_user_says, kept = map(int, done.stdout.split())
    assert as_the_user_says > 100_000  # 12,800 a step
    assert kept < 30_000  # blocks may find new places once or twice


def test_a_run_says_which_precision_was_chosen_and_clips_in_it(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    if precision._bf16_error():
        pytest.skip("this CPU has no bf16 kernels")
    monkeypatch.setattr(precision, "_cpu_multiplies_bf16", lambda: True)
    words = ("data=fake", "data.num_train=40", "data.num_test=10", "trainer.max_epochs=1", "device=cpu")
    result = verb("train", *words, "trainer.precision=auto")
    assert result.code == 0, result.err
    assert "precision bf16-mixed (the CPU has bf16 instructions)" in result.out
