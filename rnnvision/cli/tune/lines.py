"""What a study prints: a line as a trial begins, and one as it ends."""

import time

from rnnvision.checks import counted
from rnnvision.report.study.build import range_of
from rnnvision.report.study.scores import brief, shown
from rnnvision.search.claims import Claim
from rnnvision.search.settings import Settings


def first_lines(settings: Settings, total: int, folder: str, jobs: int) -> str:
    """What is searched, and how."""
    pairs = zip(settings.metrics, settings.directions, strict=True)
    wanted = ", ".join(f"{name} ({'higher' if way == 'maximize' else 'lower'} is better)" for name, way in pairs)
    limits = f"; {', '.join(settings.constraints)}" if settings.constraints else ""
    pruner = "" if settings.pruner == "none" else f", pruned by {settings.pruner.replace('_', ' ')}"
    width = max(map(len, settings.space))
    axes = [f"{key:{width}}  {range_of(axis)}" for key, axis in settings.space.items()]
    at_once = f", {jobs} at once" if jobs > 1 else ""
    lines = [
        f"search    {wanted}{limits}",
        f"trials    {total} by {settings.sampler}{pruner}{at_once}",
        *(f"{'space' if at == 0 else '':10}{line}" for at, line in enumerate(axes)),
        f"folder    {folder}",
    ]
    return "\n".join(lines)


class Lines:
    """Prints how the trials go.

    Args:
        settings: of the study.
        best: the best score of one metric so far, None where there is none.
    """

    def __init__(self, settings: Settings, best: tuple[int, float] | None) -> None:
        self._settings, self._best = settings, best
        self._last: dict[int, float] = {}  # score after its last epoch
        self._began: dict[int, float] = {}

    def began(self, claim: Claim) -> None:
        self._began[claim.number] = time.monotonic()
        again = " (goes on)" if claim.again else ""
        self._say_start(claim.number, " ".join(f"{key}={brief(value)}" for key, value in claim.params.items()) + again)

    def look(self) -> None:
        """Nothing: a line tells of the end of a trial alone."""

    def scored(self, claim: Claim, epoch: int, score: float) -> None:
        self._last[claim.number] = score

    def ended(self, claim: Claim, state: str, values: tuple[float, ...], error: str | None, epochs: int) -> None:
        seconds = f"{time.monotonic() - self._began[claim.number]:.1f} s"
        if state == "failed":
            text = f"failed: {error} (trials/{claim.number:04d}/output.log)"
        elif state == "pruned":
            text = f"pruned after {counted(epochs, 'epoch')}: {self._settings.metrics[0]} {self._last_of(claim)}"
        else:
            pairs = zip(self._settings.metrics, values, strict=True)
            scores = "  ".join(f"{name} {shown(name, value)}" for name, value in pairs)
            text = f"{scores}{self._compared(claim.number, values)}"
        self._print(claim.number, f"{text}; {seconds}")

    def waits(self, running: int) -> None:
        print(f"waits     for {counted(running, 'trial')} of other processes", flush=True)

    def _say_start(self, number: int, text: str) -> None:
        self._print(number, text)

    def _last_of(self, claim: Claim) -> str:
        if claim.number in self._last:
            return shown(self._settings.metrics[0], self._last[claim.number])
        steps = claim.trial.storage.get_trial(claim.trial._trial_id).intermediate_values
        return shown(self._settings.metrics[0], steps[max(steps)]) if steps else "-"

    def _compared(self, number: int, values: tuple[float, ...]) -> str:
        """Of one metric: whether it is the best so far."""
        if len(values) > 1 or self._settings.constraints:
            return ""
        sign = 1 if self._settings.directions[0] == "maximize" else -1
        if self._best is None or sign * values[0] > sign * self._best[1]:
            self._best = number, values[0]
            return ", the best so far"
        return f" (best so far: {shown(self._settings.metrics[0], self._best[1])}, trial {self._best[0]})"

    def _print(self, number: int, text: str) -> None:
        print(f"trial {number:>3} {text}", flush=True)
