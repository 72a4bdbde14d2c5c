"""rnnvision: image classification with recurrent networks.

An image is scanned into a sequence, a recurrence turns the sequence into states, a readout picks one vector from the
states, a linear head turns that vector into classes.

Importing this package imports nothing else; take what you need from `rnnvision.nn`, `rnnvision.data` and
`rnnvision.training`.
"""

__version__ = "0.1.0"
