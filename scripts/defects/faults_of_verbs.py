"""Faults of the command line, and of what is counted and timed."""

from defects.defect import defect

# Each is a fault that a reviewer would send back. No file is named, so that code may move; where it was rewritten, a
# further snippet of the same fault stands behind the first, so that an earlier tree can be measured too.
FAULTS = (
    # Verbs ----------------------------------------------------------------------------------------------------------
    defect(
        "cli",
        "a run is tested by its last checkpoint",
        ('best = run.path / "checkpoints" / "best.ckpt"', 'best = run.path / "checkpoints" / "last.ckpt"'),
    ),
    defect(
        "cli",
        "wrong use ends with 1",
        ("return EXIT_USAGE, str(error)", "return EXIT_FAILURE, str(error)"),
        ("return EXIT_USAGE, with_command(str(error))", "return EXIT_FAILURE, with_command(str(error))"),
    ),
    defect(
        "cli",
        "a sweep with a failed job ends with 0",
        ("raise SystemExit(EXIT_FAILURE)", "raise SystemExit(0)"),
        ("raise SystemExit(1)", "raise SystemExit(0)"),
        ('f"of {jobs} {rest}", EXIT_FAILURE)', 'f"of {jobs} {rest}", 0)'),
    ),
    defect(
        "cli",
        "a sweep's table shows the jobs of an earlier one",
        ('if job["started"] >= self._started - 1', 'if job["started"] >= 0'),
        ("if run.started >= self._started - 1", "if run.started >= 0"),
        ("if run.started >= SweepTable.started - 1", "if run.started >= 0"),
    ),
    defect(
        "cli",
        "a resumed run may change its optimiser",
        ('MAY_CHANGE = ("trainer.",', 'MAY_CHANGE = ("optimizer.", "trainer.",'),
        ('MAY_CHANGE = (\n    *(f"trainer.', 'MAY_CHANGE = (\n    "optimizer.",\n    *(f"trainer.'),
    ),
    defect(
        "cli",
        "a resumed run goes on with another network",
        ("if key in saved and saved[key] != mine[key]:", 'if key == "name" and saved[key] != mine[key]:'),
    ),
    defect(
        "cli",
        "a refused resume keeps the changed configuration",
        ("path.write_text(before)\n        raise", "raise"),
        ("with whole(path) as file:\n            file.write(before)\n        raise", "raise"),
    ),
    defect(
        "cli",
        "the network of every seed starts alike",
        (
            "L.seed_everything(cfg.seed, verbose=False)\n        data",
            "L.seed_everything(0, verbose=False)\n        data",
        ),
        (
            "L.seed_everything(cfg.seed, verbose=False)\n    data",
            "L.seed_everything(0, verbose=False)\n    data",
        ),
    ),
    defect("cli", "dropout does not know the seed", ("seed=cfg.seed,\n            description={", "description={")),
    defect("cli", "every training of a comparison has the seed 0", ('f"seed={self.seed}",', '"seed=0",')),
    defect(
        "cli",
        "latest points to a run that was refused",
        ("run.refuse()", "pass"),
        (
            "if code == EXIT_USAGE or run.is_as_found or not run.is_used():\n        run.refuse()",
            "if code == EXIT_USAGE or run.is_as_found or not run.is_used():\n        pass",
        ),
    ),
    defect(
        "cli",
        "an interrupted run says that it is running",
        ('_write_status(run, "interrupted")\n    done', "done"),  # first: what is behind it stands elsewhere by now
        ('run.write_status("interrupted")', "pass"),
    ),
    defect(
        "cli",
        "a run overwrites another",
        ("return is_first_process() and any(", "return not is_first_process() and any("),
    ),
    defect("cli", "a configuration can make anything", ("if target not in ALLOWED_TARGETS:", "if target is None:")),
    defect(
        "cli",
        "an unknown key is passed over",
        ("for key in cfg if key not in KEYS]", "for key in cfg if not key]"),
        ("for key in map(str, cfg):\n        if key not in legal:", "for key in map(str, cfg):\n        if not key:"),
        ('if key in legal or key == "hydra":', "if key in legal or key:"),
    ),
    defect(
        "cli",
        "true is taken for a number",
        (
            "isinstance(value, (int, annotation)) and not isinstance(value, bool)",
            "isinstance(value, (int, annotation))",
        ),
    ),
    defect(
        "cli",
        "evaluate does not look at the names of the classes",
        (
            'if list(data.class_names) != description["class_names"]:',
            'if len(data.class_names) != len(description["class_names"]):',
        ),
        (
            "if data.class_names != classifier.class_names:",
            "if len(data.class_names) != len(classifier.class_names):",
        ),
        (
            "data.setup()\n    if data.class_names != classifier.class_names:",
            "data.setup()\n    if len(data.class_names) != len(classifier.class_names):",
        ),
    ),
    defect(
        "cli",
        "the deviation over seeds is that of a population",
        ("statistics.stdev(accuracy)", "statistics.pstdev(accuracy)"),
    ),
    defect(
        "cli",
        "what a network knows is measured after it was timed",
        ("network = load_network(checkpoint).to(device)  # as it was before those steps", "pass"),
    ),
    defect(
        "cli",
        "a budget in minutes leaves out the validations",
        ('trial["step_seconds"] + trial["validation_seconds"] /', 'trial["step_seconds"] + 0 /'),
    ),
    defect(
        "cli",
        "a resumed run forgets the seconds before",
        ("round(before + seconds, 3)", "round(seconds, 3)"),
        ('round(before.get("train/seconds", 0.0) + seconds, 3)', "round(seconds, 3)"),
        ('round(earlier.get("train/seconds", 0.0) + seconds, 3)', "round(seconds, 3)"),
    ),
    # Costs ----------------------------------------------------------------------------------------------------------
    defect(
        "insight",
        "a fused layer costs one gate",
        ("layer.num_gates * layer.hidden_size * (layer.input_size", "layer.hidden_size * (layer.input_size"),
        ("self.parameters() if p.ndim >= 2)", "self.parameters() if p.ndim >= 2) // 4"),
    ),
    defect("insight", "self-attention compares each token once", ("(4 * width + 2 * tokens)", "(4 * width + tokens)")),
    defect(
        "insight",
        "a complex state counts as a real one",
        ("(2 * layer.state_size * (layer", "(layer.state_size * (layer"),
        ("self.parameters() if p.ndim >= 2)", "self.parameters() if p.ndim == 2)"),
    ),
    defect(
        "insight",
        "throughput is that of the mean round",
        ("self.batch_size / statistics.median(self.rounds)", "self.batch_size / statistics.mean(self.rounds)"),
    ),
    defect(
        "insight",
        "a percentile is a round off",
        ("math.ceil(share * len(self.rounds)) - 1", "math.ceil(share * len(self.rounds))"),
    ),
    defect("insight", "the warm-up is timed", ("if i >= warmup:", "if i < rounds:")),
    defect(
        "insight",
        "a network is asked with its dropout on",
        ("network.eval()\n    correct, count", "network.train()\n    correct, count"),
        ("network.eval()\n    chunk", "network.train()\n    chunk"),
    ),
    defect(
        "insight",
        "counting leaves a network in evaluation mode",
        (  # first: what is behind it stands elsewhere by now
            "finally:\n        network.train(mode)\n        for handle in handles:\n            handle.remove()\n\n\n",
            "finally:\n        network.eval()\n        for handle in handles:\n            handle.remove()\n\n\n",
        ),
        ("network.train(was_training)", "network.eval()"),
    ),
)
