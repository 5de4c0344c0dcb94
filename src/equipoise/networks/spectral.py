r"""Spectral normalisation: every weight matrix divided by its largest singular value.

.. math::
    \bar W = W / \sigma(W)

A composition of such layers with 1-Lipschitz activations has a bounded Lipschitz constant: at most 1 for a fully
connected discriminator (up to the power iteration's error). A convolution's matrix is that of its kernel, so its
Lipschitz constant is bounded by a number above 1, and a residual block adds its branch to the identity: there a
Wasserstein value is a distance up to an unknown factor.
"""

from __future__ import annotations

from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

WEIGHTED_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding)


def normalise_spectra(network: nn.Module) -> None:
    """Divide the weights of every linear, convolutional and embedding layer by their largest singular value.

    Layers that start at zero have none; they start at an orthogonal matrix instead. The vectors of the power
    iteration, one iteration a pass in training mode, are buffers: a checkpoint holds them.

    Reference:
        Miyato et al. 2018, arXiv:1802.05957, Eq. 8 and Algorithm 1.
    """
    for layer in [module for module in network.modules() if isinstance(module, WEIGHTED_LAYERS)]:
        if not layer.weight.any():
            nn.init.orthogonal_(layer.weight)
        spectral_norm(layer)


def has_normal_spectra(network: nn.Module) -> bool:
    """Whether every layer with a weight matrix has it normalised, by this function or by torch's own."""
    layers = [module for module in network.modules() if isinstance(module, WEIGHTED_LAYERS)]
    return bool(layers) and all(
        parametrize.is_parametrized(layer, "weight") or hasattr(layer, "weight_u") for layer in layers
    )
