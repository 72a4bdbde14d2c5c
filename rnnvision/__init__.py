"""rnnvision: image classification with recurrent networks.

An image is scanned into a sequence, a recurrence turns the sequence into states, a readout picks one vector from the
states, a linear head turns that vector into classes.

Importing this package imports nothing more: `rnnvision.load`, `Classifier` and `Session` are fetched when they are
asked for. Networks are in `rnnvision.nn`, data sets in `rnnvision.data`, training in `rnnvision.training`.
"""

from typing import TYPE_CHECKING

from rnnvision.lazy import lazily

if TYPE_CHECKING:
    from rnnvision.inference import Classifier, Session, load
else:
    __getattr__ = lazily(__name__, inference="Classifier Session load")

__version__ = "0.1.0"
__all__ = ["Classifier", "Session", "__version__", "load"]
