"""Put the runs under some folders into a Markdown table: a row an experiment, mean and spread over its seeds.

python scripts/results_table.py logs/train/multiruns/2026-11-23_23-00-00-000000 ...
"""

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf


def main(folders: list[str]) -> None:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for folder in folders:
        for path in sorted(Path(folder).rglob("metrics.json")):
            run = path.parent
            config = OmegaConf.load(run / ".hydra" / "config.yaml")
            if json.loads((run / "status.json").read_text())["status"] != "completed":
                continue
            environment = json.loads((run / "environment.json").read_text())
            name = OmegaConf.to_container(config, resolve=False)["name"]
            groups[name].append({"seed": config.seed, "environment": environment, **json.loads(path.read_text())})
    print("| experiment | seeds | test accuracy, mean | lowest - highest | macro-F1 | NLL | ECE | commit | threads |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, runs in groups.items():
        runs.sort(key=lambda run: run["seed"])
        accuracy = [100 * run["test/accuracy"] for run in runs]
        means = [statistics.mean(run[f"test/{metric}"] for run in runs) for metric in ("f1", "nll", "ece")]
        commits = sorted({(run["environment"]["git"] or {}).get("commit", "?")[:7] for run in runs})
        threads = sorted({str(run["environment"]["threads"]) for run in runs})
        print(
            f"| `{name}` | {', '.join(str(run['seed']) for run in runs)} | {statistics.mean(accuracy):.2f} % "
            f"| {min(accuracy):.2f} - {max(accuracy):.2f} | {means[0]:.4f} | {means[1]:.4f} | {means[2]:.4f} "
            f"| {', '.join(commits)} | {', '.join(threads)} |"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
