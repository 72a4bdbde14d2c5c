"""Dropout of whole branches. That of features is tested with the stack, in `test_recurrence.py`."""

import pytest
import torch

from rnnvision.nn.dropout import DropPath


def test_drop_path_drops_whole_images_and_keeps_the_mean() -> None:
    x = torch.ones(20_000, 2, 3)
    dropped = DropPath(0.3)(x)
    per_image = dropped[:, 0, 0]
    assert torch.equal(dropped, per_image[:, None, None].expand_as(dropped))
    assert sorted(set(per_image.tolist())) == pytest.approx([0, 1 / 0.7])
    assert per_image.mean().item() == pytest.approx(1, abs=0.02)


def test_drop_path_drops_nothing_in_evaluation_or_at_a_rate_of_zero() -> None:
    x = torch.rand(5, 2, 3)
    assert DropPath(0.3).eval()(x) is x
    assert DropPath(0.0)(x) is x
