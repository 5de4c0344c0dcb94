"""How `benchmarks/tables.py` plans, refuses and fits its peers, with none of them installed."""

import stat
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import tables
import tables_contestants
import tables_peer

ROWS = pd.DataFrame({"size": [1.25, 2.5, 4.0], "count": [1, 2, 3], "kind": ["a", "b", "a"], "many": [0.1, 0.2, 0.3]})


def test_peers_are_planned_with_the_commit_and_seeds_of_the_other_contestants_and_after_them():
    planned = [each for each in tables.planned("a commit", only="adult 120")]
    of_peers = [each.contestant in tables.PEERS for each in planned]
    assert sum(of_peers) == 3 * 3 and of_peers == sorted(of_peers)
    assert {(each.commit, each.seconds) for each in planned} == {("a commit", 120)}
    assert {each.seed for each in planned if each.contestant == "ctgan"} == {0, 1, 2}
    assert set(tables.PEERS) == set(tables_peer.PEERS)


def test_a_peer_is_refused_where_no_python_has_it_and_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tables.py", "--dev", "nowhere.jsonl", "--contestant", "tvae"])
    with pytest.raises(SystemExit, match=r"pip install ctgan==0\.12\.1 mostlyai-engine==2\.7\.3"):
        tables.main()
    assert not Path("nowhere.jsonl").exists()


def test_epochs_end_before_one_like_the_longest_would_end_too_late(monkeypatch):
    clock = [10.0]
    monkeypatch.setattr(tables_peer, "spent", lambda: clock[0])
    done = []
    for epoch in tables_peer.epochs_that_fit(20.0, done):
        clock[0] += 3.0 if epoch == 0 else 2.0
    # 10 + 3 + 2 + 2 = 17, and a fourth as long as the first still ends at 20.
    assert done == [3.0, 2.0, 2.0, 2.0]


def test_texts_and_whole_numbers_of_few_values_are_discrete():
    assert tables_peer.discrete(ROWS) == ["count", "kind"]
    many = pd.DataFrame({"age": np.arange(tables_peer.MOST_VALUES + 1)})
    assert tables_peer.discrete(many) == [] and tables_peer.discrete(many[:-1]) == ["age"]


def test_sampled_numbers_keep_the_range_and_the_decimals_of_the_training_rows():
    made = tables_peer.within(ROWS.assign(size=[0.1, 2.4567, 9.0], many=[0.149, 0.2, 0.3]), ROWS)
    assert made["size"].tolist() == [1.25, 2.46, 4.0] and made["many"].tolist() == [0.1, 0.2, 0.3]
    assert made["kind"].tolist() == ROWS["kind"].tolist()


def test_a_peer_is_fitted_by_the_python_that_was_named_and_its_rows_come_back(tmp_path):
    python = tmp_path / "python"
    python.write_text(f"""#!{sys.executable}
import json, shutil, sys
words = sys.argv[1:]
given = dict(zip(words[3::2], words[4::2]))
shutil.copy(given["--rows"], given["--made"])
print("a line of the peer's own")
print(json.dumps({{"cpu_seconds": 2.5, "words": words[:1] + words[2:3], "seconds": given["--seconds"]}}))
""")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    made, facts = tables_contestants.of_peer(ROWS, "tvae", python=python, seconds=7, seed=5, count=3)
    pd.testing.assert_frame_equal(made, ROWS)
    assert facts == {"cpu_seconds": 2.5, "words": ["-I", "tvae"], "seconds": "7", "run_seed": 5}


def test_a_peer_that_fails_gives_its_own_last_words():
    with pytest.raises(RuntimeError, match="tvae ended with exit status"):
        tables_contestants.of_peer(ROWS, "tvae", python=Path("/bin/false"), seconds=7, seed=5, count=3)


def test_a_peer_s_attempt_is_late_by_its_own_clock():
    late = dict(data="adult", seconds=120, contestant="ctgan", cpu_seconds=133, hgb_auc=0.9, seed=0, commit="c")
    (row,) = tables.summarised([late])
    assert row["values"] == [float("inf")] and row["planned"] == 3
