"""The first claim of docs/claims.md on a GPU: samples a second in training against the number of tokens."""

from functools import partial

from gpu.measuring import Row, Rows, Told

TITLE = "Recurrent networks parallelise better?"
NETWORKS = ("lstm", "gru", "mingru", "lru", "cnn")
WIDTH, BATCH, ROUNDS = 128, 64, 7


def measure(told: Told, rows: Rows) -> None:
    from claims.speed import CUTS

    lengths = told.size(list(CUTS), [28])
    for name in NETWORKS:
        rows.measure(name, partial(_speeds, name, lengths, told))


def _speeds(name: str, lengths: list[int], told: Told) -> Row:
    from claims import speed

    sizes = {"hidden_size": told.size(WIDTH, 8), "batch_size": told.size(BATCH, 4), "rounds": told.size(ROUNDS, 1)}
    found = speed.measure([name], lengths, **sizes, device=told.device)[name]
    assert not isinstance(found, str), found
    return {"samples_per_second": {str(length): rate for length, rate in found.items()}}


def markdown(rows: dict[str, Row]) -> str:
    from claims import speed

    speeds: speed.Speeds = {
        name: {int(length): rate for length, rate in row["samples_per_second"].items()} for name, row in rows.items()
    }
    lengths = [int(length) for length in next(iter(rows.values()))["samples_per_second"]]
    facts = (
        f"Samples per second in training: width {WIDTH}, batch {BATCH}, AdamW, float32; as in [claims.md](claims.md)."
    )
    return f"{speed.markdown(speeds, lengths)}\n\n{facts}"
