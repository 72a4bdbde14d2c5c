"""The benchmark of `results`: its folders are read as runs, with all that a table shows of one."""

from pathlib import Path

import bench_results

from rnnvision.report.runs_table import COLUMNS, differing
from rnnvision.runs.query.index import find_records


def test_every_folder_is_a_run_with_settings_and_figures(tmp_path: Path) -> None:
    made = bench_results.make_runs(tmp_path, 130)
    runs = find_records(tmp_path)
    assert {run.folder for run in runs} == {path.relative_to(tmp_path).as_posix() for path in made}
    done = [run for run in runs if run.completed]
    assert len(done) > 100
    assert all(isinstance(run.get(key), (int, float)) for run in done for key in COLUMNS)
    assert differing(runs) == ["model", "data", "optimizer.lr"]
