"""From a configuration to objects to a run: the only layer that knows every part."""

from equipoise.experiment.config import RunConfig
from equipoise.experiment.gan import Gan, load
from equipoise.experiment.judging import judge_sources
from equipoise.experiment.judging_run import judge_run
from equipoise.experiment.looking import looks_settings, with_looks
from equipoise.experiment.preparing import Forecast, Planned, forecast, forecast_run, plan_run, resolve
from equipoise.experiment.resuming import resume
from equipoise.experiment.run import fit, train, train_planned

__all__ = [
    "Forecast", "Gan", "Planned", "RunConfig", "fit", "forecast", "forecast_run", "judge_run", "judge_sources", "load",
    "looks_settings", "plan_run", "resolve", "resume", "train", "train_planned",
    "with_looks",
]  # fmt: skip
