"""What the referee says of a peer's samples: ctgan on UCI Adult, and rows drawn from the columns' own marginals.

In an environment of its own that has ctgan (it is no dependency of ours), then in one that has equipoise:

    python -I benchmarks/ctgan.py --adult adult_train.csv --train 20 --samples ctgan.csv
    python benchmarks/ctgan.py --adult adult_train.csv --samples ctgan.csv

`-I` keeps this folder off the path: the package and this file have the same name. ctgan sees 20,000 rows; the other
12,561 are the real side, so that no row that it was fitted to is compared with its samples. Five verdicts each, with
other seeds and other rows drawn, on 10,000 rows a side. Rows: `benchmarks/rows/ctgan.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FITTED, PER_SIDE, VERDICTS = 20_000, 10_000, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adult", type=Path, required=True)
    parser.add_argument("--samples", type=Path, required=True, help="ctgan's samples: written by --train, else read")
    parser.add_argument("--train", type=int, metavar="EPOCHS", help="train ctgan and write its samples")
    arguments = parser.parse_args()
    adult = pd.read_csv(arguments.adult)
    fitted = adult.sample(FITTED, random_state=0)
    if arguments.train:
        train(fitted, arguments.train, arguments.samples)
    else:
        judge_both(adult.drop(fitted.index).reset_index(drop=True), arguments.samples)


def train(fitted: pd.DataFrame, epochs: int, samples: Path) -> None:
    """Write 12,000 samples, and beside them how they were made."""
    import ctgan
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002  ctgan draws from numpy's global stream
    started = time.perf_counter()
    model = ctgan.CTGAN(epochs=epochs)
    model.fit(fitted, [name for name in fitted if not pd.api.types.is_numeric_dtype(fitted[name])])
    model.sample(12_000).to_csv(samples, index=False)
    about = {"ctgan": ctgan.__version__, "epochs": epochs, "fit_seconds": round(time.perf_counter() - started, 1)}
    samples.with_suffix(".json").write_text(json.dumps(about), encoding="utf-8")


def judge_both(real: pd.DataFrame, samples: Path) -> None:
    """Five verdicts on each generator; one row for each generator."""
    from referee import ROWS, environment

    about = samples.with_suffix(".json")
    known = json.loads(about.read_text(encoding="utf-8")) if about.exists() else {}
    peer = pd.read_csv(samples)

    def drawn(seed: int) -> pd.DataFrame:
        stream = np.random.default_rng(seed)
        return pd.DataFrame({name: stream.permutation(real[name].to_numpy())[:PER_SIDE] for name in real})

    rows = [
        one_row("ctgan", real, lambda seed: peer.sample(PER_SIDE, random_state=seed), known),
        one_row("independent marginals", real, drawn, {}),
    ]
    facts = environment() | {"pools": "tables: Adult, 12,561 rows that ctgan was not fitted to", "per_side": PER_SIDE}
    ROWS.joinpath("ctgan.jsonl").write_text("".join(json.dumps(row | facts) + "\n" for row in rows), encoding="utf-8")
    for row in rows:
        print(json.dumps(row, indent=2))


def one_row(name: str, real: pd.DataFrame, draw: Any, known: dict[str, Any]) -> dict[str, Any]:
    """Conclusions, bounds and what was named."""
    from equipoise.referee import judge

    verdicts = [
        judge(real.sample(PER_SIDE, random_state=seed), draw(seed), kind="table", seed=seed) for seed in range(VERDICTS)
    ]
    bounds = [verdict.jsd_lower_bound_nats for verdict in verdicts]
    where = [finding for finding in verdicts[0].findings if finding.check == "where"]
    rows = [row for finding in where for row in finding.rows]
    return {
        "claim": f"peer.{name}",
        "repeats": VERDICTS,
        "distinguished": sum(verdict.exit_code == 10 for verdict in verdicts),
        "value": float(np.mean(bounds)),
        "percentile_5": float(np.percentile(bounds, 5)),
        "percentile_95": float(np.percentile(bounds, 95)),
        "unit": "nats, lower bound on JSD at 95 %",
        "auc": float(np.mean([verdict.auc.estimate for verdict in verdicts])),
        "accuracy": float(np.mean([verdict.accuracy.estimate for verdict in verdicts])),
        "classifier": verdicts[0].classifier,
        "seconds": float(np.mean([verdict.seconds for verdict in verdicts])),
        "columns_named": [row["column"] for row in rows if "column" in row],
        "pairs_named": [[row["first"], row["second"]] for row in rows if "first" in row],
        "about": known,
    }


if __name__ == "__main__":
    main()
