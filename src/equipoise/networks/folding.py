r"""Squares of pixels as numbers of about the same size: what the networks for images on a CPU read and paint.

A network that folds squares of p x p pixels into channels works on a grid of a p-th of the side. Folded as they are,
the numbers of a square are nearly the same number. In patches of colour photographs the squares vary a hundred times as
much along their brightness as along their faintest direction. A discriminator whose gradient is penalised tells large
differences first, and a generator paints everything at one size: what is left is coloured noise. So a square x is
folded into its principal components, each divided by a power of its standard deviation,

.. math::
    y = \operatorname{diag}(s^{-w})\, U^\top (x - \bar x), \qquad
    \Sigma = U \operatorname{diag}(\lambda)\, U^\top, \qquad s = \sqrt{\lambda / \lambda_{\max}}

with the mean :math:`\bar x` and the covariance :math:`\Sigma` of the squares of training images. With w = 1 that is
whitening, which makes as much of faint noise as of the picture; with w = 0 nothing is changed. R1 and R2 measure the
discriminator's gradient in y: on pixels they would forbid it the steep slopes along faint directions that it needs.

Reference:
    Whitening of patches: Bell & Sejnowski 1997, doi:10.1016/S0042-6989(97)00121-1. Wavelets of 2 x 2 pixels in both
    players: Gal et al. 2021, arXiv:2102.06108; here the basis and its scales are those of the data.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, pixel_shuffle, pixel_unshuffle

from equipoise.shapes import Samples
from equipoise.spaces import ImageSpace

FLOOR = 0.01
"""Least s: a direction in which training images do not vary, such as the colour of grey ones, is not divided by 0."""

EVEN = 1e-6
"""Deviation below which all training images are one and the same colour, and the rest is rounding."""


class Folding(nn.Module):
    """Images to grids of folded squares, and back.

    Args:
        space: of the images.
        patch: p, side of a square in pixels; an image whose side is no multiple of it is filled up with zeros.
        whitening: w, from 0 to 1; see the head of this module. 0 leaves the pixels as they are.

    Attributes:
        fold_matrix, unfold_matrix, mean: what `fit` found; until then a square's numbers are its pixels. There are none
            where `whitening` is 0.

    Raises:
        ValueError: `whitening` is not within 0 and 1.
    """

    fold_matrix: Tensor
    unfold_matrix: Tensor
    mean: Tensor

    def __init__(self, space: ImageSpace, *, patch: int, whitening: float = 0.0) -> None:
        super().__init__()
        if not 0 <= whitening <= 1:
            raise ValueError(f"a whitening of {whitening}; expected a number from 0, none, to 1, all of it")
        self.patch, self.whitening = patch, whitening
        self.height, self.width = space.height, space.width
        self.padding = (0, -space.width % patch, 0, -space.height % patch)
        self.channels = space.channels * patch**2
        if whitening:
            self.register_buffer("fold_matrix", torch.eye(self.channels))
            self.register_buffer("unfold_matrix", torch.eye(self.channels))
            self.register_buffer("mean", torch.zeros(self.channels))

    def fold(self, images: Samples) -> Tensor:
        """Grids of shape `(batch, channels * p^2, ceil(height / p), ceil(width / p))`, of images."""
        squares = pixel_unshuffle(pad(images, self.padding), self.patch)
        if not self.whitening:
            return squares
        return _mapped(squares - self.mean[:, None, None], self.fold_matrix)

    def unfold(self, grid: Tensor) -> Tensor:
        """Images of shape `(batch, channels, height, width)`, of such grids."""
        if self.whitening:
            grid = _mapped(grid, self.unfold_matrix) + self.mean[:, None, None]
        return self._pixels(grid)

    def read_by(self, layer: nn.Conv2d, images: Samples) -> Tensor:
        """`layer(fold(images))`, in less time: the layer's weights are mapped, and not every cell of the grid."""
        squares = pixel_unshuffle(pad(images, self.padding), self.patch)
        if not self.whitening:
            return layer(squares)
        weight = torch.einsum("oihw,ij->ojhw", layer.weight, self.fold_matrix)
        return conv2d(squares - self.mean[:, None, None], weight, layer.bias, layer.stride, layer.padding)

    def painted_by(self, layer: nn.Conv2d, grid: Tensor) -> Samples:
        """`unfold(layer(grid))`, in less time."""
        if not self.whitening:
            return self._pixels(layer(grid))
        weight = torch.einsum("ij,johw->iohw", self.unfold_matrix, layer.weight)
        bias = self.unfold_matrix @ layer.bias + self.mean
        return self._pixels(conv2d(grid, weight, bias, layer.stride, layer.padding))

    def _pixels(self, squares: Tensor) -> Samples:
        return pixel_shuffle(squares, self.patch)[:, :, : self.height, : self.width]

    def in_folded_units(self, gradient: Samples) -> Tensor:
        r"""Gradients in the pixels as gradients in the folded numbers y, of the shape of `fold`.

        Since :math:`x = \bar x + U \operatorname{diag}(s^w)\, y`, it is :math:`\operatorname{diag}(s^w)\, U^\top` times
        the gradient in the pixels of a square. A gradient penalty on it asks for little slope along y: along brightness
        as much as on pixels, along faint colours and detail less, as they differ less.
        """
        if not self.whitening:
            return gradient
        return _mapped(pixel_unshuffle(pad(gradient, self.padding), self.patch), self.unfold_matrix.T)

    def reset(self) -> None:
        """Make a square's numbers its pixels: weights that were learned so go on as they were."""
        if self.whitening:
            self.fold_matrix.copy_(torch.eye(self.channels))
            self.unfold_matrix.copy_(torch.eye(self.channels))
            self.mean.zero_()

    @torch.no_grad()
    def fit(self, images: Iterable[Samples]) -> None:
        """Take mean, components and scales from training images, some at a time."""
        if not self.whitening:
            return
        count, total = 0, torch.zeros(self.channels).double()
        product = torch.zeros(self.channels, self.channels).double()
        for some in images:
            squares = pixel_unshuffle(pad(some, self.padding), self.patch)
            rows = squares.movedim(1, -1).reshape(-1, self.channels).double().cpu()
            count, total, product = count + len(rows), total + rows.sum(dim=0), product + rows.T @ rows
        mean = total / count
        variances, components = torch.linalg.eigh(product / count - mean.outer(mean))
        deviations = variances.clamp(min=0).sqrt()
        if deviations[-1] < EVEN:
            return
        scales = (deviations / deviations[-1]).clamp(min=FLOOR) ** self.whitening
        # A component's sign is arbitrary; one and the same on every machine.
        signs = components.gather(0, components.abs().argmax(dim=0, keepdim=True)).sign()
        components = components * signs
        self.fold_matrix.copy_((components / scales).T)
        self.unfold_matrix.copy_(components * scales)
        self.mean.copy_(mean)


def folding_of(network: nn.Module) -> Folding | None:
    """How a network folds images, if it does and if that depends on the data."""
    return next((part for part in network.modules() if isinstance(part, Folding) and part.whitening), None)


def _mapped(grid: Tensor, matrix: Tensor) -> Tensor:
    """The matrix times the numbers of each cell."""
    return conv2d(grid, matrix[:, :, None, None])
