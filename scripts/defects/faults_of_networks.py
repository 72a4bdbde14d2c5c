"""Faults of scans, readouts and networks."""

from defects.defect import defect

# Each is a fault that a reviewer would send back. No file is named, so that code may move; where it was rewritten, a
# further snippet of the same fault stands behind the first, so that an earlier tree can be measured too.
FAULTS = (
    # Reading and answering ------------------------------------------------------------------------------------------
    defect(
        "nn",
        "the backward direction is read out where it has read one token",
        (
            "torch.cat((states[:, -1, :half], states[:, 0, half:])",
            "torch.cat((states[:, -1, :half], states[:, -1, half:])",
        ),
    ),
    defect(
        "nn",
        "the attention of a prefix sees a token of the future",
        ("times.unsqueeze(0) > times.unsqueeze(1)", "times.unsqueeze(0) > times.unsqueeze(1) + 1"),
    ),
    defect(
        "nn",
        "the seed of a random order is ignored",
        ("list(ORDERS[name](rows, columns, order_seed))", "list(ORDERS[name](rows, columns, 0))"),
    ),
    defect(
        "nn",
        "the diagonal order turns the wrong way",
        ("yield from cells if total % 2 else reversed(cells)", "yield from reversed(cells) if total % 2 else cells"),
    ),
    defect("nn", "tokens are put back in the order of reading twice", ("self.order.argsort()", "self.order")),
    defect(
        "nn",
        "a margin is cut off at one side only",
        ("image[:, :, m : m + rows * h, m : m + columns * w]", "image[:, :, : rows * h, : columns * w]"),
    ),
    defect(
        "nn",
        "the classifier does not pass its margin on",
        (
            "margin=margin,\n        )\n        if embed_size is not None:",
            ")\n        if embed_size is not None:",
        ),
    ),
    defect(
        "nn",
        "a network does not pass an option of its layer on",
        ("max_phase=max_phase,\n        )\n        width, size", ")\n        width, size"),
        ("layer=layer,\n        )\n\n    def tokens", ")\n\n    def tokens"),
    ),
    defect("nn", "dot attention is not scaled", (" / math.sqrt(query.shape[-1])", "")),
    defect(
        "nn",
        "the decoder starts from the last token in both directions",
        ("self.start(self.summary(states))", "self.start(states[:, -1])"),
    ),
    defect(
        "nn",
        "the decoder forgets between two glimpses",
        ("y, state = self.decoder.step(seen, state)", "y, _ = self.decoder.step(seen, state)"),
    ),
    # Grids and other networks ---------------------------------------------------------------------------------------
    defect("nn", "Vision-LSTM reads in one direction only", ("reverse=i % 2 == 1", "reverse=False")),
    defect(
        "nn",
        "a block that reads backwards does not turn its tokens round again",
        ("self.drop_path(y.flip(1) if self.reverse else y)", "self.drop_path(y)"),
    ),
    defect(
        "nn",
        "Sequencer2D sweeps along the columns twice",
        (
            "sweep(features, vertical=False, hidden_size=one_way, sequence_length=columns)",
            "sweep(features, vertical=True, hidden_size=one_way, sequence_length=columns)",
        ),
    ),
    defect(
        "nn",
        "a sweep does not say how long its lines are",
        ("sequence_length=sequence_length,\n            weight_init=weight_init,", "weight_init=weight_init,"),
        (
            "sequence_length=sequence_length,\n            layer=layer,\n        )\n        self.output",
            "layer=layer,\n        )\n        self.output",
        ),
    ),
    defect(
        "nn",
        "ReNet does not pass an option of its layer on",
        (
            "weight_init=weight_init, gate_bias=gate_bias\n        )\n        self.layers",
            "weight_init=weight_init\n        )\n        self.layers",
        ),
        ("hidden_size=hidden_size, layer=layer)", "hidden_size=hidden_size)"),
    ),
    defect(
        "nn",
        "the drop path of a Sequencer2D does not rise",
        ("[drop_path * i / (depth - 1) for i in range(depth)]", "[drop_path] * depth"),
    ),
    defect("nn", "fixed buffers are not given back", ("buffer.copy_(values)", "pass")),
    defect("nn", "what stochastic depth keeps is not scaled", ("x * kept / (1 - self.p)", "x * kept")),
    defect(
        "nn",
        "timm's weights of rows and columns are exchanged",
        (
            'rnn_v\\.": ".mixer.columns.",\n    r"\\.rnn_tokens\\.rnn_h\\.": ".mixer.rows."',
            'rnn_v\\.": ".mixer.rows.",\n    r"\\.rnn_tokens\\.rnn_h\\.": ".mixer.columns."',
        ),
    ),
    defect(
        "nn",
        "a hotter SVM is a surer one",
        ("self.decide(features) / self.temperature", "self.decide(features) * self.temperature"),
    ),
    defect("nn", "the MLP has no dropout", ("nn.ReLU(), nn.Dropout(dropout)) for", "nn.ReLU(), nn.Dropout(0.0)) for")),
    defect(
        "nn",
        "ResNet-18 does not pass head_dropout on",
        (
            "super().__init__(input_shape, num_classes, 512, head_dropout)",
            "super().__init__(input_shape, num_classes, 512)",
        ),
    ),
)
