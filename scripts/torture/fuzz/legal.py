"""What of the nonsense is none for a key: kinds of `values` that it may have, by its whole name or by its last part."""

from typing import Any

TYPES: dict[str, Any] = {  # of keys that are usually null: a value that they can have
    **dict.fromkeys(("patch_size", "embed_size", "eval_batch_size", "max_train_samples", "num_workers", "gpus"), 1),
    **dict.fromkeys(("used_bits", "attention_size", "decoder_size", "state_size", "chunk_size", "head_size"), 1),
    **dict.fromkeys(("model.num_heads", "model.layer.num_heads", "every", "startup_trials", "min_epochs"), 1),
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
LEGAL: dict[str, tuple[str, ...]] = {
    "optimizer.weight_decay": ("half", "zero"),
    "data.noise": ("half", "zero"),
    "trainer.gradient_clip_val": ("half", "zero"),
}
