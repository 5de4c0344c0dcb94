"""Sums through memory that the processes of one machine share; threads stand in for the processes."""

import random
import time
from pathlib import Path

import pytest
import torch
from threads import in_threads

from equipoise.distributed import shared_memory, torch_group
from equipoise.distributed.shared_memory import FOLDER

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="this system keeps no files in memory")


def vector(rank, number, dtype=torch.float64, size=1000):
    return torch.randn(size, generator=torch.Generator().manual_seed(100 * number + rank), dtype=dtype)


def left_behind():
    return list(FOLDER.glob("equipoise-*"))


@pytest.mark.parametrize("processes", [2, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_get_the_same_bits_sum_after_sum_whoever_is_late(processes, dtype):
    def sums(group):
        memory = shared_memory.shared_memory(group, 8000)
        late = random.Random(group.rank)
        found = []
        for number in range(40):
            flat = vector(group.rank, number, dtype, size=1 + 24 * number)
            time.sleep(late.choice([0, 0, 0.002]))
            memory.all_reduce(flat, group.barrier)
            found.append(flat)
        return found

    first, *others = in_threads(processes, sums)
    for number, flat in enumerate(first):
        expected = sum(vector(rank, number, dtype, size=1 + 24 * number) for rank in range(processes))
        assert torch.equal(flat, expected)
        assert all(torch.equal(flat, other[number]) for other in others)
    assert not left_behind()


def test_where_one_process_sees_no_such_memory_none_uses_it(monkeypatch):
    """As in containers on one machine, each with files in memory of its own."""
    mapped = shared_memory._mapped
    monkeypatch.setattr(
        shared_memory, "_mapped", lambda path, size, *, is_new: mapped(path, size, is_new=is_new) if is_new else None
    )
    assert in_threads(3, lambda group: shared_memory.shared_memory(group, 100)) == [None] * 3
    assert not left_behind()


@pytest.mark.parametrize("trouble", ["no such folder", "no room"])
def test_where_there_is_no_memory_to_share_all_do_without(trouble, monkeypatch, tmp_path):
    if trouble == "no such folder":
        monkeypatch.setattr(shared_memory, "FOLDER", tmp_path / "nowhere")
    size = 100 if trouble == "no such folder" else 10**15
    assert in_threads(2, lambda group: shared_memory.shared_memory(group, size)) == [None] * 2
    assert not left_behind() and not list(Path(tmp_path).iterdir())


def test_large_vectors_and_those_of_a_gpu_are_left_to_torch():
    group = object.__new__(torch_group.TorchProcessGroup)
    group._memory, group._has_memory = None, True
    assert group._memory_for(torch.empty(shared_memory.MOST_BYTES + 1, dtype=torch.uint8)) is None
    assert group._memory_for(torch.empty(10, device="meta")) is None
