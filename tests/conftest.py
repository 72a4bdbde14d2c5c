"""For all tests: one thread, since several processes that spin on the same cores slow each other tenfold."""

import os

import torch

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
torch.set_num_threads(1)
