"""Embeddings by networks that others trained, from the package timm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from equipoise.errors import MissingExtra
from equipoise.features.model_input import fitted_to

WELL_KNOWN = {
    "inception-v3": "inception_v3.tf_in1k",
    "resnet-50": "resnet50.a1_in1k",
    "dinov2-small": "vit_small_patch14_dinov2.lvd142m",
    "clip-vit-b32": "vit_base_patch32_clip_224.openai",
}
"""Networks trained by others, with their names in timm; untested, since they need that package and a download."""


def pretrained_extractor(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """A network trained by others, by the name that `WELL_KNOWN` gives it.

    Untested: it needs the package timm, and downloads the weights on first use, neither of which the tests have.

    Raises:
        MissingExtra: timm is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise MissingExtra(f"the feature extractor '{name}'", package="timm", extra="extractors") from error
    import torch

    network = timm.create_model(WELL_KNOWN[name], pretrained=True, num_classes=0).eval()
    wanted = timm.data.resolve_model_data_config(network)
    centre, spread = (torch.tensor(wanted[key]).view(1, -1, 1, 1) for key in ("mean", "std"))

    def features(images: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(fitted_to(images, len(wanted["mean"]), list(wanted["input_size"][1:]), name))
        with torch.no_grad():
            return network((pixels - centre) / spread).numpy()

    return features
