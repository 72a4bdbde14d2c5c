"""Fixed buffers: tensors that follow from a module's arguments alone, and keep their values wherever it goes."""

from collections.abc import Callable

from torch import Tensor, nn


class FixedBuffers(nn.Module):
    """Base of modules with fixed buffers, which are outside the state dict.

    A fixed buffer lies on the CPU where a network is built under `torch.device("meta")`, so that it has its values
    there too, and `to_empty`, after which no tensor has values, gives them back. So this is the same network:

        with torch.device("meta"):
            network = build(...)
        network.to_empty(device="cuda").load_state_dict(weights)
    """

    def fix(self, name: str, values: Tensor) -> None:
        """Register a buffer called `name` with these values, which must lie on the CPU."""
        fixed = self.__dict__.setdefault("_fixed", {})
        fixed[name] = values.clone()
        self.register_buffer(name, values, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "FixedBuffers":
        super()._apply(fn, recurse)
        for name, values in self.__dict__.get("_fixed", {}).items():
            buffer = self.get_buffer(name)
            if not buffer.is_meta:
                buffer.copy_(values)  # of all that moves a module here `to_empty` alone needs it
        return self
