"""Faults of recurrent layers, the prefix scan and stacks."""

from defects.defect import defect

# Each is a fault that a reviewer would send back. No file is named, so that code may move; where it was rewritten, a
# further snippet of the same fault stands behind the first, so that an earlier tree can be measured too.
FAULTS = (
    # How a layer remembers ------------------------------------------------------------------------------------------
    defect(
        "nn",
        "the bias that keeps lands on the LSTM's input gate",
        ("self._set_bias(1, bias)\n        if tie_input:", "self._set_bias(0, bias)\n        if tie_input:"),
    ),
    defect(
        "nn",
        "the bias that keeps lands on the GRU's reset gate",
        ("self._set_bias(1, bias)\n\n\nFUSED", "self._set_bias(0, bias)\n\n\nFUSED"),
        (
            "num_gates = 3\n\n    def _set_keep_bias(self, bias: Tensor, *, tie_input: bool) -> None:\n"
            "        self._set_bias(1,",
            "num_gates = 3\n\n    def _set_keep_bias(self, bias: Tensor, *, tie_input: bool) -> None:\n"
            "        self._set_bias(0,",
        ),
    ),
    defect(
        "nn",
        "chrono initialisation does not look at the length",
        (".uniform_(1, max(sequence_length - 1, 2)).log()", ".uniform_(1, 2).log()"),
    ),
    defect(
        "nn",
        "a layer is told a length of 2 whatever the sequence",
        ('options["sequence_length"] = sequence_length', 'options["sequence_length"] = 2'),
        (
            "make_layer(recurrence, size, hidden_size, sequence_length, options) for",
            "make_layer(recurrence, size, hidden_size, 2, options) for",
        ),
    ),
    defect(
        "nn", "orthogonal initialisation is not", ("nn.init.orthogonal_(of_state)", "nn.init.xavier_uniform_(of_state)")
    ),
    defect(
        "nn",
        "a fused layer ignores the state it is given",
        ("self.kernel(x, None if state is None else self._to_kernel(state))", "self.kernel(x, None)"),
    ),
    defect(
        "nn",
        "minLSTM's input gate gets the keeping bias too",
        ('self.gate("bias", 1).copy_(-bias)', 'self.gate("bias", 1).copy_(bias)'),
    ),
    defect(
        "nn",
        "the refine gate has the sign of the keeping bias",
        ("torch.cat((keep, -keep, self.bias", "torch.cat((keep, keep, self.bias"),
    ),
    defect("nn", "IndRNN's bound does not look at the length", ("math.pow(2, 1 / sequence_length)", "math.pow(2, 1)")),
    defect(
        "nn",
        "LRU starts with the square of its normalisation",
        ("0.5 * torch.log1p(-squared)", "torch.log1p(-squared)"),
    ),
    defect("nn", "RG-LRU lets in the root of 1 - a", ("-torch.expm1(2 * log_a)", "-torch.expm1(log_a)")),
    defect(
        "nn",
        "a conjugate is lost on the way out of a complex state",
        ("torch.view_as_real(out_of.conj().resolve_conj())", "torch.view_as_real(out_of)"),
    ),
    defect(
        "nn", "the mLSTM's keys are not scaled", ("return q, k / math.sqrt(k.shape[-1]), v, i,", "return q, k, v, i,")
    ),
    defect(
        "nn",
        "the mLSTM's forget bias lands on its input gate",
        ("self.gates.bias[self.num_heads :].copy_", "self.gates.bias[: self.num_heads].copy_"),
    ),
    defect(
        "nn",
        "the memory before a chunk does not fade within it",
        ("(q * (kept + before - peaks).exp()", "(q * (before - peaks).exp()"),
    ),
    defect("nn", "a token of an mLSTM chunk does not see itself", (".exp_().tril_()", ".exp_().tril_(-1)")),
    # The prefix scan ------------------------------------------------------------------------------------------------
    defect("nn", "the scan's gradient is not conjugated", ("conj = a.conj().resolve_conj()", "conj = a")),
    defect(
        "nn",
        "a factor's gradient is from the state after it",
        ("torch.mul(g[1:], h[:-1].conj(), out=da[1:])", "torch.mul(g[1:], h[1:].conj(), out=da[1:])"),
    ),
    defect("nn", "the state does not pass from chunk to chunk on a GPU", ("h = states[-1]", "h = local[chunk, -1]")),
    defect(
        "nn",
        "the gradient stops at the boundary of a block",
        (
            "_time_first(dy[:, times]), dstate, dx_block, totals)",
            "_time_first(dy[:, times]), dstate if i == len(starts) - 1 else 0 * dstate, dx_block, totals)",
        ),
        (
            "_time_first(dy[:, times]), dstate, dx_chunk, totals)",
            "_time_first(dy[:, times]), dstate if i == len(starts) - 1 else 0 * dstate, dx_chunk, totals)",
        ),
    ),
    # Stacks ---------------------------------------------------------------------------------------------------------
    defect(
        "nn",
        "the states of the backward direction are not turned round",
        ("torch.cat((states, backward.flip(1)), dim=-1)", "torch.cat((states, backward), dim=-1)"),
    ),
    defect(
        "nn",
        "step gives back the state that it got",
        (
            "after.append(last)\n        return self.norms[-1](x_t), tuple(after)",
            "after.append(state[i])\n        return self.norms[-1](x_t), tuple(after)",
        ),
    ),
    defect("nn", "tied dropout is not tied", ("x.new_ones(x.shape[0], 1, x.shape[2])", "torch.ones_like(x)")),
    defect(
        "nn",
        "no dropout between activation and gate",
        ("self.dropout(states) if self.drops_twice else states", "states"),
    ),
    defect("nn", "gated blocks have no residual", ("self.residual = residual or gated", "self.residual = residual")),
    defect(
        "nn",
        "plain layers always have a residual",
        ("return self.residual and x.shape[-1] == y.shape[-1]", "return x.shape[-1] == y.shape[-1]"),
        ("x + y if self.residual and x.shape[-1] == y.shape[-1]", "x + y if x.shape[-1] == y.shape[-1]"),
    ),
    defect(
        "nn",
        "the last plain layer is followed by dropout too",
        ("num_layers if gated else num_layers - 1", "num_layers"),
    ),
    defect(
        "nn",
        "a stack is not normalised at its end",
        ("return self.norms[-1](x), () if self.bidirectional", "return x, () if self.bidirectional"),
    ),
)
