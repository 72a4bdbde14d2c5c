"""--help: every key with its value, what it means, and what is legal."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from rnnvision.cli.dispatch import VERBS
from rnnvision.cli.evaluate import SPLITS
from rnnvision.cli.frame.arguments import config_dir
from rnnvision.cli.frame.command_line.groups import default_options, options_of
from rnnvision.cli.frame.command_line.help import comments_of
from rnnvision.cli.frame.command_line.known import walk
from rnnvision.cli.frame.device import PROFILERS
from rnnvision.data.augment import PADDINGS, POLICIES
from rnnvision.data.serving import FORMATS, ON_BAD_FILE
from rnnvision.nn import ORDERS, READOUTS, RECURRENCES, SCANS
from rnnvision.nn.recurrence import ACTIVATIONS, BLOCKS
from tests.cli.running import Verb

CONF = config_dir()
UNDER_HYDRA = [name for name in VERBS if (CONF / f"{name}.yaml").is_file()]
CLOSED = {
    "scan": SCANS,
    "order": ORDERS,
    "recurrence": RECURRENCES,
    "block": BLOCKS,
    "activation": ACTIVATIONS,
    "readout": READOUTS,
    "format": FORMATS,
    "on_bad_file": ON_BAD_FILE,
    "padding": PADDINGS,
    "policy": POLICIES,
    "profiler": PROFILERS,
    "split": SPLITS,
}


def lines_of(page: str) -> dict[str, str]:
    """The line of each key, by the key's last part."""
    found = (re.match(r" +(\w+):(?: |$)", line) for line in page.splitlines())
    return {match[1]: match.string for match in found if match}


@pytest.mark.parametrize("group", sorted(set(default_options(CONF, "train")) - {"experiment", "sweep", "debug"}))
def test_every_key_of_every_option_says_what_it_means(group: str) -> None:
    silent = []
    for option in options_of([CONF], group):
        file = CONF / group / f"{option}.yaml"
        content = OmegaConf.to_container(OmegaConf.load(file))
        said = comments_of("evaluate", CONF, [CONF], {group: option})
        package = "trainer" if group == "device" else group
        for key in set(walk(content)) - {"defaults"}:
            value = OmegaConf.select(OmegaConf.create({"x": content}), f"x.{key}", throw_on_resolution_failure=False)
            leaf = not isinstance(value, DictConfig)
            if leaf and not key.rpartition(".")[2].startswith("_") and f"{package}.{key}" not in said:
                silent.append(f"{option}: {key}")
    assert silent == []


@pytest.mark.parametrize("name", UNDER_HYDRA)
def test_the_page_of_a_verb_has_its_keys_its_options_and_its_flags(verb: Verb, name: str) -> None:
    result = verb(name, "--help")
    assert result.code == 0
    shown = lines_of(result.out)
    plain = [str(key) for key in OmegaConf.load(CONF / f"{name}.yaml") if key not in ("defaults", "hydra", "data")]
    assert [key for key in plain if "  # " not in shown[key]] == []
    assert "--config-dir FOLDER" in result.out
    assert not re.search(r"\b_\w+(,|$)", result.out, flags=re.MULTILINE)  # no parts of options
    if "Groups" in result.out:
        for group in default_options(CONF, name):
            assert re.search(rf"^  {group} ", result.out, flags=re.MULTILINE)
        assert "tried recipes: article_mnist, " in result.out  # from the comments of the defaults list


def test_closed_sets_are_listed(verb: Verb) -> None:
    pages = verb("train", "--help").out, verb("evaluate", "--help").out
    shown = lines_of("\n".join(reversed(pages)))
    for key, legal in CLOSED.items():
        words = set(re.findall(r"\w+", shown[key]))
        assert {name for name in legal if name not in words and name != "null"} == set(), key


def test_options_of_ones_own_are_on_the_page(verb: Verb) -> None:
    for name, text in (("mine", "# @package _global_\nseed: 3\n"), ("_part", "seed: 3\n")):
        file = Path("my/experiment", f"{name}.yaml")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    page = verb("train", "--help", "--config-dir", "my", "experiment=mine").out
    assert re.search(r"\bmine\b", page.partition("experiment ")[2].partition("sweep ")[0])
    assert "_part" not in page
    assert re.search(r"^  seed: 3 ", page, flags=re.MULTILINE)


def test_help_needs_no_torch() -> None:
    program = (
        "import sys; sys.argv = ['train.py', '--help']\n"
        "from rnnvision.cli.train import main\nmain()\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, cwd=CONF.parent)


def test_help_that_nobody_reads_to_its_end_is_no_failure() -> None:
    command = f"{sys.executable} -m rnnvision.cli.train --help | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == ""
