"""Compute the mean and standard deviation of a data set's training split, as rnnvision/data/catalog.py holds them.

python scripts/dataset_facts.py mnist fashion_mnist digits
"""

import sys

from rnnvision.data import CATALOG
from rnnvision.data.files import FileSplit, read_all


def main(names: list[str]) -> None:
    for name in names:
        facts = CATALOG[name]
        train = facts.read(facts.class_names, None).train
        if isinstance(train, FileSplit):
            train, _ = read_all(train)
        pixels = train.images.double() / 255
        mean, std = pixels.mean(dim=(0, 2, 3)), pixels.std(dim=(0, 2, 3), correction=0)
        print(f"{name}: mean {[round(v, 4) for v in mean.tolist()]}, std {[round(v, 4) for v in std.tolist()]}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["digits"])
