"""rnnvision: image classification with recurrent networks.

An image is scanned into a sequence, a recurrence turns the sequence into states, a readout picks one vector from the
states, a linear head turns that vector into classes.

Importing this package imports nothing else: `rnnvision.load` and `rnnvision.Classifier` are fetched when they are asked
for. Networks are in `rnnvision.nn`, data sets in `rnnvision.data`, training in `rnnvision.training`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnvision.inference import Classifier, load

__version__ = "0.1.0"
__all__ = ["Classifier", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name in ("load", "Classifier"):
        from rnnvision import inference

        return getattr(inference, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
