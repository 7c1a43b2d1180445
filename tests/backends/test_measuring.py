"""What a measured run picks: the longest rows, whatever they are made of."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers")

from backends.measuring import row_sizes, size_of, usual_share


def test_the_size_of_a_row_is_that_of_its_parts() -> None:
    import numpy as np
    import torch
    from PIL import Image

    assert size_of({"input_ids": [1, 2, 3], "labels": 1}) == 4
    assert size_of({"prompt": "four", "turns": [{"content": "six234"}]}) == 10
    assert size_of(torch.zeros(2, 3)) == size_of(np.zeros((2, 3))) == 6
    assert size_of(Image.new("RGB", (4, 5))) == 20


def test_data_that_flows_by_has_no_sizes() -> None:
    assert row_sizes(iter([{"input_ids": [1]}])) == []
    assert row_sizes([{"input_ids": [1] * n} for n in (3, 1, 2)]) == [3, 1, 2]


def test_a_usual_batch_is_shorter_than_the_longest_row_of_all() -> None:
    sizes = [10] * 95 + [40] * 4 + [100]
    assert usual_share(sizes, 1) == 0.1
    assert usual_share(sizes, 32) == 0.4
    assert usual_share(sizes, 1000) == 1.0
    assert usual_share([], 8) is None
