"""equipoise: train generative adversarial networks on your own data, and know how far they are from equilibrium.

    import equipoise as eq
    gan = eq.fit("cats/")          # folder, zip, CSV, Parquet, DataFrame, array, torch Dataset
    gan.sample(64)
    gan.judge()                    # Verdict
    eq.judge(real, fake)           # any two sets
    eq.judge_several(real, [a, b]) # several against one, ranked
    eq.fit(data, generator=net, discriminator=net, objective=objective, callbacks=[...])
    eq.GAN(minutes=5).fit(frame).sample(1000)
    eq.measure(real, fake)         # their metrics
    eq.report_table(real, fake)    # of tables: how faithful, how useful, how private
    eq.view("runs/cats")           # the run's page in a notebook, or .save("cats.html")

Names are loaded when they are first used, so that `import equipoise` takes no time.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0"

_HOMES = {
    "fit": "equipoise.experiment.train",
    "train": "equipoise.experiment.train",
    "resume": "equipoise.experiment.resume",
    "sweep": "equipoise.experiment.sweep.run",
    "compare": "equipoise.reports",
    "report": "equipoise.reports:write_report",
    "view": "equipoise.playground.view",
    "load": "equipoise.experiment.loading",
    "from_pretrained": "equipoise.experiment.loading",
    "Gan": "equipoise.experiment.generator",
    "GAN": "equipoise.experiment.estimator",
    "Stop": "equipoise.training",
    "judge": "equipoise.experiment.judge.datasets:judge_sources",
    "judge_several": "equipoise.experiment.judge.several",
    "plan_samples": "equipoise.experiment.judge.plan:plan_sources",
    "measure": "equipoise.experiment.measure",
    "report_table": "equipoise.experiment.table_report",
    "Verdict": "equipoise.referee",
    "Player": "equipoise.game",
    "Batch": "equipoise.game",
    "UpdateRule": "equipoise.game",
    "StepReport": "equipoise.game",
    "AveragedWeights": "equipoise.game",
    "train_step": "equipoise.game",
    "Schedule": "equipoise.game",
    "Trainer": "equipoise.training",
    "BatchSource": "equipoise.training",
    "Plan": "equipoise.training",
    "value_function": "equipoise.objectives.value",
}
_PACKAGES = ("objectives", "penalties", "networks", "augmentation", "data", "metrics", "lab")

__all__ = [*_HOMES, *_PACKAGES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"equipoise.{name}")
    if name not in _HOMES:
        from equipoise.old_names import PYTHON_NAMES

        today = f"; it is now '{PYTHON_NAMES[name]}'" if name in PYTHON_NAMES else ""
        raise AttributeError(f"module 'equipoise' has no attribute '{name}'{today}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(importlib.import_module(module), attribute or name)


def __dir__() -> list[str]:
    return sorted(__all__)
