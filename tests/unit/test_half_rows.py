"""Logits of rows at half precision are those of the head, however many rows there are."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from al_engine.training import half_rows
from al_engine.training.half_rows import logits_of_rows


@pytest.mark.parametrize("count", [0, 1, 7, 8, 29])
def test_blocks_change_nothing(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half_rows, "_BLOCK_NUMBERS", 8 * 16)
    rows = torch.from_numpy(np.random.default_rng(1).normal(size=(count, 16)).astype(np.float16))
    weight, bias = torch.randn(5, 16), torch.randn(5)
    said = logits_of_rows(rows, weight, bias)
    assert said.shape == (count, 5)
    assert torch.allclose(said, functional.linear(rows.float(), weight, bias), atol=1e-5)
