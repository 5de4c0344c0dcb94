"""The preset for points: a learned mixture as prior, batches that run evenly through the data, rates that end low.

What each choice brings, measured, is on the page `docs/guides/points.md`.
"""

from __future__ import annotations

from typing import Any

from equipoise.spaces import Space, sample_size

FEW_DIMENSIONS = 4
"""Coordinates up to which a discriminator of 64 units sees what there is to see; then 128, and 256 beyond `MANY`."""
MANY_DIMENSIONS = 16
FULL_COVARIANCE_FROM, FULL_COVARIANCE_TO = 6, 64
"""Coordinates for which each component has a matrix: scales along the axes alone fit tilted modes badly there."""
ROWS_PER_COMPONENT = 8
"""Training rows for each component where rows are many: with fewer, components settle on single rows."""
COMPONENTS_OF_FEW_ROWS, FEWEST_ROWS_PER_COMPONENT = 100, 2
"""Components where an eighth of the rows are fewer, and the fewest rows to one of them."""
MOST_COMPONENTS = 256
"""Without matrices; with them 64, because a matrix is learned from more samples to a component (8-D mixture of 20, a
minute, one run each: an estimate of 0.26 with 64 components and 0.34 with 256)."""
MOST_ROWS_IN_ORDER = 1_000_000
"""Training rows up to which batches are taken along a k-d order of them, which takes seconds at that size."""


MIXTURE = "mixture_prior"
FULL_STEPS, FULL_STEPS_OF_MORE_DIMENSIONS = 5_000, 15_000
"""Planned steps beyond which rates begin lower. At the full rates for longer, units of the discriminator drift to where
all samples lie on one side of their kink; with fewer kinks it no longer sees small errors. 12,600 steps on 100 modes
end at a true JSD of 0.03 with rates of 0.6, 0.06 to 0.08 with 0.4, and 0.06 with 1 (two seeds, two, one); 54,000 on 25
modes at 0.007 with 0.14, and 72,000 at 0.004 with 0.21 (three seeds, five). With more than 4 dimensions they may not
be as low: in 8, 24,000 steps end at an AUC of 0.69 with 0.31, and of 0.58 with 1, 46,000 at 0.56 with 0.3 (one each);
in 5, 9,000 at an estimate of 0.012 and 0.026 with 0.75, and 0.009 with 1 (two seeds, five)."""
SHORT_STEPS, SHORT_MINUTES = 8_000, 0.5
"""A run up to here is short: half as many components and samples to a batch give it more steps, and scales and weights
need larger ones to arrive."""


def is_short_run(steps: int | None, minutes: float | None) -> bool:
    """Whether a person asks for a short run; without a wish it is a long one."""
    return (steps is not None and steps <= SHORT_STEPS) or (minutes is not None and minutes <= SHORT_MINUTES)


def points_preset(space: Space, device: str, rows: int, *, is_short: bool = False) -> dict[str, Any]:
    """Settings for points of a space, given that many training rows."""
    del device
    dimensions = sample_size(space)
    width = 64 if dimensions <= FEW_DIMENSIONS else 128 if dimensions <= MANY_DIMENSIONS else 256
    has_matrices = FULL_COVARIANCE_FROM <= dimensions <= FULL_COVARIANCE_TO
    most = 64 if dimensions >= FULL_COVARIANCE_FROM else 128 if is_short else MOST_COMPONENTS
    components = min(most, components_for(rows, has_matrices=has_matrices))
    return {
        "networks": {
            "family": MIXTURE,
            "latents": min(64, dimensions),
            "generator": {
                "components": components,
                "width": 64,
                "depth": 1,
                "covariance": "full" if has_matrices else "diagonal",
            },
            "discriminator": {"width": width, "depth": 3, "input_gradient": "closed_form"},
        },
        "training": {
            # Every component twice in a batch, with eps and -eps; wide discriminators pay for more samples a step.
            "batch_size": 512 if width == 64 and not is_short else 256,
            "shared_batch": True,
            "gradients": "closed_form",
            "latents": "antithetic",
            "real_batches": "stratified" if rows <= MOST_ROWS_IN_ORDER else "shuffled",
        },
        "penalties": [{"name": name, "options": {"weight": 0.1}} for name in ("r1", "r2")],
        # Reached before the end, so that the last tenth of the run settles at the finest resolution.
        "gamma": {"shape": "geometric", "final": 0.01, "reached_at": 0.9},
        "optimizers": {
            "generator": {
                "name": "GrowingAdam",
                "learning_rate": 1e-3,
                "options": {"shortest": 100, "share": 0.2},
                # The logarithms of scales and weights change by a share of themselves, whatever their size: a rate that
                # suits them late in a run is far too large for means, which need one well below a mode's deviation.
                "groups": {
                    "body": {"factor": 0.3},
                    "scales": {"factor": 1.5 if is_short else 1.0, "floor": 0.3},
                    # A component between modes has to lose a hundredfold of its weight within a run.
                    "weights": {"factor": 3.0, "floor": 0.3},
                },
            },
            "discriminator": {
                "name": "GrowingAdam",
                "learning_rate": 1e-2,
                "options": {"shortest": 100, "share": 0.2},
            },
            "lr_schedule": {
                "shape": "geometric",
                "final": 3e-3,
                "warmup_steps": 200,
                "full_steps": FULL_STEPS if dimensions <= FEW_DIMENSIONS else FULL_STEPS_OF_MORE_DIMENSIONS,
            },
        },
        "runtime": {"threads": 1},
    }


def components_for(rows: int, *, has_matrices: bool = False) -> int:
    r"""How many components that many training rows are given, before any limit of their number: at least one.

    .. math::
        K(n) = \max(n / 8,\, \min(100,\, n / 2))

    Data have as many modes as they have, however few rows are given. An eighth of 160 rows are 20 components: on a grid
    of 25 modes those that cover two of them grow as wide as the space between.

    Args:
        rows: n.
        has_matrices: whether a component has one; it then needs its eight rows, however few there are.
    """
    of_many = rows // ROWS_PER_COMPONENT
    of_few = 0 if has_matrices else min(COMPONENTS_OF_FEW_ROWS, rows // FEWEST_ROWS_PER_COMPONENT)
    return max(1, of_many, of_few)


def points_mlp_preset(space: Space, device: str, rows: int) -> dict[str, Any]:
    """Settings for points and other networks than the mixture: the preset of versions 0.1 and 0.2."""
    del device, rows
    dimensions = sample_size(space)
    width = 64 if dimensions <= FEW_DIMENSIONS else 128 if dimensions <= MANY_DIMENSIONS else 256
    adam = {"name": "Adam", "learning_rate": 3e-3, "options": {"betas": [0.0, 0.99]}}
    return {
        # The generator is deeper than the discriminator: it has to bend sharply between modes. Depth buys share of
        # quality and costs width of the modes: single runs of the 25-grid, about a minute, seed 0; 4, 5, 6, 8 layers
        # bring 89, 92, 94 and 95 % of the samples within three deviations, at a JSD of 0.17, 0.19, 0.22 and 0.27.
        "networks": {
            "family": "mlp",
            "latents": max(2, min(64, dimensions)),
            "generator": {"width": width, "depth": 6},
            "discriminator": {"width": width, "depth": 3},
        },
        "training": {"batch_size": 128},
        "penalties": [{"name": name, "options": {"weight": 0.1}} for name in ("r1", "r2")],
        "gamma": {"shape": "geometric", "final": 0.01},
        "optimizers": {
            "generator": dict(adam),
            "discriminator": dict(adam),
            "lr_schedule": {"shape": "cosine", "final": 0.01, "warmup_steps": 200},
        },
        "runtime": {"threads": 1},
    }
