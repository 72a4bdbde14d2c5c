"""Conditions on runs: what they hold for, and what is no condition."""

import pytest

from rnnvision.errors import UsageError
from rnnvision.runs.query.where import Keys, parse_where
from rnnvision.runs.record import Record, read_record
from tests.runs.making import make_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    folder = tmp_path_factory.mktemp("runs")
    return [
        read_record(make_run(folder / "a", started="2026-10-31T23:00:00+00:00", test_accuracy=0.9, val_accuracy=0.5)),
        read_record(make_run(folder / "b", model="gru", seed=1, lr=0.01, test_accuracy=0.95, test_nll=0.2)),
        read_record(make_run(folder / "c", model="mingru", seed=10, status="failed")),
    ]


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("model=lstm", "a"),
        ("model=lstm,gru", "ab"),
        ("model!=lstm,gru", "c"),
        ("model~GRU", "bc"),
        ("model = gru", "b"),
        ("model==gru", "b"),
        ('model="gru"', "b"),
        ("seed=1", "b"),  # as a number
        ("seed=1.0", "b"),
        ("seed='1'", "b"),
        ("seed>=1", "bc"),
        ("seed<10 and seed>0", "b"),
        ("seed=0 or seed=1 and model=lstm", "a"),  # and binds first
        ("(seed=0 or seed=1) and not model=lstm", "b"),
        ("not (model=lstm or model=gru)", "c"),
        ("NOT model=lstm AND status=completed", "b"),
        ("optimizer.lr>=1e-2", "b"),
        ("lr=0.001", "ac"),  # the end of a key
        ("optimizer.betas=[0.9,0.999]", "abc"),
        ("test/accuracy>0.9", "b"),
        ("test/accuracy!=0.9", "bc"),  # also where there is none
        ("test/accuracy=null", "c"),
        ("not test/accuracy=null and nll<1", "b"),
        ("experiment=null", "abc"),
        ("dirty=false", "abc"),
        ("commit=abcdef1", "abc"),  # by its beginning
        ("commit=abcdef1,1234567", "abc"),
        ("commit!=abcdef1,1234567", ""),
        ("commit=null", ""),
        ("started=2026-11", "bc"),
        ("started=2026-10,2026-11-01", "abc"),
        ("started>2026-10-31", "bc"),
        ("started<=2026-10-31", "a"),
        ("model<m", "ab"),  # by letters
        ("model>3", ""),  # a number and a text are in no order
    ],
)
def test_it_holds_for(runs: list[Record], where: str, holds: str) -> None:
    condition, _ = parse_where(where, Keys(runs))
    assert "".join(run.folder[-1] for run in runs if condition(run)) == holds


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("modle=lstm", "no run has the key modle; did you mean model?"),
        ("zzz=1", "no run has the key zzz; figures are test/accuracy, test/nll, val/accuracy"),
        ("accuracy>0.5", "accuracy may be test/accuracy, val/accuracy; write one of them"),
        ("model", "KEY OP VALUE, such as model=lstm or test/accuracy>0.9 is expected in place of model"),
        ("model=", "KEY OP VALUE, such as model=lstm or test/accuracy>0.9 is expected in place of model="),
        ("", "KEY OP VALUE, such as model=lstm or test/accuracy>0.9 is expected in place of the end"),
        ("model=lstm and", "KEY OP VALUE, such as model=lstm or test/accuracy>0.9 is expected in place of the end"),
        ("model=lstm data=digits", "and, or, or the end is expected in place of data=digits"),
        ("(model=lstm", ") is expected in place of the end"),
        ("model=lstm)", "and, or, or the end is expected in place of )"),
        ("model='lstm", "KEY OP VALUE, such as model=lstm or test/accuracy>0.9 is expected in place of model='lstm"),
    ],
)
def test_what_is_no_condition_is_refused(runs: list[Record], where: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_where(where, Keys(runs))
    assert str(error.value) == f"where={where}: {message}"


def test_it_says_which_keys_it_looks_at(runs: list[Record]) -> None:
    _, used = parse_where("lr>0 and not (verb=train or model=lstm)", Keys(runs))
    assert used == {"optimizer.lr", "verb", "model"}
