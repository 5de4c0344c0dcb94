"""One run folder as one HTML file: it works without a network, on a phone, and never exceeds 5 MB."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.entries import entry_at, finite, listed, number_at
from equipoise.files import write_text
from equipoise.plotting.number_text import duration, encodable, number, percent, shortened
from equipoise.plotting.svg import to_svg
from equipoise.referee.decision_text import is_size_open, method_of
from equipoise.referee.verdict_text import (
    CONCLUSIONS,
    LOG_2,
    conclusion_of,
    distance_sentence,
    statements,
    verdict_basis,
    verdict_evidence,
    verdict_sentence,
)
from equipoise.reports.evidence import evaluation_facts, evidence_tables, metrics_table, scores_table
from equipoise.reports.incidents import incident_sentences
from equipoise.reports.plots import Plot
from equipoise.reports.reading import RunRecord, flatten, read_run
from equipoise.reports.referee_plots import duality_gap_plot, referee_plot
from equipoise.reports.rendering import environment
from equipoise.reports.sample_grids import MOST_FRAMES, image_at, sample_grids, sample_rows
from equipoise.reports.saturation import flag_sentences, saturation_plots
from equipoise.reports.table_report import section_of_run
from equipoise.reports.training_plots import PLOTS
from equipoise.reports.weights import kept_step, stages_sentence, weights_sentence
from equipoise.reports.wording import moment, state_sentence

MOST_BYTES = 5_000_000
MOST_TEXT = 100_000  # characters of config.yaml shown
MOST_FACTS, MOST_NOTES, FACT_LENGTH = 40, 30, 400


def write_report(folder: Path | str) -> Path:
    """Write `report.html` into the run folder `folder`, from its files and nothing else.

    Works for a run in any state: training, stopped, failed, with broken or missing files. The page is one file
    without any request to elsewhere, at most 5 MB (fewer sample grids are embedded, and more strongly
    compressed, until it fits).

    Returns:
        The path of the page.

    Raises:
        RunFolderError: there is no run folder at `folder`, or a later version of equipoise wrote it.
        StorageError: the page could not be written; an older one is then untouched.
    """
    run = read_run(folder)
    write_text(run.folder.report, render_report(run))
    return run.folder.report


def render_report(run: RunRecord, *, now: float | None = None) -> str:
    """The page as text; `now` is the moment written on it, in seconds since 1970 (default: the clock)."""
    now = time.time() if now is None else now
    template = environment().get_template("report.html.jinja")
    evidence = [referee_plot(run), *([duality_gap_plot(run)] if run.interim_evaluations else [])]
    context = {
        **report_texts(run, now=now),
        "run": run,
        "most_discriminative": image_at(run.folder.most_discriminative),
        "evidence_plots": [_drawn(plot) for plot in evidence],
        "plots": [_drawn(plot) for plot in (*(make(run) for make in PLOTS), *saturation_plots(run))],
    }
    frames = MOST_FRAMES
    while True:
        real, shown, notes = sample_grids(run, most=frames)
        nearest = image_at(run.folder.nearest) if frames else None
        page = encodable(template.render(**context, real=real, frames=shown, nearest=nearest, sample_notes=notes))
        if len(page.encode("utf-8")) <= MOST_BYTES or frames == 0:
            return page
        frames //= 2


def _drawn(plot: Plot) -> tuple[Plot, str]:
    """The plot with its figure as inline SVG, which is our own drawing with its text escaped; empty without one."""
    return plot, "" if plot.figure is None else to_svg(
        plot.figure, name=plot.name, label=f"{plot.title}. {plot.reading}"
    )


def style_sheet() -> str:
    """The style sheet of the report by itself, for pages that look like it."""
    return environment().get_template("style.css.jinja").render()


def report_texts(run: RunRecord, *, now: float) -> dict[str, Any]:
    """Every sentence and table of a report by its name in the template; pages that follow a run have the same.

    Args:
        run: of its measured steps, those with flags of the monitor and the last one are read.
        now: the moment written on the page, in seconds since 1970.
    """
    verdict = run.verdict
    conclusion = str(verdict.get("conclusion")) if verdict else ""
    text = run.config_text
    if len(text) > MOST_TEXT:
        text = text[:MOST_TEXT] + f"\n... cut here: {len(text) - MOST_TEXT:,} more characters are in config.yaml"
    notes = [_brief(note) for note in listed(run.data.get("notes"))]
    if len(notes) > MOST_NOTES:
        notes = [*notes[:MOST_NOTES], f"{len(notes) - MOST_NOTES} more notes are in data.json."]
    return {
        "state": _brief(state_sentence(run, now=now)),
        "verdict_class": conclusion if conclusion in CONCLUSIONS else "",
        "verdict_word": _verdict_word(run, verdict),
        "verdict_sentence": verdict_sentence(verdict, command=f"equipoise judge {run.folder.path}"),
        "distance_sentence": distance_sentence(verdict),
        "method": method_of(verdict),
        "verdict_basis": verdict_basis(verdict) if verdict else "",
        "verdict_evidence": verdict_evidence(verdict) if verdict else [],
        "statements": statements(verdict) if verdict else [],
        "weights_sentence": " ".join(filter(None, [weights_sentence(run, verdict), stages_sentence(run)])),
        "kept_step": kept_step(run),
        "evidence_tables": evidence_tables(verdict),
        "scores": scores_table(run),
        "scores_during_training": metrics_table(run),
        "table_report": section_of_run(run.table_report, command=_report_command(run)),
        "evaluation_facts": evaluation_facts(run),
        "flags": flag_sentences(run),
        "incidents": incident_sentences(run),
        "scale": _scale(verdict),
        "sample_rows": sample_rows(run),
        "key_numbers": key_numbers(run),
        "game_facts": _game_facts(run),
        "data_facts": _data_facts(run),
        "data_notes": notes,
        "environment_facts": _environment_facts(run),
        "config_text": text,
        "version": str(run.metadata.get("equipoise") or ""),
        "written": moment(now),
    }


def _report_command(run: RunRecord) -> str:
    """The command that measures whether the table of a run can be used; nothing of other runs."""
    return f"equipoise report-table {run.folder.path}" if run.kind == "table" else ""


def _verdict_word(run: RunRecord, verdict: Mapping[str, Any] | None) -> str:
    if verdict is None:
        return ""
    step = finite(verdict.get("step"))
    if step is None or run.step <= step:
        return conclusion_of(verdict)
    since = "the best checkpoint" if step == number_at(run.status, "best", "step") else "the run has gone on since"
    return f"{conclusion_of(verdict)} (at step {int(step):,}; {since})"


def _scale(verdict: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Where the bound lies between 0 and log 2; None unless a difference was proved."""
    bound = finite(verdict.get("jsd_lower_bound_nats")) if verdict else None
    if bound is None or bound <= 0 or verdict is None or verdict.get("conclusion") != "distinguished":
        return None
    share = min(bound / LOG_2, 1.0)
    label = f"Scale from 0, identical, to 0.693, never alike: the distance is at least {number(bound, 3)} nats."
    return {"bound": f"{100 * share:.1f}", "label": label}


def key_numbers(run: RunRecord) -> list[tuple[str, str]]:
    """The numbers of the last measured step, and the referee's bound, by their names."""
    if not run.metrics:
        return []
    row = run.metrics[-1]
    error = number_at(row, "value_standard_error")
    value = number(number_at(row, "value")) + (f" ± {number(error, 2)} (standard error)" if error is not None else "")
    found = [
        ("step", number(row["step"], 12)),
        ("samples seen", number(row.get("samples_seen"), 12)),
        ("time trained", duration(row.get("seconds"))),
        ("value of the objective (not evidence)", value),
        ("its value at equilibrium", number(run.equilibrium_value)),
        ("discriminator's loss", number(row.get("discriminator_loss"))),
        ("generator's loss", number(row.get("generator_loss"))),
    ]
    for name, key in (("gradient length", "gradient_norm"), ("learning rate", "learning_rate")):
        found += [
            (f"{player}'s {name}", number(entry_at(row, key, player))) for player in ("discriminator", "generator")
        ]
    found.append(("steps per second", number(row.get("steps_per_second"), 3)))
    if run.verdict is not None:
        bound = "not established" if is_size_open(run.verdict) else number(run.verdict.get("jsd_lower_bound_nats"))
        found.append(("referee's lower bound on JSD, nats", bound))
        found.append(("confidence of that bound", percent(run.verdict.get("confidence"))))
    return [(name, value) for name, value in found if value != "–"]


def _game_facts(run: RunRecord) -> list[tuple[str, str]]:
    found = [
        ("objective", run.objective),
        ("what its best value measures", entry_at(run.metadata, "objective", "divergence")),
        ("source", entry_at(run.metadata, "objective", "source")),
        ("preset", run.preset),
        ("batch size", number(run.metadata.get("batch_size"), 12)),
        ("steps", number(run.steps, 12)),
        ("seed", run.seed),
    ]
    for player in ("generator", "discriminator"):
        family, size = (entry_at(run.metadata, "networks", player, key) for key in ("family", "parameters"))
        if family or size:
            found.append((player, f"{family or 'network'}, {number(size, 12)} parameters"))
    return [(name, _brief(value)) for name, value in found if value not in (None, "", "–")]


def _data_facts(run: RunRecord) -> list[tuple[str, str]]:
    """What data.json says, without the encoder's state and without the long lists."""
    left_out = ("encoder", "notes", "format")
    flat = flatten({key: value for key, value in run.data.items() if key not in left_out})
    return _listed(flat)


def _environment_facts(run: RunRecord) -> list[tuple[str, str]]:
    metadata = run.metadata
    flat = {key: metadata.get(key) for key in ("equipoise", "command")} | {"started": moment(metadata.get("started"))}
    environment_found = metadata.get("environment")
    flat |= flatten(environment_found) if isinstance(environment_found, Mapping) else {}
    return _listed(flat)


def _listed(flat: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [
        (_brief(str(key).replace(".", ": ").replace("_", " ")), _brief(value))
        for key, value in flat.items()
        if value not in (None, "", "–", [], {})
    ]
    if len(rows) > MOST_FACTS:
        rows = [*rows[:MOST_FACTS], ("and more", f"{len(rows) - MOST_FACTS} entries are in the run folder")]
    return rows


def _brief(value: Any) -> str:
    """A value in at most 400 characters; numbers as people write them, lists with their first entries, or only their
    count where an entry has several values itself."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no"}.get(value, "–")
    if isinstance(value, (int, float)):
        return number(value, 12 if isinstance(value, int) else 6)
    if isinstance(value, (list, tuple)):
        if any(isinstance(entry, Mapping) for entry in value):
            return f"{len(value)} entries, in the run folder"
        shown = ", ".join(_brief(entry) for entry in value[:12])
        return shown[:FACT_LENGTH] + (f", and {len(value) - 12} more" if len(value) > 12 else "")
    return shortened(str(value), FACT_LENGTH)
