"""Fully connected players: for points, table rows and small images.

No normalisation layers: a per-sample penalty needs a discriminator that treats the samples of a batch
independently. Class labels enter as `networks.conditioning` says.
"""

from __future__ import annotations

import math
from typing import Literal

from torch import nn

from equipoise.networks.base import Family
from equipoise.networks.conditioning import label_embedding, label_projection, projected, with_labels
from equipoise.networks.heads import SampleHead, one_hot_entries
from equipoise.networks.input_gradient import logits_and_input_gradient
from equipoise.networks.spectral import normalise_spectra
from equipoise.shapes import Labels, Latents, Logits, Samples
from equipoise.spaces import Space, sample_size

LEAK = 0.2
"""Slope of the leaky rectifier below zero; the usual value, arbitrary within 0.1 to 0.3."""


class MLPGenerator(nn.Module):
    """Latents through `depth` hidden layers of `width` units to one sample of the space; of images, `tone` and `detail`
    add the curves of `networks.heads`."""

    def __init__(
        self,
        space: Space,
        *,
        latents: int = 32,
        width: int = 256,
        depth: int = 3,
        tone: bool = False,
        detail: bool = False,
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.noise = one_hot_entries(space)
        self.latent_dimensions = latents + self.noise
        self.label_embedding = label_embedding(classes, latents)
        self.body = hidden_layers(latents * (2 if classes else 1), width, depth)
        self.head = SampleHead(space, tone=tone, detail=detail)
        self.output = nn.Linear(width, sample_size(space))
        nn.init.zeros_(self.output.bias)

    def forward(self, latents: Latents, labels: Labels | None = None) -> Samples:
        """Samples of shape `(batch, *space.shape)`; categories of table rows are drawn with the last latents."""
        noise = latents[:, latents.shape[1] - self.noise :] if self.noise else None
        inputs = latents[:, : latents.shape[1] - self.noise] if self.noise else latents
        return self.head(self.output(self.body(with_labels(inputs, self.label_embedding, labels))), noise)


class MLPDiscriminator(nn.Module):
    """A sample through `depth` hidden layers of `width` units to one logit; `spectral` bounds its Lipschitz constant
    by 1.

    With `input_gradient: closed_form` R1 and R2 are computed by `networks.input_gradient`, in two thirds of the time,
    where there are neither class labels nor a bound; the numbers are the same to the order of float32 sums.
    """

    def __init__(
        self,
        space: Space,
        *,
        width: int = 256,
        depth: int = 3,
        spectral: bool = False,
        input_gradient: Literal["autograd", "closed_form"] = "autograd",
        classes: int = 0,
    ) -> None:
        super().__init__()
        if input_gradient not in ("autograd", "closed_form"):
            raise ValueError(f"input_gradient is {input_gradient!r}; expected autograd or closed_form")
        self.has_closed_form = input_gradient == "closed_form" and not classes and not spectral
        self.body = hidden_layers(sample_size(space), width, depth)
        self.output = nn.Linear(width, 1)
        self.projection = label_projection(classes, width)
        if spectral:
            normalise_spectra(self)

    def forward(self, samples: Samples, labels: Labels | None = None) -> Logits:
        """Logits of shape `(batch,)`."""
        hidden = self.body(samples.flatten(start_dim=1))
        logits = self.output(hidden).squeeze(1)
        return logits if self.projection is None else logits + projected(self.projection, hidden, labels)

    def with_input_gradient(self, samples: Samples) -> tuple[Logits, Samples] | None:
        """Logits and their gradients in the samples, in closed form; `None` where autograd is to find them."""
        if not self.has_closed_form:
            return None
        linear = [layer for layer in self.body if isinstance(layer, nn.Linear)] + [self.output]
        logits, gradient = logits_and_input_gradient(
            samples.flatten(start_dim=1), [(layer.weight, layer.bias) for layer in linear], leak=LEAK
        )
        return logits, gradient.reshape(samples.shape)


def hidden_layers(inputs: int, width: int, depth: int) -> nn.Sequential:
    """`depth` linear layers with leaky rectifiers, initialised so that the signal keeps its variance.

    Biases are spread over +-1/sqrt(inputs): with zero biases every fold of the piecewise linear function goes
    through the origin, and networks of two coordinates start with few folds (measured on the 25-grid,
    33,000 steps: a seed that lost most of a mode, 72 % within three deviations, reached 92 % with spread biases).
    """
    if min(width, depth) < 1:
        raise ValueError(f"{depth} hidden layers of {width} units; expected at least one of at least one")
    layers: list[nn.Module] = []
    for index in range(depth):
        linear = nn.Linear(inputs if index == 0 else width, width)
        nn.init.kaiming_normal_(linear.weight, a=LEAK)
        nn.init.uniform_(linear.bias, -1 / math.sqrt(linear.in_features), 1 / math.sqrt(linear.in_features))
        layers += [linear, nn.LeakyReLU(LEAK, inplace=True)]
    return nn.Sequential(*layers)


NETWORKS = {
    "mlp": Family(
        generator=MLPGenerator,
        discriminator=MLPDiscriminator,
        supports=lambda space: sample_size(space) <= 64 * 64 * 4,
        limits="samples of at most 16,384 numbers",
    )
}
