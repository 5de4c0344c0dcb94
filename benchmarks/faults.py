"""Faults put into real runs, and what was lost: kills, damaged checkpoints, full and read-only disks, a second writer.

    python benchmarks/faults.py --cases --kills 110
    python benchmarks/faults.py --only "disk full" --games points --repeats 1 --trials /tmp/trials.jsonl
    python benchmarks/faults.py --summarise

Every fault is put into short training runs (points, a table, images; three interim evaluations, the best checkpoint
kept); each run is resumed after it, as often as it takes, and its end is compared with a run that nobody disturbed: all
weights, moments and counters of the newest and of the best checkpoint, measured rows, evaluations and verdicts, the
status, the names of all files, and the samples, bit for bit; except times, and broken checkpoints that resume has set
aside. A trial counts as survived if that holds, if no resume began at a checkpoint older than the interval, and if
nothing half-written is left. A trial that fails in any other way, before a fault or after it, counts as a fault that
was lost.

Kills are SIGKILL; a third of them each:

- any moment: uniform over the time that is left to an undisturbed run, from its start to its end;
- during training: uniform over the time between its first measured step and its last;
- at a write: 0 to 5 ms after something has happened in the run folder (`disturbed.MOMENTS`): a file was begun, a row
  appended, a checkpoint's tensors were put into their place without the numbers that make them count.

Half of the games of these trials write everything that a run writes (TensorBoard always; the report, all plots and
the final verdict in the games called "all"). In the others and in all further cases the report, and plots of points
and tables, are left empty: they are drawn from what is compared, and take most of the time of so short a run.

Runs are forked (see `disturbed`); for the games called "all" a run in a process of its own is trained too, and both
agree.

A trial is a line of `benchmarks/rows/faults_trials.jsonl`, found by (fault, trial); one that is there is not run again.
A fault that could not be made is no trial. The exit code is 1 if something was lost, or if a fault was never made.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import disturbed
import numpy as np
import pandas as pd
import torch
from disturbed import Child, Skipped, content, forked, fresh, left_over, play, read_lines, small_disk

import equipoise
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.resume import resume
from equipoise.experiment.train import train_planned
from equipoise.training.checkpoints import read_checkpoint

ROWS = Path(__file__).parent / "rows"
INTERVAL, STEPS = 10, 120
KILLS_PER_RUN = 7
NAN_AT = 57
END_SECONDS = 30.0
"""Of many processes, when one was killed, the others are to end within so long."""
SETTINGS = [
    f"outputs.checkpoint_every={INTERVAL}",
    "outputs.measure_every=5",
    "outputs.samples=4",
    "outputs.final_verdict=false",
    "training.batch_size=32",
    "runtime.threads=1",
    "evaluations={count: 3, keep_best: true, samples: 60, classifiers: quick, sensitivity: theoretical, "
    "duality_gap_steps: 2}",
    "optimizers.lr_schedule.warmup_steps=0",
]
MLP = ["networks.generator.width=32", "networks.discriminator.width=32", "networks.latents=8"]
SLIM = "{channels: 4, widest: 8}"
CONVOLUTIONAL = [f"networks={{family: convolutional, latents: 8, generator: {SLIM}, discriminator: {SLIM}}}"]
VERDICT = ["outputs.final_verdict=true"]


@dataclass(frozen=True)
class Game:
    """A file of data, settings, and whether everything is written that a run writes."""

    data: str
    settings: list[str]
    all_writers: bool = False


GAMES = {
    "points": Game("points.npy", MLP),
    "table": Game("table.csv", MLP),
    "images": Game("images.npy", CONVOLUTIONAL),
    "points, all": Game("points.npy", [*MLP, *VERDICT], all_writers=True),
    "table, all": Game("table.csv", [*MLP, *VERDICT], all_writers=True),
    "images, all": Game("images.npy", [*CONVOLUTIONAL, *VERDICT], all_writers=True),
}
KILLS = ("kill -9 at any moment", "kill -9 during play", "kill -9 at a write")


@dataclass
class Undisturbed:
    """What a run leaves that nobody disturbs, and when its rows appeared, in seconds since its start."""

    content: dict[str, Any]
    seconds: float = 0.0
    rows: list[tuple[float, int]] = field(default_factory=list)

    def to_come(self, step: int) -> float:
        """Seconds that a segment takes which begins at a step."""
        (begin, _), (end, _) = self.rows[0], self.rows[-1]
        return begin + (end - begin) * (1 - step / STEPS) + self.seconds - end


def main() -> None:
    """Run what is asked for, and summarise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=0, help="kills in all, earlier ones included")
    parser.add_argument("--cases", action="store_true", help="all faults but those kills")
    parser.add_argument("--only", nargs="+", default=[], metavar="FAULT", help="these alone")
    parser.add_argument("--games", nargs="+", default=list(GAMES), choices=GAMES, help="these alone")
    parser.add_argument("--repeats", type=int, default=3, help="trials of each case")
    parser.add_argument("--minutes", type=float, default=600.0, help="begin no trial after so long")
    parser.add_argument("--summarise", action="store_true", help="of all trials that are stored, none else")
    parser.add_argument("--trials", type=Path, default=ROWS / "faults_trials.jsonl")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        bench = Bench(Path(folder), options.trials, games=options.games, minutes=options.minutes)
        cases = [name for name in bench.cases() if options.cases or name in options.only]
        kills = [name for name in KILLS if options.kills and (not options.only or name in options.only)]
        if unknown := {*options.only} - {*bench.cases(), *KILLS}:
            parser.error(f"no such fault: {sorted(unknown)}; there are {[*bench.cases(), *KILLS]}")
        for name in cases:
            bench.run_case(name, options.repeats)
        for name in kills:
            bench.run_kills(name, -(-options.kills // len(kills)))
        wanted = [*bench.cases(), *KILLS] if options.summarise else [*cases, *kills]
    sys.exit(0 if summarise(options.trials, wanted, bench.skipped) else 1)


class Bench:
    """Data, undisturbed runs, and the trials on them."""

    def __init__(self, folder: Path, trials: Path, *, games: list[str], minutes: float) -> None:
        self.folder, self.trials, self.games = folder, trials, games
        self.until = time.monotonic() + 60 * minutes
        self.done = {(row["fault"], row["trial"]): row for row in read_lines(trials)}
        self.skipped: dict[str, str] = {}
        self.known: dict[str, Undisturbed] = {}
        self.run = folder / "case"
        write_data(folder)

    # Runs.

    def plan(self, game: str) -> Path:
        """The configuration of a game; nothing may be computed in this process."""
        path = self.folder / f"{game}.yaml"
        if not path.exists():
            child = forked(lambda: path.write_text(self.planned(game).config.to_yaml()))
            assert child.wait() == 0, child.said()
        return path

    def planned(self, game: str, *more: str) -> Any:
        held = GAMES[game]
        return plan_run(self.folder / held.data, steps=STEPS, seed=1, settings=[*SETTINGS, *held.settings, *more])

    def start(self, game: str, run: Path, *, before: Callable[[], Any] = lambda: None) -> Child:
        """Train, or resume what is there, in a process of its own; `before` comes first there."""
        plan = self.plan(game)
        return forked(lambda: (before(), play(plan, run)), all_writers=GAMES[game].all_writers)

    def undisturbed(self, game: str) -> Undisturbed:
        """What a run leaves that nobody disturbs."""
        if game not in self.known:
            self.warm_up(game)
            run = self.folder / f"undisturbed {game}"
            started, rows = time.monotonic(), []
            child = self.start(game, run)
            while child.is_alive():
                step = disturbed.reached(run)
                if step and (not rows or step > rows[-1][1]):
                    rows.append((time.monotonic() - started, step))
                time.sleep(0.002)
            assert child.wait() == 0, child.said()
            self.known[game] = Undisturbed(content(run), time.monotonic() - started, rows)
            if GAMES[game].all_writers:
                self.require_same_alone(game, run)
        return self.known[game]

    def require_same_alone(self, game: str, run: Path) -> None:
        """A process that was not forked leaves the same."""
        alone = self.folder / "alone"
        words = [
            sys.executable,
            "-m",
            "equipoise",
            "train",
            str(self.folder / GAMES[game].data),
            "--config",
            str(self.plan(game)),
            "--outdir",
            str(alone),
            "--quiet",
        ]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        found = disturbed.differences(content(alone), content(run))
        shutil.rmtree(alone)
        assert not found, f"a forked process and one of its own differ: {found[:5]}"

    def warm_up(self, game: str) -> None:
        """Import here what a run of this game imports."""
        names, run = self.folder / "names", self.folder / "warm-up"
        plan = self.plan(game)
        child = forked(
            lambda: (play(plan, run), names.write_text("\n".join(sys.modules))), all_writers=GAMES[game].all_writers
        )
        assert child.wait() == 0, child.said()
        disturbed.import_what_others_need(names.read_text().split("\n"))
        shutil.rmtree(run)

    def lost(self, child: Child, expected: dict[str, Any]) -> list[str]:
        """What is wrong with a run at its end; nothing, if it is the undisturbed one."""
        if child.wait() != 0:
            return [f"exit code {child.wait()}: {child.said()[-600:]}"]
        wrong = [f"left half-written: {name}" for name in left_over(self.run)]
        return wrong + disturbed.differences(content(self.run), expected)

    def ended(self, game: str, *more: list[str]) -> dict[str, Any]:
        """Resume the run to its end; the row of a trial of one fault, with what is wrong."""
        wrong = [*more, *self.lost(self.start(game, self.run), self.undisturbed(game).content)]
        return {"injected": 1, "survived": int(not wrong), **({"wrong": wrong[:5]} if wrong else {})}

    # Trials.

    def attempt(self, fault: str, trial: int, game: str, work: Callable[[], dict[str, Any]]) -> None:
        """Make one trial and store its row, in a run folder that nobody else has used."""
        if time.monotonic() > self.until or (fault, trial) in self.done:
            return
        started = time.monotonic()
        try:
            self.undisturbed(game)
            with fresh(self.run):
                row = work()
                row |= {"set_aside": count} if (count := disturbed.set_aside(self.run)) else {}
        except Skipped as reason:
            self.skipped[fault] = str(reason)
            print(f"{fault}: {reason}", flush=True)
            return
        except Exception:
            row = {"injected": 1, "survived": 0, "wrong": [traceback.format_exc()[-1500:]]}
        row = {"fault": fault, "trial": trial, "game": game, **row, "seconds": round(time.monotonic() - started, 1)}
        self.done[fault, trial] = row | where_measured()
        self.trials.parent.mkdir(parents=True, exist_ok=True)
        with open(self.trials, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(self.done[fault, trial]) + "\n")
        print(row, flush=True)

    def run_kills(self, kind: str, wanted: int) -> None:
        """Trials of at most KILLS_PER_RUN kills, on games in turn, until there are as many kills as wanted."""
        trial = 0
        while (left := wanted - sum(row["injected"] for key, row in self.done.items() if key[0] == kind)) > 0:
            if time.monotonic() > self.until:
                return
            game, most = self.games[trial % len(self.games)], min(left, KILLS_PER_RUN)
            self.attempt(
                kind, trial, game, lambda trial=trial, game=game, most=most: self.killed(kind, trial, game, most)
            )
            trial += 1

    def killed(self, kind: str, trial: int, game: str, most: int) -> dict[str, Any]:
        """One run that is killed and resumed until it ends, or has been killed so often."""
        stream, model = random.Random(f"{kind} {trial}"), self.undisturbed(game)
        (begin, _), (end, _) = model.rows[0], model.rows[-1]
        at_play = sorted(stream.uniform(begin, end) for _ in range(most))
        moments: list[list[Any]] = []
        oldest, child = 0, None
        while len(moments) < most:
            before, resumes = disturbed.reached(self.run), disturbed.resumed_at(self.run)
            start = lambda: self.start(game, self.run)  # noqa: E731
            what = kind
            if kind == KILLS[0]:
                child = start()
                is_killed = disturbed.kill_after(child, stream.uniform(0, model.to_come(before)))
            elif kind == KILLS[1]:
                moment = at_play[len(moments)]
                seen, step = max(row for row in model.rows if row[0] <= moment)
                child = start()
                is_killed = disturbed.kill_in_play(
                    child, self.run, resumes=len(resumes) + bool(moments), step=step, seconds=moment - seen
                )
            else:
                moment, count, delay = disturbed.drawn(disturbed.MOMENTS, stream)
                what = f"{moment.name}, {count}"
                child, is_killed = disturbed.kill_at(start, self.run, moment, count, delay)
            for step in disturbed.resumed_at(self.run)[len(resumes) :]:  # none, if it was killed before it had begun
                oldest = max(oldest, before - step)
            if not is_killed:
                break
            moments.append([what, disturbed.reached(self.run)])
        else:
            before = disturbed.reached(self.run)
            child = self.start(game, self.run)
            child.wait()
            oldest = max([oldest, *(before - step for step in disturbed.resumed_at(self.run)[-1:])])
        wrong = self.lost(child, model.content)
        wrong += [f"{oldest} steps were repeated"] if oldest > INTERVAL else []
        row = self.kills_row([what for what, _ in moments], wrong)
        if kind != KILLS[2]:
            del row["moments"]  # each of them is what the fault is called
        return {**row, "most_steps_played_again": oldest, "killed_at_steps": [step for _, step in moments]}

    def cases(self) -> dict[str, Callable[[str, random.Random], dict[str, Any]]]:
        """Every other fault."""
        return {
            "kill -9 before the first step": self.killed_at_birth,
            "kill -9 during a rollback": self.killed_in_rollback,
            "one of two processes killed": self.one_of_two_killed,
            "checkpoint with a flipped byte": self.flipped,
            "checkpoint cut short": self.truncated,
            "disk full": self.disk_full,
            "read-only folder": self.read_only,
            "second process on the folder": self.second_process,
            "clock going backwards": self.clock_backwards,
            "SIGTERM": lambda game, stream: self.signalled(game, stream, signal.SIGTERM),
            "SIGINT": lambda game, stream: self.signalled(game, stream, signal.SIGINT),
            "out of memory": self.out_of_memory,
        }

    def run_case(self, fault: str, repeats: int) -> None:
        """Trials of one fault, on games in turn, without all writers."""
        games = [game for game in self.games if not GAMES[game].all_writers] or self.games
        case = self.cases()[fault]
        for trial in range(repeats * (3 if fault.startswith("kill -9") else 1)):
            game, stream = games[trial % len(games)], random.Random(f"{fault} {trial}")
            self.attempt(fault, trial, game, lambda game=game, stream=stream: case(game, stream))

    def killed_at_birth(self, game: str, stream: random.Random) -> dict[str, Any]:
        """A run that is killed while its first files are written, begun again, and killed again."""
        start = lambda: self.start(game, self.run)  # noqa: E731
        moments, is_killed = [], True
        while is_killed and len(moments) < 3:
            moment, count, delay = disturbed.drawn(disturbed.BIRTHS, stream)
            child, is_killed = disturbed.kill_at(start, self.run, moment, count, delay)
            moments += [f"{moment.name}, {count}"] * is_killed
        return self.kills_row(moments, self.lost(start() if is_killed else child, self.undisturbed(game).content))

    def kills_row(self, moments: list[str], wrong: list[str]) -> dict[str, Any]:
        """The row of a trial of kills at those moments."""
        injected = max(1, len(moments)) if wrong else len(moments)
        return {
            "injected": injected,
            "survived": 0 if wrong else injected,
            "moments": moments,
            **({"wrong": wrong[:5]} if wrong else {}),
        }

    def killed_in_rollback(self, game: str, stream: random.Random) -> dict[str, Any]:
        """Training leaves the finite numbers twice; kills at what happens in the folder from then on."""
        sign = self.folder / disturbed.NON_FINITE
        start = lambda: self.start(game, self.run, before=lambda: disturbed.spoil_twice(NAN_AT, sign))  # noqa: E731
        name = f"non-finite {game}"
        if name not in self.known:
            with fresh(self.run):
                child = start()
                assert child.wait() == 0, child.said()
                self.known[name] = Undisturbed(content(self.run))
        expected = self.known[name].content
        back = NAN_AT // INTERVAL * INTERVAL
        assert [row["to_step"] for row in expected["rollbacks"]] == [back, back - INTERVAL], "no rollback"
        moments, is_killed = [], True
        while is_killed and len(moments) < 4:
            sign.unlink(missing_ok=True)
            count = stream.randint(1, 12)
            child, is_killed = disturbed.kill_in_rollback(start, self.run, count)
            moments += [f"event {count}"] * is_killed
        return self.kills_row(moments, self.lost(start() if is_killed else child, expected))

    def two_processes(self, game: str, run: Path) -> list[Child]:
        """Train, or resume what is there, in two processes that talk by gloo."""
        plan, resumes = self.plan(game), (run / "config.yaml").exists()

        def work() -> None:
            play(plan, run, resumes=resumes)
            torch.distributed.destroy_process_group()

        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
        return [forked(work, variables={**common, "RANK": str(rank)}) for rank in range(2)]

    def one_of_two_killed(self, game: str, stream: random.Random) -> dict[str, Any]:
        """The other one ends in time and names it; two processes that resume end like two undisturbed ones."""
        name, rank = f"two processes, {game}", stream.randrange(2)
        if name not in self.known:
            with fresh(self.run):
                pair = self.two_processes(game, self.run)
                assert [child.wait() for child in pair] == [0, 0], [child.said() for child in pair]
                self.known[name] = Undisturbed(content(self.run))
        pair, step = self.two_processes(game, self.run), stream.randrange(1, STEPS - 2 * INTERVAL)
        while disturbed.reached(self.run) < step and pair[rank].is_alive():
            time.sleep(0.002)
        time.sleep(stream.uniform(0, 0.05))
        other, is_killed, started = pair[1 - rank], pair[rank].kill(), time.monotonic()
        code, said = other.wait(seconds=END_SECONDS), other.said()
        seconds = time.monotonic() - started
        wrong = [] if is_killed else ["it had ended before: " + pair[rank].said()[-400:]]
        wrong += [] if code > 0 else [f"the other one did not end by itself: {code}"]
        wrong += [] if f"process {rank} of 2: it ended without a word" in said else [f"not named: {said[-400:]}"]
        first, second = self.two_processes(game, self.run)
        wrong += self.lost(first, self.known[name].content)
        wrong += [] if second.wait() == 0 else [second.said()[-400:]]
        return {
            "injected": 1,
            "survived": int(not wrong),
            "killed": rank,
            "other_ended_after_s": round(seconds, 2),
            **({"wrong": wrong[:5]} if wrong else {}),
        }

    def half_way(self, game: str) -> None:
        """A run that was killed when it had passed some checkpoints."""
        child = self.start(game, self.run)
        while disturbed.reached(self.run) < 3 * INTERVAL and child.is_alive():
            time.sleep(0.005)
        assert child.kill(), child.said()

    def flipped(self, game: str, stream: random.Random) -> dict[str, Any]:
        """Bytes flipped at random places of the newest checkpoint, its JSON in every second; then one is resumed."""
        checkpoints, whole, count = self.run / "checkpoints", 0, 40
        self.half_way(game)
        _, numbers, _ = before = read_checkpoint(checkpoints)
        newest = checkpoints / f"step-{numbers['step']:08d}.safetensors"
        sides = [newest, newest.with_suffix(".json")]
        originals = [path.read_bytes() for path in sides]
        for number in range(count):
            path, original = sides[number % 2], originals[number % 2]
            damaged = bytearray(original)
            damaged[stream.randrange(len(damaged))] ^= 1 << stream.randrange(8)
            path.write_bytes(damaged)
            tensors, numbers, broken = read_checkpoint(checkpoints)
            passed_over = numbers["step"] < before[1]["step"] and any(newest.name in text for text in broken)
            unharmed = disturbed.same_state((tensors, numbers), before[:2])  # white space in the JSON
            whole += passed_over or unharmed
            if number < count - 1:
                path.write_bytes(original)
        return {**(row := self.ended(game)), "injected": count, "survived": whole * row["survived"]}

    def truncated(self, game: str, stream: random.Random) -> dict[str, Any]:
        """The newest checkpoint, cut short on one of its sides."""
        self.half_way(game)
        newest = disturbed.newest_checkpoint(self.run)
        path = stream.choice([path for path in (newest, newest.with_suffix(".json")) if path.exists()])
        path.write_bytes(path.read_bytes()[: stream.randrange(path.stat().st_size)])
        is_named = any(newest.name in text for text in read_checkpoint(self.run / "checkpoints")[2])
        return self.ended(game, *([] if is_named else ["the broken one is not named"]))

    def disk_full(self, game: str, stream: random.Random) -> dict[str, Any]:
        """A small file system; a smaller one as long as the run finds room."""
        size = stream.randrange(250, 700)
        with small_disk(self.folder / "disk", f"{size}k") as (disk, resize):
            kept, self.run = self.run, disk / "run"
            try:
                while (child := self.start(game, self.run)).wait() == 0:
                    shutil.rmtree(self.run)
                    size = size * 2 // 3
                    resize(f"{size}k")
                said = child.said()
                is_explained = child.wait() == 1 and "No space left" in said and "Traceback" not in said
                resize("100m")
                return {**self.ended(game, *([] if is_explained else [said[-600:]])), "kilobytes": size}
            finally:
                self.run = kept

    def read_only(self, game: str, stream: random.Random) -> dict[str, Any]:
        """A file system that may no longer be written; nothing changes, and the run goes on when it may."""
        del stream
        with small_disk(self.folder / "disk", "100m") as (disk, resize):
            kept, self.run = self.run, disk / "run"
            try:
                self.half_way(game)
                before = {path: path.read_bytes() for path in self.run.rglob("*") if path.is_file()}
                resize("100m,ro")
                child = self.start(game, self.run)
                is_explained = child.wait() == 1 and "Read-only file system" in child.said()
                is_untouched = before == {path: path.read_bytes() for path in self.run.rglob("*") if path.is_file()}
                resize("100m,rw")
                wrong = [] if is_explained and is_untouched else [f"untouched: {is_untouched}; {child.said()[-600:]}"]
                return self.ended(game, *wrong)
            finally:
                self.run = kept

    def second_process(self, game: str, stream: random.Random) -> dict[str, Any]:
        """Another process on the folder of a run that trains."""
        del stream
        first = self.start(game, self.run)
        while disturbed.reached(self.run) < 1 and first.is_alive():
            time.sleep(0.002)
        second = forked(lambda: resume(self.run))
        is_refused = second.wait() == 2 and "is writing to this folder" in second.said()
        wrong = ([] if is_refused else [second.said()[-600:]]) + self.lost(first, self.undisturbed(game).content)
        return {"injected": 1, "survived": int(not wrong), **({"wrong": wrong[:5]} if wrong else {})}

    def clock_backwards(self, game: str, stream: random.Random) -> dict[str, Any]:
        """Each look at the clock shows a time up to an hour before the one before; a kill and a resume in between."""
        seed = stream.random()

        def turn_back() -> None:
            steps, now = random.Random(seed), [2e9]

            def back() -> float:
                now[0] -= steps.uniform(0, 3600)
                return now[0]

            time.time = back

        disturbed.kill_after(
            self.start(game, self.run, before=turn_back), stream.uniform(0, self.undisturbed(game).seconds)
        )
        wrong = self.lost(self.start(game, self.run, before=turn_back), self.undisturbed(game).content)
        return {"injected": 1, "survived": int(not wrong), **({"wrong": wrong[:5]} if wrong else {})}

    def signalled(self, game: str, stream: random.Random, number: int) -> dict[str, Any]:
        """A signal that asks for an end."""
        child, wanted = self.start(game, self.run), stream.randrange(1, STEPS // 2)
        while disturbed.reached(self.run) < wanted and child.is_alive():
            time.sleep(0.002)
        os.kill(child.pid, number)
        code, said = child.wait(), child.said()
        is_told = code == 130 and "a checkpoint was written" in said and "equipoise resume" in said
        return self.ended(game, *([] if is_told else [f"exit code {code}: {said[-600:]}"]))

    def out_of_memory(self, game: str, stream: random.Random) -> dict[str, Any]:
        """A batch far beyond an address space of 12 GB."""
        del stream

        def played() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
            train_planned(self.planned(game, "training.batch_size=400000000"), self.run)

        child = forked(played)
        explained = child.wait() == 1 and "training.batch_size" in child.said() and "not enough memory" in child.said()
        return {"injected": 1, "survived": int(explained), **({} if explained else {"wrong": [child.said()[-600:]]})}


def write_data(folder: Path) -> None:
    """Small data of three kinds."""
    stream = np.random.default_rng(0)
    np.save(folder / "points.npy", stream.normal(size=(400, 2)))
    np.save(folder / "images.npy", stream.integers(0, 256, size=(300, 8, 8), dtype=np.uint8))
    frame = pd.DataFrame(
        {
            "amount": stream.normal(size=400).round(2),
            "count": stream.integers(0, 90, 400),
            "colour": stream.choice(["red", "green"], 400),
        }
    )
    frame.to_csv(folder / "table.csv", index=False)


def summarise(trials: Path, wanted: list[str], skipped: dict[str, str]) -> bool:
    """One row for each fault: how often it was injected and survived; whether all were, and nothing was lost."""
    rows: dict[str, dict[str, Any]] = {}
    for trial in read_lines(trials):
        row = rows.setdefault(
            trial["fault"],
            {
                "fault": trial["fault"],
                "trials": 0,
                "injected": 0,
                "survived": 0,
                "lost": 0,
                "task": f"{STEPS} steps, a checkpoint every {INTERVAL}, 3 looks",
                "games": [],
                "device": [],
                "torch": [],
                "equipoise": [],
                "commit": [],
            },
        )
        row["trials"] += 1
        for name in ("injected", "survived"):
            row[name] += trial[name]
        row["lost"] = row["injected"] - row["survived"]
        if trial["game"] not in row["games"]:
            row["games"].append(trial["game"])
        for name in ("device", "torch", "equipoise", "commit"):
            if trial[name] not in row[name]:
                row[name].append(trial[name])
        for name in ("most_steps_played_again", "other_ended_after_s"):
            if name in trial:
                row[name] = max(row.get(name, 0), trial[name])
        row["set_aside"] = row.get("set_aside", 0) + trial.get("set_aside", 0)
        if "killed_at_steps" in trial:
            row["before_the_first_row"] = row.get("before_the_first_row", 0) + trial["killed_at_steps"].count(0)
    for row in rows.values():
        print(f"{row['fault']:34s} injected {row['injected']:4d}  survived {row['survived']:4d}  lost {row['lost']}")
    missing = [name for name in wanted if not rows.get(name, {}).get("injected")]
    for name in missing:
        print(f"{name:34s} never made: {skipped.get(name, 'no trial')}")
    target = trials.with_name(trials.name.replace("_trials", ""))
    if target != trials:
        target.write_text("".join(json.dumps(row) + "\n" for row in rows.values()), encoding="utf-8")
    return not missing and not any(row["lost"] for row in rows.values())


def where_measured() -> dict[str, Any]:
    """What a trial was made with; a commit with changes that are in none says so."""

    def git(*words: str) -> str:
        here = ["git", "-C", str(Path(__file__).parent)]
        return subprocess.run([*here, *words], capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "../src", ".").splitlines()
    is_changed = any(not line.endswith(".jsonl") for line in changed)
    return {
        "device": f"cpu ({platform.machine()}), 1 thread",
        "torch": torch.__version__,
        "equipoise": equipoise.__version__,
        "commit": (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if is_changed else ""),
    }


if __name__ == "__main__":
    main()
