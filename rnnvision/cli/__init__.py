"""The verbs, a file or a folder each, and frame/, which they share; the only place that knows Hydra.

Signals are heard before a verb is imported.
"""

import sys

if sys.argv[:1] == ["-m"]:  # rnnvision.cli.VERB, which Python is about to look for
    from rnnvision.cli.frame.signals import STOP

    STOP.install()
