"""Classes: is each asked-for class as convincing as the others, and as frequent as among real samples?"""

from __future__ import annotations

import numpy as np

from equipoise.referee.base import Evidence, Finding

_LEAST_OF_CLASS = 10


def check_classes(evidence: Evidence) -> tuple[Finding, ...]:
    """Per class, the classifier's mean logit on real and generated samples, compared by a z test over all classes.

    A class whose real and generated samples get logits of equal mean is not distinguished by this classifier.
    """
    from scipy.stats import norm

    if evidence.real_labels is None or evidence.fake_labels is None:
        return ()
    classes = np.union1d(evidence.real_labels, evidence.fake_labels)
    limit = norm.ppf(1 - (1 - evidence.confidence) / (2 * len(classes)))
    rows, absent = [], []
    for label in classes:
        real = evidence.real_logits[evidence.real_labels == label]
        fake = evidence.fake_logits[evidence.fake_labels == label]
        name = evidence.label_names[label] if 0 <= label < len(evidence.label_names) else str(label)
        if len(real) and not len(fake):
            absent.append(name)
        if min(len(real), len(fake)) < _LEAST_OF_CLASS:
            continue
        spread = float(np.sqrt(real.var(ddof=1) / len(real) + fake.var(ddof=1) / len(fake)))
        gap = float(real.mean() - fake.mean())
        if spread > 0:
            rows.append(
                {"class": name, "logit_gap": gap, "z_score": gap / spread, "real": len(real), "fake": len(fake)}
            )
    findings = []
    if absent:
        findings.append(
            Finding("classes", f"No generated sample was given for these classes: {', '.join(absent)}.", True)
        )
    found = sorted((row for row in rows if row["z_score"] > limit), key=lambda row: -row["logit_gap"])
    if found:
        names = ", ".join(str(row["class"]) for row in found[:5])
        statement = f"{len(found)} of {len(rows)} classes are distinguished by themselves, most first: {names}."
        numbers = {"classes": len(rows), "distinguished": len(found)}
        findings.append(Finding("classes", statement, True, numbers, tuple(found)))
    elif rows:
        findings.append(
            Finding("classes", f"None of {len(rows)} classes is distinguished by itself.", rows=tuple(rows))
        )
    return tuple(findings)


CHECKS = {"classes": check_classes}
