"""python train.py model=lstm data=mnist: the same as `rnnvision train`, from a checkout."""

from rnnvision.cli.train import main

if __name__ == "__main__":
    main()
