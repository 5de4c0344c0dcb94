"""A file like those of an office: 53 columns with names, case numbers, dates, codes and a column name met twice."""

from __future__ import annotations

import csv
import uuid
from pathlib import Path

import numpy as np

FIRST = "Ada Alan Grace Edsger Barbara Donald Frances John Margaret Ken Radia Tim Hedy Linus Sophie Leslie".split()
LAST = "Lovelace Turing Hopper Dijkstra Liskov Knuth Allen Backus Hamilton Thompson Perlman Berners Lamarr".split()
STREETS = "Main Mill Church Park High Station North South Bridge Garden".split()


def write_case_file(path: Path, rows: int, *, seed: int = 0) -> list[str]:
    """Write the file; returns its 53 column names, one of them twice."""
    stream = np.random.default_rng(seed)
    names = ["case_number", "uuid", "first_name", "full_name", "email", "phone", "row", "remarks"]
    names += ["opened", "closed", "status", "priority", "branch", "amount", "amount", "currency", "zip", "constant"]
    names += [f"answer_{place}" for place in range(15)] + [f"measure_{place}" for place in range(20)]
    with path.open("w", newline="", encoding="utf-8") as stream_of_file:
        writer = csv.writer(stream_of_file)
        writer.writerow(names)
        numbers = stream.permutation(900_000)[:rows]
        for row in range(rows):
            first, last = stream.choice(FIRST), stream.choice(LAST)
            amount = float(stream.lognormal(5, 1))
            day = int(stream.integers(1, 29))
            writer.writerow(
                [
                    f"CASE-20{int(stream.integers(18, 25))}-{numbers[row] + 100_000:06d}",
                    str(uuid.UUID(int=int(stream.integers(2**62)) << 64 | int(stream.integers(2**62)))),
                    first,
                    f"{first} {chr(65 + row % 26)}{chr(97 + row // 26 % 26)}{chr(97 + row // 676)}son {last}",
                    f"{first}.{last}{row}@example.org".lower(),
                    f"+49{int(stream.integers(10**9, 10**10))}",
                    row + 1,
                    f"{stream.choice(STREETS)} street {int(stream.integers(1, 10_000))}, spoke with {last} {row}.",
                    f"2023-{int(stream.integers(1, 13)):02d}-{day:02d}",
                    "" if stream.random() < 0.4 else f"2024-{int(stream.integers(1, 13)):02d}-{day:02d}",
                    stream.choice(["open", "closed", "waiting"], p=[0.5, 0.4, 0.1]),
                    int(stream.integers(1, 6)),
                    stream.choice(["north", "south", "east", "west"]),
                    f"{amount:.2f}",
                    f"{amount * 1.19:.2f}",
                    stream.choice(["EUR", "USD"], p=[0.9, 0.1]),
                    f"0{int(stream.integers(1000, 1100))}",
                    "v1",
                    *stream.choice(["yes", "no", ""], 15, p=[0.5, 0.4, 0.1]),
                    *(f"{value:.3f}" for value in stream.normal(size=20)),
                ]
            )
    return names
