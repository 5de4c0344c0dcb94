"""Memory and time to the first step on large data: a table, an array of images, a zip of images.

    python benchmarks/large_data.py [--share 1] [--only table images pictures] [--steps 300] [--work DIR] [--note TEXT]
    python benchmarks/large_data.py --only table --parts cold warm            (how long a start takes, and nothing else)
    python benchmarks/large_data.py --only images --parts cold --keep --work DIR
    python benchmarks/large_data.py --only images --parts warm --keep --work DIR   (later, with what the first one kept)

Synthesises a Parquet file of 10 million rows and 8 columns, an .npy array of a million 32x32x3 images, and a zip of
50,000 PNG images, each chunk by chunk; trains a short run on each in a process of its own, twice: with no cache, and
with the cache that the first run left. `equipoise judge RUN` then runs on a training run that had no verdict, so that
its memory stands alone. A row holds the peak of resident memory (in total, and of anonymous pages alone), the seconds
from the start of the process to its first step (by the clock, and of a core's time), and steps per second; the seconds
have a row of their own, too. `--share 0.1` shrinks everything; marks are about full sizes. The data and the cache are
deleted when all is done, unless `--keep` is given.

The marks, each with `is_met` in its row: 4 GB in total; and on two cores that nothing else keeps busy, the first step
of 10 million Parquet rows or of a million images of 32 x 32 within 180 seconds of the first start, when the cache is
made, and within 30 seconds of every later one. They are chosen as what a person may be asked to wait for, and say
nothing about what was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from memory import Probe, environment, processor_seconds

TABLE_ROWS, IMAGES, PICTURES = 10_000_000, 1_000_000, 50_000
CHUNK = 100_000
SIDE = 32
MARK_BYTES = 4_000_000_000
MARK_SECONDS = {("table", "cold"): 180, ("table", "warm"): 30, ("images", "cold"): 180, ("images", "warm"): 30}
"""From the start of the process to its first step, at full size, on two cores that nothing else keeps busy."""
PARTS = ("cold", "warm", "judge")


def write_table(path: Path, rows: int) -> None:
    """Eight columns that depend on each other: two real numbers, two counts, a date, two categories, a truth value."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    regions = np.array([f"region {number:02d}" for number in range(12)])
    products = np.array([f"product {number:03d}" for number in range(60)])
    writer = None
    for number, start in enumerate(range(0, rows, CHUNK)):
        random = np.random.default_rng([0, number])
        count = min(CHUNK, rows - start)
        region = random.integers(0, len(regions), count) * random.integers(0, 2, count)
        product = random.geometric(0.08, count) % len(products)
        age = random.integers(18, 90, count)
        amount = np.exp(random.normal(2 + 0.03 * product, 0.7, count)).round(2)
        frame = pd.DataFrame(
            {
                "amount": amount,
                "temperature": random.normal(10 + region, 5, count),
                "age": age,
                "visits": random.poisson(age / 20, count),
                "day": np.datetime64("2020-01-01") + (random.beta(2, 1, count) * 1500).astype("m8[D]"),
                "region": regions[region],
                "product": products[product],
                "member": random.random(count) < age / 100,
            }
        )
        table = pa.Table.from_pandas(frame, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def some_images(count: int, number: int) -> np.ndarray:
    """Uint8 `(count, 32, 32, 3)`: a coloured disc on a coloured ground, with noise."""
    random = np.random.default_rng([1, number])
    places = np.arange(SIDE, dtype=np.float32)
    centre, radius = random.uniform(8, 24, (2, count, 1)), random.uniform(3, 9, (count, 1, 1))
    down, across = ((places - middle.astype(np.float32)) ** 2 for middle in centre)
    inside = (down[:, :, None] + across[:, None, :] < radius**2)[..., None]
    disc, ground = random.integers(0, 240, (2, count, 1, 1, 3), dtype=np.uint8)
    return np.where(inside, disc, ground) + random.integers(0, 16, (count, SIDE, SIDE, 3), dtype=np.uint8)


def write_images(path: Path, count: int) -> None:
    """One `.npy` file, written through a memory map."""
    target = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, SIDE, SIDE, 3))
    for number, start in enumerate(range(0, count, CHUNK // 10)):
        stop = min(start + CHUNK // 10, count)
        target[start:stop] = some_images(stop - start, number)
    target.flush()


def write_pictures(path: Path, count: int) -> None:
    """A zip of PNG files."""
    from PIL import Image

    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number, start in enumerate(range(0, count, 1000)):
            for place, image in enumerate(some_images(min(1000, count - start), number), start=start):
                content = BytesIO()
                Image.fromarray(image).save(content, format="PNG")
                archive.writestr(f"{place:07d}.png", content.getvalue())


TASKS = {
    "table": (write_table, "table.parquet", TABLE_ROWS),
    "images": (write_images, "images.npy", IMAGES),
    "pictures": (write_pictures, "pictures.zip", PICTURES),
}


def measured(command: list[str], folder: Path | None, surroundings: dict[str, str]) -> dict[str, Any]:
    """Run a command to its end and say what it took; with a run folder, when its first step was taken."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, env={**os.environ, **surroundings}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    probe = Probe(process.pid, every_seconds=0.1)
    first = worked = None
    while process.poll() is None:
        time.sleep(0.1)
        if folder is not None and first is None and (folder / "metrics.jsonl").exists():
            first, worked = time.perf_counter() - begun, processor_seconds(process.pid)
    seconds = time.perf_counter() - begun
    readings = probe.stop()
    highest = max(readings, key=lambda reading: reading.total)
    return {
        "exit": process.returncode,
        "error": process.stderr.read().decode()[-500:] if process.returncode not in (0, 10) else "",
        "peak_total_bytes": highest.total,
        "peak_total_at_seconds": round(highest.seconds, 1),
        "peak_anonymous_bytes": max(reading.anonymous for reading in readings),
        "last_total_bytes": readings[-1].total,
        "seconds_to_first_step": None if first is None else round(first, 1),
        "processor_seconds_to_first_step": None if worked is None else round(worked, 1),
        "seconds": round(seconds, 1),
    }


def task(name: str, options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    """Write the data, train cold and warm, judge; one row each."""
    write, file, full = TASKS[name]
    count = max(1000, round(full * options.share))
    source = work / file
    if not source.exists():
        begun = time.perf_counter()
        write(source, count)
        print(f"{name}: {count:,} written in {time.perf_counter() - begun:.0f} s, {source.stat().st_size / 1e9:.2f} GB")
    cache = work / f"cache-{name}"
    if "cold" in options.parts:
        shutil.rmtree(cache, ignore_errors=True)
    elif not cache.is_dir():
        sys.exit(f"{cache}: there is no cache of an earlier start. Add 'cold' to --parts, or name its --work.")
    surroundings = {"EQUIPOISE_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    if name == "pictures":
        surroundings["EQUIPOISE_MAP_ABOVE_MB"] = "64"  # 154 MB at full size: below the default threshold
    rows = []
    for state in [part for part in ("cold", "warm") if part in options.parts]:
        folder = work / f"run-{name}-{state}"
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-m", "equipoise", "train", str(source), "--steps", str(options.steps)]
        command += ["--outdir", str(folder), "--quiet", "--set", "runtime.threads=1"]
        command += ["--set", f"outputs.measure_every={max(1, options.steps // 10)}"]
        command += ["--set", "outputs.final_verdict=false"]
        found = measured(command, folder, surroundings)
        lines = (folder / "metrics.jsonl").read_text().splitlines() if (folder / "metrics.jsonl").exists() else []
        if len(lines) > 1:
            one, last = json.loads(lines[0]), json.loads(lines[-1])
            found["steps_per_second"] = round((last["step"] - one["step"]) / (last["seconds"] - one["seconds"]), 2)
        rows.append(row(f"train, {state} cache", name, count, source, options, found))
        rows.append(start_row(name, state, rows[-1], mark=MARK_SECONDS.get((name, state)) if count >= full else None))
    kept = sum(entry.stat().st_size for entry in cache.rglob("*") if entry.is_file()) if cache.exists() else 0
    if "judge" in options.parts:
        runs = [work / f"run-{name}-{state}" for state in ("warm", "cold")]
        judged = next((path for path in runs if path.is_dir()), None)
        if judged is None:
            sys.exit(f"{work}: there is no run to judge. Add 'cold' or 'warm' to --parts, or name its --work.")
        found = measured([sys.executable, "-m", "equipoise", "judge", str(judged)], None, surroundings)
        rows.append(row("judge, warm cache", name, count, source, options, found))
    for entry in rows:
        entry["cache_bytes"] = kept
    if not options.keep:
        shutil.rmtree(cache, ignore_errors=True)
        source.unlink()
    return rows


def row(
    claim: str, name: str, count: int, source: Path, options: argparse.Namespace, found: dict[str, Any]
) -> dict[str, Any]:
    """One stored row, printed."""
    print(
        f"{name:9s} {claim:18s} peak {found['peak_total_bytes'] / 1e9:.2f} GB "
        f"(anonymous {found['peak_anonymous_bytes'] / 1e9:.2f}), first step after {found['seconds_to_first_step']} s "
        f"({found['processor_seconds_to_first_step']} s of a core), "
        f"{found.get('steps_per_second', '-')} steps/s, {found['seconds']} s in all {found['error']}",
        flush=True,
    )
    return {
        "claim": f"memory on large data: {claim}",
        "task": f"{name}, {count:,} samples, a file of {source.stat().st_size:,} bytes, {options.steps} steps",
        "samples": count,
        "repeats": 1,
        "value": found["peak_total_bytes"],
        "unit": "bytes of resident memory at its peak, file pages included",
        "mark": MARK_BYTES if options.share >= 1 else None,
        "is_met": found["peak_total_bytes"] <= MARK_BYTES and found["exit"] in (0, 10) if options.share >= 1 else None,
        **found,
        **environment(options.note),
    }


def start_row(name: str, state: str, trained: dict[str, Any], *, mark: float | None) -> dict[str, Any]:
    """How long the start took, as a claim of its own; of smaller data, or without a mark, nothing is claimed."""
    seconds = trained["seconds_to_first_step"]
    is_met = None if mark is None else trained["exit"] == 0 and seconds is not None and seconds <= mark
    if mark is not None:
        print(f"{name:9s} start, {state} cache  {seconds} s of {mark} s: {'met' if is_met else 'missed'}", flush=True)
    told = (
        "task",
        "samples",
        "repeats",
        "exit",
        "processor_seconds_to_first_step",
        "device",
        "load",
        "note",
        "python",
        "torch",
        "numpy",
        "commit",
    )
    return {
        "claim": f"start on large data: {state} cache",
        "value": seconds,
        "unit": "seconds from the start of the process to its first step, by the clock",
        "mark": mark,
        "is_met": is_met,
        **{key: trained[key] for key in told},
    }


def main() -> None:
    """Measure, print, store the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the full sizes")
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=list(PARTS), help="start without a cache, start with one, judge"
    )
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--work", type=Path, default=None, help="where data and runs go; 10 GB at full size")
    parser.add_argument("--keep", action="store_true", help="keep the data and the cache")
    parser.add_argument("--note", default="", help="what else the machine was doing")
    parser.add_argument("--rows", type=Path, default=Path(__file__).parent / "rows" / "large_data.jsonl")
    options = parser.parse_args()
    options.rows.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        for name in options.only:
            rows = task(name, options, work)
            with open(options.rows, "a", encoding="utf-8") as stream:  # at once: a later task may fail
                stream.writelines(json.dumps(entry) + "\n" for entry in rows)


if __name__ == "__main__":
    main()
