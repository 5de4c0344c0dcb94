"""Where the two sides differ: the columns, the pairs of columns and the samples that are most discriminative."""

from __future__ import annotations

import numpy as np

from equipoise.data.judging import Rows
from equipoise.metrics.divergence import jsd_of_probabilities
from equipoise.referee.base import Evidence, Finding

_BINS = 16
_LISTED = 6
_MOST_PAIRED_COLUMNS = 25
_LEAST_EXPECTED = 5
_LEAST_FOR_PAIRS = 100
"""Test samples of each side, below which the mean of a skewed quantity is not yet normal, far out as it is tested."""


def check_where(evidence: Evidence) -> tuple[Finding, ...]:
    """Columns, then pairs beyond what their columns show, each above what chance gives; then the samples."""
    codes = [_codes(side, evidence.real) for side in (evidence.real, evidence.fake)]
    names = evidence.real.names
    findings = []
    rows = _columns(evidence, codes, names)
    unit = evidence.domain.columns_name
    if rows:
        listed = "; ".join(_in_words(row) for row in rows[:3])
        statement = f"These {unit} differ by themselves, most first: {listed}."
        findings.append(Finding("where", statement, True, {"columns": len(rows)}, tuple(rows[:_LISTED])))
    if evidence.domain.columns(evidence.real_values) is not None:
        pairs = _pairs(evidence, codes, names)
        if pairs:
            listed = ", ".join(f"{row['first']} with {row['second']}" for row in pairs[:3])
            findings.append(
                Finding(
                    "where",
                    f"These pairs of {unit} go together differently, most first: {listed}.",
                    True,
                    {"pairs": len(pairs)},
                    tuple(pairs[:_LISTED]),
                )
            )
    return (*findings, *_samples(evidence))


def _columns(evidence: Evidence, codes: list[np.ndarray], names: tuple[str, ...]) -> list[dict[str, object]]:
    rows = []
    for column, name in enumerate(names):
        excess, is_real = _excess_jsd(
            codes[0][:, column], codes[1][:, column], tests=len(names), confidence=evidence.confidence
        )
        if is_real:
            rows.append({"column": name, "jsd_nats": excess, **_how(evidence, column)})
    return sorted(rows, key=lambda row: -row["jsd_nats"])


def _pairs(evidence: Evidence, codes: list[np.ndarray], names: tuple[str, ...]) -> list[dict[str, object]]:
    r"""Pairs whose dependence is lost or gained.

    Each test row has the information :math:`g = \log (r_{ab} / (r_a r_b))` of its pair in the real training rows. If
    both sides follow one distribution its mean is the same on both; a z test compares them, Bonferroni-corrected over
    the pairs.
    """
    from scipy.stats import norm

    if min(len(evidence.real), len(evidence.fake)) < _LEAST_FOR_PAIRS:
        return []
    width = min(len(names), _MOST_PAIRED_COLUMNS)
    fitted = _codes(evidence.real_train, evidence.real)
    known, *scored = [_coarse(side, fitted) for side in (fitted, *codes)]
    limit = norm.ppf(1 - (1 - evidence.confidence) / max(1, width * (width - 1)))
    rows = []
    for second in range(width):
        for first in range(second):
            table = np.zeros((_BINS + 1, _BINS + 1))
            np.add.at(table, (known[:, first], known[:, second]), 1.0)
            expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / len(known)
            prior = np.minimum(expected, 1.0) + 0.1
            information = np.log((table + prior) / (expected + prior))
            means = [information[side[:, first], side[:, second]] for side in scored]
            spread = np.sqrt(sum(part.var() / len(part) for part in means))
            lost = float(means[0].mean() - means[1].mean())
            if spread > 0 and abs(lost) > limit * spread:
                rows.append(
                    {
                        "first": names[first],
                        "second": names[second],
                        "dependence_lost_nats": lost,
                        "z_score": float(lost / spread),
                    }
                )
    return sorted(rows, key=lambda row: -abs(row["dependence_lost_nats"]))


def _excess_jsd(real: np.ndarray, fake: np.ndarray, *, tests: int, confidence: float) -> tuple[float, bool]:
    """JSD of two histograms less what chance gives, and whether a chi-square test finds it, Bonferroni-corrected."""
    from scipy.stats import chi2

    cells = int(max(real.max(), fake.max())) + 1
    counts = [np.bincount(side, minlength=cells).astype(float) for side in (real, fake)]
    # The chi-square distribution needs some samples expected in every cell, of the smaller side too.
    totals = [count.sum() for count in counts]
    used = (counts[0] + counts[1]) * min(totals) / sum(totals) >= _LEAST_EXPECTED
    if used.sum() < 2:
        return 0.0, False
    counts = [np.append(count[used], count[~used].sum()) for count in counts]
    if counts[0][-1] + counts[1][-1] < _LEAST_EXPECTED * sum(totals) / min(totals):
        counts = [np.append(count[:-2], count[-2:].sum()) for count in counts]
    pooled = (counts[0] + counts[1]) / sum(totals)
    expected = [np.maximum(total * pooled, 1e-12) for total in totals]
    statistic = sum(((count - mean) ** 2 / mean).sum() for count, mean in zip(counts, expected, strict=True))
    freedom = int((pooled > 0).sum()) - 1
    jsd = jsd_of_probabilities(*(count / total for count, total in zip(counts, totals, strict=True)))
    chance = freedom / 8 * (1 / totals[0] + 1 / totals[1])
    return max(0.0, jsd - chance), bool(freedom > 0 and chi2.sf(statistic, freedom) < (1 - confidence) / tests)


def _samples(evidence: Evidence) -> list[Finding]:
    """The test samples that the selected classifier is surest of, with their values where these fit in a line."""
    if np.ptp(np.concatenate([evidence.real_logits, evidence.fake_logits])) == 0:
        return []  # at chance level it says the same of all
    rows = []
    for side, logits, values, places, sign in (
        ("real", evidence.real_logits, evidence.real_values, evidence.real_places, 1),
        ("generated", evidence.fake_logits, evidence.fake_values, evidence.fake_places, -1),
    ):
        for place in np.argsort(-sign * logits, kind="stable")[:_LISTED]:
            row: dict[str, object] = {"side": side, "log_odds_of_real": float(logits[place])}
            if places is not None:
                row["sample"] = int(places[place])
            rows.append(row | evidence.domain.described(values, place))
    return [Finding("where", "The most discriminative test samples of each side are listed.", rows=tuple(rows))]


def _in_words(row: dict[str, object]) -> str:
    if "level" in row:
        return f"{row['column']} ({row['level']}: {row['real_share']:.1%} real, {row['fake_share']:.1%} generated)"
    if row["real_median"] is None or row["fake_median"] is None or row["real_median"] == row["fake_median"]:
        return str(row["column"])
    real, fake = _told_apart(float(row["real_median"]), float(row["fake_median"]))
    return f"{row['column']} (median {real} real, {fake} generated)"


def _told_apart(real: float, fake: float) -> tuple[str, str]:
    """Two different numbers in as many digits as show that they differ, four at least."""
    texts = ((f"{real:.{digits}g}", f"{fake:.{digits}g}") for digits in range(4, 18))
    return next((pair for pair in texts if pair[0] != pair[1]), (repr(real), repr(fake)))


def _how(evidence: Evidence, column: int) -> dict[str, object]:
    from scipy.special import rel_entr

    real, fake = (side.mixed[:, column] for side in (evidence.real, evidence.fake))
    if evidence.real.is_category[column]:
        levels = int(max(real.max(), fake.max())) + 1
        shares = [np.bincount(side.astype(int), minlength=levels) / len(side) for side in (real, fake)]
        middle = (shares[0] + shares[1]) / 2
        worst = int(np.argmax(sum(rel_entr(share, middle) for share in shares)))  # each level's part of the JSD
        name = evidence.real.levels[column][worst]
        return {"level": name, "real_share": float(shares[0][worst]), "fake_share": float(shares[1][worst])}
    return {
        "real_median": float(np.nanmedian(real)) if np.isfinite(real).any() else None,
        "fake_median": float(np.nanmedian(fake)) if np.isfinite(fake).any() else None,
    }


def _codes(side: Rows, reference: Rows) -> np.ndarray:
    """Every column in bins: levels as they are, numbers by quantiles of the real test samples, gaps apart."""
    columns = []
    for column in range(side.mixed.shape[1]):
        values, known = side.mixed[:, column], reference.mixed[:, column]
        if side.is_category[column]:
            columns.append(values.astype(np.int64))
            continue
        known = known[np.isfinite(known)]
        cuts = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[:-1])) if len(known) else np.zeros(1)
        # Values below the least real one, and gaps, get codes of their own.
        codes = np.searchsorted(cuts, values, side="right")
        above = values > known.max() if len(known) else np.zeros(len(values), bool)
        columns.append(
            np.where(np.isnan(values), len(cuts) + 2, np.where(above, len(cuts) + 1, codes)).astype(np.int64)
        )
    return np.stack(columns, axis=1) if columns else np.zeros((len(side), 0), np.int64)


def _coarse(codes: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """At most 16 codes a column: the commonest of the real side, the others together."""
    columns = []
    for column in range(codes.shape[1]):
        levels, counts = np.unique(reference[:, column], return_counts=True)
        kept = levels[np.argsort(-counts, kind="stable")][:_BINS]
        order = np.argsort(kept)
        place = np.clip(np.searchsorted(kept[order], codes[:, column]), 0, len(kept) - 1)
        columns.append(np.where(kept[order][place] == codes[:, column], order[place], _BINS))
    return np.stack(columns, axis=1) if columns else codes


CHECKS = {"where": check_where}
