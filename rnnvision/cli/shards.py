"""rnnvision shards data=NAME data.root=FOLDER to=FOLDER: pack image files into shards; check=FOLDER: check shards."""

from pathlib import Path

from omegaconf import DictConfig

from rnnvision.checks import counted, positive
from rnnvision.cli.frame.app import run_verb
from rnnvision.cli.frame.arguments import arguments_of, named_arguments
from rnnvision.cli.frame.command_line.words import command, override
from rnnvision.errors import UsageError
from rnnvision.runs import RunFolder


def main() -> None:
    run_verb("shards", shards)


def shards(cfg: DictConfig, run: RunFolder) -> None:
    """Make the shards that `cfg.to` asks for, or compare each file of those in `cfg.check` with its digest."""
    if (cfg.to is None) == (cfg.check is None):
        raise UsageError(
            "give to=FOLDER to make shards, or check=FOLDER to check some; "
            "try: rnnvision shards data=image_folder data.root=FOLDER to=SHARDS"
        )
    try:
        if cfg.check is not None:
            _check(str(cfg.check))
        else:
            _make(cfg)
    except ImportError as error:
        raise UsageError('shards need a package that is not here; pip install "rnnvision[shards]"') from error


def _make(cfg: DictConfig) -> None:
    from rnnvision.data import CATALOG, ImageData
    from rnnvision.data.sets.locate import check_root
    from rnnvision.data.shard_writer import make_shards
    from rnnvision.signature import parameters

    with arguments_of(""):
        positive("shard_mb", cfg.shard_mb)
    with arguments_of("data"):
        arguments = named_arguments("data", cfg.data, {name: (ImageData, d.read) for name, d in CATALOG.items()})
        check_root(arguments["root"])
        facts = CATALOG[arguments["name"]]
        options = {key: arguments[key] for key in parameters(facts.read) if key in arguments and key != "root"}
        splits = facts.read(facts.class_names, arguments["root"], **options)
    target = Path(cfg.to).expanduser()
    make_shards(arguments["name"], splits, Path(arguments["root"] or "."), target, cfg.shard_mb)
    words = [f"data={arguments['name']}", "data.format=shards", override("data.root", target)]
    print(f"next      {command(words, 'python train.py')}")


def _check(folder: str) -> None:
    from rnnvision.data import DataError
    from rnnvision.data.shard_writer import check_shards

    try:
        count = check_shards(folder)
    except DataError as error:
        raise type(error)(str(error).replace("data.root=", "check=")) from error
    print(f"{counted(count, 'file')} {'is as it was' if count == 1 else 'are as they were'} made")


if __name__ == "__main__":
    main()
