"""A trained network at work: `load` gives a Classifier from a run folder or a checkpoint, `Session` reads a stream."""

from rnnvision.inference.classifier import Classifier, load
from rnnvision.inference.session import Session

__all__ = ["Classifier", "Session", "load"]
