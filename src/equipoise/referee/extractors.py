"""Frozen feature extractors as members: a function of images, yours or one stored as ONNX, and a quadratic on top."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from equipoise.errors import ConfigError, DataError, MissingExtra, unknown_name
from equipoise.referee.base import Classifier, Rows, Scorer
from equipoise.referee.classifiers.quadratic import fit_quadratic
from equipoise.spaces import SpaceKind

Extractor = Callable[[np.ndarray], np.ndarray] | Path | str

WELL_KNOWN = {
    "inception-v3": "inception_v3.tf_in1k",
    "resnet-50": "resnet50.a1_in1k",
    "dinov2-small": "vit_small_patch14_dinov2.lvd142m",
    "clip-vit-b32": "vit_base_patch32_clip_224.openai",
}
"""Networks trained by others, with their names in timm; untested, since they need that package and a download."""

_COMPONENTS = 64
_CHUNK = 256


def extractor_classifier(name: str, features: Callable[[np.ndarray], np.ndarray]) -> Classifier:
    """A member that reads the main directions of frozen features with a quadratic discriminator.

    Hand it to `judge(members=[*classifiers_for("images"), extractor_classifier(...)])`.

    Args:
        name: as the verdict should call it.
        features: from images, float32 in [0, 1], `(n, channels, height, width)`, to numbers `(n, features)`. It must
            not have been fitted on the samples that are judged.
    """

    def fit(real: Rows, fake: Rows, seed: int) -> Scorer:
        fitted = [_in_chunks(features, side.images, name) for side in (real, fake)]
        pooled = np.concatenate(fitted)
        centre = pooled.mean(axis=0)
        _, sizes, vectors = np.linalg.svd(pooled - centre, full_matrices=False)
        kept = max(1, min(_COMPONENTS, int((sizes > 1e-6 * sizes[0]).sum())))
        directions = vectors[:kept].T * (np.sqrt(len(pooled)) / np.maximum(sizes[:kept], 1e-12))

        def with_numbers(rows: Rows, found: np.ndarray) -> Rows:
            return replace(rows, numbers=(found - centre) @ directions)

        score = fit_quadratic(with_numbers(real, fitted[0]), with_numbers(fake, fitted[1]), seed)
        return lambda rows: score(with_numbers(rows, _in_chunks(features, rows.images, name)))

    return Classifier(name=name, kinds=frozenset({"images"}), fit=fit, sees="what the extractor was trained to see")


def classifiers_of(extractor: Extractor | Sequence[Extractor], kind: SpaceKind) -> tuple[Classifier, ...]:
    """One member for each extractor: a function, the path of an ONNX file, or a name in `WELL_KNOWN`.

    Raises:
        ConfigError: the data are no images, or a name is not known.
        DataError: an ONNX file cannot be used.
        MissingExtra: what would run it is not installed.
    """
    if kind != "images":
        raise ConfigError(
            "judge, extractor",
            f"the data are {kind}.",
            "Expected images: extractors turn pictures into numbers.",
            "Leave the extractor out.",
        )
    given = [extractor] if callable(extractor) or isinstance(extractor, (str, Path)) else list(extractor)
    return tuple(_classifier_of(each) for each in given)


def _classifier_of(extractor: Extractor) -> Classifier:
    if callable(extractor):
        return extractor_classifier(getattr(extractor, "__name__", "extractor"), extractor)
    if str(extractor) in WELL_KNOWN:
        # The weights are whatever timm downloads: without a hash of them nothing measured with it is kept.
        return extractor_classifier(str(extractor), well_known_extractor(str(extractor)))
    path = Path(extractor).expanduser()
    if path.suffix.lower() != ".onnx":
        raise unknown_name("judge, extractor", "extractor", str(extractor), WELL_KNOWN, "Or give an .onnx file.")
    classifier = extractor_classifier(path.name, onnx_extractor(path))
    return replace(classifier, identity=hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest())


def onnx_extractor(path: Path | str) -> Callable[[np.ndarray], np.ndarray]:
    """The first output of an ONNX model with one input of images, run by onnxruntime on the CPU, on one thread.

    The model gets pixels in [0, 1], float32, `(n, channels, height, width)`. What its input fixes is done for it:
    images are resized (bilinearly) to a fixed height and width, grey becomes red = green = blue for three channels,
    and a fixed number of images at a time is filled up and cut again. Any other scaling belongs into the model.

    Raises:
        MissingExtra: onnxruntime is not installed.
        DataError: the file is missing, is not a model that onnxruntime can read, or does not take images.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("a feature extractor stored as ONNX", package="onnxruntime", extra="onnx") from error
    if not Path(path).is_file():
        raise DataError(str(path), "there is no such file.", "Expected an ONNX model.")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1  # sums in a fixed order: the same verdict on every call
    settings.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base class but this one
        first = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise DataError(str(path), f"onnxruntime cannot read it ({first}).", "Expected an ONNX model.") from error
    entries = session.get_inputs()
    if len(entries) != 1 or len(entries[0].shape) != 4 or entries[0].type != "tensor(float)":
        found = ", ".join(f"{entry.name}: {entry.type} {entry.shape}" for entry in entries)
        raise DataError(
            str(path),
            f"its inputs are {found}.",
            "Expected one input of images, tensor(float) with axes (n, channels, height, width).",
            "Export the model for pixels in [0, 1], with its own scaling inside.",
        )
    entry, result = entries[0].name, session.get_outputs()[0].name
    count, channels, *size = (length if isinstance(length, int) else None for length in entries[0].shape)

    def features(images: np.ndarray) -> np.ndarray:
        fitted = _fitted_to(images, channels, size, str(path))
        if count is None:
            return session.run([result], {entry: fitted})[0]
        filled = np.concatenate([fitted, np.repeat(fitted[-1:], -len(fitted) % count, axis=0)])
        parts = [session.run([result], {entry: filled[at : at + count]})[0] for at in range(0, len(filled), count)]
        return np.concatenate(parts)[: len(images)]

    return features


def well_known_extractor(name: str) -> Callable[[np.ndarray], np.ndarray]:
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
        pixels = torch.from_numpy(_fitted_to(images, len(wanted["mean"]), list(wanted["input_size"][1:]), name))
        with torch.no_grad():
            return network((pixels - centre) / spread).numpy()

    return features


def _fitted_to(images: np.ndarray, channels: int | None, size: Sequence[int | None], where: str) -> np.ndarray:
    """The images with the channels and size that a model asks for."""
    if channels == 3 and images.shape[1] == 1:
        images = np.repeat(images, 3, axis=1)
    if channels not in (None, images.shape[1]):
        raise DataError(where, f"it takes images of {channels} channels.", f"These have {images.shape[1]}.")
    wanted = tuple(new or old for new, old in zip(size, images.shape[2:], strict=True))
    if wanted != images.shape[2:]:
        import torch

        resized = torch.nn.functional.interpolate(
            torch.from_numpy(np.ascontiguousarray(images)), size=wanted, mode="bilinear", antialias=True
        )
        images = resized.numpy()
    return np.ascontiguousarray(images, dtype=np.float32)


def _in_chunks(features: Callable[[np.ndarray], np.ndarray], images: np.ndarray, name: str) -> np.ndarray:
    parts = [np.asarray(features(images[at : at + _CHUNK]), dtype=np.float64) for at in range(0, len(images), _CHUNK)]
    found = np.concatenate([part.reshape(len(part), -1) for part in parts])
    if len(found) != len(images) or not np.isfinite(found).all():
        raise DataError(
            f"feature extractor '{name}'",
            f"it returned {len(found)} rows for {len(images)} images"
            if len(found) != len(images)
            else "it returned NaN",
            "Expected one row of finite numbers for each image.",
        )
    return found
