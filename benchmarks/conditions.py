"""Rows under a condition on UCI Adult: whether they obey, and how far boosted trees tell them from real ones.

    python benchmarks/conditions.py --train adult_train.csv --test adult_test.csv
    python benchmarks/conditions.py --train adult_train.csv --test adult_test.csv --run RUN --dev dev.jsonl

A run of `equipoise train` on 20,000 rows of the training file, with the settings of `benchmarks/tables.py` for Adult
in 60 CPU-seconds, is asked for rows under each condition of `CONDITIONS`, as many as real rows of the test file obey.
Scored against these is the area under the ROC curve of scikit-learn's boosted trees over five folds; beside it that of
unused real rows of the training file under the condition, at their number and at the same number of generated rows. A
condition that is met by few real rows is too rare to be scored so: of it the draws and whether rows obey are stored.
Every attempt is a line of `rows/conditions.jsonl`, with the commit of this file, which decides the seeds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from attempts import git, machine
from tables_scores import two_sample_auc

ROWS = Path(__file__).parent / "rows" / "conditions.jsonl"
SETTINGS = Path(__file__).parent / "tables_settings.json"
TRAIN_ROWS = 20_000
DRAWN_ANEW = 3
"""Times that generated and unused rows are drawn anew where fewer real rows are compared: their mean is told."""
CONDITIONS = (
    # 5 % of the rows or so, of which real ones are enough to compare with.
    "`marital-status` == 'Never-married' and `hours-per-week` > 45",
    "income == '>50K' and sex == 'Female'",
    "age < 30 and education in ['Bachelors', 'Masters']",
    "`education-num` == 10 and 40 <= age < 50",
    # Rare ones.
    "`native-country` == 'Japan' and income == '>50K'",
    "`native-country` == 'Holand-Netherlands'",
    "age == 37 and education == 'Masters' and race == 'Black' and sex == 'Female'",
)
FEWEST_COMPARED = 200


def rows_under(gan: Any, where: str, count: int, *, seed: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Generated rows, what they took, and whether all obey."""
    from equipoise.experiment.conditional_sampling import wanted_rows

    began = time.process_time()
    wanted = wanted_rows(gan.encoder, where=where)
    made = gan.sample_raw(count, seed=seed, wanted=wanted).values
    facts = {
        "cpu_seconds": round(time.process_time() - began, 2),
        "rows": len(made),
        "drawn": wanted.acceptance.drawn,
        "acceptance": wanted.acceptance.share,
        "obeying": float(wanted.condition.obeyed(made).mean()),
    }
    return made, facts


def scored(gan: Any, where: str, *, test: pd.DataFrame, unused: pd.DataFrame, seed: int) -> dict[str, Any]:
    """What is said of one condition."""
    from equipoise.errors import InputError
    from equipoise.experiment.conditional_sampling import wanted_rows

    try:
        condition = wanted_rows(gan.encoder, where=where).condition
    except InputError as refused:  # the 20,000 rows of this seed have no such value
        return {"where": where, "refused": str(refused).splitlines()[0]}
    real, spare = (rows[condition.obeyed(rows)].reset_index(drop=True) for rows in (test, unused))
    found: dict[str, Any] = {"where": where, "share_of_real": len(real) / len(test), "real_rows": len(real)}
    if len(real) < FEWEST_COMPARED:
        return found | rows_under(gan, where, 1000, seed=seed)[1]
    count = min(len(real), len(spare))
    made, facts = rows_under(gan, where, DRAWN_ANEW * len(real), seed=seed)
    draws = np.random.default_rng(seed)
    generated, beside = [], []
    for place in range(DRAWN_ANEW):
        fake = made.iloc[place * len(real) :].head(count)
        some = real.iloc[draws.permutation(len(real))[:count]]
        generated.append(two_sample_auc(some, fake[test.columns], "hgb"))
        beside.append(two_sample_auc(some, spare.iloc[draws.permutation(len(spare))[:count]], "hgb"))
    return (
        found
        | facts
        | {
            "compared": count,
            "hgb_auc": float(np.mean(generated)),
            "hgb_aucs": generated,
            "unused_hgb_auc": float(np.mean(beside)),
            "unused_hgb_aucs": beside,
        }
    )


def trained(rows: pd.DataFrame, folder: Path, *, seed: int, steps: int) -> Any:
    """The run of `benchmarks/tables.py`."""
    import equipoise as eq

    rows.to_csv(folder / "rows.csv", index=False)
    settings = ["outputs.final_verdict=false", "outputs.samples=1"]
    return eq.fit(
        str(folder / "rows.csv"), steps=steps, seed=seed, device="cpu", outdir=folder / "run", settings=settings
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True, help="UCI Adult's training part as CSV")
    parser.add_argument("--test", type=Path, required=True, help="its test part")
    parser.add_argument("--seed", type=int, default=0, help="number of the seed")
    parser.add_argument("--run", type=Path, help="a run that is there already, for trials that count for nothing")
    parser.add_argument("--dev", type=Path, help="where such trials are written")
    options = parser.parse_args()
    if (options.run is None) != (options.dev is None):
        parser.error("--run and --dev go together")
    import torch

    import equipoise as eq
    from equipoise.randomness import derived_seed

    torch.set_num_threads(1)
    here = str(Path(__file__))
    if options.dev is None and git("status", "--porcelain", "--", here, str(ROWS.parents[2] / "src")):
        raise SystemExit("This file or the code differs from what was committed: commit first, the seeds come from it.")
    commit = git("log", "-1", "--format=%H", "--", here)
    seed = derived_seed(0, f"{commit} conditions", options.seed) >> 32
    whole = pd.read_csv(options.train)
    order = np.random.default_rng(seed).permutation(len(whole))
    rows, unused = (whole.iloc[part].reset_index(drop=True) for part in (order[:TRAIN_ROWS], order[TRAIN_ROWS:]))
    test = pd.read_csv(options.test)[whole.columns]
    adult = next(row for row in json.loads(SETTINGS.read_text(encoding="utf-8"))["rows"] if row["name"] == "adult 60")
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        if options.run is None:
            gan = trained(rows, Path(folder), seed=seed, steps=adult["contestants"]["default"])
        else:
            gan = eq.load(options.run)
        training = time.process_time() - began
        for where in CONDITIONS:
            found = scored(gan, where, test=test, unused=unused, seed=seed)
            line = {"claim": "conditions", "task": "adult", "seed": options.seed, "commit": commit, **found}
            line |= {"training_cpu_seconds": round(training, 1), **machine()}
            print(json.dumps({key: line.get(key) for key in ("where", "rows", "drawn", "hgb_auc", "unused_hgb_auc")}))
            with (options.dev or ROWS).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
