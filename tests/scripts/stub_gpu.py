"""measure_gpu.py with parts that take seconds: each does one thing that a part may do."""

import sys
import time
import types
from collections.abc import Callable

import gpu.parts
import measure_gpu
from gpu.measuring import LeftOutError, Row, Rows, Told


def part(name: str, measure: Callable[[Told, Rows], None], limit: float = 60) -> None:
    module = types.ModuleType(name)
    module.__dict__.update(TITLE=f"Part {name}", measure=measure, markdown=lambda rows: f"{name}: {sorted(rows)}")
    sys.modules[f"gpu.parts.{name}"] = module
    gpu.parts.LIMITS[name] = limit


def counted(told: Told, case: str) -> Callable[[], Row]:
    """A case that leaves a line in a file each time it is measured."""

    def work() -> Row:
        with (told.folder / "measured.txt").open("a") as file:
            file.write(f"{case}\n")
        return {"case": case}

    return work


def whole(told: Told, rows: Rows) -> None:
    rows.measure("one", counted(told, "one"))
    rows.measure("impossible", lambda: raised(LeftOutError("has no such unit")))
    rows.measure("lacks", lambda: raised(ModuleNotFoundError("No module named 'fla'", name="fla.ops")))


def breaks(told: Told, rows: Rows) -> None:
    rows.measure("good", counted(told, "good"))
    rows.measure("bad", lambda: raised(RuntimeError("illegal memory access")))
    rows.measure("renamed", lambda: raised(ImportError("cannot import name", name="rnnvision.insight")))
    rows.measure("after", counted(told, "after"))


def dies(told: Told, rows: Rows) -> None:
    rows.measure("before", counted(told, "before"))
    sys.exit("the driver is gone")


def hangs(told: Told, rows: Rows) -> None:
    rows.measure("before", counted(told, "before"))
    rows.measure("never", lambda: raised(time.sleep(600)))  # type: ignore[func-returns-value]


def raised(error: BaseException | None) -> Row:
    assert error is not None
    raise error


gpu.parts.LIMITS.clear()
part("whole", whole)
part("breaks", breaks)
part("dies", dies)
part("hangs", hangs, limit=6)
part("late", whole)

if __name__ == "__main__":
    measure_gpu.main()
