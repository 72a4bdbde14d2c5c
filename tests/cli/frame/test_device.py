"""What a verb does to its process before it trains."""

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from rnnvision.cli.frame.device import keep_freed_memory
keep_freed_memory()
def step():
    a, b = torch.ones(20 * 2**20 // 4), torch.ones(30 * 2**20 // 4)
    return float(a[0] + b[0])
for _ in range(5):  # until blocks have found their places
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**variables: str) -> int:
    """Pages that the system had to hand out again for ten steps that take and free 50 MB."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS], env=plain | variables, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_memory_that_a_step_frees_is_there_for_the_next() -> None:
    assert faults() < 30_000  # blocks may find new places once or twice


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_what_the_user_says_of_malloc_is_left_alone() -> None:
    assert faults(MALLOC_MMAP_THRESHOLD_="1000000") > 100_000  # 12,800 a step
