"""Trajectories equal a principal component analysis by eigenvectors, and are the same picture each time."""

import pytest
import torch

from rnnvision.insight import state_trajectories


def test_they_are_the_principal_components() -> None:
    torch.manual_seed(0)
    states = torch.randn(4, 9, 5, dtype=torch.float64) @ torch.randn(5, 5, dtype=torch.float64) + 3
    found = state_trajectories(states, dimensions=3)
    flat = states.flatten(0, 1)
    variance, axes = torch.linalg.eigh(torch.cov(flat.T))
    variance, axes = variance.flip(0), axes.flip(1).T
    torch.testing.assert_close(found.explained, variance[:3] / variance.sum())
    torch.testing.assert_close(found.axes.abs(), axes[:3].abs())
    assert all(axis[axis.abs().argmax()] > 0 for axis in found.axes)
    torch.testing.assert_close(found.points, (states - flat.mean(dim=0)) @ found.axes.T)
    torch.testing.assert_close(found.project(states[1]), found.points[1])
    everything = state_trajectories(states, dimensions=5)
    torch.testing.assert_close(everything.points @ everything.axes + everything.mean, states)


def test_the_picture_is_that_of_the_images_in_any_order() -> None:
    torch.manual_seed(0)
    states = torch.randn(6, 9, 5)
    order = torch.randperm(6)
    torch.testing.assert_close(
        state_trajectories(states[order]).points, state_trajectories(states).points[order], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("shape", [(1, 1, 5), (1, 2, 5), (3, 4, 2), (1, 1, 2)])
def test_few_states_have_points_too(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    found = state_trajectories(torch.randn(shape))
    assert found.points.shape == (*shape[:2], 2)
    assert found.points.isfinite().all()
    assert found.explained.sum() == pytest.approx(0 if shape[0] * shape[1] == 1 else 1)
    if shape[0] * shape[1] < 3:
        assert found.points[..., 1].abs().max() == 0


def test_what_is_no_state_is_refused() -> None:
    with pytest.raises(ValueError, match=r"states of shape \(3, 4\): must be"):
        state_trajectories(torch.zeros(3, 4))
    with pytest.raises(ValueError, match="dimensions=2: must be a whole number from 1 to 1"):
        state_trajectories(torch.zeros(3, 4, 1))
