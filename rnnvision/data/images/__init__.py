"""Images that somebody else made: the one place that opens them, and the part of them that the network sees."""

from rnnvision.data.images.decoding import (
    SUFFIXES,
    decode,
    decode_seen,
    from_pillow,
    inspect,
    inspect_image,
    open_image,
    open_seen,
)
from rnnvision.data.images.many import open_many
from rnnvision.data.images.view import MODES, Choice, Part, View, cut, default_view, view_from, with_view

__all__ = [
    "MODES",
    "SUFFIXES",
    "Choice",
    "Part",
    "View",
    "cut",
    "decode",
    "decode_seen",
    "default_view",
    "from_pillow",
    "inspect",
    "inspect_image",
    "open_image",
    "open_many",
    "open_seen",
    "view_from",
    "with_view",
]
