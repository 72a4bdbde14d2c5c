"""The demo: a page on which one draws or drops a picture and sees the network read it, step by step."""

from rnnvision.inference.demo.facts import facts_of
from rnnvision.inference.demo.reading import Reading, read

__all__ = ["Reading", "facts_of", "read"]
