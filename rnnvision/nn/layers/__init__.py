"""Recurrent layers, one family per file, each with its equations, initialisation, `step` and cost.

Every module of this folder is imported here, so adding a layer takes only its file: a subclass of `RecurrentLayer`
under `@RECURRENCES.register(NAME)`.
"""

from importlib import import_module
from pkgutil import iter_modules

from rnnvision.nn.layers.layer import RECURRENCES, RecurrentLayer, State, no_such_option

for _module in iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)

__all__ = ["RECURRENCES", "RecurrentLayer", "State", "no_such_option"]
