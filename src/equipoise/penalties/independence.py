"""Which networks a per-sample penalty can be used with: those that treat the samples of a batch one by one."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from equipoise.errors import ConfigError
from equipoise.penalties.base import Penalty

_MIXING_LAYERS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def require_independent_samples(discriminator: nn.Module, penalties: Iterable[Penalty]) -> None:
    """Refuse batch normalisation under a penalty on the input gradient at each sample.

    With batch normalisation a logit depends on the whole batch. The gradient of the summed logits is then not
    the stack of per-sample gradients, and the penalty would be on something else than its name says.

    Reference:
        Gulrajani et al. 2017, arXiv:1704.00028, Section 4, "No critic batch normalization".
    """
    demanding = [penalty.name for penalty in penalties if penalty.is_per_sample]
    if not demanding:
        return
    for name, layer in discriminator.named_modules():
        if isinstance(layer, _MIXING_LAYERS):
            raise ConfigError(
                "discriminator",
                f"the layer '{name or type(layer).__name__}' is batch normalisation, and the penalty "
                f"'{demanding[0]}' needs logits that depend on one sample each.",
                "Expected a discriminator without batch normalisation.",
                "Use layer, group or instance normalisation, or none; or leave out the gradient penalty.",
            )
