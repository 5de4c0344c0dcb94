"""The data sets of `benchmarks/images.py`: pictures for the generator, the judge and reference, each cut once.

No picture, and no variant of one, is in two parts: the generator's are what a contestant is given, the judge's train
the classifiers that score, and the reference stands for the truth.
"""

from __future__ import annotations

import io
import unicodedata
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from equipoise.randomness import numpy_stream

DIGITS = (6000, 2000, 2000)
"""For the generator, the judge and the reference, in the order of the file."""
FEW = 10
"""Of each class, in the set of a hundred digits."""
HUNDRED = 100
EMOJI_SIDE, PATCH_SIDE, PATCHES, FRESH_PATCHES = 32, 32, 20_000, 4_000
EMOJI_SHARES = (0.6, 0.8)
"""Of the groups of emoji, in the order of a shuffle: up to here the generator's, up to here the judge's."""
TONES = range(0x1F3FB, 0x1F400)
JOINERS = {0xFE0F, 0x200D, 0x2640, 0x2642}
"""Variation selector, joiner, female and male sign: they make variants of one emoji."""
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "motorcycle_left")
HANDS = (
    "HAND",
    "FIST",
    "FINGER",
    "THUMBS",
    "HORNS",
    "PALM",
    "VICTORY",
    "NAIL",
    "MUSCLE",
    "BICEPS",
    "LEG",
    "FOOT",
    "EAR",
)
BLOCKS = (
    ("animal", ((0x1F400, 0x1F43F), (0x1F980, 0x1F9AE), (0x1FAB0, 0x1FABF))),
    ("food or plant", ((0x1F32D, 0x1F37F), (0x1F950, 0x1F96F), (0x1FAD0, 0x1FADF))),
    ("face", ((0x1F600, 0x1F64F), (0x1F910, 0x1F92F), (0x1F970, 0x1F97A), (0x1FAE0, 0x1FAE8))),
    ("transport", ((0x1F680, 0x1F6FF),)),
    (
        "square or sign",
        ((0x0000, 0x2BFF), (0x3000, 0x32FF), (0x1F100, 0x1F2FF), (0x1F500, 0x1F54E), (0x1F7E0, 0x1F7FF)),
    ),
)


@dataclass(frozen=True)
class Part:
    """Pictures, uint8 `(n, channels, height, width)`, premultiplied where they are transparent, and their classes."""

    images: np.ndarray
    labels: np.ndarray

    def __getitem__(self, rows: np.ndarray | slice) -> Part:
        return Part(self.images[rows], self.labels[rows])


@dataclass(frozen=True)
class Pictures:
    """A data set, cut.

    Attributes:
        name: of the data set.
        generator: what contestants learn from.
        judge: what the judges learn from; none for patches, whose score needs no classifier.
        reference: what generated pictures are compared with.
        conditional: whether contestants are given the classes.
    """

    name: str
    generator: Part
    judge: Part
    reference: Part
    conditional: bool

    def write(self, path: Path) -> None:
        """What a contestant reads: straight colours, as files of pictures have them."""
        images = straight(self.generator.images).transpose(0, 2, 3, 1)
        images = images[..., 0] if images.shape[-1] == 1 else images
        np.savez(path, images=images, **({"labels": self.generator.labels} if self.conditional else {}))


def pictures(name: str, folder: Path, seed: int) -> Pictures:
    """The data set of that name; the seed chooses the hundred of `mnist100` and `twemoji100`, the others are the same
    ones always."""
    if name == "twemoji":
        return _emoji(folder / "twemoji64.zip")
    if name == "twemoji100":
        emoji = _emoji(folder / "twemoji64.zip")
        rows = numpy_stream(seed, "images benchmark, the hundred").permutation(len(emoji.generator.labels))[:HUNDRED]
        return Pictures(name, emoji.generator[rows], emoji.judge, emoji.reference, conditional=False)
    if name == "patches":
        return _patches()
    if name == "two_photographs":
        return _of_two_photographs()
    digits = _digits(folder / "mnist10k.npz")
    if name == "mnist":
        return digits
    assert name == "mnist100", name
    order = numpy_stream(seed, "images benchmark, the hundred").permutation(len(digits.generator.labels))
    labels = digits.generator.labels[order]
    rows = np.concatenate([order[labels == label][:FEW] for label in range(10)])
    return Pictures(name, digits.generator[rows], digits.judge, digits.reference, conditional=True)


def _digits(path: Path) -> Pictures:
    with np.load(path) as stored:
        whole = Part(stored["images"][:, None], stored["labels"].astype(np.int64))
    ends = np.cumsum((0, *DIGITS))
    parts = [whole[slice(begin, end)] for begin, end in pairwise(ends)]
    return Pictures("mnist", *parts, conditional=True)


def _emoji(path: Path) -> Pictures:
    """All variants of skin and sex of an emoji in one part, one of each in the reference; classes are coarse kinds, and
    contestants get none."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        images = np.stack([premultiplied(archive.read(name)) for name in names])
    codes = [[int(part, 16) for part in Path(name).stem.split("-")] for name in names]
    keys = [tuple(code for code in each if code not in TONES and code not in JOINERS) for each in codes]
    keys = [key or (codes[place][0],) for place, key in enumerate(keys)]
    toned = {key for key, each in zip(keys, codes, strict=True) if any(code in TONES for code in each)}
    kinds = [emoji_kind(key, has_tones=key in toned) for key in keys]
    known = sorted(set(kinds))
    whole = Part(images, np.array([known.index(kind) for kind in kinds]))
    groups = sorted(set(keys))
    places = dict(zip(groups, numpy_stream(0, "images benchmark, emoji").permutation(len(groups)), strict=True))
    rank = np.array([places[key] for key in keys]) / len(groups)
    first, second = EMOJI_SHARES
    is_first = np.array([key not in keys[:place] for place, key in enumerate(keys)])
    cut = [whole[rank < first], whole[(rank >= first) & (rank < second)], whole[(rank >= second) & is_first]]
    return Pictures("twemoji", *cut, conditional=False)


def emoji_kind(key: tuple[int, ...], *, has_tones: bool) -> str:
    """A coarse kind, from the code points."""
    first = key[0]
    if 0x1F1E6 <= first <= 0x1F1FF or first == 0x1F3F4:
        return "flag"
    if has_tones:
        name = unicodedata.name(chr(first), "")
        return "hand" if any(word in name for word in HANDS) else "person"
    for kind, ranges in BLOCKS:
        if any(begin <= first <= end for begin, end in ranges):
            return kind
    return "thing"


def premultiplied(content: bytes) -> np.ndarray:
    """One emoji as `(4, side, side)`: colours times alpha, scaled by means over squares."""
    image = Image.open(io.BytesIO(content)).convert("RGBA").convert("RGBa")
    return np.asarray(image.resize((EMOJI_SIDE, EMOJI_SIDE), Image.Resampling.BOX)).transpose(2, 0, 1)


def straight(images: np.ndarray) -> np.ndarray:
    """Colours as files have them, of colours times alpha; other pictures as they are."""
    if images.shape[1] != 4:
        return images
    alpha = images[:, 3:].astype(np.float64)
    colours = np.where(alpha > 0, images[:, :3] * 255.0 / np.maximum(alpha, 1), 0)
    return np.concatenate([np.rint(np.minimum(colours, 255)).astype(np.uint8), images[:, 3:]], axis=1)


def with_alpha(images: np.ndarray) -> np.ndarray:
    """Colours times alpha, of colours as files have them; other pictures as they are."""
    if images.shape[1] != 4:
        return images
    colours = np.rint(images[:, :3] * (images[:, 3:] / 255.0)).astype(np.uint8)
    return np.concatenate([colours, images[:, 3:]], axis=1)


def _patches() -> Pictures:
    """Crops of five colour photographs, and fresh crops of the same ones."""
    from skimage import data, io

    folder = Path(data.__file__).parent
    found = [next(folder.glob(f"{name}.*")) for name in PHOTOGRAPHS]
    photographs = [np.asarray(io.imread(path))[..., :3] for path in found]
    stream = numpy_stream(0, "images benchmark, patches")
    parts = []
    for count in (PATCHES, FRESH_PATCHES):
        crops, labels = [], stream.integers(len(photographs), size=count)
        for label in labels:
            height, width = photographs[label].shape[:2]
            top, left = stream.integers(height - PATCH_SIDE + 1), stream.integers(width - PATCH_SIDE + 1)
            crops.append(photographs[label][top : top + PATCH_SIDE, left : left + PATCH_SIDE])
        parts.append(Part(np.stack(crops).transpose(0, 3, 1, 2), labels))
    return Pictures("patches", parts[0], parts[1][:0], parts[1], conditional=False)


def _of_two_photographs() -> Pictures:
    """Crops of the temple and the flower that scikit-learn has, and fresh crops of the same ones: other photographs
    than those of the patches, to see what holds of these as well."""
    from sklearn.datasets import load_sample_images

    photographs, stream = load_sample_images().images, np.random.default_rng(0)

    def crop() -> np.ndarray:
        photograph = photographs[stream.integers(len(photographs))]
        height, width = photograph.shape[:2]
        top, left = stream.integers(height - PATCH_SIDE + 1), stream.integers(width - PATCH_SIDE + 1)
        return photograph[top : top + PATCH_SIDE, left : left + PATCH_SIDE]

    parts = [
        Part(np.stack([crop() for _ in range(count)]).transpose(0, 3, 1, 2), np.zeros(count, dtype=int))
        for count in (PATCHES // 2, FRESH_PATCHES)
    ]
    return Pictures("two_photographs", parts[0], parts[1][:0], parts[1], conditional=False)
