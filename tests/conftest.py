"""For all tests: one thread, since several processes that spin on the same cores slow each other tenfold."""

import os
import signal

import torch

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
torch.set_num_threads(1)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell; the commands that tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)  # would inherit it, and Ctrl-C would not end them
