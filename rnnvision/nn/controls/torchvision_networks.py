"""Controls from torchvision, adapted to small images by the size of their stem or patches.

torchvision is imported when such a network is built: the rest of `rnnvision.nn` needs torch alone.
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from rnnvision.checks import DEEPEST, at_least, flags, image_shape, probability
from rnnvision.nn.controls.feedforward import Control
from rnnvision.nn.parts import LAYER


class ResNet18(Control):
    """torchvision's ResNet-18 (arXiv 1512.03385), from scratch.

    Args:
        input_shape: (C, H, W) of the images.
        num_classes: width of the head.
        stem_size: side of the first convolution's kernel in pixels; odd. 3 suits images of some 32 pixels, 7 is the
            paper's for ImageNet.
        stem_stride: its stride; 1 for small images, 2 in the paper.
        stem_pool: the paper's 3 x 3 max pooling with stride 2 after it.
        head_dropout: dropout rate before the head.

    Raises:
        ValueError: for an invalid argument; the message begins with its name and states what is legal.
    """

    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        num_classes: int,
        stem_size: int = 3,
        stem_stride: int = 1,
        stem_pool: bool = False,
        head_dropout: float = 0.0,
    ) -> None:
        from torchvision.models import resnet18

        at_least("stem_size", stem_size, 1)
        at_least("stem_stride", stem_stride, 1)
        if stem_size % 2 == 0:
            raise ValueError(f"stem_size={stem_size}: must be odd; try {stem_size + 1}")
        flags(stem_pool=stem_pool)
        super().__init__(input_shape, num_classes, 512, head_dropout)
        self.body = resnet18()
        self.body.conv1 = nn.Conv2d(
            input_shape[0], 64, stem_size, stride=stem_stride, padding=stem_size // 2, bias=False
        )
        nn.init.kaiming_normal_(self.body.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision's others
        if not stem_pool:
            self.body.maxpool = nn.Identity()
        self.body.fc = nn.Identity()

    def parts(self) -> dict[str, list[str]]:
        """Its stem and its four stages, under torchvision's numbers."""
        stages = {LAYER.format(i): [f"body.layer{i}"] for i in range(1, 5)}
        return {LAYER.format(0): ["body.conv1", "body.bn1"], **stages}

    def forward_features(self, x: Tensor) -> Tensor:
        return self.body(x)


class ViT(Control):
    """torchvision's vision transformer (arXiv 2010.11929), from scratch, for square images.

    Args:
        input_shape: (C, H, W) of the images, H = W.
        num_classes: width of the head.
        patch_size: side of a patch in pixels.
        hidden_size: width of a token.
        num_layers: number of encoder blocks.
        num_heads: of the attention; None: one per 64 features, as in the paper.
        mlp_ratio: width of a block's hidden layer over `hidden_size`.
        dropout: rate in each block.
        head_dropout: dropout rate before the head.

    Raises:
        ValueError: for an invalid argument; the message begins with its name and states what is legal.
    """

    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        num_classes: int,
        patch_size: int = 4,
        hidden_size: int = 192,
        num_layers: int = 6,
        num_heads: int | None = None,
        mlp_ratio: int = 4,
        dropout: float = 0.0,
        head_dropout: float = 0.0,
    ) -> None:
        from torchvision.models import VisionTransformer

        channels, side = _square(input_shape)
        at_least("patch_size", patch_size, 1)
        if side % patch_size:
            legal = ", ".join(str(d) for d in range(1, side + 1) if side % d == 0)
            raise ValueError(f"patch_size={patch_size}: does not divide the side {side}; choose one of {legal}")
        at_least("hidden_size", hidden_size, 1)
        at_least("num_layers", num_layers, 1, DEEPEST)
        heads = max(1, hidden_size // 64) if num_heads is None else num_heads
        at_least("num_heads", heads, 1)
        if hidden_size % heads:
            raise ValueError(f"hidden_size={hidden_size}: must be a multiple of num_heads={heads}")
        at_least("mlp_ratio", mlp_ratio, 1)
        probability("dropout", dropout)
        super().__init__(input_shape, num_classes, hidden_size, head_dropout)
        self.body = VisionTransformer(
            side, patch_size, num_layers, heads, hidden_size, mlp_ratio * hidden_size, dropout, num_classes=num_classes
        )
        if channels != 3:
            self.body.conv_proj = _patch_projection(channels, hidden_size, patch_size)
        self.body.heads = nn.Identity()
        self.num_layers = num_layers
        self.register_load_state_dict_pre_hook(_check_positions)

    def parts(self) -> dict[str, list[str]]:
        """The parts that are no module of their own, see `rnnvision.nn.parts`."""
        return {LAYER.format(i): [f"body.encoder.layers.encoder_layer_{i}"] for i in range(self.num_layers)}

    def forward_features(self, x: Tensor) -> Tensor:
        return self.body(x)


def _check_positions(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Reject weights with another number of positions; torch's own message would speak only of tensor sizes."""
    name = "body.encoder.pos_embedding"
    own, loaded = module.get_parameter(name), state.get(f"{prefix}{name}")
    if loaded is not None and loaded.shape[1] != own.shape[1]:
        raise ValueError(
            f"input_shape: these weights have learned {loaded.shape[1] - 1} positions, this network reads "
            f"{own.shape[1] - 1} patches; build it with the input_shape and the patch_size of the weights"
        )


def _patch_projection(channels: int, hidden_size: int, patch_size: int) -> nn.Conv2d:
    """torchvision's patch projection, which is for three channels, for another number; initialised as there."""
    made = nn.Conv2d(channels, hidden_size, patch_size, stride=patch_size)
    nn.init.trunc_normal_(made.weight, std=math.sqrt(1 / (channels * patch_size**2)))
    assert made.bias is not None
    nn.init.zeros_(made.bias)
    return made


def _square(input_shape: Sequence[int]) -> tuple[int, int]:
    """The channels and the side.

    Raises:
        ValueError: if the image is not square.
    """
    image_shape("input_shape", input_shape)
    channels, height, width = input_shape
    if height != width:
        raise ValueError(f"input_shape={tuple(input_shape)}: torchvision's ViT reads square images")
    return channels, height


TORCHVISION_CONTROLS: dict[str, type[nn.Module]] = {"resnet18": ResNet18, "vit": ViT}
