"""Keys that a verb has from another verb and sets itself, with what to do instead."""

WEIGHTS = "give weights=FILE, of a training or of what others have published"
RESUME = "give resume=FOLDER, which goes on with all its trainings"
OF_SWEEPS = ("jobs", "where", "fail_fast", "resume_sweep", "retry_failed")  # keys of a sweep, and of none of its runs
NO_SWEEPS = {  # verbs for which -m is of no use, with why
    "compare": "makes several runs by itself",
    "tune": "makes several runs by itself",
    "demo": "is one page",
    "watch": "shows one image after another",
}
OF_M = {
    "fail_fast": "it is of a sweep (-m)",
    "resume_sweep": "give resume=FOLDER",
    "retry_failed": "resume=FOLDER tries what failed again",
}
REFUSED = {  # verb -> key -> what to do instead
    "train": {"init": WEIGHTS, "model.load": WEIGHTS},
    "compare": {
        "init": WEIGHTS,
        "auto_resume": RESUME,
        "model": "give models=[NAME,...]",
        "seed": "give seeds=N for 0 to N - 1",
        "trainer.max_epochs": "give budget=epochs:N",
        "trainer.max_steps": "give budget=epochs:N or budget=minutes:X",
        "trainer.max_time": "give budget=minutes:X",
        "sweep": "compare trains each model in models",
        **OF_M,
    },
    "tune": {
        "init": WEIGHTS,
        "auto_resume": RESUME,
        "sweep": "give search=NAME of conf/search, or keys with several values: KEY=A,B",
        **OF_M,
    },
}
