"""A peer of `benchmarks/tables.py`: fitted to rows in stated CPU-seconds, and sampled, in a Python of its own.

    python3 -m venv PEERS && PEERS/bin/pip install ctgan==0.12.1 mostlyai-engine==2.7.3
    PEERS/bin/python -I benchmarks/tables_peer.py ctgan --rows train.csv --made made.csv --count 99 --seconds 9 --seed 0

The peers are no dependency of equipoise, and nothing of equipoise is imported here. Each has its own default settings
but for the time that it is given. CPU-seconds are those of the process and of what it started, from its start to the
last weights kept: imports, reading the rows and encoding them are in it, sampling is not. The last line is JSON.

`ctgan`, `tvae`: ctgan's `CTGAN` and `TVAE`. Neither has a limit of time, but both loop over a range of epochs. The
range is replaced by one that ends when an epoch as long as the longest so far would not end in time. So as many epochs
as fit take the place of the default of 300, whether more or fewer. Discrete columns are texts, and whole numbers of at
most ten values. Sampled numbers are clipped to the range of the training rows and rounded to their decimals, in the
models' favour.

`mostlyai`: mostlyai-engine's TabularARGN, by `split`, `analyze`, `encode` and `train`. `max_training_time` is what is
left of the seconds when training begins, less `RESERVE_SECONDS` for its own preparation. It counts the CPU-seconds of
the process and not those of the wall, so that a busy machine does not shorten it. Early stopping, and the choice of
the weights with the best validation loss, are its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

MOST_VALUES = 10
"""Values of a whole number that is given to ctgan as discrete. Arbitrary; more of them make the one-hot block wide."""
RESERVE_SECONDS = 3.0
"""What mostlyai-engine needs in `train` before its clock starts, rounded up."""


def ctgan(rows: pd.DataFrame, *, seconds: float, seed: int, count: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows of ctgan's CTGAN."""
    from ctgan.synthesizers import ctgan as module

    return _of_ctgan(module, module.CTGAN(), rows, seconds=seconds, seed=seed, count=count)


def tvae(rows: pd.DataFrame, *, seconds: float, seed: int, count: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows of ctgan's TVAE."""
    from ctgan.synthesizers import tvae as module

    return _of_ctgan(module, module.TVAE(), rows, seconds=seconds, seed=seed, count=count)


def mostlyai(rows: pd.DataFrame, *, seconds: float, seed: int, count: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows of mostlyai-engine's TabularARGN."""
    from mostlyai import engine
    from mostlyai.engine._tabular import training

    training.time = SimpleNamespace(time=spent)
    engine.set_random_state(seed)
    with tempfile.TemporaryDirectory() as place:
        engine.split(tgt_data=rows, workspace_dir=place, model_type="TABULAR")
        engine.analyze(workspace_dir=place)
        engine.encode(workspace_dir=place)
        left = max(1.0, seconds - RESERVE_SECONDS - spent())  # the engine takes 0 for no limit
        engine.train(workspace_dir=place, max_training_time=left / 60, device="cpu")
        facts = {"cpu_seconds": spent(), "training_seconds_given": left, "mostlyai-engine": version("mostlyai-engine")}
        (messages,) = Path(place).rglob("progress-messages.csv")
        progress = pd.read_csv(messages)
        best = progress[progress["is_checkpoint"] == 1].iloc[-1]
        facts |= {"epochs": float(progress["epoch"].max()), "kept_epoch": float(best["epoch"])}
        engine.generate(workspace_dir=place, sample_size=count, device="cpu")
        parts = [pd.read_parquet(path) for path in sorted((Path(place) / "SyntheticData").glob("*.parquet"))]
    return pd.concat(parts, ignore_index=True)[rows.columns], facts


PEERS = {"ctgan": ctgan, "tvae": tvae, "mostlyai": mostlyai}


def spent() -> float:
    """CPU-seconds of this process and of those that it started and that ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def epochs_that_fit(seconds: float, done: list[float]) -> Iterator[int]:
    """Numbers of epochs, from 0, as long as one like the longest so far ends in time; CPU-seconds go into `done`."""
    while not done or spent() + max(done) <= seconds:
        before = spent()
        yield len(done)
        done.append(spent() - before)


def _of_ctgan(
    module: Any, model: Any, rows: pd.DataFrame, *, seconds: float, seed: int, count: int
) -> tuple[pd.DataFrame, dict[str, Any]]:
    import torch

    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002  ctgan draws from numpy's global stream
    done: list[float] = []
    module.tqdm = lambda *_, **__: epochs_that_fit(seconds, done)
    model.fit(rows, discrete(rows))
    facts = {"cpu_seconds": spent(), "ctgan": version("ctgan"), "epochs": len(done), "epoch_cpu_seconds": max(done)}
    return within(model.sample(count), rows), facts


def discrete(rows: pd.DataFrame) -> list[str]:
    """Texts, and whole numbers of few values."""
    numbers = [name for name in rows if pd.api.types.is_numeric_dtype(rows[name])]
    few = [name for name in numbers if rows[name].nunique() <= MOST_VALUES and (rows[name] % 1 == 0).all()]
    return [name for name in rows if name not in numbers or name in few]


def within(made: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Numbers in the range of the training rows, with as many decimals as any of them has, at most six."""
    made = made.copy()
    for name in rows.select_dtypes("number"):
        decimals = next((each for each in range(6) if np.allclose(rows[name], rows[name].round(each), atol=1e-9)), 6)
        made[name] = made[name].clip(rows[name].min(), rows[name].max()).round(decimals)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=list(PEERS))
    parser.add_argument("--rows", type=Path, required=True, help="training rows, a CSV file")
    parser.add_argument("--made", type=Path, required=True, help="where synthetic rows are written, a CSV file")
    parser.add_argument("--count", type=int, required=True, help="of synthetic rows")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    began = time.time()
    rows = pd.read_csv(arguments.rows)
    made, facts = PEERS[arguments.peer](rows, seconds=arguments.seconds, seed=arguments.seed, count=arguments.count)
    made.to_csv(arguments.made, index=False)
    facts |= {"torch": version("torch"), "peer_wall_seconds": round(time.time() - began, 1)}
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
