"""Which way a figure of metrics.json is better."""

LOWER = ("loss", "nll", "ece", "seconds", "milliseconds", "parameters", "multiply_adds", "memory", "skipped_files")


def lower_is_better(metric: str) -> bool:
    """Whether a smaller figure is a better one, by its name.

    Examples:
        >>> lower_is_better("test/nll_calibrated"), lower_is_better("train/seconds"), lower_is_better("test/accuracy")
        (True, True, False)
    """
    name = metric.rpartition("/")[2].removesuffix("_calibrated")
    return name in LOWER or name.endswith(("_loss", "_seconds"))
