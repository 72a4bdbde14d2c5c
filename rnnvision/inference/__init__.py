"""A trained network at work: `load` gives a Classifier from a run folder or a checkpoint."""

from rnnvision.inference.classifier import Classifier, load

__all__ = ["Classifier", "load"]
