"""Pictures as people have them: does any arrive with wrong colours or on its side, and does the forecast hold?

    python benchmarks/images_input.py --minutes 3
    python benchmarks/images_input.py --pictures 200 --only-reading

It writes a folder of 2,000 colour pictures of mixed sizes, proportions, file formats and modes: JPEG, of which some are
stored turned or mirrored with a note of the camera's, CMYK, PNG with palettes, with transparency, with 16 bits of grey,
GIF, WEBP, TIFF, BMP. All show four fields of colours of their own, so that what must arrive is known for each: the
colour of each field, and which field lies where. First every picture is read as `equipoise train FOLDER --size 64`
reads it, and compared. Then the forecast of `--dry-run` is taken, and a run of as many steps as the minutes hold; the
row of `rows/images_input.jsonl` says when the first grid of samples was there, and forecast and actual memory and time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
ROWS = HERE / "rows" / "images_input.jsonl"
SIDE = 64
SIDES = (40, 400)
"""Shortest and longest side of a picture, in pixels; at most twice as long as wide."""
TOLERANCE = 12
"""Bytes by which the mean of a field may differ: JPEG, palettes and CMYK cost a few."""
ORIENTATION = 0x0112
TURNED: dict[int, Image.Transpose | None] = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How pixels lie in a file whose note says this number, so that a viewer who heeds the note sees them upright: EXIF's
6 means that the first row of the file is the right side of the picture."""


def scene(stream: np.random.Generator) -> tuple[Image.Image, np.ndarray]:
    """A picture of four fields with some grain, and their colours: `(2, 2, 3)` from the top left."""
    width, height = _size(stream)
    colours = stream.integers(20, 236, size=(2, 2, 3))
    rows, columns = np.arange(height) * 2 // height, np.arange(width) * 2 // width
    grain = stream.normal(scale=4, size=(height, width, 1))
    pixels = np.clip(colours[rows][:, columns] + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels), colours


def _size(stream: np.random.Generator) -> tuple[int, int]:
    first = int(stream.integers(SIDES[0], SIDES[1] + 1))
    second = int(np.clip(first * 2 ** stream.uniform(-1, 1), *SIDES))
    return first, second


def _jpeg(image: Image.Image, path: Path, stream: np.random.Generator) -> None:
    image.save(path.with_suffix(".jpg"), quality=92, subsampling=0)


def _camera(image: Image.Image, path: Path, stream: np.random.Generator) -> None:
    number = int(stream.integers(1, 9))
    turn = TURNED[number]
    notes = Image.Exif()
    notes[ORIENTATION] = number
    stored = image if turn is None else image.transpose(turn)
    stored.save(path.with_suffix(".jpg"), quality=92, subsampling=0, exif=notes)


def _cmyk(image: Image.Image, path: Path, stream: np.random.Generator) -> None:
    image.convert("CMYK").save(path.with_suffix(".jpg"), quality=95, subsampling=0)


def _palette(image: Image.Image, path: Path, stream: np.random.Generator) -> None:
    image.quantize(128).save(path.with_suffix(".png"))


def _animated(image: Image.Image, path: Path, stream: np.random.Generator) -> None:
    black = Image.new("RGB", image.size)
    image.quantize(128).save(path.with_suffix(".gif"), save_all=True, append_images=[black.quantize(2)])


def _as(suffix: str, **options: Any) -> Callable[[Image.Image, Path, np.random.Generator], None]:
    return lambda image, path, stream: image.save(path.with_suffix(suffix), **options)


def _transparent(image: Image.Image, path: Path, stream: np.random.Generator) -> None:
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, max(1, image.width // 16), image.height))  # a strip at the left that nobody sees
    image.putalpha(alpha)
    image.save(path.with_suffix(".png"))


def _grey(image: Image.Image, path: Path, stream: np.random.Generator) -> None:
    image.convert("L").save(path.with_suffix(".png"))


def _deep_grey(image: Image.Image, path: Path, stream: np.random.Generator) -> None:
    values = np.asarray(image.convert("L"), dtype=np.uint16) * 257
    Image.fromarray(values).save(path.with_suffix(".png"))


WAYS: dict[str, Callable[[Image.Image, Path, np.random.Generator], None]] = {
    "JPEG": _jpeg,
    "JPEG that a camera turned": _camera,
    "CMYK": _cmyk,
    "PNG": _as(".png"),
    "palette": _palette,
    "GIF of two frames": _animated,
    "WEBP": _as(".webp", quality=95),
    "TIFF": _as(".tif"),
    "BMP": _as(".bmp"),
    "transparent": _transparent,
    "grey": _grey,
    "grey of 16 bits": _deep_grey,
}
"""How a picture is stored."""


def write_pictures(folder: Path, count: int, *, seed: int = 0) -> dict[str, tuple[str, np.ndarray]]:
    """Write them; by name of the file, the way that it is stored and the colours that must arrive."""
    stream = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    ways, expected = list(WAYS), {}
    for number in range(count):
        image, colours = scene(stream)
        way = ways[number % len(ways)]
        if way.startswith("grey"):
            colours = np.repeat(np.asarray(colours @ (0.299, 0.587, 0.114))[..., None], 3, axis=2)
        WAYS[way](image, folder / f"{number:05d}", stream)
        expected[f"{number:05d}"] = way, colours
    return expected


def wrong_pictures(folder: Path, expected: dict[str, tuple[str, np.ndarray]]) -> list[str]:
    """A sentence for each picture whose fields are not where or of what colour they should be."""
    import equipoise.data as data

    found = data.load(str(folder), options=data.DataOptions(image_size=SIDE))
    assert found.files is not None
    values = found.values[slice(0, len(found.files))]
    sentences = []
    for picture, name in zip(values, found.files, strict=True):
        way, colours = expected[Path(str(name)).stem]
        # A sixteenth of each border is left out, and so is the middle, where scaling mixes the fields.
        edge, inner = SIDE // 8, SIDE // 2 - 2
        low, high = slice(edge, inner), slice(SIDE - inner, SIDE - edge)
        seen = np.array([[picture[:3, down, right].mean(axis=(1, 2)) for right in (low, high)] for down in (low, high)])
        worst = float(np.abs(seen - colours).max())
        if worst > TOLERANCE:
            sentences.append(f"{name} ({way}): a field differs by {worst:.0f} of 255")
    missing = len(expected) - len(found.files)
    return [*sentences, *([f"{missing} pictures are missing: {found.notes}"] if missing else [])]


def forecast_and_run(folder: Path, minutes: float) -> dict[str, Any]:
    """What `--dry-run` says of a run of so many minutes, and what came of it."""
    command = [sys.executable, "-m", "equipoise", "train", str(folder), "--size", str(SIDE), "--device", "cpu"]
    dry = subprocess.run([*command, "--minutes", str(minutes), "--dry-run", "--json"], capture_output=True, text=True)
    forecast = json.loads(dry.stdout)["forecast"]
    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "run"
        started = time.monotonic()
        settings = ["--set", "outputs.final_verdict=false", "--steps", str(forecast["steps"])]
        process = subprocess.Popen(
            [*command, *settings, "--outdir", str(run), "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        first: tuple[float, float] | None = None
        while process.poll() is None:
            if first is None and list(run.glob("samples/*.png")):
                first = time.monotonic() - started, _cpu_seconds(process.pid)
            time.sleep(0.2)
        assert process.returncode == 0, process.stderr.read().decode()[-800:] if process.stderr else ""
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "steps": forecast["steps"],
            "seconds_forecast": forecast["seconds"],
            "seconds": round(time.monotonic() - started, 1),
            "training_seconds": round(lines[-1]["seconds"], 1),
            "cpu_seconds": round(children.ru_utime + children.ru_stime, 1),
            "first_grid_seconds": None if first is None else round(first[0], 1),
            "first_grid_cpu_seconds": None if first is None else round(first[1], 1),
            "memory_forecast_bytes": forecast["memory_bytes"],
            "memory_bytes": children.ru_maxrss * 1024,
        }


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--only-reading", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pictures"
        expected = write_pictures(folder, arguments.pictures)
        begun = time.process_time()
        wrong = wrong_pictures(folder, expected)
        row = {
            "claim": "colour pictures of mixed sizes and modes, 64x64",
            "pictures": len(expected),
            "ways": len(WAYS),
            "wrong": len(wrong),
            "reading_cpu_seconds": round(time.process_time() - begun, 1),
        }
        for sentence in wrong[:20]:
            print(sentence)
        if not arguments.only_reading:
            row |= forecast_and_run(folder, arguments.minutes)
            code = subprocess.run(["git", "rev-parse", "--short=10", "HEAD"], cwd=HERE, capture_output=True, text=True)
            row |= {"code": code.stdout.strip(), "machine": f"{platform.machine()}, load {os.getloadavg()[0]:.1f}"}
            with ROWS.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
        print(json.dumps(row))


if __name__ == "__main__":
    main()
