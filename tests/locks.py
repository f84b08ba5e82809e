"""The locks: the versions that the ranges of `requirements*.txt` resolve to, with hashes.

`make upgrade` writes them by uv, which resolves once for every Python and platform; the tests
compare them with the ranges. torch has locks of its own, because no marker tells its builds apart:
PyPI's build for Linux brings NVIDIA's libraries (several GB); PyTorch's build for the CPU, which is
not on PyPI, brings none. Given both, pip prefers the build whose hash its index names, so with one
lock for both the choice would depend on how an index is written.
"""

import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parents[1]
RANGES: Final = ROOT / "requirements.txt"
RANGES_LAB: Final = ROOT / "requirements-lab.txt"
RANGES_DEV: Final = ROOT / "requirements-dev.txt"
RUN: Final = ROOT / "requirements.lock"
TORCH: Final = ROOT / "requirements-torch-cuda.lock"
# Kept by hand: `make upgrade` resolves from PyPI, which does not have this build.
TORCH_CPU: Final = ROOT / "requirements-torch-cpu.lock"
LAB: Final = ROOT / "requirements-lab.lock"
DEV: Final = ROOT / "requirements-dev.lock"
# The oldest Python that the locks are resolved for.
OLDEST_PYTHON: Final = "3.11"
# Pure Python that mlcroissant needs, of which there is no wheel.
SOURCE_ONLY: Final = ("jsonpath-rw",)
# Prefixes of packages that only torch's builds for CUDA need.
CUDA_NAMES: Final = ("cuda-", "nvidia-", "triton")
HEADERS: Final = {
    RUN: "What is installed to run it, beside one of the locks of torch.",
    TORCH: "The torch of PyPI, with what it needs on Linux, where it is built for CUDA.",
    LAB: "What is installed for reports of experiments, beside what runs.",
    DEV: "What is installed to check and test it, beside what runs and the lab.",
}
WRITTEN: Final = "# Written by `make upgrade`, from the ranges of requirements*.txt.\n"


@dataclass(frozen=True)
class Locked:
    """One package of a lock: `pin` is its first line without hashes, `lines` its whole text."""

    pin: str
    hashes: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def requirement(self) -> Requirement:
        """The pin, parsed: name, version and marker."""
        return Requirement(self.pin)

    @property
    def name(self) -> str:
        """The canonical name of the package."""
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str | None:
        """The version; None unless exactly one is pinned."""
        specifiers = list(self.requirement.specifier)
        one = len(specifiers) == 1 and specifiers[0].operator == "=="
        return specifiers[0].version if one and not specifiers[0].version.endswith("*") else None


def parsed(text: str) -> list[Locked]:
    """The packages of a lock."""
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if line[:1].isalnum():
            blocks.append([line])
        elif line.startswith(" "):
            blocks[-1].append(line)
    return [
        Locked(
            pin=lines[0].partition("--hash=")[0].rstrip(" \\"),
            hashes=tuple(
                word.removeprefix("--hash=")
                for word in " ".join(lines).split()
                if word.startswith("--hash=")
            ),
            lines=tuple(lines),
        )
        for lines in blocks
    ]


def ranges(text: str) -> list[Requirement]:
    """The requirements in a file of ranges, without those of files that it includes."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def faults(asked: Iterable[Requirement], locked: Iterable[Locked]) -> Iterator[str]:
    """The faults of locks that should satisfy the requirements `asked`, one sentence each."""
    by_name: dict[str, list[Locked]] = {}
    for each in locked:
        by_name.setdefault(each.name, []).append(each)
        if each.version is None:
            yield f"{each.pin} is not one version"
        if not each.hashes:
            yield f"{each.pin} has no hash"
    for want in asked:
        found = by_name.get(canonicalize_name(want.name), [])
        if not found:
            yield f"{want} is in no lock"
        for each in found:
            if each.version is not None and not want.specifier.contains(each.version):
                yield f"{each.pin} is locked, and {want} does not allow it"


def compiled(path: Path, output: Path) -> list[Locked]:
    """uv's resolution of a file of ranges, for every platform and Python from OLDEST_PYTHON on.

    Only packages with a wheel are taken, but for SOURCE_ONLY. Versions already locked in `output`
    are kept if the ranges allow them. Raises CalledProcessError if the ranges conflict; uv prints
    how.
    """
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    ways = ["--universal", f"--python-version={OLDEST_PYTHON}"]
    ways += ["--fork-strategy=fewest", "--only-binary=:all:"]
    ways += [f"--no-binary={name}" for name in SOURCE_ONLY]
    form = ["--generate-hashes", "--no-header", "--annotation-style=line", "--quiet"]
    files = [path.name, f"--output-file={output}"]
    subprocess.run([uv, "pip", "compile", *ways, *form, *files], cwd=ROOT, check=True)
    return parsed(output.read_text(encoding="utf-8"))


def of_torch(name: str) -> bool:
    """Whether a package is in the locks of torch."""
    return name == "torch" or name.startswith(CUDA_NAMES)


def upgrade() -> None:
    """Write all locks anew, with the newest versions that satisfy all ranges together."""
    with TemporaryDirectory() as folder:
        # Development first, because the smaller sets then keep the versions of this solution.
        everything = compiled(RANGES_DEV, Path(folder) / "lock")
        run_and_lab = compiled(RANGES_LAB, Path(folder) / "lock")
        run = compiled(RANGES, Path(folder) / "lock")
    in_run = {each.pin for each in run}
    in_run_or_lab = {each.pin for each in run_and_lab}
    parts = {
        RUN: [each for each in run if not of_torch(each.name)],
        TORCH: [each for each in run if of_torch(each.name)],
        LAB: [each for each in run_and_lab if each.pin not in in_run],
        DEV: [each for each in everything if each.pin not in in_run_or_lab],
    }
    for path, locked in parts.items():
        body = "".join(f"{line}\n" for each in locked for line in each.lines)
        path.write_text(f"# {HEADERS[path]}\n{WRITTEN}{body}", encoding="utf-8")
        sys.stderr.write(f"{path.name}: {len(locked)} packages\n")


if __name__ == "__main__":
    upgrade()
