"""A trained network at work: `load` gives a Classifier from a run folder or a checkpoint."""

from rnnvision.inference.classifier import Classifier, load
from rnnvision.inference.ensemble import Ensemble
from rnnvision.inference.predict import How, predicted
from rnnvision.inference.predictions import Answer, Predictions

__all__ = ["Answer", "Classifier", "Ensemble", "How", "Predictions", "load", "predicted"]
