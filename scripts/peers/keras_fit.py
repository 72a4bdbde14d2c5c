"""Keras 3: the network from its layers, `model.fit` on float arrays in memory. KERAS_BACKEND says on which backend."""

import os
import sys
from importlib import metadata
from typing import Any

import numpy as np

from peers.work import BATCH_SIZE, BETAS, CLIP_NORM, EPSILON, NETWORKS, NUM_CLASSES, Turns, Work, arguments, read_images


def limit_threads(threads: int) -> None:
    """Before the first computation. XLA takes the cores that the process may run on, which the parent sets."""
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def make_model(work: Work, steps: int, precision: str) -> Any:
    import keras

    if precision == "bfloat16":
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    stack = [keras.layers.LSTM(work.hidden_size, return_sequences=True) for _ in range(work.num_layers - 1)]
    head = [keras.layers.Dense(NUM_CLASSES), keras.layers.Activation("linear", dtype="float32")]  # logits in float32
    model = keras.Sequential([keras.Input((28, 28)), *stack, keras.layers.LSTM(work.hidden_size), *head])
    schedules = keras.optimizers.schedules
    lr: Any = work.lr
    if work.one_cycle:  # the nearest that Keras has: up along a line, down along half a cosine
        up = round(0.25 * steps)
        lr = schedules.CosineDecay(0.04 * work.lr, steps - up, alpha=1e-4, warmup_target=work.lr, warmup_steps=up)
    options = {"beta_1": BETAS[0], "beta_2": BETAS[1], "epsilon": EPSILON, "global_clipnorm": CLIP_NORM}
    if work.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(lr, weight_decay=work.weight_decay, **options)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    else:
        optimizer = keras.optimizers.Adam(lr, **options)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    return model


def make_clock(turns: Turns) -> Any:
    """Wait for a turn before each epoch; the turn ends where the next epoch could begin."""
    import keras

    class Clock(keras.callbacks.Callback):
        loss: float | None = None

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if self.loss is not None:
                turns.done(self.loss)
            if not turns.wait():
                sys.exit()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.loss = float(logs["loss"])

    return Clock()


def main() -> None:
    told, turns = arguments(), Turns()
    limit_threads(told.threads)
    work = NETWORKS[told.network]
    images, labels = read_images(told.images)
    pixels = ((images.astype(np.float32) / 255 - told.mean) / told.std).astype(np.float32)
    model = make_model(work, told.epochs * -(-len(labels) // BATCH_SIZE), told.precision)
    packages = ("keras", "tensorflow-cpu", "jax", "jaxlib", "numpy")
    versions = {name: metadata.version(name) for name in packages}
    turns.ready(versions=versions, threads=told.threads)
    model.fit(
        pixels,
        labels.astype(np.int32),
        batch_size=BATCH_SIZE,
        epochs=told.epochs,
        verbose=0,
        callbacks=[make_clock(turns)],
    )


if __name__ == "__main__":
    main()
