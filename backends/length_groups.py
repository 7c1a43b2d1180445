"""Batches of texts of like length, in an order that a resumed run finds again.

Transformers' own sampler draws from the generator of the whole process, so that a run that goes on inside an epoch
would see other batches than one that was never stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler

_POOL_BATCHES = 50  # as in Transformers


class LengthGroups(Sampler):
    """The numbers of all rows by lot, those of like length beside each other; the longest rows come first.

    Too little memory is so found out at once. `step_rows` are the rows of one optimizer step.
    """

    def __init__(self, lengths: Sequence[int], step_rows: int, seed: int) -> None:
        self.lengths, self.step_rows, self.seed, self.epoch = lengths, step_rows, seed, 0

    def __len__(self) -> int:
        return len(self.lengths)

    def set_epoch(self, epoch: int) -> None:
        """Draw anew, by the number of the epoch alone; accelerate calls this."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        order = torch.randperm(len(self.lengths), generator=generator).tolist()
        size = self.step_rows * max(1, min(len(order) // (self.step_rows * 4), _POOL_BATCHES))
        pools = [order[start : start + size] for start in range(0, len(order), size)]
        for pool in pools:
            pool.sort(key=lambda row: self.lengths[row], reverse=True)
        longest = max(range(len(pools)), key=lambda number: self.lengths[pools[number][0]])
        pools[0][0], pools[longest][0] = pools[longest][0], pools[0][0]
        return iter([row for pool in pools for row in pool])


def group_by_length(trainer: Any, seed: int) -> None:
    """Let a Trainer take its rows in such an order, where its rows have a length."""
    rows = trainer.train_dataset
    if rows is None or not hasattr(rows, "__len__") or not len(rows) or "input_ids" not in rows[0]:
        return
    ids = rows["input_ids"] if hasattr(rows, "column_names") else [row["input_ids"] for row in rows]
    arguments = trainer.args
    step_rows = arguments.train_batch_size * arguments.gradient_accumulation_steps * arguments.world_size
    sampler = LengthGroups([len(each) for each in ids], step_rows, seed)
    trainer._get_train_sampler = lambda dataset=None: sampler
