r"""A generator whose prior is a learned mixture of normals, and a shallow residual network behind it: for points.

.. math::
    k \sim \mathrm{softmax}(w), \qquad \epsilon \sim N(0, I), \qquad u = m_k + e^{s_k} \epsilon, \qquad
    x = S u + \mathrm{MLP}(u)

A continuous network that starts from one normal has to tear it apart to make modes, and leaves bridges between them.
Here each mode finds components of its own, whose weights, means and scales are learned with the rest of the network.

How often a component comes, :math:`\pi = \mathrm{softmax}(w)`, is no function of a sample, so no gradient reaches w
through samples. Training therefore draws every one of the K components equally often and gives each sample the
importance weight :math:`K \pi_k`. For every function f of samples

.. math::
    \frac1K \sum_k K \pi_k\, E_\epsilon f(x_k(\epsilon)) = E\, f(x)

whose derivative in w is exact; there is no score function and none of its variance.

Reference:
    Learned mixtures as prior of a GAN: Gurumurthy et al. 2017, arXiv:1706.02071 (equal weights, one component a
    sample), and Ben-Yosef & Weinshall 2018, arXiv:1808.10356. Importance weights in place of draws: here.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from equipoise.networks.base import Family
from equipoise.networks.conditioning import label_embedding, with_labels
from equipoise.networks.heads import SampleHead, one_hot_entries
from equipoise.networks.mlp import MLPDiscriminator, hidden_layers
from equipoise.shapes import Labels, Latents, Samples, WeightedSamples, precise
from equipoise.spaces import ImageSpace, Space, sample_size

Covariance = Literal["diagonal", "full"]

OUTPUT_SCALE = 0.1
"""Of the MLP's last layer at the start: x begins close to S u, so that components begin where their means are."""
TAIL = 1e-4
"""Quantiles of the means at the start end here: at 3.7 standard deviations. Sobol's points may come closer to 0."""


class MixturePriorGenerator(nn.Module):
    """A draw of a learned mixture of normals, plus a small network's correction of it.

    The last latent chooses the component by its quantile, the first ones are the normal draw within it; those between
    draw the categories of table rows. Called as a function it samples by the mixture's own weights; training calls
    `weighted_samples`.

    Means start at scrambled Sobol points, brought to a standard normal; scales at `K^(-1/d)`, so that the components
    cover it; S at the identity. No row of data enters. Labels have mixture weights of their own each, and a vector
    beside u that the MLP is given.

    Args:
        space: points, or rows of a table.
        latents: dimensions d of u and of the normal draw; left out, as many as a sample has, and at most 64.
        components: K.
        width: units of a hidden layer.
        depth: hidden layers.
        covariance: of a component before S and the MLP. `diagonal` scales each latent; `full` also mixes them by a
            matrix, `e^s (I + R) eps`, which helps from about eight dimensions on.
        classes: of a conditional game; 0 without labels.

    Attributes:
        components: K; a source of latents that spreads the last one evenly draws every component equally often.
    """

    def __init__(
        self,
        space: Space,
        *,
        latents: int | None = None,
        components: int = 256,
        width: int = 64,
        depth: int = 1,
        covariance: Covariance = "diagonal",
        classes: int = 0,
    ) -> None:
        super().__init__()
        if components < 1:
            raise ValueError(f"{components} components; expected at least one")
        if covariance not in get_args(Covariance):
            raise ValueError(f"covariance is {covariance!r}; expected one of {', '.join(get_args(Covariance))}")
        numbers = sample_size(space)
        latents = min(64, numbers) if latents is None else latents
        self.components, self.latents = components, latents
        self.latent_dimensions = latents + one_hot_entries(space) + 1
        self.means = nn.Parameter(spread_normals(components, latents))
        scale = components ** (-1.0 / min(latents, numbers))
        self.log_scales = nn.Parameter(torch.full((components, latents), scale).log())
        matrices = torch.zeros(components, latents, latents) if covariance == "full" else None
        self.scale_matrices = None if matrices is None else nn.Parameter(matrices)
        self.weight_logits = nn.Parameter(torch.zeros(classes, components) if classes else torch.zeros(components))
        self.linear = nn.Linear(latents, numbers, bias=False)
        nn.init.eye_(self.linear.weight)
        self.label_embedding = label_embedding(classes, latents)
        self.body = hidden_layers(latents * (2 if classes else 1), width, depth)
        self.output = nn.Linear(width, numbers)
        with torch.no_grad():
            self.output.weight.mul_(OUTPUT_SCALE)
        nn.init.zeros_(self.output.bias)
        self.head = SampleHead(space)

    def forward(self, latents: Latents, labels: Labels | None = None) -> Samples:
        """Samples of the mixture's own weights. Shape `(batch, *space.shape)`."""
        shares = self.shares if labels is None else self.shares[labels]
        quantiles = torch.special.ndtr(precise(latents[:, -1:]))
        # How many components end below the quantile; rounding may leave the last end a little below 1.
        chosen = (quantiles >= torch.cumsum(shares, dim=-1)).sum(dim=1).clamp(max=self.components - 1)
        return self._samples(chosen, latents, labels)

    def weighted_samples(self, latents: Latents, labels: Labels | None = None) -> WeightedSamples:
        """Samples of equally frequent components, and how much more often each would come by the mixture's weights."""
        quantiles = torch.special.ndtr(precise(latents[:, -1]))
        chosen = (self.components * quantiles).long().clamp(0, self.components - 1)
        shares = self.shares.index_select(0, chosen) if labels is None else self.shares[labels, chosen]
        return WeightedSamples(self._samples(chosen, latents, labels), self.components * shares)

    @property
    def shares(self) -> Tensor:
        """How often each component comes: pi, by class in a conditional game. Shape `([classes,] components)`."""
        return torch.softmax(precise(self.weight_logits), dim=-1)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters that an optimizer may give rates of their own, in the order of `parameters()`."""
        mixture = {
            "means": [self.means],
            "scales": [self.log_scales, *([] if self.scale_matrices is None else [self.scale_matrices])],
            "weights": [self.weight_logits],
        }
        taken = {id(parameter) for group in mixture.values() for parameter in group}
        return {**mixture, "body": [parameter for parameter in self.parameters() if id(parameter) not in taken]}

    def _samples(self, chosen: Tensor, latents: Latents, labels: Labels | None) -> Samples:
        normal, noise = latents[:, : self.latents], latents[:, self.latents : -1]
        if self.scale_matrices is not None:
            mixed = torch.bmm(self.scale_matrices.index_select(0, chosen), normal.unsqueeze(2)).squeeze(2)
            normal = normal + mixed
        scales = self.log_scales.exp().index_select(0, chosen)
        prior = torch.addcmul(self.means.index_select(0, chosen), scales, normal)
        correction = self.output(self.body(with_labels(prior, self.label_embedding, labels)))
        return self.head(self.linear(prior) + correction, noise)


def spread_normals(count: int, dimensions: int) -> Tensor:
    """Points that fill a standard normal evenly: scrambled Sobol points by quantiles. Shape `(count, dimensions)`.

    The scrambling is drawn from torch's global stream, which whoever builds a network has seeded.
    """
    if torch.get_default_device().type == "meta":  # only the shapes are asked for
        return torch.empty(count, dimensions)
    scrambling = int(torch.randint(2**31 - 1, ()))
    uniform = torch.quasirandom.SobolEngine(dimensions, scramble=True, seed=scrambling).draw(count)
    return torch.special.ndtri(uniform.clamp(TAIL, 1 - TAIL))


NETWORKS = {
    "mixture_prior": Family(
        generator=MixturePriorGenerator,
        discriminator=MLPDiscriminator,
        supports=lambda space: not isinstance(space, ImageSpace) and sample_size(space) <= 64 * 64,
        limits="points or rows of a table of at most 4,096 numbers",
    )
}
