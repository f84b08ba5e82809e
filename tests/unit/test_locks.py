"""What is installed is what the ranges allow, file by file."""

from collections.abc import Callable
from dataclasses import replace

import locks
import pytest
from locks import Locked
from packaging.utils import canonicalize_name

LOCKS = (locks.RUN, locks.TORCH, locks.TORCH_CPU, locks.LAB, locks.DEV)


def locked(*paths: object) -> list[Locked]:
    return [each for path in LOCKS if path in paths for each in locks.parsed(path.read_text())]


RUN = locked(locks.RUN, locks.TORCH)
ASKED_RUN = locks.ranges(locks.RANGES.read_text())
RUN_AND_LAB = RUN + locked(locks.LAB)
ASKED_LAB = locks.ranges(locks.RANGES_LAB.read_text())
EVERYTHING = RUN_AND_LAB + locked(locks.DEV)
ASKED = ASKED_RUN + ASKED_LAB + locks.ranges(locks.RANGES_DEV.read_text())


def test_the_locks_hold_what_the_ranges_allow() -> None:
    remedy = "run `make upgrade`"
    assert not list(locks.faults(ASKED_RUN, RUN)), remedy
    assert not list(locks.faults(ASKED_LAB, RUN_AND_LAB)), remedy
    assert not list(locks.faults(ASKED, EVERYTHING)), remedy
    assert {each.name for each in RUN} >= {"django", "torch", "numpy", "nvidia-cublas"}
    assert "matplotlib" not in {each.name for each in RUN}
    assert "matplotlib" in {each.name for each in locked(locks.LAB)}
    assert {each.name for each in locked(locks.DEV)} >= {"pytest", "mypy", "uv"}


def test_the_torch_for_the_cpu_is_of_the_same_release() -> None:
    (cpu,) = locked(locks.TORCH_CPU)
    (published,) = (each for each in locked(locks.TORCH) if each.name == "torch")
    assert cpu.version is not None
    assert cpu.version.partition("+")[::2] == (published.version, "cpu"), locks.TORCH_CPU.name
    assert not set(cpu.hashes) & set(published.hashes)
    assert not list(locks.faults([each for each in ASKED if each.name == "torch"], [cpu]))


def test_each_package_is_in_one_lock() -> None:
    pins = [each.pin for each in EVERYTHING]
    assert len(pins) == len(set(pins))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_place(path: object) -> None:
    text = "".join(line for each in locked(path) for line in each.lines)
    for place in ("://", "file:", " @ ", "--index", "--find-links"):
        assert place not in text


def moved(version: str) -> Callable[[Locked], Locked]:
    return lambda each: replace(each, pin=each.pin.replace(f"=={each.version}", f"=={version}"))


CHANGES: dict[str, tuple[Callable[[Locked], Locked | None], str]] = {
    "gone": (lambda _: None, "is in no lock"),
    "too new": (moved("9999.1"), "does not allow it"),
    "too old": (moved("0.0.1"), "does not allow it"),
    "another build of a version too new": (moved("9999.1+cpu"), "does not allow it"),
    "not one version": (
        lambda each: replace(each, pin=each.pin.replace("==", ">=")),
        "is not one version",
    ),
    "any patch of a version": (
        lambda each: replace(each, pin=f"{each.name}=={each.version}.*"),
        "is not one version",
    ),
    "without a hash": (lambda each: replace(each, hashes=()), "has no hash"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_departure_of_a_lock_from_the_ranges_is_said(change: str) -> None:
    act, said = CHANGES[change]
    for want in ASKED:
        name = canonicalize_name(want.name)
        changed = [act(each) if each.name == name else each for each in EVERYTHING]
        found = list(locks.faults(ASKED, [each for each in changed if each is not None]))
        assert found, name
        for sentence in found:
            assert said in sentence
            assert name in canonicalize_name(sentence)


def test_a_lock_is_read_as_pip_reads_it() -> None:
    first, second = locks.parsed(
        "# words\n\n"
        "a.B==1.2 ; sys_platform == 'linux' \\\n"
        "    --hash=sha256:aa \\\n"
        "    --hash=sha256:bb\n"
        "    # via c\n"
        "c==3\n"
    )
    assert (first.name, first.version, first.hashes) == ("a-b", "1.2", ("sha256:aa", "sha256:bb"))
    assert str(first.requirement.marker) == 'sys_platform == "linux"'
    assert (second.name, second.version, second.hashes) == ("c", "3", ())
