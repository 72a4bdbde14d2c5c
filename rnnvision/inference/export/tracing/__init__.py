"""From a network to a graph: a copy that can be traced, a program of torch, a graph of ONNX."""
