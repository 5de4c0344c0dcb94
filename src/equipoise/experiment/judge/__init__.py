"""The referee's verdicts: on two data sets, on a run, and during training."""
