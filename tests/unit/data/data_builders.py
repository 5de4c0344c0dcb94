"""Small data of every kind, and images in every mode, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image


def picture(seed: int, *, size: tuple[int, int] = (20, 16), mode: str = "RGB") -> Image.Image:
    """A noisy image of `size` (width, height), different for every seed."""
    rng = np.random.default_rng(seed)
    channels = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    pixels = rng.integers(0, 256, size=(size[1], size[0], channels), dtype=np.uint8)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode=None if mode != "CMYK" else "CMYK")


def picture_folder(folder: Path, *, count: int = 12, mode: str = "RGB", size: tuple[int, int] = (20, 16)) -> Path:
    """A folder of `count` PNGs."""
    folder.mkdir(parents=True, exist_ok=True)
    for position in range(count):
        picture(position, size=size, mode=mode).save(folder / f"picture{position:03d}.png")
    return folder


def mixed_frame(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """A table with a column of every kind that is read."""
    rng = np.random.default_rng(seed)
    income = np.where(rng.random(rows) < 0.9, 0.0, np.round(rng.exponential(5000, rows), 2))
    frame = pd.DataFrame(
        {
            "real": rng.normal(size=rows),
            "price": np.round(rng.lognormal(3, 1, rows), 2),
            "income": income,
            "count": rng.integers(-5, 5000, rows),
            "small": rng.integers(0, 7, rows).astype(np.int32),
            "nullable": pd.array(rng.integers(0, 900, rows), dtype="Int64"),
            "big": 2**60 + rng.integers(0, 10**6, rows),
            "flag": rng.random(rows) < 0.3,
            "maybe": pd.array(rng.random(rows) < 0.5, dtype="boolean"),
            "text": rng.choice(["a", "b", "c, d", "?"], rows),
            "grade": pd.Categorical(rng.choice(["low", "high"], rows), categories=["low", "mid", "high"], ordered=True),
            "code": pd.Categorical(rng.choice([10, 20, 30], rows)),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), unit="D"),
            "moment": pd.Timestamp("2020-01-01", tz="Europe/Berlin")
            + pd.to_timedelta(rng.integers(0, 10**7, rows), "s"),
            "span": pd.to_timedelta(rng.integers(0, 10**6, rows), unit="s"),
            "single": rng.normal(size=rows).astype(np.float32),
            "constant": 7,
            "word": "same",
        }
    )
    for name in ("real", "nullable", "maybe", "text", "grade", "day"):
        frame.loc[rng.random(rows) < 0.1, name] = None
    return frame
