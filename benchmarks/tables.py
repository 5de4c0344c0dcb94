"""Tables: how far boosted trees tell the default's rows from unused real ones, in a stated time of one thread.

    python benchmarks/tables.py --list
    python benchmarks/tables.py --run "adult 120" --adult FOLDER --minutes 20
    python benchmarks/tables.py --run "game adds" --adult FOLDER
    python benchmarks/tables.py --run "adult 120" --adult FOLDER --contestant ctgan --peers PEERS/bin/python
    python benchmarks/tables.py --dev /tmp/dev.jsonl --data adult --contestant default --steps 1000 --adult FOLDER
    python benchmarks/tables.py --summarise

What is scored stands in `tables_settings.json`: tables, contestants, seconds, and the steps that each contestant is
given so that it stays within these seconds. The file is committed before anything is scored, and the seeds (of the
split, of runs and of synthetic rows) are derived from the hash of that commit. Each attempt is a process of its own on
one thread, and a line of `rows/tables_trials.jsonl`, also when it ends in an error: what was cut short goes on where it
stopped. `--summarise` writes `rows/tables.jsonl`: median and worst of the seeds for each row, and the mark.

CPU-seconds are those of the process, from its start to the last weights kept: imports, set-up and evaluations are in
it, the final verdict and the scores are not. An attempt that took longer than its seconds by a tenth is stored and
counts as missed. `--dev` uses other seeds, writes to its own file and counts for nothing. The line of an attempt holds
the command that gives the same rows; `tables_again.py` types it.

Peers (ctgan's CTGAN and TVAE, mostlyai-engine's TabularARGN) stand in `tables_peers_settings.json`, and are fitted by
`tables_peer.py` in a Python of their own, which `--peers` names. They have their own default settings, so there is
nothing to choose. Hence their attempts are of the commit of `tables_settings.json`: the same rows to train on, the same
seeds and the same scores as those of the contestants of equipoise, and adding a peer makes no attempt an earlier one.

The rows "game adds" ask what the game contributes: at most 4,000 training rows, likelihood and then the game against
likelihood alone, with steps that take the same CPU-seconds, and the same seeds. `tables_game_settings.json` asks it of
the default itself, on three more tables and with seeds of its own commit: wherever the default and likelihood alone
have the same steps, `--summarise` gives the paired differences. `tables_alone_settings.json` asks how far the game
comes alone, by the preset `table-game`, with seeds of its own commit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import attempts
from attempts import (
    add_arguments,
    by_measure,
    carried_out,
    committed,
    latest,
    lines_of,
    make_missing,
    print_planned,
    store,
    stored,
    write_summary,
)

HERE = Path(__file__).parent
SETTINGS, PEERS_SETTINGS = HERE / "tables_settings.json", HERE / "tables_peers_settings.json"
GAME_SETTINGS, ALONE_SETTINGS = HERE / "tables_game_settings.json", HERE / "tables_alone_settings.json"
OF_THEIR_OWN = (GAME_SETTINGS, ALONE_SETTINGS)
"""Settings whose seeds come from their own commit."""
TRIALS, SUMMARY = HERE / "rows" / "tables_trials.jsonl", HERE / "rows" / "tables.jsonl"
MOST_QUICK_SETS = 8
"""Sets of synthetic rows that a quick score is the mean of, where there are few real ones."""
UNTRAINED = ("unused_rows", "independent_columns")
PAIR, OF_PAIRS = ("default", "likelihood_alone"), ("hgb_auc", "nearer_to_training")
"""The default and the same steps without the game, and what their pairs are compared by."""
PEERS = ("ctgan", "tvae", "mostlyai")
"""Names that `tables_peer.py` knows."""
NO_PEERS = """Fitting a peer was asked for, and --peers names no Python that has the peers.
  They are no dependency of equipoise, and are installed in an environment of their own:
    python3 -m venv PEERS && PEERS/bin/pip install ctgan==0.12.1 mostlyai-engine==2.7.3
  Then add to the command: --peers PEERS/bin/python"""


@dataclass(frozen=True)
class Attempt(attempts.Attempt):
    """One run of one contestant: a name of `tables_contestants.SETTINGS`, of `UNTRAINED` or of `PEERS`.

    Attributes:
        is_quick: few training rows, and boosted trees over three folds as the only score.
    """

    is_quick: bool = False


def attempt(wanted: Attempt, folder: Path | None, peers: Path | None = None) -> dict[str, Any]:
    """Make it, in this process, and score it; a peer by a Python that has it."""
    import torch

    torch.set_num_threads(1)
    from tables_contestants import independent_columns, of_peer, trained, without_pictures
    from tables_data import MOST_QUICK_ROWS, TABLES, short
    from tables_scores import quick_score, scores, shapes_and_pairs

    from equipoise.randomness import derived_seed

    seed = derived_seed(0, f"{wanted.commit} tables", wanted.seed) >> 32
    before = time.process_time()
    table = TABLES[wanted.data](seed, folder=folder)
    reading = time.process_time() - before
    table = short(table) if wanted.is_quick else table
    count = len(table.test)
    if wanted.is_quick:
        without_pictures()
        count *= max(1, min(MOST_QUICK_SETS, MOST_QUICK_ROWS // count))
    if wanted.contestant == "unused_rows":
        made, facts = table.unused, {"cpu_seconds": time.process_time()}
    elif wanted.contestant == "independent_columns":
        made, facts = independent_columns(table.train, seed=seed, count=count)
    elif wanted.contestant in PEERS:
        if peers is None:
            raise SystemExit(NO_PEERS)
        made, facts = of_peer(
            table.train, wanted.contestant, python=peers, seconds=wanted.seconds, seed=seed, count=count
        )
    else:
        made, facts = trained(
            table.train, wanted.contestant, steps=wanted.steps, seed=seed, count=count, more=list(wanted.more)
        )
    if wanted.contestant not in PEERS:  # whose clock is that of their own process
        facts["cpu_seconds"] -= reading  # making the data is no work of the contestant's
    if wanted.is_quick:
        return facts | quick_score(table, made)
    alike = min(len(table.unused), count)
    shapes, pairs = shapes_and_pairs(table.test.iloc[:alike], table.unused[table.test.columns].iloc[:alike])
    found = facts | scores(table, made, reference={"shapes": shapes, "pairs": pairs})
    if wanted.contestant == "unused_rows":
        del found["nearer_to_training"]  # each of them is its own nearest unused row
    return found


def planned(commit: str, *, only: str, own: Mapping[Path, str] | None = None) -> Iterator[Attempt]:
    """All attempts of the settings, a seed of all rows before the next seed, then those of the peers, and those of
    the settings in `own` under the commit that stands there."""
    yield from _planned(content_of(SETTINGS), commit, only=only)
    yield from _planned(content_of(PEERS_SETTINGS), commit, only=only)
    for settings, its_commit in (own or {}).items():
        yield from _planned(content_of(settings), its_commit, only=only)


def content_of(settings: Path) -> dict[str, Any]:
    return json.loads(settings.read_text(encoding="utf-8"))


def _planned(content: dict[str, Any], commit: str, *, only: str) -> Iterator[Attempt]:
    for seed in range(max(row.get("seeds", content["seeds"]) for row in content["rows"])):
        for row in content["rows"]:
            is_wanted = only == "all" or row["name"].startswith(only)
            if not is_wanted or seed >= row.get("seeds", content["seeds"]):
                continue
            for contestant, steps in row["contestants"].items():
                quick = "against" in row
                yield Attempt(row["data"], contestant, row["seconds"], steps, seed, commit, is_quick=quick)


def summarised(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each row of the settings and contestant: of the attempts under the latest settings, and the number of
    earlier ones."""
    found = []
    for content in map(content_of, (SETTINGS, PEERS_SETTINGS, *OF_THEIR_OWN)):
        for row in content["rows"]:
            for contestant in row["contestants"]:
                mine = lines_of(lines, row, contestant)
                if mine:
                    summary = _summary(row, contestant, latest(mine), row.get("seeds", content["seeds"]))
                    found.append(summary | {"earlier_attempts": len(mine) - len(latest(mine))})
            found += what_it_adds({"seeds": content["seeds"]} | row, lines)
    return found


def what_it_adds(row: dict[str, Any], lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The mean of the paired differences between a contestant and another one, with its 95 % interval (Student's t).

    Of a row with an opponent ("against") by its own measure, of quick attempts alone; of another one that has both
    contestants of `PAIR` by the measures of `OF_PAIRS`.
    """
    own = [line for line in lines if line["data"] == row["data"] and line["seconds"] == row["seconds"]]
    if "against" in row:
        quick = [line for line in own if line.get("is_quick") and row["measure"] in line]
        return _differences(row, quick, row["against"], row["measure"])
    if not set(PAIR) <= set(row["contestants"]):
        return []
    whole = [line for line in own if not line.get("is_quick") and line["contestant"] in PAIR]
    return [
        each for name in OF_PAIRS for each in _differences(row, [line for line in whole if name in line], PAIR, name)
    ]


def _differences(
    row: dict[str, Any], lines: list[dict[str, Any]], pair: Sequence[str], measure: str
) -> list[dict[str, Any]]:
    from scipy.stats import t

    first, second = pair
    values: dict[str, dict[int, dict[str, Any]]] = {first: {}, second: {}}
    for line in latest(lines):
        values[line["contestant"]][line["seed"]] = line
    seeds = sorted(set(values[first]) & set(values[second]))
    if len(seeds) < 2:
        return []
    differences = [values[first][seed][measure] - values[second][seed][measure] for seed in seeds]
    mean, count = statistics.mean(differences), len(seeds)
    half = float(t.ppf(0.975, count - 1)) * statistics.stdev(differences) / count**0.5
    spent = {name: statistics.mean(values[name][seed]["cpu_seconds"] for seed in seeds) for name in pair}
    return [
        {
            "claim": row["name"],
            "contestant": f"{first} less {second}",
            "measure": measure,
            "repeats": count,
            "planned": row["seeds"],
            "median": statistics.median(differences),
            "worst": max(differences),
            "mean": mean,
            "low": mean - half,
            "high": mean + half,
            "values": differences,
            "cpu_seconds": spent,
        }
    ]


def _summary(row: dict[str, Any], contestant: str, lines: list[dict[str, Any]], seeds: int) -> dict[str, Any]:
    found = by_measure(row, contestant, lines, seeds=seeds, is_timed=contestant not in UNTRAINED)
    mark = row.get("mark") if contestant == row.get("held_to") else None
    if mark is not None:
        found |= {"mark": mark, "is_met": bool(found["median"] <= mark) if len(lines) >= seeds else None}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, data="adult", seconds=120)
    parser.add_argument("--adult", type=Path, metavar="FOLDER", help="where adult_train.csv and adult_test.csv are")
    parser.add_argument("--peers", type=Path, metavar="PYTHON", help="a Python that has the peers, for their attempts")
    arguments = parser.parse_args()

    def make(wanted: attempts.Attempt) -> dict[str, Any]:
        if wanted.contestant in PEERS and arguments.peers is None:
            raise SystemExit(NO_PEERS)
        given = {"--adult": arguments.adult, "--peers": arguments.peers}
        return carried_out(__file__, wanted, *(w for key, v in given.items() if v is not None for w in (key, str(v))))

    if arguments.attempt:
        print(json.dumps(attempt(Attempt(**json.loads(arguments.attempt)), arguments.adult, arguments.peers)))
        return
    if arguments.list:
        print_planned(planned("-", only="all", own=dict.fromkeys(OF_THEIR_OWN, "-")))
        return
    if arguments.dev is not None:
        store(arguments.dev, make(attempts.of_dev(arguments)))
    if arguments.run is not None:
        committed(PEERS_SETTINGS)  # refuses what is not; the seeds are of the other file
        own = {settings: committed(settings) for settings in OF_THEIR_OWN}
        wanted_ones = planned(committed(SETTINGS), only=arguments.run, own=own)
        make_missing(wanted_ones, TRIALS, make, minutes=arguments.minutes, contestant=arguments.contestant)
    if arguments.summarise:
        write_summary(SUMMARY, summarised(stored(TRIALS)))


if __name__ == "__main__":
    main()
