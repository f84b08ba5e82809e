"""Processes are spread over the GPUs, the emptiest first; the driver is asked by a program."""

from pathlib import Path

import pytest

from al_engine.supervision.placement import devices, out_of_memory_kills


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A driver's program that tells of three GPUs."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf '0, 1000\\n1, 70000\\n2, [N/A]\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return program


def test_the_gpu_with_most_free_memory_comes_first(driver: Path) -> None:
    assert devices("auto") == ["cuda:1", "cuda:0", "cuda:2"]


def test_a_device_that_is_named_is_the_only_one(driver: Path) -> None:
    assert devices("cpu") == ["cpu"]
    assert devices("cuda:0") == ["cuda:0"]


def test_only_visible_gpus_count_and_are_numbered_as_torch_does(
    driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,1")
    assert devices("auto") == ["cuda:1", "cuda:0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices("auto") == ["auto"]


def test_without_a_driver_or_with_one_that_fails_there_is_what_torch_finds(driver: Path) -> None:
    driver.write_text("#!/bin/sh\nexit 9\n")
    assert devices("auto") == ["auto"]


def test_kills_for_want_of_memory_are_counted() -> None:
    assert out_of_memory_kills() >= 0
