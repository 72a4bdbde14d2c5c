"""How long `rnnvision results` takes over many run folders: python scripts/bench_results.py [RUNS]

It makes RUNS (10,000) run folders in a temporary folder: single runs, sweeps, and comparisons, with the files that a
training leaves, but for its checkpoints, its predictions and its log, which are made empty. Then it times whole
commands: the first one, which reads every folder, the next ones, which look whether any has changed, and one after 1 %
of them have.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

COMMAND = (sys.executable, "-m", "rnnvision.cli.results")
QUERY = ("where=data=mnist and model=lstm", "by=model", "metric=test/accuracy")
MODELS = ("lstm", "gru", "mingru", "rnn", "lru", "s5")
BAR = {"first": 3.0, "again": 0.5}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "logs"
        print(f"making {count:,} run folders ...", flush=True)
        made = make_runs(logs, count)
        time.sleep(2.5)  # an index does not trust what has just been written
        report("first", *timed(logs, *QUERY))
        for _ in range(3):
            report("again", *timed(logs, *QUERY))
        report("again, everything", *timed(logs))
        for run in random.Random(0).sample(made, max(1, count // 100)):
            (run / "note.txt").write_text("changed")
        report("again, 1 % changed", *timed(logs, *QUERY))
        print(f"index               {(logs / '.results_index').stat().st_size / 2**20:.1f} MiB")


def timed(logs: Path, *words: str) -> tuple[float, float, int]:
    """Seconds of a whole command, on the clock and of CPU time, and the lines that it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run([*COMMAND, *words, f"log_dir={logs}"], check=True, capture_output=True, text=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, len(done.stdout.splitlines())


def report(what: str, wall: float, cpu: float, lines: int) -> None:
    bar = f"   (bar: {BAR[what]} s)" if what in BAR else ""
    print(f"{what:20}{wall:.2f} s, of CPU time {cpu:.2f} s, {lines} lines{bar}", flush=True)


def make_runs(logs: Path, count: int) -> list[Path]:
    """Run folders of several networks, data sets, rates and seeds; a tenth in sweeps of 20, a tenth in comparisons."""
    chance = random.Random(0)
    begin = datetime(2026, 1, 1, tzinfo=timezone.utc)
    made = []
    for i in range(count):
        model, data, seed = MODELS[i % 6], ("mnist", "digits")[i // 6 % 2], i // 12 % 5
        rate, width = (0.001, 0.002, 0.004)[i // 60 % 3], (64, 128, 256)[i // 180 % 3]
        started = begin + timedelta(seconds=97 * i)
        stamp = started.strftime("%Y-%m-%d_%H-%M-%S-%f")
        if i % 10 == 0:
            group = (begin + timedelta(seconds=97 * (i // 200))).strftime("%Y-%m-%d_%H-%M-%S-%f")
            folder = logs / "train" / "multiruns" / group / f"model={model},seed={seed},{i}"
        elif i % 10 == 1:
            parent = logs / "compare" / "runs" / f"{i // 60}_{data}"
            parent.mkdir(parents=True, exist_ok=True)
            (parent / "comparison.json").write_text("{}")
            folder = parent / f"{model}_{seed}_{i}"
        else:
            folder = logs / "train" / "runs" / f"{stamp}_{model}_{data}"
        words = [f"model={model}", f"data={data}", f"seed={seed}", f"optimizer.lr={rate}", f"model.hidden_size={width}"]
        status = "completed" if chance.random() < 0.96 else "failed"
        make_run(folder, words, started, status, chance)
        made.append(folder)
    return made


def make_run(folder: Path, words: list[str], started: datetime, status: str, chance: random.Random) -> None:
    settings = dict(word.split("=") for word in words)
    hydra = folder / ".hydra"
    hydra.mkdir(parents=True)
    (folder / "checkpoints").mkdir()
    config = CONFIG.format(
        model=settings["model"],
        data=settings["data"],
        seed=settings["seed"],
        lr=settings["optimizer.lr"],
        hidden_size=settings["model.hidden_size"],
    )
    (hydra / "config.yaml").write_text(config)
    (hydra / "overrides.yaml").write_text("".join(f"- {word}\n" for word in words))
    (hydra / "hydra.yaml").write_text(HYDRA.format(folder=folder, **settings))
    for name in ("checkpoints/best.ckpt", "checkpoints/last.ckpt", "predictions.csv", "classes.csv", "train.log"):
        (folder / name).touch()
    rows = "".join(f"{i},{40 * i},0.9{i},0.3,0.2,0.9,0.004,3.2\n" for i in range(5))
    (folder / "metrics.csv").write_text(
        f"epoch,step,val/accuracy,val/loss,train/loss,train/accuracy,lr,seconds\n{rows}"
    )
    write(folder, "environment.json", {**ENVIRONMENT, "overrides": words})
    about = {"status": status, "error": None, "started": started.isoformat(timespec="seconds")}
    write(folder, "status.json", about | {"seconds": round(60 * chance.random(), 2)})
    if status == "completed":
        write(folder, "metrics.json", {name: chance.random() for name in FIGURES} | {"model/parameters": 82_826})


def write(folder: Path, name: str, content: dict[str, object]) -> None:
    (folder / name).write_text(json.dumps(content, indent=2) + "\n")


FIGURES = (
    *("train/loss", "train/accuracy", "train/seconds", "train/samples_per_second", "val/accuracy", "val/loss"),
    *("temperature", "test/accuracy", "test/ece", "test/f1", "test/top5", "test/nll", "test/images"),
    *("test/nll_calibrated", "test/ece_calibrated", "predict/milliseconds"),
)
ENVIRONMENT: dict[str, object] = {
    "command": ["/home/me/project/.venv/bin/python", "/home/me/project/rnnvision/cli/train/__main__.py"],
    "git": {"commit": "cbf7797701e0bafb1788e849cc2161bf4644eede", "dirty": False},
    "versions": {"python": "3.11.7", "rnnvision": "0.1.0", "torch": "2.14.1", "lightning": "2.6.6", "numpy": "2.4.6"},
    "platform": "Linux-6.1.0-x86_64-with-glibc2.36",
    "cpu": "AMD EPYC",
    "cores": os.cpu_count(),
    "threads": 1,
    "gpus": [],
}
CONFIG = """\
model:
  scan: rows
  patch_size: null
  order: null
  order_seed: 0
  margin: 0
  embed_size: null
  recurrence: {model}
  hidden_size: {hidden_size}
  num_layers: 1
  bidirectional: false
  block: plain
  norm: false
  residual: false
  dropout: 0.0
  tied_dropout: false
  layer:
    weight_init: null
    gate_bias: null
  name: sequence_classifier
  readout: last
  head_dropout: 0.0
data:
  root: null
  batch_size: 128
  eval_batch_size: null
  val_fraction: 0.1
  split_seed: 0
  seed: ${{seed}}
  sampler: shuffle
  max_train_samples: null
  format: auto
  on_bad_file: stop
  num_workers: null
  prefetch: 2
  mean: null
  std: null
  timeout: 120.0
  name: {data}
augmentation:
  shift: 0
  rotate: 0.0
  scale: 0.0
  shear: 0.0
  flip: 0.0
  padding: zeros
  erase: 0.0
  crop: 0.0
  policy: null
  mixup: 0.0
  cutmix: 0.0
optimizer:
  name: adamw
  lr: {lr}
  betas:
  - 0.9
  - 0.999
  weight_decay: 0.05
  state_lr_factor: 1.0
scheduler:
  name: one_cycle
  warmup: 0.25
  initial: 0.04
  final: 0.0001
trainer:
  max_epochs: 5
  max_steps: -1
  gradient_clip_val: 1.0
  accumulate_grad_batches: 1
  limit_train_batches: 1.0
  limit_val_batches: 1.0
  limit_test_batches: 1.0
  check_val_every_n_epoch: 1
  num_sanity_val_steps: 0
  log_every_n_steps: 50
  deterministic: false
  fast_dev_run: false
  profiler: null
  accelerator: auto
  devices: 1
  strategy: auto
  precision: 32-true
callbacks:
  best:
    _target_: rnnvision.training.BestCheckpoint
    dirpath: ${{hydra:runtime.output_dir}}/checkpoints
    monitor: val/accuracy
    mode: null
    save_top_k: 1
  last:
    _target_: lightning.pytorch.callbacks.ModelCheckpoint
    dirpath: ${{hydra:runtime.output_dir}}/checkpoints
    filename: last
    save_on_train_epoch_end: true
    enable_version_counter: false
logger:
  csv:
    _target_: rnnvision.training.RunLog
    save_dir: ${{hydra:runtime.output_dir}}
seed: {seed}
label_smoothing: 0.0
loss:
  class_weight: null
  anytime: 0.0
weights: null
pretrain: null
pretrain_epochs: 10
report: false
resume: null
plugins: []
log_dir: logs
name: ${{hydra:runtime.choices.model}}_${{hydra:runtime.choices.data}}
"""
HYDRA = (
    """\
hydra:
  run:
    dir: logs/train/runs
"""
    + "".join(f"  filler_{i}:\n    some_key: a value that Hydra writes\n    level: WARNING\n" for i in range(55))
    + """\
  job:
    name: train
    chdir: null
    id: ???
  runtime:
    version: 1.3.8
    output_dir: {folder}
    choices:
      debug: null
      sweep: null
      experiment: null
      logger: csv
      callbacks: default
      device: auto
      trainer: default
      scheduler: one_cycle
      optimizer: adamw
      augmentation: none
      data: {data}
      model: {model}
      hydra/env: default
      hydra/launcher: basic
  verbose: false
"""
)


if __name__ == "__main__":
    main()
