"""Adam and AdamW are torch's own, number for number, and leave torch's compiler alone."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from equipoise.optimizers import find

NAMES = ["Adam", "AdamW"]


def stepped(kind, *, steps=5, weights=None, state=None, fused=True):
    """Weights and optimizer after some steps on the same gradients."""
    made = nn.Parameter(torch.linspace(-1, 1, 6).reshape(2, 3) if weights is None else weights.clone())
    optimizer = kind([made], lr=0.01, betas=(0.0, 0.99), weight_decay=0.1, fused=fused)
    if state is not None:
        optimizer.load_state_dict(copy.deepcopy(state))  # torch would share the counts of steps
    for step in range(steps):
        made.grad = torch.sin(torch.arange(6.0).reshape(2, 3) + step)
        optimizer.step()
    return made.detach(), optimizer


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fused", [True, False])
def test_it_makes_the_steps_of_torch_bit_for_bit(name, fused):
    ours, theirs = stepped(find(name), fused=fused)[0], stepped(getattr(torch.optim, name), fused=fused)[0]
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_on_from_the_state_of_torch(name):
    weights, optimizer = stepped(getattr(torch.optim, name))
    ours = stepped(find(name), weights=weights, state=optimizer.state_dict())[0]
    theirs = stepped(getattr(torch.optim, name), weights=weights, state=optimizer.state_dict())[0]
    assert torch.equal(ours, theirs)
    assert not torch.equal(ours, stepped(find(name), weights=weights)[0])


def test_hooks_around_a_step_are_called_once_each_time():
    optimizer = stepped(find("Adam"), steps=0)[1]
    called = []
    optimizer.register_step_pre_hook(lambda *_: called.append("before"))
    optimizer.register_step_post_hook(lambda *_: called.append("after"))
    stepped(torch.optim.Adam, steps=1)  # torch puts its hooks into a class when the first of it is made
    optimizer.step()
    assert called == ["before", "after"]


def test_making_one_and_a_step_and_its_state_do_not_import_the_compiler():
    code = (
        "import sys, torch; from equipoise.optimizers import find; w = torch.nn.Parameter(torch.ones(3))\n"
        "o = find('AdamW')([w], fused=True); w.grad = torch.ones(3); o.step(); o.load_state_dict(o.state_dict())\n"
        "print('torch._dynamo' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
