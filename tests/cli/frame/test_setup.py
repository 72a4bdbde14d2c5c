"""frame/setup.py: what a configuration becomes."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from rnnvision.cli.frame.arguments import config_dir
from rnnvision.cli.frame.paths import register_resolvers
from rnnvision.cli.frame.setup import Training, make_training
from rnnvision.errors import UsageError
from rnnvision.runs import RunFolder

QUICK = (
    "data=fake",
    "device=cpu",
    "model.hidden_size=4",
)


def made(folder: Path, *words: str) -> Training:
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        cfg = compose("train", overrides=[*QUICK, *words])
    OmegaConf.set_struct(cfg, False)
    cfg.callbacks, cfg.logger = None, None  # they lead to a run folder
    return make_training(cfg, RunFolder(folder, folder, "train"))


def weights(training: Training) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in training.learner.network.parameters()])


def test_the_seed_decides_the_weights_the_order_and_the_dropout(tmp_path: Path) -> None:
    one, again, other = (made(tmp_path, f"seed={seed}") for seed in (1, 1, 2))
    assert torch.equal(weights(one), weights(again))
    assert not torch.equal(weights(one), weights(other))
    for training, seed in ((one, 1), (other, 2)):
        assert (training.learner.seed, training.data.seed) == (seed, seed)


def test_what_only_the_data_knows_cannot_be_chosen(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^model\.num_classes: cannot be chosen, the data decides it$"):
        made(tmp_path, "+model.num_classes=3")


def test_a_checkpoint_notes_the_plugins_only_where_there_are_some(tmp_path: Path) -> None:
    assert "plugins" not in made(tmp_path).learner.description
    assert made(tmp_path, "plugins=[my_cell]").learner.description["plugins"] == ["my_cell"]
