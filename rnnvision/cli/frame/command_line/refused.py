"""Keys that a verb has from another verb and sets itself, with what to do instead."""

REFUSED = {  # verb -> key -> what to do instead
    "train": {
        key: "give weights=FILE, of a training or of what others have published" for key in ("init", "model.load")
    },
    "compare": {
        "model": "give models=[NAME,...]",
        "seed": "give seeds=N for 0 to N - 1",
        "trainer.max_epochs": "give budget=epochs:N",
        "trainer.max_steps": "give budget=epochs:N or budget=minutes:X",
        "trainer.max_time": "give budget=minutes:X",
        "sweep": "compare trains each model in models",
    },
    "tune": {"sweep": "give search=NAME of conf/search, or keys with several values: KEY=A,B"},
}
