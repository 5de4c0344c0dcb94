"""ctgan's side of `tables_speed.py`: its own `fit`, which waits between epochs; run by the Python that has ctgan.

    PEERS/bin/python -I benchmarks/tables_speed_ctgan.py --rows train.csv --encoded encoded.npz

`fit` loops over a range of epochs, and the range is replaced by one that waits for a request. All other settings are
ctgan's defaults. The rows as ctgan encodes them are stored for the other side, which trains on the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch

sys.path.append(str(Path(__file__).parent))  # behind the installed packages: `ctgan.py` is here too

from tables_peer import discrete
from tables_speed_worker import own_channel, rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True, help="training rows, a CSV file")
    parser.add_argument("--encoded", type=Path, required=True, help="where they are stored as ctgan encodes them")
    arguments = parser.parse_args()
    answer = own_channel()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002  ctgan draws from numpy's global stream
    from ctgan.synthesizers import ctgan as module

    rows = pd.read_csv(arguments.rows)
    model = module.CTGAN()
    epoch_steps = len(rows) // model._batch_size

    def epochs() -> Iterator[int]:
        facts = {"setup_cpu_seconds": time.process_time(), "ctgan": version("ctgan"), "torch": version("torch")}
        blocks = [
            [(span.activation_fn, int(span.dim)) for span in column] for column in model._transformer.output_info_list
        ]
        encoded = model._transformer.transform(rows).astype(np.float32)
        np.savez(arguments.encoded, encoded=encoded, layout=json.dumps(blocks))
        condition = model._data_sampler.dim_cond_vec()
        discriminator = module.Discriminator(encoded.shape[1] + condition, (256, 256), pac=model.pac)
        facts |= {
            "row_width": int(encoded.shape[1]),
            "condition_width": int(condition),
            "generator_weights": sum(weight.numel() for weight in model._generator.parameters()),
            "discriminator_weights": sum(weight.numel() for weight in discriminator.parameters()),
            "epoch_steps": epoch_steps,
        }
        for steps in rounds(answer, facts):
            yield from range(steps // epoch_steps)

    module.tqdm = lambda *_, **__: epochs()
    model.fit(rows, discrete(rows))


if __name__ == "__main__":
    main()
