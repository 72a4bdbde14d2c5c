"""A training that cannot go on: what it says, in one line and in failure.json, and how it ends."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from rnnvision.data import ImageData
from rnnvision.training import Learner
from tests.cli.running import Verb

WORDS = ("data=digits", "model.hidden_size=8", "device=cpu", "trainer.max_epochs=3", "hydra.run.dir=run")


def status() -> str:
    return str(json.loads(Path("run/status.json").read_text())["status"])


@pytest.mark.parametrize("stage", [(), ("pretrain=reconstruct", "pretrain_epochs=3")], ids=["epochs", "pretrain"])
def test_a_step_that_is_not_finite_is_told_with_its_images(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, stage: tuple[str, ...]
) -> None:
    seen: list[Tensor] = []
    train = Learner.training_step

    def training_step(self: Learner, batch: Any, batch_idx: int) -> Tensor:
        seen[:] = [batch[1]]
        loss = train(self, batch, batch_idx)
        return loss * float("nan") if (self.current_epoch, batch_idx) == (1, 2) else loss

    monkeypatch.setattr(Learner, "training_step", training_step)
    result = verb("train", *WORDS, *stage, "data.batch_size=100")
    assert (result.code, status()) == (1, "failed")
    assert len(result.message.splitlines()) == 1
    assert re.search(
        r"the gradient became nan in epoch 2, batch 3 \(step 16\): lr \S+; gradient norms: ", result.message
    )
    found = json.loads(Path("run/failure.json").read_text())
    assert (found["step"], found["epoch"], found["batches"], found["value"]) == (16, 2, [3], "nan")
    labels = ImageData("digits").splits.train.labels
    assert [int(labels[int(image)]) for image in found["images"]] == seen[0].tolist()
    assert f"images {', '.join(found['images'][:5])} and 95 more" in result.message
    if not stage:
        monkeypatch.setattr(Learner, "training_step", train)
        assert verb("train", "resume=run").code == 0
        assert not Path("run/failure.json").exists()  # it was of an earlier try


def test_too_little_memory_for_a_step_is_told_with_its_need_and_a_way_out(
    verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    def training_step(self: Learner, *arguments: Any) -> Tensor:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Learner, "training_step", training_step)
    result = verb("train", *WORDS, "data.batch_size=64", "trainer.accumulate_grad_batches=3")
    assert (result.code, status()) == (1, "failed")
    assert re.search(
        r"too small to train with data\.batch_size=64: a step needs about [0-9.e-]+ GiB; "
        r"try data\.batch_size=32 trainer\.accumulate_grad_batches=6, which makes the same steps$",
        result.message,
    )
