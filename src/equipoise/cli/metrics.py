"""`equipoise metrics`: scores of generated samples, with no confidence attached."""

from __future__ import annotations

from typing import Annotated

import typer

from equipoise.cli.options import AsJson, Last, TrustCode
from equipoise.cli.terminal import print_json, print_result
from equipoise.errors import InputError, visible


def metrics(
    sources: Annotated[
        list[str], typer.Argument(metavar="RUN | REAL FAKE", help="A run folder, or two sets of data of any origin.")
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", metavar="NAME", help="A metric to measure; by default all that suit the data."),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            "--features",
            metavar="NAME|FILE.onnx",
            help="Compare images by features: 'random' convolutions, a classifier of your own 'labels', a network from "
            "an ONNX file, or inception-v3, resnet-50, dinov2-small, clip-vit-b32 (extra 'extractors', a download).",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Chooses which samples are compared.")] = 0,
    floor: Annotated[
        bool, typer.Option(help="Also compare real with real, on two halves of the real side.", show_default=True)
    ] = True,
    interval: Annotated[
        bool, typer.Option(help="Give each score an interval of 95 %; it takes ten more scores.", show_default=True)
    ] = True,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="COLUMN", help="A column of both tables that is left out, such as a key."),
    ] = None,
    last: Last = False,
    trust_code: TrustCode = False,
    as_json: AsJson = False,
) -> None:
    """Score generated samples against real ones.

    Frechet, kernel and energy distance, precision and recall; on 'grid25' and 'ring8' also modes and histograms. Two
    sets of real samples do not score 0 either, so the same metric between two real sets stands beside each. Scores of a
    run are kept in RUN/scores.json and shown in its report.

    \b
    Example: a run against held-out data; two files; two folders by the features of a network.
      equipoise metrics runs/digits
      equipoise metrics real.csv synthetic.csv --metric energy_distance
      equipoise metrics photos/ generated/ --features random
    """
    if len(sources) > 2:
        raise InputError("metrics", f"{len(sources)} sources are given.", "Expected one run folder, or REAL FAKE.")
    options = {"metrics": metric or (), "features": features, "seed": seed, "floor": floor, "interval": interval}
    if len(sources) == 2:
        from equipoise.experiment.measure import measure

        if last:
            raise InputError("--last", "two sets of data have no checkpoints.", "Expected a run.", "Leave it out.")
        found = measure(*sources, drop=drop or (), **options)
    else:
        from equipoise.experiment.measure import measure_run

        if drop:
            raise InputError("--drop", "a run has its columns already.", "Expected two sets of data.", "Leave it out.")
        found = measure_run(sources[0], checkpoint="last" if last else None, trust_code=trust_code, **options)
    if as_json:
        print_json(found.to_json())
    else:
        print_result(visible(found.to_text()))
