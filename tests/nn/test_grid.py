"""Sweeps over a grid: which cell sees which, ReNet's and Sequencer2D's blocks written out, tiling."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnvision.nn import RECURRENCES, ReNet, Sequencer2D
from rnnvision.nn.grid import Sweep, tiled
from rnnvision.nn.layers.fused import LSTM
from rnnvision.nn.networks.sequencer import Variant
from tests.nn.cases import tiny

ROWS, COLUMNS, FEATURES, HIDDEN = 3, 4, 5, 2


def sweep(vertical: bool, recurrence: str = "gru") -> Sweep:
    length = ROWS if vertical else COLUMNS
    made = Sweep(FEATURES, vertical=vertical, hidden_size=HIDDEN, recurrence=recurrence, sequence_length=length)
    return made.double()


def by_hand(made: Sweep, grid: Tensor) -> Tensor:
    """Every line on its own, each direction by its own layer."""
    forward, backward = made.recurrence.layers[0], made.recurrence.backward_layers[0]

    def line(cells: Tensor) -> Tensor:
        return torch.cat((forward(cells[None])[0], backward(cells.flip(0)[None])[0].flip(1)), dim=-1)[0]

    if made.vertical:
        return torch.stack([torch.stack([line(g[:, k]) for k in range(g.shape[1])], dim=1) for g in grid])
    return torch.stack([torch.stack([line(g[r]) for r in range(g.shape[0])]) for g in grid])


@pytest.mark.parametrize("recurrence", RECURRENCES)
@pytest.mark.parametrize("vertical", [True, False], ids=["columns", "rows"])
def test_a_sweep_reads_every_line_by_itself_in_both_directions(vertical: bool, recurrence: str) -> None:
    made, grid = sweep(vertical, recurrence), torch.randn(2, ROWS, COLUMNS, FEATURES, dtype=torch.float64)
    states = made(grid)
    assert states.shape == (2, ROWS, COLUMNS, made.output_size)
    torch.testing.assert_close(states, by_hand(made, grid), rtol=1e-10, atol=1e-10)


# ReNet ----------------------------------------------------------------------------------------------------------------


def renet(**arguments: Any) -> ReNet:
    return ReNet(**tiny("renet", **arguments)).double().eval()


def cell(image: Tensor, row: int, column: int, side: int) -> Tensor:
    """A square of cells as one vector, row by row: (R, K, F) -> (side * side * F)."""
    r, k = row * side, column * side
    return torch.cat([image[r + i, k + j] for i in range(side) for j in range(side)])


def test_renet_reads_patches_down_and_up_and_then_across() -> None:
    network = renet(input_shape=(3, 4, 6), patch_sizes=(2, 1))
    image = torch.randn(3, 4, 6, dtype=torch.float64)
    grid = image.permute(1, 2, 0)
    for layer, side in zip(network.layers, (2, 1), strict=True):
        rows, columns = grid.shape[0] // side, grid.shape[1] // side
        patches = torch.stack([torch.stack([cell(grid, r, k, side) for k in range(columns)]) for r in range(rows)])
        grid = by_hand(layer.rows, by_hand(layer.columns, patches[None]))[0]
    torch.testing.assert_close(network.forward_grid(image[None])[0], grid, rtol=1e-10, atol=1e-10)
    assert network.forward_features(image[None])[0].tolist() == pytest.approx(grid.flatten().tolist())


def test_one_layer_of_renet_lets_every_cell_see_the_whole_image() -> None:
    network = renet(patch_sizes=(1,))
    image = torch.randn(1, 1, 4, 6, dtype=torch.float64, requires_grad=True)
    for state in network.forward_grid(image).flatten(0, 2).sum(dim=-1):
        (gradient,) = torch.autograd.grad(state, image, retain_graph=True)
        assert (gradient != 0).all()


def test_the_hidden_layer_of_renet_is_rectified() -> None:
    network, images = renet(head_size=9), torch.randn(4, 1, 4, 6, dtype=torch.float64)
    linear = network.hidden[0]
    expected = (network.forward_grid(images).flatten(1) @ linear.weight.T + linear.bias).clamp(min=0)
    torch.testing.assert_close(network.forward_features(images), expected)


def test_without_flatten_the_weights_of_renet_do_not_depend_on_the_image_size() -> None:
    small, large = (renet(input_shape=(1, side, side), readout="mean") for side in (4, 12))
    large.load_state_dict(small.state_dict())
    assert large(torch.randn(2, 1, 12, 12, dtype=torch.float64)).shape == (2, 3)


# Sequencer2D ----------------------------------------------------------------------------------------------------------


def test_a_block_adds_the_mixed_cells_and_then_an_mlp() -> None:
    block = Sequencer2D(**tiny("sequencer2d")).double().eval().stages[0].blocks[0]
    x = torch.randn(2, 2, 3, 6, dtype=torch.float64)

    def normed(norm: nn.LayerNorm, y: Tensor) -> Tensor:
        variance, mean = torch.var_mean(y, dim=-1, keepdim=True, correction=0)
        return (y - mean) / (variance + 1e-6).sqrt() * norm.weight + norm.bias

    cells = normed(block.mixer_norm, x)
    mixed = torch.cat((by_hand(block.mixer.columns, cells), by_hand(block.mixer.rows, cells)), dim=-1)
    expected = x + block.mixer.merge(mixed)
    inner, outer = block.mlp[0], block.mlp[3]
    expected = expected + outer(nn.functional.gelu(inner(normed(block.mlp_norm, expected))))
    torch.testing.assert_close(block(x), expected, rtol=1e-10, atol=1e-10)


def test_each_size_of_a_variant_can_be_replaced() -> None:
    network = Sequencer2D(input_shape=(1, 28, 28), num_classes=10, variant="tiny", layers=[1, 1], mlp_ratios=[2, 2])
    assert network.sizes == Variant((1, 1), (2, 2), (96, 192), (24, 48), (2, 2))
    assert [len(stage.blocks) for stage in network.stages] == [1, 1]


@pytest.mark.parametrize(
    ("variant", "side"), [("tiny", 28), ("tiny", 32), ("small", 28), ("small", 32), ("tiny_64", 64)]
)
def test_the_small_variants_read_small_images(variant: str, side: int) -> None:
    network = Sequencer2D(input_shape=(3, side, side), num_classes=10, variant=variant)
    assert network(torch.zeros(2, 3, side, side)).shape == (2, 10)


def test_a_variant_that_does_not_tile_the_image_is_told_with_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"^variant=s: patches of 7 x 7 .* 32 x 64; .* is 8; .* do: tiny, small"):
        Sequencer2D(input_shape=(3, 32, 64), num_classes=10)


def test_both_dropouts_of_a_block_act_in_training_only() -> None:
    for argument in ("dropout", "drop_path"):
        network = Sequencer2D(**tiny("sequencer2d", **{argument: 0.5}))
        images = torch.randn(1, 1, 4, 6)
        assert torch.equal(network.eval()(images), network(images))
        network.train()
        assert len({tuple(network(images)[0].tolist()) for _ in range(10)}) > 1, argument


@pytest.mark.parametrize(
    ("layers", "rates"),
    [((2, 3), [0, 0.2, 0.4, 0.6, 0.8]), ((1, 1), [0, 0.8]), ((1,), [0.8])],
    ids=str,
)
def test_drop_path_rises_over_the_blocks_of_all_stages(layers: tuple[int, ...], rates: list[float]) -> None:
    """As in the authors' code; one block alone has the rate that was asked for."""
    sizes = {"embed_dims": (6, 4), "hidden_sizes": (3, 5), "mlp_ratios": (2.0, 1.5), "patch_sizes": (2, 1)}
    given = {name: values[: len(layers)] for name, values in sizes.items()}
    network = Sequencer2D(input_shape=(1, 4, 6), num_classes=3, layers=layers, drop_path=0.8, **given).train()
    blocks = [block for stage in network.stages for block in stage.blocks]
    dropped = []
    for block in blocks:
        block.mlp = nn.Identity()  # so that what is added is there or not
        x = torch.rand(400, 2, 3, block.mixer.merge.out_features) + 1
        dropped.append((block.drop_path(block.mixer(x)) == 0).flatten(1).all(dim=1).float().mean().item())
    assert dropped == pytest.approx(rates, abs=0.08)


# What both are made of ------------------------------------------------------------------------------------------------


def test_tiling_gives_the_grid_of_each_stage() -> None:
    assert tiled("", [7, 2, 1], 224, 112) == [(32, 16), (16, 8), (16, 8)]


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        (
            [3],
            r"^x=1: patches of 3 x 3 do not tile an image of 28 x 12; sides that do: 1, 2, 4; the nearest is 2$",
        ),
        ([2, 9], r"^x=1: patches of 9 x 9 do not tile a grid of 14 x 6; sides that do: 1, 2; the nearest is 2$"),
        ([2, 2, 2], r"^x=1: patches of 2 x 2 do not tile a grid of 7 x 3; sides that do: 1; the nearest is 1$"),
    ],
)
def test_patches_that_do_not_tile_are_told_with_those_that_do(sides: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiled("x=1", sides, 28, 12)


@pytest.mark.parametrize("network", [ReNet, Sequencer2D])
def test_an_image_of_another_size_is_told(network: type[nn.Module]) -> None:
    made = network(**tiny("renet" if network is ReNet else "sequencer2d"))
    with pytest.raises(ValueError, match=r"^image of shape \(2, 1, 4, 8\): this network reads \(B, 1, 4, 6\)"):
        made(torch.randn(2, 1, 4, 8))


@pytest.mark.parametrize(("vertical", "length"), [(True, 3), (False, 7)])
def test_renet_says_how_long_its_lines_are(vertical: bool, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    made = LSTM.__init__

    def make(self: LSTM, input_size: int, hidden_size: int, sequence_length: int = 2, **options: Any) -> None:
        seen.append(sequence_length)
        made(self, input_size, hidden_size, sequence_length, **options)

    monkeypatch.setattr(LSTM, "__init__", make)
    Sweep(4, vertical=vertical, hidden_size=2, recurrence="lstm", sequence_length=length)
    assert seen == [length, length]  # of both directions
    seen.clear()
    ReNet(input_shape=(1, 6, 14), num_classes=2, patch_sizes=(2,), recurrence="lstm", hidden_size=2)
    assert seen == [3, 3, 7, 7]  # columns of 3 cells, then rows of 7
