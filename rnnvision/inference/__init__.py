"""A trained network at work: `load` gives a Classifier from a run folder or a checkpoint, `Session` reads a stream."""

from rnnvision.inference.classifier import Classifier, load
from rnnvision.inference.ensemble import Ensemble
from rnnvision.inference.predict import How, predicted
from rnnvision.inference.predictions import Answer, Predictions
from rnnvision.inference.session import Session

__all__ = ["Answer", "Classifier", "Ensemble", "How", "Predictions", "Session", "load", "predicted"]
