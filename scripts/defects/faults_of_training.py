"""Faults of the training loop, optimisers, schedules and checkpoints."""

from defects.defect import defect

# Each is a fault that a reviewer would send back. No file is named, so that code may move; where it was rewritten, a
# further snippet of the same fault stands behind the first, so that an earlier tree can be measured too.
FAULTS = (
    # Training -------------------------------------------------------------------------------------------------------
    defect(
        "training",
        "biases decay",
        (
            '[p for p in rest if p.ndim < 2], "weight_decay": 0.0}',
            '[p for p in rest if p.ndim < 2], "weight_decay": weight_decay}',
        ),
        (
            '[p for p in rest if id(p) not in decaying], "weight_decay": 0.0}',
            '[p for p in rest if id(p) not in decaying], "weight_decay": weight_decay}',
        ),
        (
            '([p for p in rest if id(p) not in decaying], {"weight_decay": 0.0})',
            '([p for p in rest if id(p) not in decaying], {"weight_decay": weight_decay})',
        ),
    ),
    defect("training", "learned positions decay", ("if p.ndim >= 2} - kept", "if p.ndim >= 2}")),
    defect(
        "training",
        "no layer brings its weights back",
        ("optimizer.register_step_post_hook(constrain)", "optimizer.register_step_post_hook(lambda *_: None)"),
    ),
    defect(
        "training",
        "state_lr_factor is ignored",
        ('group["lr"] *= state_lr_factor', 'group["lr"] *= 1.0'),
        ('group["lr_factor"] *= state_lr_factor', 'group["lr_factor"] *= 1.0'),
    ),
    defect("training", "the rates of parts are ignored", ('group["lr"] *= group["lr_factor"]', 'group["lr"] *= 1.0')),
    defect("training", "frozen batch norm goes on with its statistics", ("hold_frozen(self.network)", "pass")),
    defect(
        "training",
        "the cosine jumps where the warm-up ends",
        (
            "return done / warmup\n    return _anneal(1.0, final, (done - warmup) / (1.0 - warmup))",
            "return done / warmup\n    return _anneal(1.0, final, done)",
        ),
    ),
    defect(
        "training",
        "a schedule does not count accumulated batches as one step",
        ("math.ceil(batches / accumulate)", "batches"),
    ),
    defect(
        "training",
        "the validation loss is smoothed too",
        ("[self._step(part) for", "[self._step(part, self.label_smoothing) for"),
        (
            "self._step(batch)\n        if self.classifies:",
            "self._step(batch, self.label_smoothing)\n        if self.classifies:",
        ),
        (
            "return cross_entropy(output, labels), output",
            "return cross_entropy(output, labels, label_smoothing=self.label_smoothing), output",
        ),
    ),
    defect(
        "training",
        "the validation loss is a mean over batches, not pictures",
        ('self.val_metrics["loss"].update(loss, len(output))', 'self.val_metrics["loss"].update(loss)'),
    ),
    defect(
        "training",
        "the training loss is summed once a batch",
        ("(loss.detach() * count, correct)", "(loss.detach(), correct)"),
        ("(loss * count, correct)", "(loss, correct)"),
    ),
    defect(
        "training",
        "a loss that is NaN is trained on",
        ("not torch.isfinite(torch.tensor(loss))", "torch.isinf(torch.tensor(loss))"),
        ("if not late and self._are_finite(", "if not late or self._are_finite("),
    ),
    defect(
        "training",
        "every epoch has the same dropout",
        (
            'derive_seed("epoch", self.seed, self.current_epoch, self.global_rank)',
            'derive_seed("epoch", self.seed, self.global_rank)',
        ),
    ),
    defect(
        "training",
        "a checkpoint's digests are not compared",
        (
            "return sorted(str(key) for key in {*digests, *found} if digests.get(key) != found.get(key))",
            "return []",
        ),
    ),
    defect(
        "training",
        "a checkpoint may run code",
        ("found = names_in(content)", "return pickle.loads(content)"),
    ),
    defect(
        "training",
        "a checkpoint is written over the one before",
        (
            """with temporary.open("wb") as file:
                torch.save({**checkpoint, "digests": digests}, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)""",
            """with path.open("wb") as file:
                torch.save({**checkpoint, "digests": digests}, file)""",
        ),
        (
            'with replaced(path, durable=True, keep=keep) as temporary, temporary.open("wb") as file:',
            'with path.open("wb") as file:',
        ),
    ),
    defect(
        "training",
        "a run folder stands for its last checkpoint",
        ('for name in ("best", "last"):', 'for name in ("last", "best"):'),
        (
            "if best.is_file():\n        return best.resolve()",
            "if last.is_file():\n        return last.resolve()",
        ),
    ),
    defect(
        "training",
        "the head of the pre-training is taken over too",
        ('if not name.startswith("head.")}\n    network.load', "if name}\n    network.load"),
    ),
    defect(
        "training",
        "the temperature is fitted to labels that are not smoothed",
        ("smoothing = classes / (count + classes)", "smoothing = 0.0"),
    ),
)
