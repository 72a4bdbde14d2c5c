"""The verbs, a file or a folder each, and frame/, which they share; the only place that knows Hydra."""
