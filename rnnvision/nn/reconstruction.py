"""Reconstruction head: outputs the image that a network has read, for pre-training without labels."""

from torch import Tensor, nn

from rnnvision.nn.layers.fused import GRU
from rnnvision.nn.scan import Scan


class ReconstructionHead(nn.Module):
    """Reconstruct an image from one vector, token by token: (..., D) -> (..., C, H, W).

    A GRU gets the vector f at each of T time steps, as the decoder of Cho et al. 2014 (arXiv 1406.1078) gets its
    summary, and a linear map turns each state into a token, in the order of the scan:

        s_t = GRU(f, s_{t-1}), s_0 = 0        token_t = V s_t + b

    The vector is its only input, so it has to hold the whole content of the image.

    Args:
        feature_size: D, which is also the width of the GRU.
        scan: the network's scan.
    """

    def __init__(self, feature_size: int, scan: Scan) -> None:
        super().__init__()
        self.writer = GRU(feature_size, feature_size)
        self.token = nn.Linear(feature_size, scan.token_size)
        self.scan = scan  # has no weights: its order is a buffer outside the state dict

    def forward(self, features: Tensor) -> Tensor:
        vectors = features.reshape(-1, 1, features.shape[-1])  # (N, 1, D)
        states, _ = self.writer(vectors.expand(-1, self.scan.num_tokens, -1))  # (N, T, D)
        pictures = self.scan.inverse(self.token(states))  # (N, C, H, W)
        return pictures.reshape(*features.shape[:-1], *self.scan.input_shape)
