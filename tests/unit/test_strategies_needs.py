"""A strategy says what it needs and is handed that, also one that comes in another package."""

import tomllib
from pathlib import Path

import pytest
import torch

from al_engine import strategies

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "docs" / "example_strategy"


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def install(folder: Path, entries: dict[str, str], code: dict[str, str]) -> None:
    """Writes a real installed package with entry points into a folder of the import path."""
    info = folder / "installed-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1.0\n")
    lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
    (info / "entry_points.txt").write_text(f"[nowait.strategies]\n{lines}")
    for name, content in code.items():
        (folder / name).write_text(content)


def test_the_built_in_strategies_need_what_their_literature_needs() -> None:
    needed = {name: set(strategies.needs(name)) for name in strategies.names()}
    assert {name: needs for name, needs in needed.items() if needs} == {
        "badge": {"embeddings"},
        "bald": {"members"},
        "cluster_margin": {"embeddings"},
        "committee": {"members"},
        "core_set": {"embeddings", "labeled"},
        "herding": {"embeddings", "labeled"},
        "typiclust": {"embeddings", "labeled"},
        "uherding": {"embeddings", "labeled"},
    }


def test_what_is_missing_is_named() -> None:
    evidence = strategies.Evidence(torch.full((4, 2), 0.5))
    with pytest.raises(ValueError, match="'badge' needs embeddings"):
        strategies.select("badge", evidence, 1, generator=seeded())
    with pytest.raises(ValueError, match="'committee' needs members"):
        strategies.select("committee", evidence, 1, generator=seeded())
    with pytest.raises(strategies.UnknownStrategy):
        strategies.select("entropie", evidence, 1, generator=seeded())


SHORT = """
from al_engine.strategies import Selection, margin

def plain(probabilities, budget, *, generator):
    return margin(probabilities, budget, generator=generator)

def wide(probabilities, budget, *, generator, embeddings):
    assert embeddings.shape == (4, 3)
    return margin(probabilities, budget, generator=generator)

wide.needs = ("embeddings",)
wide.separable = True

def greedy(probabilities, budget, *, generator):
    raise NotImplementedError

greedy.needs = ("pixels",)
"""


def test_a_function_of_another_package_is_handed_what_it_says_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {name: f"short_package:{name}" for name in ("plain", "wide", "greedy")}
    install(tmp_path, entries, {"short_package.py": SHORT})
    monkeypatch.syspath_prepend(tmp_path)
    evidence = strategies.Evidence(
        torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.7, 0.3]]), torch.zeros(4, 3)
    )
    for name in ("plain", "wide"):
        chosen = strategies.select(name, evidence, 2, generator=seeded())
        assert chosen.indices.tolist() == [1, 3]
    assert strategies.needs("plain") == frozenset()
    assert strategies.needs("wide") == {"embeddings"}
    assert strategies.is_separable("wide")
    assert not strategies.is_separable("plain")
    with pytest.raises(strategies.UnknownStrategy, match="needs pixels"):
        strategies.select("greedy", evidence, 2, generator=seeded())


def test_the_example_package_is_a_strategy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    modules = {path.name: path.read_text(encoding="utf-8") for path in EXAMPLE.glob("*.py")}
    install(tmp_path, project["entry-points"]["nowait.strategies"], modules)
    monkeypatch.syspath_prepend(tmp_path)
    (name,) = project["entry-points"]["nowait.strategies"]
    assert name in strategies.names()
    assert strategies.needs(name) == {"embeddings"}
    # Images 0 and 1 are the least certain, and nearly copies; 2 is less so, and elsewhere.
    evidence = strategies.Evidence(
        torch.tensor([[0.5, 0.5], [0.52, 0.48], [0.7, 0.3], [1.0, 0.0]]),
        torch.tensor([[1.0, 0.0], [1.0, 0.01], [0.0, 1.0], [-1.0, 0.0]]),
    )
    chosen = strategies.select(name, evidence, 2, generator=seeded())
    assert chosen.indices.tolist() == [0, 2]
    everything = strategies.select(name, evidence, 9, generator=seeded())
    assert sorted(everything.indices.tolist()) == [0, 1, 2, 3]
