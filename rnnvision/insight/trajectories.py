"""Trajectories: the path of a network's state through its space, drawn in the plane in which it moves most."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Trajectories:
    """The states of B images after each of T tokens, projected to n dimensions by a principal component analysis.

    All tensors are on the CPU.

    Attributes:
        points: (B, T, n).
        explained: the share of the variance of all states along each axis, (n,), largest first.
        mean: of all states, (D,).
        axes: orthonormal, (n, D); of each the entry of largest magnitude is positive.
    """

    points: Tensor
    explained: Tensor
    mean: Tensor
    axes: Tensor

    def project(self, states: Tensor) -> Tensor:
        """Other states in the same plane: (..., D) -> (..., n)."""
        return (states.cpu() - self.mean) @ self.axes.T


@torch.no_grad()
def state_trajectories(states: Tensor, dimensions: int = 2) -> Trajectories:
    """Project states (B, T, D), such as `network.states(images)`, to the axes along which they vary most.

    With X (B T, D) all states less their mean and X = U S V^T its singular value decomposition,

        points = X V_n      explained = S_n^2 / sum S^2      n = dimensions

    The same states give the same picture, whatever signs the decomposition returns. Axes beyond the rank are zero.

    Raises:
        ValueError: for states of another shape, or fewer features than dimensions.

    Examples:
        >>> circle = torch.linspace(0, 6.28, 50)
        >>> states = torch.stack((circle.cos(), 2 * circle.sin(), 0 * circle), dim=-1).unsqueeze(0)  # (1, 50, 3)
        >>> found = state_trajectories(states)
        >>> found.points.shape, [round(share, 1) for share in found.explained.tolist()]
        (torch.Size([1, 50, 2]), [0.8, 0.2])
    """
    if states.ndim != 3 or 0 in states.shape:
        raise ValueError(f"states of shape {tuple(states.shape)}: must be (images, tokens, features), none of them 0")
    features = states.shape[2]
    if isinstance(dimensions, bool) or not isinstance(dimensions, int) or not 1 <= dimensions <= features:
        raise ValueError(
            f"dimensions={dimensions}: must be a whole number from 1 to {features}, the features of a state"
        )
    flat = states.detach().cpu().flatten(0, 1).double()  # (B T, D)
    mean = flat.mean(dim=0)
    _, s, axes = torch.linalg.svd(flat - mean, full_matrices=False)
    found = s > s[0] * torch.finfo(torch.float32).eps * max(flat.shape)  # above the error of float32 states
    s, axes = s * found, axes * found.unsqueeze(1)
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))  # (., 1)
    axes = axes * torch.where(largest < 0, -1.0, 1.0)
    missing = max(0, dimensions - len(s))  # of fewer states than dimensions
    s = torch.cat((s, s.new_zeros(missing)))
    axes = torch.cat((axes, axes.new_zeros(missing, features)))[:dimensions]
    share = s.square() / s.square().sum().clamp_min(torch.finfo(s.dtype).tiny)
    made = (((flat - mean) @ axes.T).unflatten(0, states.shape[:2]), share[:dimensions], mean, axes)
    return Trajectories(*(part.to(states.dtype) for part in made))
