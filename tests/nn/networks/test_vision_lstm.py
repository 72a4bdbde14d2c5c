"""Vision-LSTM: its block is its equations, directions alternate, sizes are the published ones, mistakes are told."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnvision.nn import VisionLSTM, build
from rnnvision.nn.networks.vision_lstm import Block
from tests.nn.cases import SIZES, randomise
from tests.oracles import matrix_memory

SMALL = {"input_shape": (2, 4, 6), "num_classes": 3, **SIZES["vision_lstm"]}


def make_network(**arguments: Any) -> VisionLSTM:
    network = VisionLSTM(**(SMALL | arguments)).double().eval()
    randomise(network, 0.4)
    return network


# A block --------------------------------------------------------------------------------------------------------------


def normalised(x: Tensor, eps: float = 1e-5) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt()


def silu(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))


def convolved(block: Block, a: Tensor) -> Tensor:
    """Neighbours on the grid, each times its weight, summed in loops over the window; outside there is nothing."""
    rows, columns = block.grid
    grid, weight, reach = a.unflatten(1, block.grid), block.conv.weight, block.conv.weight.shape[-1] // 2
    out = torch.zeros_like(grid) + block.conv.bias
    for r in range(rows):
        for c in range(columns):
            for dr in range(-reach, reach + 1):
                for dc in range(-reach, reach + 1):
                    if 0 <= r + dr < rows and 0 <= c + dc < columns:
                        out[:, r, c] = out[:, r, c] + grid[:, r + dr, c + dc] * weight[:, 0, dr + reach, dc + reach]
    return out.flatten(1, 2)


def block_oracle(block: Block, x: Tensor) -> Tensor:
    """The docstring of `Block`, with dense matrices, loops and the mLSTM token by token."""
    heads = block.memory.num_heads

    def of_blocks(layer: Any, y: Tensor) -> Tensor:
        return y @ torch.block_diag(*layer.weight).T + layer.bias

    def split(y: Tensor) -> Tensor:  # (B, T, I) -> (B, H, T, D)
        return y.reshape(*y.shape[:2], heads, -1).transpose(1, 2)

    tokens = x.flip(1) if block.reverse else x
    up = (normalised(tokens) * block.norm.weight + block.norm.bias) @ block.up.weight.T + block.up.bias
    a, z = up.split(up.shape[-1] // 2, dim=-1)
    c = silu(convolved(block, a))
    q, k, v = of_blocks(block.q, c), of_blocks(block.k, c), of_blocks(block.v, a)
    gates = torch.cat((q, k, v), dim=-1) @ block.memory.gates.weight.T + block.memory.gates.bias
    i, f = gates.mT.split(heads, dim=1)
    size = q.shape[-1] // heads
    batch = len(x)
    state = (x.new_zeros(batch, heads, size, size), x.new_zeros(batch, heads, size), x.new_zeros(batch, heads))
    h, _ = matrix_memory(split(q), split(k) / math.sqrt(size), split(v), i, -torch.log(1 + torch.exp(-f)), state)
    h = normalised(h).transpose(1, 2).flatten(2) * block.memory.norm_weight + block.memory.norm_bias
    y = ((h + block.skip.weight * c) * silu(z)) @ block.down.weight.T + block.down.bias
    return x + (y.flip(1) if block.reverse else y)


@pytest.mark.parametrize(
    "options", [{}, {"kernel_size": 1}, {"kernel_size": 5, "num_heads": 2, "expansion": 1}], ids=str
)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_block_is_its_equations(reverse: bool, options: dict[str, int]) -> None:
    block = make_network(hidden_size=16, **options).blocks[int(reverse)]
    assert block.reverse == reverse
    x = torch.randn(2, 6, 16).double().requires_grad_()
    y, expected = block(x), block_oracle(block, x)
    torch.testing.assert_close(y, expected, rtol=1e-10, atol=1e-10)
    leaves, cotangent = [x, *block.parameters()], torch.randn_like(y)
    gradients = torch.autograd.grad(y, leaves, cotangent)
    torch.testing.assert_close(gradients, torch.autograd.grad(expected, leaves, cotangent), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_every_other_block_reads_backwards(index: int) -> None:
    block = make_network(num_layers=4, kernel_size=1).blocks[index]
    x = torch.randn(2, 6, 8).double()
    changed = x.clone()
    changed[:, 2, 0] += 1  # not all features: the norm would take that away
    moved = (block(changed) != block(x)).any(dim=-1).any(dim=0).tolist()
    assert moved == ([True, True, True, False, False, False] if index % 2 else [False, False, True, True, True, True])


# The network ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eps", [1e-6, 0.1, None])
def test_the_features_are_the_first_and_the_last_token(eps: float | None) -> None:
    network = make_network(feature_norm_eps=eps)
    image = torch.randn(3, 2, 4, 6).double()
    weight = network.embed.weight.unflatten(1, (2, 2, 2))  # patches of 2 x 2 pixels in 2 channels
    tokens = (
        torch.nn.functional.conv2d(image, weight, network.embed.bias, stride=2).flatten(2).mT + network.position.table
    )
    for block in network.blocks:
        tokens = block_oracle(block, tokens)
    tokens = normalised(tokens, 1e-6) * network.norm.weight + network.norm.bias
    features = torch.cat((tokens[:, 0], tokens[:, -1]), dim=-1)
    if eps is not None:
        features = normalised(features, eps) * network.feature_norm.weight + network.feature_norm.bias
    torch.testing.assert_close(network.forward_features(image), features, rtol=1e-10, atol=1e-10)
    logits = features @ network.head.weight.T + network.head.bias
    torch.testing.assert_close(network(image), logits, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("hidden_size", "parameters"), [(192, 6_391_528), (384, 23_398_696), (768, 89_263_528)])
def test_sizes_are_those_of_the_authors(hidden_size: int, parameters: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """ViL-T, S and B as the authors' logs of github.com/NX-AI/vision-lstm count them (S: by the size of its file)."""
    for name in ("normal_", "trunc_normal_", "xavier_uniform_", "kaiming_uniform_", "uniform_"):
        monkeypatch.setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)  # numbers do not count here
    network = VisionLSTM(input_shape=(3, 224, 224), num_classes=1000, hidden_size=hidden_size)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize(("hidden_size", "num_layers"), [(32, 3), (128, 1)])
def test_at_first_weights_are_as_wide_as_the_authors_have_them(hidden_size: int, num_layers: int) -> None:
    """By the width of a token, neither by that of a block-diagonal map's blocks nor by the number of layers."""
    shape = {"input_shape": (1, 64, 64), "patch_size": 2, "num_classes": 10}
    network = VisionLSTM(**shape, hidden_size=hidden_size, num_layers=num_layers, expansion=4)
    into, out_of = math.sqrt(2 / (5 * hidden_size)), 2 / math.sqrt(hidden_size)
    for block in network.blocks:
        deviations = {block.up: into, block.q: into, block.k: into, block.v: into, block.down: out_of}
        for found, expected in deviations.items():
            assert found.weight.std().item() == pytest.approx(expected, rel=0.15)
            assert not found.bias.any()
        assert not block.memory.gates.weight.any()
    assert network.position.table.std().item() == pytest.approx(0.02, rel=0.1)


def test_at_first_logits_are_near_zero_and_positions_differ() -> None:
    network = VisionLSTM(**SMALL)
    assert network(torch.randn(5, 2, 4, 6)).abs().max() < 1e-3
    assert len({tuple(row.tolist()) for row in network.position.table}) == 6


def test_autocast_runs_forward_and_backward() -> None:
    network = VisionLSTM(**SMALL)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        network(torch.randn(5, 2, 4, 6)).float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


# Drop-path ------------------------------------------------------------------------------------------------------------


def test_drop_path_reaches_every_block_and_leaves_the_shortcut() -> None:
    network = VisionLSTM(**SMALL, drop_path=0.9).train()
    x = torch.randn(300, 6, 8)
    for block in network.blocks:
        kept = (block(x) == x).flatten(1).all(dim=1)
        assert kept.float().mean().item() == pytest.approx(0.9, abs=0.06)


# Mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_size": 5}, "hidden_size=5: 2 x 5 features .* blocks of 4 .* choose a multiple of 2$"),
        ({"hidden_size": 9, "expansion": 1}, "hidden_size=9: .* choose a multiple of 4$"),
        ({"num_heads": 3}, "num_heads=3: must divide 16 features, .* choose one of 1, 2, 4, 8$"),
        ({"kernel_size": 4}, "kernel_size=4: must be odd"),
        ({"kernel_size": 0}, "kernel_size=0: "),
        ({"expansion": 0}, "expansion=0: "),
        ({"qkv_block_size": -4}, "qkv_block_size=-4: "),
        ({"drop_path": 1.0}, "drop_path=1.0: "),
        ({"feature_norm_eps": 0.0}, "feature_norm_eps=0.0: must be a number above 0 and below 1, or null"),
        ({"readout": "first_and_last"}, "readout=first_and_last: .*did you mean first_last"),
        ({"patch_size": 4}, "patch_size=4: tokens of 4 x 4 do not tile an image of 4 x 6; .*1, 2, 3, 6"),
    ],
    ids=str,
)
def test_a_mistake_is_told_with_its_argument(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        build("vision_lstm", **(SMALL | arguments))


def test_weights_of_another_number_of_patches_are_refused_with_both_numbers() -> None:
    weights = make_network().state_dict()
    with pytest.raises(
        ValueError, match=r"^input_shape: these weights have learned 6 positions, this network reads 9 "
    ):
        make_network(input_shape=(2, 6, 6)).load_state_dict(weights)
    make_network(input_shape=(2, 6, 4)).load_state_dict(weights)  # as many


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^image of shape \(1, 2, 8, 6\): this scan reads \(B, 2, 4, 6\)"):
        make_network()(torch.zeros(1, 2, 8, 6).double())


def test_it_has_no_answer_before_the_end() -> None:
    assert not hasattr(VisionLSTM, "forward_anytime")
