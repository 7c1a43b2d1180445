"""Batches of texts of about one length, which need little padding, in an order that a resumed run finds again."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices


class LengthGroups(Sampler[int]):
    """The numbers of the rows, mixed anew in each epoch by the seed alone.

    Transformers' own sampler draws from the state of the process, which a resumed run no longer has.
    """

    def __init__(self, lengths: list[int], rows_a_step: int, seed: int) -> None:
        self.lengths, self.rows_a_step, self.seed, self.epoch = lengths, rows_a_step, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Told by the Trainer before each epoch, also by one that goes on in the middle of it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        return iter(get_length_grouped_indices(self.lengths, self.rows_a_step, generator=generator))
