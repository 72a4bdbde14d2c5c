"""trainer.precision=auto: what is chosen on which hardware, and the reason that is given."""

import pytest
import torch

from rnnvision.training import precision
from rnnvision.training.precision import choose_precision


@pytest.mark.parametrize("asked", ["32-true", "bf16-mixed", "64-true", None])
def test_what_is_asked_for_is_taken(asked: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_bf16_error", lambda: "")
    assert choose_precision(asked, "cpu") == (asked, "")
    assert choose_precision(asked, "cuda") == (asked, "")


def test_a_cpu_that_multiplies_bf16_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_bf16_error", lambda: "")
    monkeypatch.setattr(precision, "_cpu_multiplies_bf16", lambda: True)
    assert choose_precision("auto", "cpu") == ("bf16-mixed", "the CPU has bf16 instructions")
    monkeypatch.setattr(precision, "_cpu_multiplies_bf16", lambda: False)
    assert choose_precision("auto", "cpu") == ("32-true", "the CPU has no bf16 instructions")


@pytest.mark.parametrize("asked", ["auto", "bf16-mixed"])
def test_kernels_that_fail_are_not_used(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("could not create\n a primitive")

    monkeypatch.setattr(precision, "_cpu_multiplies_bf16", lambda: True)
    monkeypatch.setattr(torch.nn.LSTM, "forward", fail)
    chosen, reason = choose_precision(asked, "cpu")
    assert chosen == "32-true"
    assert "could not create a primitive" in reason


@pytest.mark.parametrize(("capability", "chosen"), [((7, 5), "16-mixed"), ((8, 0), "bf16-mixed")])
def test_a_gpu_is_asked_what_it_is(capability: tuple[int, int], chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert choose_precision("auto", "cuda")[0] == chosen


def test_the_probe_leaves_the_generator_alone() -> None:
    before = torch.get_rng_state()
    precision._bf16_error()
    assert torch.equal(torch.get_rng_state(), before)
