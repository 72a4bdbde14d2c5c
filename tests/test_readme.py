"""README and docs/: each command composes and binds, the Python runs, what they link to is there."""

import re
import shlex
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.types import ChoiceSweep
from omegaconf import DictConfig

from rnnvision.cli.compare.comparison import OWN, Comparison, configurations
from rnnvision.cli.dispatch import VERBS
from rnnvision.cli.frame.arguments import named_arguments
from rnnvision.cli.frame.command_line.plain import PLAIN, read_settings
from rnnvision.cli.frame.command_line.words import parsed
from rnnvision.cli.frame.paths import register_resolvers
from tests.cli.frame.test_config import CONF, TABLES, bind
from tests.cli.running import TINY, exit_code_of, in_folder

ROOT = Path(__file__).parents[1]
PAGES = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
README_LINES = [
    line for kind, block in BLOCK.findall(PAGES["README.md"]) if kind == "bash" for line in block.splitlines()
]
NO_COMMAND = re.compile(
    r"<|\.\.\.|experiment=logs|\bNAME\b|MODULE|--help|--version|resume=|--config-dir|plugins=|"
    r"\bcheck(?!=)"
)


def commands(page: str) -> list[list[str]]:
    """The words of every command of a page that names no run folder, in blocks and within the text: [verb, ...]."""
    lines = [line for kind, block in BLOCK.findall(page) if kind == "bash" for line in block.splitlines()]
    lines += re.findall(r"`((?:python train\.py|rnnvision) [^`]+)`", BLOCK.sub("", page).replace("\n", " "))
    found = []
    for line in lines:
        typed = line.partition(" #")[0].strip().replace("python train.py", "rnnvision train")
        if typed.startswith("rnnvision ") and not NO_COMMAND.search(typed):
            found.append([word for word in shlex.split(typed)[1:] if word != "-m"])
    return found


COMMANDS = [(name, words) for name, page in PAGES.items() for words in commands(page)]


def one_of_each(word: str) -> str:
    """The first of several values: of a sweep, or of a space that is searched."""
    found = parsed(word)
    if found is None or not found.is_sweep_override():
        return word
    several = found.value()
    first = several.list[0] if isinstance(several, ChoiceSweep) else several.start
    return f"{word.partition('=')[0]}={getattr(first, 'text', first)}"


def check_comparison(cfg: DictConfig, words: list[str]) -> None:
    overrides = tuple(word for word in words if word.partition("=")[0] not in OWN)
    wanted = Comparison(tuple(cfg.models), str(cfg.budget), cfg.seeds, 1, 1, None, overrides)
    for made in configurations(wanted).values():
        bind(made)


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=[f"{page}: {' '.join(words)}" for page, words in COMMANDS])
def test_every_command_composes_and_binds(page: str, words: list[str]) -> None:
    verb, *overrides = map(one_of_each, words)
    if verb not in VERBS:
        pytest.fail(f"{page}: there is no verb {verb}")
    if verb in PLAIN:
        read_settings(verb, overrides)
        return
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        cfg = compose(verb, overrides=overrides)
        if verb == "compare":
            check_comparison(cfg, overrides)
    if verb == "train":
        bind(cfg)
    for group in {"benchmark": ("model", "optimizer"), "shards": ("data",)}.get(verb, ()):
        named_arguments(group, cfg[group], TABLES[group])


def test_no_page_lost_its_commands() -> None:
    """What the test above is made of: it would pass without any."""
    verbs = {words[0] for _, words in COMMANDS}
    assert verbs >= {"train", "compare", "evaluate", "benchmark", "shards"}
    assert {page for page, _ in COMMANDS} >= {"README.md", "docs/comparison.md", "docs/shards.md"}


def test_every_verb_has_an_example() -> None:
    page = PAGES["docs/commands.md"]
    assert re.findall(r"^\| `(\w+)` \| .*\brnnvision \1\b", page, flags=re.MULTILINE) == list(VERBS)


def test_the_readme_opens_with_the_two_commands() -> None:
    lines = [line.partition("#")[0].strip() for line in README_LINES]
    assert lines[:2] == ["make train", "make test"]
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE) for line in lines if line.startswith("make "))


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    blocks = [block for kind, block in BLOCK.findall(PAGES["README.md"]) if kind == "python"]
    names: dict[str, object] = {}
    with in_folder(tmp_path / "here"):
        if any("logs/train/latest" in block for block in blocks):  # as it is after the first commands
            assert exit_code_of("train", *TINY) == 0
        for block in blocks:
            exec(block, names)
    anytime, answers = names["anytime"], names.get("answers")
    assert isinstance(anytime, torch.Tensor)
    assert anytime.shape == (8, 28, 10)
    if answers is not None:
        assert isinstance(answers, list)
        assert all(answer.keys() == {"label", "score"} for ranked in answers for answer in ranked)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_is_there(page: str) -> None:
    for target in re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", PAGES[page]):
        assert ((ROOT / page).parent / target).exists(), target
