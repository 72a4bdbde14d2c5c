"""Keys that a verb has from another verb and sets itself, with what to do instead."""

OF_SWEEPS = ("jobs", "where", "fail_fast", "resume_sweep", "retry_failed")  # keys of a sweep, and of none of its runs
NO_SWEEPS = {  # verbs for which -m is of no use, with why
    "compare": "makes several runs by itself",
    "demo": "is one page",
    "watch": "shows one image after another",
}
REFUSED = {  # verb -> key -> what to do instead
    "train": {"model.load": "give weights=FILE, of a training or of what others have published"},
    "compare": {
        "model": "give models=[NAME,...]",
        "seed": "give seeds=N for 0 to N - 1",
        "trainer.max_epochs": "give budget=epochs:N",
        "trainer.max_steps": "give budget=epochs:N or budget=minutes:X",
        "trainer.max_time": "give budget=minutes:X",
        "sweep": "compare trains each model in models",
        "fail_fast": "it is of a sweep (-m)",
        "resume_sweep": "give resume=FOLDER",
        "retry_failed": "resume=FOLDER trains again what failed",
    },
}
