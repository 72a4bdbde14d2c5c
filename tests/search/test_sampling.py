"""Samplers: what lies in a study is data, whoever has made it."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from rnnvision.runs.study import Axis
from rnnvision.search.cmaes import cma_es
from rnnvision.search.storage import open_study
from tests.search.fake import FakePlace, run, settings

pytest.importorskip("optuna")
pytest.importorskip("cmaes")
NUMBERS = {"lr": Axis("float", 1e-4, 1e-1, log=True), "size": Axis("int", 1, 64)}


class Opened:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize("storage", [None, "journal"])
def test_no_pickle_in_a_study_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: str | None) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = settings(sampler="cmaes", pruner="none", space=NUMBERS, storage=storage)
    study = open_study(tmp_path, chosen)
    run(tmp_path, chosen, 10, FakePlace(speed=7))
    assert not [key for trial in study.trials for key in trial.system_attrs if "optimizer" in key]  # nor is one made
    forged = study.ask()
    for key in ("cma:optimizer:0", "sepcma:optimizer:0", "cmawm:optimizer:0"):
        study._storage.set_trial_system_attr(forged._trial_id, key, pickle.dumps(Opened()).hex())
    for name in NUMBERS:
        forged._suggest(name, study.trials[0].distributions[name])
    study.tell(forged, 0.1)
    assert len(run(tmp_path, chosen, 14, FakePlace(speed=7)).trials) == 14
    assert not Path("ran").exists()


def test_the_state_of_cma_es_is_the_one_that_optuna_would_have_kept() -> None:
    import optuna
    from optuna._transform import _SearchSpaceTransform

    kept = optuna.samplers.CmaEsSampler(seed=3, n_startup_trials=1)
    study = optuna.create_study(sampler=kept)
    for _ in range(23):  # of which four generations of six, but for the last one, have been told
        trial = study.ask()
        study.tell(trial, (trial.suggest_float("x", -5, 5) - 1) ** 2 + trial.suggest_float("y", -5, 5) ** 2)
    computed = cma_es()(seed=4)
    computed._restore_optimizer(study.trials)
    space = _SearchSpaceTransform(study.trials[-1].distributions, transform_0_1=True)
    found, expected = computed._init_optimizer(space, study.direction), kept._restore_optimizer(study.trials)
    assert expected is not None
    assert found.generation == expected.generation == 3
    for part in ("_mean", "_C", "_sigma"):  # a pickle keeps half of the matrix, whose other half has other last bits
        assert getattr(found, part) == pytest.approx(getattr(expected, part), rel=1e-9)
