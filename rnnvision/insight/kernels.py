"""cuDNN kernels: the one that torch chooses for a recurrent layer, and what keeps it from a faster one."""

from rnnvision.nn.layers.fused import LSTM, FusedLayer

SMALL_FORWARD, SMALL_BACKWARD = 192, 128  # hidden sizes up to which the small persistent kernel is chosen
LARGEST_PERSISTENT = 1024


def cudnn_kernel(layer: FusedLayer, batch_size: int, precision: str) -> tuple[str, list[str]]:
    """The kernel for training ("small persistent", "persistent" or "standard"), and what keeps it from a faster one.

    The rules are those of torch's cuDNN code on A100, H100 and H200, as found by reading and running it: the small
    persistent kernel for hidden sizes up to 192 forward and 128 backward; the persistent one for LSTMs in fp16.
    """
    if precision != "64-true" and layer.hidden_size <= SMALL_BACKWARD:
        return "small persistent", []
    missing = []
    if not isinstance(layer, LSTM):
        missing.append("model.recurrence=lstm")
    if precision not in ("16-mixed", "16-true"):
        missing.append("trainer.precision=16-mixed (fp16, not bf16)")
    if layer.hidden_size % 128 or layer.hidden_size > LARGEST_PERSISTENT:
        missing.append(
            f"model.hidden_size={_near(layer.hidden_size)} (a multiple of 128, at most {LARGEST_PERSISTENT})"
        )
    if layer.input_size % 128:
        missing.append("an input of a multiple of 128 (model.embed_size, above the first layer model.hidden_size)")
    if batch_size > 128 or batch_size % 8:
        missing.append("data.batch_size of at most 128, a multiple of 8")
    return ("persistent", []) if not missing else ("standard", missing)


def _near(size: int) -> int:
    return min(LARGEST_PERSISTENT, max(128, round(size / 128) * 128))
