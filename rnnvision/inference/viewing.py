"""The view of a trained network: how a picture file becomes an image as those that it was trained on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rnnvision.data import CATALOG
from rnnvision.data.images import View, default_view, view_from


def view_of(description: Mapping[str, Any]) -> View:
    """The view that a checkpoint describes; for data that is not kept in image files, all of a picture at its size.

    What loses information, 16 bits or CMYK, is converted: a picture is to be classified, not trained on.
    """
    channels, *size = description["network"]["input_shape"]
    data = dict(description.get("data", {}))
    known = CATALOG.get(data.get("name", ""))  # a plugin's data need not be registered to use its network
    view = None if known is None else default_view(known.read)
    view = View() if view is None else view_from(view, data)
    if view.image_shape != (channels, *size):
        view = replace(view, image_size=(size[0], size[1]), channels=channels)
    return replace(view, convert=True)
