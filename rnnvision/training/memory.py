"""Memory: the errors by which torch says that there is no more of it, on the CPU and on a GPU."""

SAYS_SO = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


def ran_out(error: BaseException) -> bool:
    """Whether an error means that memory ran out.

    Examples:
        >>> ran_out(RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory"))
        True
        >>> ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
        False
    """
    text = str(error).lower()
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(word in text for word in SAYS_SO))
