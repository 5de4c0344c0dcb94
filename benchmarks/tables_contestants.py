"""The contestants of `benchmarks/tables.py`: each is given training rows, and gives synthetic ones and its CPU-seconds.

The clock is that of the process: from its start, so that imports, set-up and interim evaluations count, to the last
weights kept. Of pictures of samples a run draws one, not twelve. A peer is `tables_peer.py` in a process of its own.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SETTINGS: dict[str, list[str]] = {
    "default": [],
    # The same run; of its rows those are kept that trees, fitted on its training rows, find real enough.
    "rejected": [],
    # Nothing but the game, from the columns' own frequencies.
    "game_alone": ["warm_start=null", "optimizers.generator.learning_rate=0.001"],
    "table_game": ["preset=table-game"],
    # The stage has all steps but one.
    "likelihood_alone": ["warm_start={name: likelihood, share: 0.9999, passes: 100000}"],
    # The default of before: after so many passes over the rows the game has the rest of the run.
    "sixty_passes": ["warm_start={name: likelihood, passes: 60, dropout: 0.3}"],
    # The same stage as the default's, and then no game: what the game adds is the difference.
    "stage_alone": ["warm_start={name: likelihood, share: 0.9999}"],
    # For what the game adds at equal CPU-seconds: a third of them is the game's, with the discriminator that learned
    # fastest in runs that do not count (differences of numbers, a weak penalty); neither has interim evaluations.
    "with_game": [
        "evaluations.count=0",
        "warm_start={name: likelihood, share: 0.6, passes: 100000}",
        "networks.discriminator={width: 256, depth: 3, input_gradient: closed_form, crosses: true}",
        "penalties=[{name: r1, options: {weight: 0.005}}, {name: r2, options: {weight: 0.005}}]",
        "gamma={shape: constant, final: 1.0}",
        "optimizers.discriminator.learning_rate=0.002",
        "optimizers.lr_schedule={shape: cosine, final: 0.01, warmup_steps: 30}",
    ],
    "no_game": ["evaluations.count=0", "warm_start={name: likelihood, share: 0.9999, passes: 100000}"],
    "one_network": ["networks.family=mlp"],
}


def without_pictures() -> None:
    """Let runs draw no samples and write no report: nothing of them is scored, and they take as long as a short run."""
    from equipoise import reports
    from equipoise.training.recorder import SampleGrids

    reports.write_report = lambda path: None
    for name in ("write_real", "write_of", "write_nearest"):
        setattr(SampleGrids, name, lambda *_, **__: None)


def trained(
    rows: pd.DataFrame, contestant: str, *, steps: int, seed: int, count: int, more: list[str]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows of a run of equipoise: of the weights that it keeps by default."""
    import equipoise as eq
    from equipoise.runfolder import RunFolder
    from equipoise.training import Ended, Measured

    spent: dict[str, float] = {}

    def clock(event: object) -> None:
        if isinstance(event, Measured):
            spent.setdefault("first_step", time.process_time())
        if isinstance(event, Ended):
            spent["end"] = time.process_time()

    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        rows.to_csv(path, index=False)
        gan = eq.fit(
            str(path),
            steps=steps,
            seed=seed,
            device="cpu",
            outdir=Path(folder) / "run",
            callbacks=[clock],
            settings=["outputs.final_verdict=false", "outputs.samples=1", *SETTINGS[contestant], *more],
        )
        ended = time.process_time()
        rejection = gan.rejection() if contestant == "rejected" else None
        made = gan.sample(count, seed=seed, rejection=rejection)
        looks = [row for row in RunFolder(Path(folder) / "run").read_verdicts() if row.get("part") != "final"]
        facts = {
            "cpu_seconds": spent["end"],
            "before_first_step": spent["first_step"] - began,
            "sampling_cpu_seconds": time.process_time() - ended,
            "steps": steps,
            "run_seed": seed,
            "command": command(contestant, steps=steps, seed=seed, evaluations=gan.config.evaluations, more=more),
            "kept_step": gan.step,
            "stage_steps": gan.config.stage_steps,
            "dependences": gan.config.networks.generator.get("dependences"),
            "estimates": [[row["step"], row.get("jsd_estimate_nats")] for row in looks],
        }
        if rejection is not None:
            facts |= {"kept": rejection.kept, "told_by_rejection": rejection.auc}
    return made, facts


def command(contestant: str, *, steps: int, seed: int, evaluations: Any, more: list[str]) -> str:
    """What is typed for the same rows, with the choices about evaluations that the run made by the clock."""
    from equipoise.experiment.config.schema import CHOSEN_AT_START

    chosen = [f"evaluations.{name}={json.dumps(getattr(evaluations, name))}" for name in CHOSEN_AT_START]
    own = [name.partition("=")[0] for name in (*SETTINGS[contestant], *more)]
    settings = [*SETTINGS[contestant], *more, *(each for each in chosen if each.partition("=")[0] not in own)]
    words = ["equipoise", "train", "rows.csv", "--steps", str(steps), "--seed", str(seed), "--device", "cpu"]
    return shlex.join([*words, *(word for each in settings for word in ("--set", each))])


def independent_columns(rows: pd.DataFrame, *, seed: int, count: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Each column drawn by itself from the training rows."""
    draws = np.random.default_rng(seed)
    made = pd.DataFrame({name: rows[name].to_numpy()[draws.integers(0, len(rows), count)] for name in rows})
    return made, {"cpu_seconds": time.process_time()}


def of_peer(
    rows: pd.DataFrame, name: str, *, python: Path, seconds: float, seed: int, count: int
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows of a peer, by a Python that has it, and what `tables_peer.py` says of the fit.

    `-I` keeps this folder off the path, where `ctgan.py` would be taken for the package.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "rows.csv", Path(folder) / "made.csv"
        rows.to_csv(given, index=False)
        script = Path(__file__).with_name("tables_peer.py")
        options = {"rows": given, "made": made, "seconds": seconds, "seed": seed, "count": count}
        words = [str(python), "-I", str(script), name, *(w for key, v in options.items() for w in (f"--{key}", str(v)))]
        one_process = {"LOKY_MAX_CPU_COUNT": "1"}  # joblib would encode columns in as many as there are cores
        done = subprocess.run(words, env=os.environ | one_process, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{name} ended with exit status {done.returncode}: {done.stderr[-600:]}")
        return pd.read_csv(made), json.loads(done.stdout.strip().splitlines()[-1]) | {"run_seed": seed}
