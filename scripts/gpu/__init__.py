"""The parts of `measure_gpu.py`: each a file in `parts`, measured in a process of its own."""
