"""What an objective is: the value that the discriminator maximises, and what the generator minimises.

Every objective here has the shape

    V = E_{x~p}[a(m_real)] + E_{y~q}[b(m_fake)],

where the margins `m` are the logits themselves (`separable`), the difference of a real and a fake
logit that share a pair (`pairing`), or each logit against the other side's mean (`averaging`).
The discriminator maximises V; its loss is -V.

Generated samples may carry importance weights w: density of the generator over the density that they were drawn by,
so that E[w] = 1. Then every mean over them is one of `w b(m_fake)`, a pair counts with the weight of its generated
sample, and the mean of an averaging game is `sum(w l) / sum(w)`: with any other one a constant added to all logits
would change the game.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from equipoise.shapes import Logits, PerSample, Scalar, normalised_mean, precise, weighted_mean

Form = Literal["separable", "pairing", "averaging"]
LogitMeaning = Literal["log_odds", "log_odds_up_to_a_constant", "other"]
Term = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """The two losses of a game, with what theory states about them.

    Attributes:
        name: as written in a configuration.
        form: how margins are made of logits.
        real_term: `a`, elementwise.
        fake_term: `b`, elementwise; `None` for `pairing`, whose single expectation is over pairs.
        generator_fake_term: what the generator minimises on its own samples, elementwise in the margin.
        generator_real_term: the part of the generator's loss on real margins; `None` when it has none.
        best_logits: best logit as a function of log(p/q), elementwise; `None` without a closed form.
        equilibrium_value: V at p = q with the best discriminator, in nats or the objective's own unit.
        divergence: what sup V measures, in words with its formula.
        logit_meaning: whether sigmoid(logit) is a probability of being real.
        finite_range: largest |logit| at which values and gradients stay finite in float32.
        is_zero_sum: whether the generator's loss is V up to a term that does not depend on the generator.
        needs_lipschitz_control: whether the value is unbounded unless the discriminator's Lipschitz constant is
            controlled.
        source: paper and equation.
    """

    name: str
    form: Form
    real_term: Term
    fake_term: Term | None
    generator_fake_term: Term
    generator_real_term: Term | None
    best_logits: Term | None
    equilibrium_value: float
    divergence: str
    logit_meaning: LogitMeaning
    finite_range: float
    is_zero_sum: bool
    source: str
    needs_lipschitz_control: bool = False

    def value(self, real_logits: Logits, fake_logits: Logits, fake_weights: PerSample | None = None) -> Scalar:
        """The estimate of V from one batch: a mean over each side (over pairs for `pairing`).

        Args:
            real_logits: shape `(batch,)`.
            fake_logits: shape `(batch,)`; lengths may differ unless the form is `pairing`.
            fake_weights: importance weights of the generated samples. Shape `(batch,)`; `None` counts all the same.

        Returns:
            A scalar; float32 at least, whatever the precision of the logits.
        """
        real_margins, fake_margins = self.margins(real_logits, fake_logits, fake_weights)
        value = weighted_mean(self.real_term(real_margins), self._real_weights(fake_weights))
        return value if self.fake_term is None else value + weighted_mean(self.fake_term(fake_margins), fake_weights)

    def discriminator_loss(
        self, real_logits: Logits, fake_logits: Logits, fake_weights: PerSample | None = None
    ) -> Scalar:
        """-V: what the discriminator minimises."""
        return -self.value(real_logits, fake_logits, fake_weights)

    def generator_loss(self, real_logits: Logits, fake_logits: Logits, fake_weights: PerSample | None = None) -> Scalar:
        """What the generator minimises; `real_logits` matter only where `generator_uses_real` is true.

        Its gradient flows through the weights, too: a generator that decides how often a sample comes is told whether
        it should come more often.
        """
        real_margins, fake_margins = self.margins(real_logits, fake_logits, fake_weights)
        loss = weighted_mean(self.generator_fake_term(fake_margins), fake_weights)
        if self.generator_real_term is None:
            return loss
        return loss + weighted_mean(self.generator_real_term(real_margins), self._real_weights(fake_weights))

    def margins(
        self, real_logits: Logits, fake_logits: Logits, fake_weights: PerSample | None = None
    ) -> tuple[PerSample, PerSample]:
        """The numbers that the terms are functions of, per sample, in float32 at least."""
        real, fake = precise(real_logits), precise(fake_logits)
        if self.form == "pairing":
            return real - fake, fake - real
        if self.form == "averaging":
            return real - normalised_mean(fake, fake_weights), fake - real.mean()
        return real, fake

    def _real_weights(self, fake_weights: PerSample | None) -> PerSample | None:
        """A real sample counts as often as any other; a pair as often as its generated sample."""
        return fake_weights if self.form == "pairing" else None

    @property
    def generator_uses_real(self) -> bool:
        """Whether the generator's loss depends on real logits."""
        return self.form != "separable" or self.generator_real_term is not None

    @property
    def is_joint(self) -> bool:
        """Whether a sample's term depends on the whole batch, so that processes have to know each other's logits.

        A pair is a real and a fake sample at the same place of the batch, which one process holds.
        """
        return self.form == "averaging"
