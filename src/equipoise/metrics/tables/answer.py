"""What the figures of a table report say in plain words: does it look real, is it useful, is it safe, can it be used?

The thresholds are ours and stand here: they turn figures into words, and a reader who needs others has the figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from equipoise.metrics.tables.auc import UNKNOWN, Estimate
from equipoise.metrics.tables.privacy import Privacy
from equipoise.metrics.tables.sides import SYNTHETIC, UNUSED
from equipoise.metrics.tables.usefulness import Usefulness

Grade = Literal["good", "fair", "poor", "unknown"]
HARDLY_SEEN, OFTEN_SEEN = 0.60, 0.80
"""AUC of boosted trees up to which differences are hardly seen, and from which rows are distinguished with ease."""
AS_USEFUL, NEARLY_AS_USEFUL, LESS_USEFUL = 0.01, 0.03, 0.10
"""Loss of a score (AUC, accuracy or R2) against training on real rows."""
CLEAR_LEAK = 0.55
"""AUC of an attack, or share of rows nearer to the training rows, from which a leak is more than slight."""


@dataclass(frozen=True)
class Answer:
    """One question of a person who has a synthetic table, answered.

    Attributes:
        question: what is asked.
        grade: good, fair, poor, or unknown.
        word: the answer in a few words.
        sentence: what it rests on.
    """

    question: str
    grade: Grade
    word: str
    sentence: str


def answers(aucs: dict[str, Estimate], useful: Usefulness, private: Privacy) -> tuple[Answer, ...]:
    """Whether it can be used, then the three questions that this rests on."""
    parts = looks_real(aucs), is_useful(useful), is_safe(private)
    return overall(*parts), *parts


def looks_real(aucs: dict[str, Estimate]) -> Answer:
    """From the AUC of boosted trees beside that of unused real rows."""
    question = "Does it look like the real data?"
    found, unused = aucs[SYNTHETIC], aucs[UNUSED]
    if not np.isfinite(found.value):
        return Answer(question, "unknown", "Not measured", "Too few rows to train boosted trees on.")
    score = f"AUC {found.value:.3f}, where 0.5 is no better than guessing and unused real rows score {unused.value:.3f}"
    if found.low <= max(0.5, unused.high):
        return Answer(question, "good", "Yes", f"Boosted trees cannot tell synthetic rows from real ones ({score}).")
    if found.value <= HARDLY_SEEN:
        return Answer(question, "good", "Nearly", f"Boosted trees hardly tell synthetic rows from real ones ({score}).")
    if found.value <= OFTEN_SEEN:
        return Answer(question, "fair", "In part", f"Boosted trees often tell synthetic rows from real ones ({score}).")
    return Answer(question, "poor", "No", f"Boosted trees tell synthetic rows from real ones with ease ({score}).")


def is_useful(found: Usefulness) -> Answer:
    """From the score of a model trained on synthetic rows beside one trained on real rows."""
    question = "Is it useful?"
    if not found.scores or found.target is None or SYNTHETIC not in found.scores:
        return Answer(question, "unknown", "Not measured", found.why_not or "No column suits as a target.")
    score, difference = found.scores[SYNTHETIC], (found.differences or {}).get(SYNTHETIC, UNKNOWN)
    of_real = found.scores[found.baseline]
    metric = {"R2": "R²", "accuracy": "accuracy", "AUC": "AUC"}[found.metric]
    basis = (
        f"A model that predicts '{found.target.name}' scores {metric} {score.value:.3f} on real rows after training on "
        f"synthetic ones, {of_real.value:.3f} after training on as many real ones"
    )
    if not np.isfinite(difference.value):
        return Answer(question, "unknown", "Not measured", f"'{found.target.name}' does not vary enough.")
    loss = -difference.value
    if loss <= AS_USEFUL:
        return Answer(question, "good", "Yes", f"{basis}.")
    if loss <= NEARLY_AS_USEFUL:
        return Answer(question, "good", "Nearly as useful as real rows", f"{basis}.")
    if loss <= LESS_USEFUL:
        return Answer(question, "fair", "Less than real rows", f"{basis}.")
    return Answer(question, "poor", "No", f"{basis}.")


def is_safe(found: Privacy) -> Answer:
    """From copies beyond chance, nearness to the training rows, and the attacks."""
    question = "Does it give away the rows it was made from?"
    if found.why_not:
        return Answer(question, "unknown", "Not measured", found.why_not)
    copies = found.copies_beyond_chance[SYNTHETIC]
    share = found.copies[SYNTHETIC].value
    if copies.low > 0:
        sentence = f"{_percent(share)} of the rows are exact copies of real ones, more than chance explains."
        return Answer(question, "poor", "Yes, it copies rows", sentence)
    if not found.has_roles:
        sentence = (
            "No more exact copies than chance explains. More cannot be said: nobody told which rows the generator was "
            "trained on, and which real rows it never saw."
        )
        return Answer(question, "unknown", "Not fully measured", sentence)
    attacked = "an attacker who asks whether a known row was trained on does better than guessing (AUC {:.3f}"
    signs = {
        attacked: found.membership[SYNTHETIC],
        attacked.replace("attacker who", "attacker with real rows of their own who"): found.calibrated[SYNTHETIC],
        "the rows lie nearer to the training rows than to unused ones ({:.3f} of them": found.nearer[SYNTHETIC],
    }
    leaks = {name: sign for name, sign in signs.items() if sign.low > 0.5}
    worst = max(leaks, key=lambda name: leaks[name].value, default=None)
    attack = max(found.membership[SYNTHETIC].value, found.calibrated[SYNTHETIC].value)
    if worst is None:
        sentence = (
            f"No copies beyond chance, and an attacker who asks whether a known row was trained on does no better than "
            f"guessing (AUC {attack:.3f}, where 0.5 is guessing)."
        )
        return Answer(question, "good", "No sign of it", sentence)
    sentence = f"No copies beyond chance, but {worst.format(leaks[worst].value)}, where 0.5 is chance)."
    if leaks[worst].value >= CLEAR_LEAK:
        return Answer(question, "poor", "Yes, it leaks", sentence)
    return Answer(question, "fair", "A little", sentence)


def overall(real: Answer, useful: Answer, safe: Answer) -> Answer:
    """Whether it can be used, and for what."""
    question = "Can I use this?"
    grades = {real.grade, useful.grade}
    if safe.grade == "poor":
        return Answer(
            question,
            "poor",
            "Not to share",
            "It gives away rows that it was made from. Keep it as closely as the real data.",
        )
    if "poor" in grades:
        sentence = "Good enough to try out software, not to draw conclusions or to train models for real use."
        return Answer(question, "poor", "As a stand-in only", sentence)
    if grades == {"unknown"}:
        return Answer(question, "unknown", "Not known", "Too little could be measured of these rows.")
    if "fair" in grades or real.grade == "unknown":
        sentence = (
            "For first looks and for development. Check conclusions on the real data, and read what differs below."
        )
        if real.grade == "unknown":
            sentence += " Whether the rows look real was not measured."
        word = "With care"
    elif useful.grade == "unknown":
        sentence, word = "For exploring. No model was tested on it. Check what matters to you below.", "Yes"
    else:
        sentence = "For exploring, and for models like the one that was tested. Check what matters to you below."
        word = "Yes"
    if safe.grade == "unknown":
        return Answer(
            question,
            "fair",
            f"{word}, among people who may see the real data",
            f"{sentence} Whether it is safe to share was not measured.",
        )
    if safe.grade == "fair":
        return Answer(question, "fair", "With care", f"{sentence} It leaks a little of its training rows.")
    grade: Grade = "fair" if word == "With care" else "good"
    return Answer(question, grade, word, sentence)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
