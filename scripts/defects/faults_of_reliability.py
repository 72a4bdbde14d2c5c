"""Faults of what is written, resumed, locked, stopped and searched, so that nothing of a run is lost."""

from defects.defect import defect

# Each is a fault that a reviewer would send back. No file is named, so that code may move; where it was rewritten, a
# further snippet of the same fault stands behind the first, so that an earlier tree can be measured too.
FAULTS = (
    # Files that are replaced ----------------------------------------------------------------------------------------
    defect(
        "base",
        "a file takes its name before it is on the disk",
        (
            "if durable:\n            _sync(temporary)\n        if keep",
            "if keep",
        ),
    ),
    defect("base", "the name of a file is not on the disk", ("_sync(path.parent)", "_sync(path)")),
    defect(
        "base",
        "the leftover of a live process is removed",
        ("not _is_alive(int(found", "_is_alive(int(found"),
    ),
    defect("base", "what another container left stays for ever", ("if process == os.getpid():", "if process == 0:")),
    defect(
        "base",
        "a log is written from its begin",
        ("os.O_WRONLY | os.O_CREAT | os.O_APPEND", "os.O_WRONLY | os.O_CREAT"),
    ),
    defect("base", "what a link leads to is written over", ("flags | _NO_LINK | _AT_ONCE", "flags | _AT_ONCE")),
    defect(
        "base",
        "nobody else may look at a lock",
        ('getattr(os, "O_CLOEXEC", 0), 0o666)', 'getattr(os, "O_CLOEXEC", 0), 0o600)'),
    ),
    defect("base", "a file of the largest size is refused", ("known.st_size <= most:", "known.st_size < most:")),
    # Checkpoints ----------------------------------------------------------------------------------------------------
    defect(
        "training",
        "the checkpoint before the last is not kept",
        ("keep = path.with_name(PREVIOUS) if path.name == LAST else None", "keep = None"),
    ),
    defect(
        "training",
        "a checkpoint need not be on the disk",
        ("replaced(path, durable=True, keep=keep)", "replaced(path, keep=keep)"),
    ),
    defect(
        "training",
        "a checkpoint that does not fit is begun",
        ("if left is not None and left < plain.bytes:", "if left is not None and left < 0:"),
    ),
    defect(
        "training",
        "any checkpoint that Lightning names is removed",
        ('if _folder(path) in self._folders and path.suffix == ".ckpt":', 'if path.suffix == ".ckpt":'),
    ),
    defect(
        "training",
        "the digest of a tensor does not know its shape",
        ('f"tensor {value.dtype} {tuple(value.shape)};"', 'f"tensor {value.dtype};"'),
    ),
    defect(
        "training",
        "a damaged last checkpoint passes over the one before it",
        ("chosen = previous if _damage(previous) is None else _newest(folder)", "chosen = _newest(folder)"),
    ),
    defect(
        "training", "the oldest whole checkpoint is gone on from", ("return max(whole, key=", "return min(whole, key=")
    ),
    defect("training", "a damaged checkpoint is not put aside", ("is now {_put_aside(last)}", "is now {last.name}")),
    defect(
        "training",
        "a checkpoint that has changed is not read again",
        ("_facts_of(path, found.st_ino, found.st_mtime_ns, found.st_size)", "_facts_of(path, found.st_ino, 0, 0)"),
    ),
    defect(
        "training",
        "the worst checkpoint of a resumed run is its best",
        ('reverse=callback.mode == "max"', 'reverse=callback.mode == "min"'),
    ),
    defect(
        "training",
        "a state leads to the checkpoints of another folder",
        ('folder / Path(str(path or "")).name if path', "folder / str(path) if path"),
    ),
    # Losses and gradients -------------------------------------------------------------------------------------------
    defect(
        "training",
        "a gradient that is clipped is not looked at",
        (
            "alone=alone, scaler=scaler)\n        if gradient_clip_val and scaler is None:",
            "alone=alone, scaler=scaler) if not gradient_clip_val else None\n"
            "        if gradient_clip_val and scaler is None:",
        ),
    ),
    defect(
        "training",
        "a checkpoint does not wait for what a GPU says of the last step",
        ("self._guard.settle()\n        require_finite_state", "require_finite_state"),
    ),
    defect("training", "the step that failed is one too few", ("step = Step(before + 1,", "step = Step(before,")),
    defect(
        "training",
        "an average of weights may be infinite",
        ('"trained weights": checkpoint.get("current_model_state", {})', '"trained weights": {}'),
    ),
    defect(
        "training",
        "an infinite answer is one",
        ("if bool(answers.isfinite().all()):", "if not bool(answers.isnan().any()):"),
    ),
    defect(
        "cli",
        "failure.json names the images of the next batch",
        ('(error.facts["epoch"] - 1, batch - 1)', '(error.facts["epoch"] - 1, batch)'),
    ),
    defect(
        "cli",
        "failure.json is no JSON",
        (
            'json.dumps(finite({**error.facts, "images": names}), indent=2)',
            'json.dumps({**error.facts, "images": names}, indent=2)',
        ),
    ),
    defect(
        "cli",
        "the failure of an earlier try stays",
        ("(Path(trainer.default_root_dir) / FAILURE).unlink(missing_ok=True)", "pass"),
    ),
    # Within an epoch ------------------------------------------------------------------------------------------------
    defect(
        "cli",
        "a resume within an epoch leaves out a batch",
        (".batch_progress.current.ready - self._between_batches", ".batch_progress.current.ready"),
    ),
    defect(
        "cli",
        "a resume within an epoch draws anew",
        ('torch.set_rng_state(_of_rank(trainer, begun["random"]))', "pass"),
    ),
    defect(
        "cli",
        "a resume within an epoch forgets what it has summed up",
        ('EpochSums.of(_of_rank(trainer, begun["sums"]), pl_module.device)', "EpochSums(pl_module.device)"),
    ),
    defect(
        "data",
        "every epoch begins where the resumed one did",
        ("begin, self._begin = self._begin, 0", "begin = self._begin"),
    ),
    defect(
        "cli",
        "save_every saves a step later",
        ("trainer.global_step - self._saved >= self.every", "trainer.global_step - self._saved > self.every"),
    ),
    defect(
        "cli",
        "what is saved already is saved again",
        ("trainer.global_step > self._saved:", "trainer.global_step >= self._saved:"),
    ),
    defect(
        "training",
        "the rows of an epoch that is repeated stay",
        ('if row["epoch"] < epoch}', 'if row["epoch"] <= epoch}'),
    ),
    # Runs -----------------------------------------------------------------------------------------------------------
    defect(
        "runs",
        "a lock that another process has is had twice",
        (
            "except BlockingIOError:\n                os.close(file)\n                return False",
            "except BlockingIOError:\n                os.close(file)\n                return True",
        ),
    ),
    defect("runs", "a lock of a file that is gone is had", ("if self._is_file(file):\n                break", "break")),
    defect(
        "runs",
        "a fork frees the locks of its parent",
        ("register_at_fork(after_in_child=_forget)", "register_at_fork(before=_forget)"),
    ),
    defect(
        "runs",
        "a killed run says that it runs",
        ("Lock(Path(folder) / LOCK).holder() is None else", 'Lock(Path(folder) / LOCK).holder() == "" else'),
    ),
    defect(
        "runs",
        "a run that has just ended was killed",
        ('return "killed" if self.status == "running" else self.status', 'return "killed"'),
    ),
    defect(
        "runs",
        "true is a figure",
        ("type(v) is float or (type(v) is int and abs(v) < 1 << 63)", "isinstance(v, (int, float))"),
    ),
    defect(
        "runs",
        "a full disk leaves the record as it was",
        ("if name != STATUS or not is_full(error):", "if name != STATUS or is_full(error):"),
    ),
    defect(
        "runs",
        "a record ends with that of before",
        ("file.write(text.encode())\n            file.truncate()", "file.write(text.encode())"),
    ),
    defect(
        "runs",
        "a refused start removes what others put there",
        ("not self.lock.is_held or not {path.name for path in self.path.iterdir()} <= own:", "not self.lock.is_held:"),
    ),
    # Signals --------------------------------------------------------------------------------------------------------
    defect("cli", "SIGUSR1 ends as Ctrl-C does", ('("SIGUSR1", 143)', '("SIGUSR1", 130)')),
    defect("cli", "a second Ctrl-C is not heard", ("(self._presses > 1 or now", "(self._presses > 2 or now")),
    defect(
        "cli",
        "a signal is lost in an import",
        ('code.co_name == "__del__" or code.co_filename.startswith("<frozen importlib")', 'code.co_name == "__del__"'),
    ),
    defect(
        "cli", "a worker that reads ends at Ctrl-C", ("signal.SIG_DFL if dies else signal.SIG_IGN", "signal.SIG_DFL")
    ),
    defect("cli", "nohup does not help", ("if signal.getsignal(signum) != signal.SIG_IGN:\n", "if signum:\n")),
    defect(
        "cli",
        "a run that is stopped before its work says nothing of it",
        ('run.write_status("interrupted")', "pass"),
    ),
    defect(
        "cli",
        "auto_resume empties a folder that is no run's",
        ('not lock.path.is_file() or (folder / "metrics.json")', '(folder / "metrics.json")'),
    ),
    defect(
        "cli",
        "a failure before the run ends with 2",
        (
            "except FailureError as error:\n            leave(self.verb, str(error), EXIT_FAILURE)",
            "except FailureError as error:\n            leave(self.verb, str(error), EXIT_USAGE)",
        ),
    ),
    # Searches -------------------------------------------------------------------------------------------------------
    defect(
        "search",
        "a job takes away its lock",
        ("elif path.name not in (LOCK, TRACKING):", "elif path.name != TRACKING:"),
    ),
    defect(
        "search",
        "a job that is done is done again",
        ('        if self.job.status == "completed":\n            return 0\n', ""),
    ),
    defect(
        "search",
        "a driver takes up its own trial",
        ("frozen.state != TrialState.RUNNING or frozen.number in self._mine:", "frozen.state != TrialState.RUNNING:"),
    ),
    defect("search", "a study has a trial too many", ("len(trials) >= self.total:", "len(trials) > self.total:")),
    defect(
        "search",
        "a setting is tried again in another bracket",
        ("study._storage.get_all_trials(study._study_id, deepcopy=False)", "study.get_trials(deepcopy=False)"),
    ),
    defect("search", "the first value is never the nearest", ("0 <= other < size", "0 < other < size")),
    defect(
        "search",
        "an infinite score counts",
        (
            "(int, float)) or not math.isfinite(value):\n        raise ValueError",
            "(int, float)) or math.isnan(value):\n        raise ValueError",
        ),
    ),
)
