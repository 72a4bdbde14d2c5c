"""python train.py model=lstm data=mnist: the same as `rnnvision train`, from a checkout."""

if __name__ == "__main__":
    from rnnvision.cli.frame.signals import STOP

    STOP.install()
    from rnnvision.cli.train import main

    main()
