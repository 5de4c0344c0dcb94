"""The presets for tables: columns drawn one by one, fitted by likelihood first and then played with, or played alone.

What each choice brings, measured, is on the page `docs/guides/tables.md`.
"""

from __future__ import annotations

from typing import Any

from equipoise.spaces import Space, TableSpace

COLUMNWISE = "columnwise"
FEW_COLUMNS, MANY_COLUMNS = 40, 80
"""Columns up to which each one's network has 96 units; then 64, and 32 beyond `MANY_COLUMNS`: a step's time grows with
the columns and with the square of the units."""
FEW_ROWS = 2_000
"""Training rows below which hidden units are dropped more often: there is less to learn and more to remember."""

MOST_STEPS, FEWEST_STEPS, MOST_PASSES = 3_000, 500, 150
"""Steps of a run whose length nobody has said, the fewest, and the most passes over the training rows that they may be:
of 3,200 rows 2.9 and 1.8 times as many steps brought 0.011 and 0.006 of AUC (fair and txhousing, one run each)."""
BATCH = 256
GAME_STEPS, GAME_KNOTS = 11_000, 3
"""Of the game alone: steps of a run whose length nobody has said, and pieces of a number's density in a row of given
columns. With a logit for each value a number's own frequencies were lost."""


def _stage(rows: int) -> dict[str, float | None]:
    """How long and how carefully likelihood is fitted.

    It has nine tenths of a run of any length, however often it passes over the rows: what it hands on is chosen by rows
    that it has not seen. A limit on the passes gave the rest of a long run, or of a small table, to the game, which
    took these rows far from real ones. More units that are dropped keep rows from coming nearer to the training rows.
    """
    return {"passes": None, "dropout": 0.3 if rows >= FEW_ROWS else 0.4}


def _steps(rows: int) -> int:
    """Each step takes a batch of rows for either player."""
    return min(MOST_STEPS, max(FEWEST_STEPS, round(MOST_PASSES * rows / (2 * BATCH))))


def tables_preset(space: Space, device: str, rows: int) -> dict[str, Any]:
    """Settings for rows of a table, given that many training rows."""
    del device
    columns = len(space.columns) if isinstance(space, TableSpace) else 1
    width = 96 if columns <= FEW_COLUMNS else 64 if columns <= MANY_COLUMNS else 32
    options = {"betas": [0.0, 0.99]}
    return {
        "networks": {
            "family": COLUMNWISE,
            "latents": 1,  # as many as the columns need, whatever is written here
            "generator": {"width": width, "context": width},
            "discriminator": {"width": 256, "depth": 3, "input_gradient": "closed_form"},
        },
        "runtime": {"threads": 1},
        "training": {"batch_size": BATCH, "steps": _steps(rows)},
        "warm_start": {"name": "likelihood", **_stage(rows)},
        "penalties": [{"name": name, "options": {"weight": 1.0}} for name in ("r1", "r2")],
        "gamma": {"shape": "geometric", "final": 0.01},
        "optimizers": {
            # A tenth of the discriminator's: the generator begins where the likelihood has brought it.
            "generator": {"learning_rate": 1e-4, "options": dict(options)},
            "discriminator": {"learning_rate": 1e-3, "options": dict(options)},
            "lr_schedule": {"shape": "cosine", "final": 0.01, "warmup_steps": 200},
        },
    }


def tables_game_preset(space: Space, device: str, rows: int) -> dict[str, Any]:
    """The same networks in the game alone, from the columns' own frequencies."""
    settings = tables_preset(space, device, rows)
    settings["networks"]["generator"]["output_knots"] = GAME_KNOTS
    settings["networks"]["discriminator"]["crosses"] = True
    settings["training"]["steps"] = GAME_STEPS
    settings["optimizers"]["generator"]["learning_rate"] = 5e-4
    return settings | {"warm_start": None, "gamma": {"shape": "geometric", "final": 0.1}}
