"""The formulas of the walk in words: of each objective, what each term is called and what both players minimise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Formula:
    """How an objective is written.

    Attributes:
        real_term: a, of one real sample x (of a pair for a pairing game).
        fake_term: b, of one generated sample y; empty for a pairing game.
        generator_term: what the generator minimises, of one generated sample.
        note: what the generator's loss is about.
    """

    real_term: str
    fake_term: str
    generator_term: str
    note: str

    @property
    def discriminator_loss(self) -> str:
        """What the discriminator minimises."""
        if not self.fake_term:
            return f"L_D = −V̂ = −(1/m) Σ {self.real_term}"
        return f"L_D = −V̂ = −(1/m) Σ {self.real_term} − (1/m) Σ {self.fake_term}"

    @property
    def generator_loss(self) -> str:
        """What the generator minimises."""
        return f"L_G = (1/m) Σ [{self.generator_term}]"


_REAL, _FAKE = "log D(x)", "log(1 − D(y))"
_FGAN = "an f-GAN: a and b are the two terms of its divergence"
FORMULAS = {
    "minimax": Formula(_REAL, _FAKE, "log(1 − D(y))", "the same term that the discriminator pushes up: it saturates"),
    "nonsaturating": Formula(_REAL, _FAKE, "−log D(y)", "another term than the discriminator's: it does not saturate"),
    "logistic_reverse_kl": Formula(_REAL, _FAKE, "−l(y)", "the sum of the two classic losses"),
    "least_squares": Formula("−(l(x) − 1)²/2", "−l(y)²/2", "(l(y) − 1)²/2", "pull the output at y to 1"),
    "least_squares_pearson": Formula("−(l(x) − 1)²/2", "−(l(y) + 1)²/2", "l(y)²/2", "pull the output at y to 0"),
    "hinge": Formula("min(0, l(x) − 1)", "min(0, −l(y) − 1)", "−l(y)", "raise the output at y"),
    "wasserstein": Formula("l(x)", "−l(y)", "−l(y)", "raise the output at y"),
    "relativistic": Formula(
        "log σ(l(x) − l(y))", "", "−log σ(l(y) − l(x))", "the pair reversed: y should look more real than x"
    ),
    "relativistic_average": Formula(
        "log σ(l(x) − mean l(y))",
        "log σ(mean l(x) − l(y))",
        "−log σ(l(y) − mean l(x))",
        "both sides reversed, the real one included",
    ),
}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SQUARED_ERROR = "L = (1/m) Σ |G(z) − x|²"


def formula_of(objective: str) -> Formula:
    """The formula of an objective; that of an f-GAN names its terms by letters."""
    return FORMULAS.get(objective, Formula("a(l(x))", "b(l(y))", "g(l(y))", _FGAN))


def number(value: float) -> str:
    """Three significant digits, with a minus sign and not a hyphen."""
    if value != value:
        return "not a number"
    if value and not 1e-3 <= abs(value) < 1e4:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa}·10".replace("-", "−") + str(int(exponent)).translate(_SUPERSCRIPTS)
    return f"{value:.3g}".replace("-", "−") if abs(value) < 100 else f"{value:.0f}".replace("-", "−")


def mean_filled(terms: list[float], count: int) -> str:
    """'(−0.41 − 0.55 + … 62 more)/64 = −0.48', the mean of terms with numbers in it."""
    shown = terms[: 4 if count <= 4 else 3]
    text = number(shown[0]) if shown else "0"
    for term in shown[1:]:
        text += f" {'−' if term < 0 else '+'} {number(abs(term))}"
    rest = f" + … {count - len(shown)} more" if count > len(shown) else ""
    return f"({text}{rest})/{count}"
