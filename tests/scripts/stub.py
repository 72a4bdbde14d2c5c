"""A contender that only pretends to train: it takes a fixed time, and with --workers=1 it fails in its second turn."""

import time

from peers.work import Turns, arguments, read_images

if __name__ == "__main__":
    told, turns = arguments(), Turns()
    print("what a library prints goes to the log")
    turns.ready(versions={"stub": "1.0"}, threads=told.threads)
    for number, _ in enumerate(turns):
        if told.workers and number:
            raise RuntimeError("out of breath")
        time.sleep(0.05)
        turns.done(float(len(read_images(told.images)[1])))
