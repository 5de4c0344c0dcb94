"""What an augmentation is: a random transformation of every sample that the discriminator sees, real and generated.

Both sides are transformed alike, and the generated side differentiably, so that the generator learns the distribution
of the data and not that of the transformed data (Zhao et al. 2020, arXiv:2006.10738; Karras et al. 2020,
arXiv:2006.06676). Samples that people see come from the network itself, without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.randomness import Stream, torch_stream
from equipoise.shapes import Generated, Labels, Latents, Logits, Samples, WeightedSamples

Side = Literal["real", "generated"]
Transform = Callable[[Samples, torch.Generator | None], Samples]
"""A random transformation: samples and a stream to samples of the same shape, each treated independently."""

STREAMS: dict[Side, str] = {"real": Stream.NOISE_ON_REAL, "generated": Stream.NOISE_ON_FAKE}
WATCHED_EVERY = 4
"""Steps between two looks at withheld rows: a forward pass of the discriminator then costs a percent of the time."""


@dataclass(frozen=True)
class Augmentation:
    """A random transformation of samples whose strength may change during a run.

    Attributes:
        name: as written in a configuration.
        apply: (samples, strength, stream) to samples of the same shape, differentiable in the samples. It treats each
            sample independently and draws for the whole batch from the stream, the same number whatever the strength.
        source: paper and section.
        strength: the strength during a step (counted from 0) of so many steps.
        state: what an adaptive augmentation remembers from step to step, by name: a few small tensors, empty for most.
            A checkpoint stores them and copies them back in place.
        observe: called once after each step with the real and the fake logits of its last discriminator update, those
            of the whole batch in every process, to bring `state` up to date; `None` when there is no state. Generated
            samples count as they were drawn, without importance weights.
        withheld: share of the training rows that no batch has, for `observe_withheld`; at least one row, where above 0.
        observe_withheld: called after every `WATCHED_EVERY`-th step, to bring `state` up to date, with the logits of
            that step's real batch, of withheld rows (transformed like it) and of its fake batch. Withheld rows are
            training rows: what is kept for the referee is never among them.
    """

    name: str
    apply: Callable[[Samples, float, torch.Generator | None], Samples]
    source: str
    strength: Callable[[int, int], float] = lambda step, total: 1.0
    state: dict[str, Tensor] = field(default_factory=dict)
    observe: Callable[[Logits, Logits], None] | None = None
    withheld: float = 0.0
    observe_withheld: Callable[[Logits, Logits, Logits], None] | None = None

    def place_state(self, device: torch.device | str) -> None:
        """Put the remembered tensors on the device where the training happens."""
        for name, tensor in self.state.items():
            self.state[name] = tensor.to(device)

    def __call__(self, samples: Samples, randomness: torch.Generator | None) -> Samples:
        """Samples transformed at the strength of the first step: the augmentation as a `Transform`."""
        return self.apply(samples, self.strength(0, 1), randomness)


class StepAugmentation:
    """An augmentation during one step: its strength, and a random stream for each side.

    Both are functions of (seed, step), so that a resumed run and any number of processes draw the same.

    Args:
        augmentation: what is done.
        seed: of the whole run.
        step: counted from 0.
        total: steps over which the strength follows its schedule.
        device: of the samples.
        group: the processes that share a batch; what is drawn belongs to the batch of all of them.
    """

    def __init__(
        self,
        augmentation: Augmentation,
        *,
        seed: int,
        step: int,
        total: int,
        device: torch.device | str = "cpu",
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self.observe = augmentation.observe
        self._apply = augmentation.apply
        self._strength = augmentation.strength(step, total)
        self._group = group
        self._streams = {side: torch_stream(seed, words, step, device=device) for side, words in STREAMS.items()}

    def __call__(self, samples: Samples, side: Side) -> Samples:
        """The samples as the discriminator sees them; every call draws anew."""
        return self._group.apply_to_shard(
            lambda batch: self._apply(batch, self._strength, self._streams[side]), samples
        )

    def generator(self, generator: Callable[..., Generated]) -> Callable[[Latents, Labels | None], Generated]:
        """The generator with its samples augmented; their importance weights stay."""

        def augmented(latents: Latents, labels: Labels | None = None) -> Generated:
            made = generator(latents, labels)
            if isinstance(made, WeightedSamples):
                return made._replace(samples=self(made.samples, "generated"))
            return self(made, "generated")

        return augmented
