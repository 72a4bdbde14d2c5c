"""Seeds as pure functions of what they are for."""

import hashlib


def derive_seed(*parts: int | str) -> int:
    """A seed for `parts`, for example (seed, epoch): the same on every machine, unrelated for neighbouring parts."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1  # torch takes 63 bits
