"""From a configuration to objects to a run: the only layer that knows every part."""

from equipoise.experiment.config import RunConfig
from equipoise.experiment.forecast import Forecast, dry_run, forecast_run
from equipoise.experiment.gan import Gan, load
from equipoise.experiment.judging import judge_sources
from equipoise.experiment.judging_run import judge_run
from equipoise.experiment.looking import looks_settings, with_looks
from equipoise.experiment.preparing import Planned, plan_run, resolve
from equipoise.experiment.resuming import resume
from equipoise.experiment.run import fit, train, train_planned

__all__ = [
    "Forecast",
    "Gan",
    "Planned",
    "RunConfig",
    "dry_run",
    "fit",
    "forecast_run",
    "judge_run",
    "judge_sources",
    "load",
    "looks_settings",
    "plan_run",
    "resolve",
    "resume",
    "train",
    "train_planned",
    "with_looks",
]
