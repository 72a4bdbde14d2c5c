"""The view of a trained network: how a picture becomes an image as those that it was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from rnnvision.data import CATALOG
from rnnvision.data.images import MODES, View, default_view, view_from
from rnnvision.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class TensorView(View):
    """The view of a network that reads other channels than those of pictures: it sees arrays and tensors alone."""

    def __post_init__(self) -> None:
        pass


def check_is_for_pictures(view: View) -> None:
    """Check that a network can be shown a picture.

    Raises:
        UsageError: if its images have other channels.
    """
    if isinstance(view, TensorView):
        shape = ", ".join(map(str, view.image_shape))
        raise UsageError(f"image: an image is grey or RGB, and this network reads ({shape}); give it such tensors")


def view_of(description: Mapping[str, Any]) -> View:
    """The view that a checkpoint describes; for data that is not kept in image files, all of a picture at its size.

    A picture is to be classified, not trained on: what loses information (16 bits, CMYK) is converted, and of an
    animation the first frame is read.
    """
    channels, *size = description["network"]["input_shape"]
    data = dict(description.get("data", {}))
    known = CATALOG.get(data.get("name", ""))  # a plugin's data need not be registered to use its network
    view = None if known is None else default_view(known.read)
    view = View() if view is None else view_from(view, data)
    options = {f.name: getattr(view, f.name) for f in fields(View)} | {"first_frame": True, "convert": True}
    options |= {"image_size": (size[0], size[1]), "channels": channels}
    return View(**options) if channels in MODES else TensorView(**options)
