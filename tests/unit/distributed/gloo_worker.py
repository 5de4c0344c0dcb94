"""One of several real processes: trains small games and, in the first one, stores what came out.

RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=... python gloo_worker.py DATA OUT
"""

from __future__ import annotations

import sys

import torch

from equipoise.distributed import SINGLE_PROCESS, ProcessGroup, process_group
from equipoise.errors import ConfigError
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.prepare import plan_run

STEPS = 50
# Adam divides by sqrt(v) + eps. A gradient that is 0 in exact arithmetic (that of the last bias in a relativistic game)
# is rounding noise of 1e-17, which the usual eps of 1e-8 turns into updates of 3e-12 a step; 1e-5 keeps 50 of them
# below the 1e-12 that is asked for. `test_joined_batch.py` trains with the usual eps and a tolerance to match.
EXACT = [
    "optimizers.discriminator.name=Adam",
    "optimizers.discriminator.options={betas: [0.0, 0.99], eps: 1.0e-5}",
    "optimizers.generator.name=Adam",
    "optimizers.generator.options={betas: [0.0, 0.99], eps: 1.0e-5}",
]
GAMES = {
    "default": [],
    "wgan_gp": ["objective=wasserstein", "penalties=[wgan_gp]"],
    "ragan": ["objective=relativistic_average"],
    "conditional, weighted": ["data.labels=colour", "data.sample_weight=weight", "networks.family=mlp"],
    "column by column": [
        "data.labels=colour",
        "data.sample_weight=weight",
        "networks.family=columnwise",
        "warm_start={name: likelihood, share: 0.5}",
    ],
}
TABLES = ("conditional, weighted", "column by column")


def plan(data: str, game: str, *settings: str):
    """A small version of a game."""
    return plan_run(
        data,
        steps=STEPS,
        seed=1,
        settings=[
            "networks.generator.width=8",
            "networks.discriminator.width=8",
            "networks.latents=4",
            *([] if game == "column by column" else ["networks.generator.depth=3"]),
            "training.batch_size=16",
            "runtime.threads=1",
            *GAMES[game],
            *settings,
        ],
    )


def parameters_after(data: str, game: str, group: ProcessGroup) -> torch.Tensor:
    """All parameters after the whole game, in float64."""
    torch.set_default_dtype(torch.float64)
    try:
        planned = plan(data, game, *EXACT)
        trainer = build_trainer(planned.config, planned.data, group=group)
        to_float = trainer.batches.to_float
        trainer.batches.to_float = lambda batch: to_float(batch).double()
        trainer.run()
        return torch.cat(
            [p.detach().flatten() for q in (trainer.discriminator, trainer.generator) for p in q.parameters]
        )
    finally:
        torch.set_default_dtype(torch.float32)


def gradients_of_a_step(data: str, game: str, group: ProcessGroup) -> torch.Tensor:
    """Both players' gradients in the first step, in float32, as their optimizers meet them."""
    planned = plan(data, game)
    trainer = build_trainer(planned.config, planned.data, group=group)
    trainer.step = trainer.stage_steps  # of a run in two stages, a step of the game
    found = []
    for player in (trainer.discriminator, trainer.generator):
        player.optimizer.register_step_pre_hook(
            lambda optimizer, a, k: found.extend(p.grad.flatten().clone() for p in optimizer.param_groups[0]["params"])
        )
    trainer.train_step()
    return torch.cat(found)


def everything(points: str, table: str, group: ProcessGroup) -> dict[str, torch.Tensor]:
    """Parameters and gradients of every game."""
    data = {game: table if game in TABLES else points for game in GAMES}
    return {f"parameters, {game}": parameters_after(path, game, group) for game, path in data.items()} | {
        f"gradients, {game}": gradients_of_a_step(path, game, group) for game, path in data.items()
    }


def main() -> None:
    points, table, out = sys.argv[1:]
    torch.set_num_threads(1)
    group = process_group()
    assert group is not SINGLE_PROCESS
    assert group.all_gather_object(group.rank) == list(range(group.world_size))
    assert group.broadcast_object({"path": f"ä-{group.rank}"}) == {"path": "ä-0"}
    found = everything(points, table, group)
    try:
        group.require_same("fruit", "apple" if group.rank else "pear", advice="")
    except ConfigError as error:
        assert "process 1" in str(error)
    else:
        raise AssertionError("a difference was not noticed")
    # An error that all meet is told by one.
    assert sum(group.all_gather_object(group.reports(ConfigError("seed", "no seed.")))) == 1
    if group.is_main:
        from safetensors.torch import save_file

        save_file(found, out)
    group.barrier()


if __name__ == "__main__":
    main()
