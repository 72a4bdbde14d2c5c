"""What of the nonsense is none for a key: kinds of `values` that it may have, by its whole name or by its last part."""

from typing import Any

TYPES: dict[str, Any] = {  # of keys that are usually null: a value that they can have
    **dict.fromkeys(("patch_size", "embed_size", "eval_batch_size", "max_train_samples", "num_workers", "gpus"), 1),
    **dict.fromkeys(("used_bits", "attention_size", "decoder_size", "state_size", "chunk_size", "head_size"), 1),
    **dict.fromkeys(
        ("model.num_heads", "model.layer.num_heads", "every", "save_every", "startup_trials", "min_epochs"), 1
    ),
    **dict.fromkeys(("r_min", "r_max", "max_phase", "clip", "gamma", "timeout", "stop_at"), 1.0),
    **{key: [1] for key in ("mean", "std", "layers", "patch_sizes", "embed_dims", "hidden_sizes", "mlp_ratios")},
    **{key: [1] for key in ("objectives", "freeze")},
    "lr_factors": {},
}
WORDS = ("unknown", "text", "long", "arabic", "combining", "emoji", "bytes", "number", "list", "true", "nan")
# Any text is a path, a name, an address: that it leads nowhere is found when it is opened.
FREE = frozenset(
    {"data.root", "log_dir", "name", "ckpt", "source", "output", "to", "run", "check", "save", "weights", "resume"}
    | {"resume_sweep", "data.labels", "data.images", "host", "data.cache", "storage"}
)
NULLABLE = frozenset(  # null means something, though the usual value is another
    {"trainer.gradient_clip_val", "model.layer", "callbacks", "logger", "anytime_samples", "plugins", "tags"}
)
ZERO = (
    *("weight_decay", "noise", "gradient_clip_val", "label_smoothing", "margin", "r_min", "alpha", "warmup", "min_lr"),
    *("save_top_k", "stop_at", "port", "dropout", "head_dropout", "drop_path", "momentum", "num_workers", "seed"),
    *("split_seed", "order_seed", "search_seed", "patience", "anytime", "rotate", "scale", "shear", "flip", "erase"),
    *("crop", "mixup", "cutmix", "shift", "lr", "state_lr_factor", "initial", "final", "num_sanity_val_steps"),
    *("log_every_n_steps", "limit_val_batches", "max_phase", "gpus", "feature_norm_eps"),
)
HALF = (
    *("weight_decay", "noise", "gradient_clip_val", "lr", "min_lr", "rotate", "shear", "mixup", "cutmix", "cost"),
    *("seconds", "timeout", "shard_mb", "state_lr_factor", "max_phase", "clip", "gamma", "feature_norm_eps"),
)
LEGAL: dict[str, tuple[str, ...]] = dict.fromkeys(ZERO, ("zero",))
LEGAL |= {key: (*LEGAL.get(key, ()), "half") for key in HALF}
LEGAL |= {
    "max_steps": ("minus_1",),  # no limit
    "devices": ("minus_1", "zero", "quoted"),  # all of them; of watch and predict, where one computes
    "num_sanity_val_steps": ("minus_1", "zero"),
    "save_top_k": ("minus_1", "zero"),
    "freeze": ("empty_list",),
    "image_size": ("list",),
    "patch_size": ("list",),
    "tags": ("nan", "mixed", "negative", "inf", "huge", "text", "number", "true"),  # words are any
    "callbacks.best.dirpath": (),
    "project": WORDS,
    "experiment_name": WORDS,
    "run_name": WORDS,
    "version": (*WORDS, "empty", "null"),
    "logger.tensorboard.name": (*WORDS, "empty"),
    "save_dir": (*WORDS, "hexadecimal", "controls"),
}
