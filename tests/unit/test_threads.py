"""A training of small images uses one thread, and leaves the number as it was."""

import pytest
import torch

from al_engine.training.devices import threads_for

CPU = torch.device("cpu")


@pytest.mark.parametrize(("pixels", "threads"), [(64 * 8 * 8, 1), (64 * 32 * 32, 2)])
def test_few_pixels_are_not_worth_threads_that_wait_for_one_another(
    pixels: int, threads: int
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with threads_for(pixels, CPU):
            assert torch.get_num_threads() == threads
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
