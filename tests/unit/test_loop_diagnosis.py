"""What the live page says of a loop that stalls."""

from dataclasses import replace
from typing import Any

import pytest

from annotator_site.monitor.diagnosis import diagnose
from annotator_site.monitor.values import Point, Pools, Process, Settings, State


def process(role: str, number: int = 1, **fields: Any) -> Process:
    """A server or worker that was heard a moment ago."""
    values: dict[str, Any] = {
        "id": number, "role": role, "name": f"{role}-{number}", "host": "here", "device": "cpu",
        "strategy": "", "doing": "busy", "depth": 10, "cells": 64, "heard_s": 0.5, "alive": True,
        "stopped": False, "last_error": "", **fields,
    }  # fmt: skip
    return Process(**values)


def healthy(**fields: Any) -> State:
    """A running campaign in which everything moves."""
    values: dict[str, Any] = {
        "read_at": 0.0,
        "campaign": Settings("Cats", "cats", "running", servers=1, workers=1, budget=0),
        "pools": Pools(
            unlabeled=80, queried=10, labeled=10, excluded=0, reserved=5, answers=10,
            open_queries=9, target_depth=10,
        ),
        "rates": {"labels_per_minute": 5.0, "versions_per_minute": 1.0},
        "labels_last_minute": 5,
        "waits_ms": {"p50": 0.0, "p99": 3.0, "dry": 0},
        "staleness": {"mean": 1.0, "p99": 3.0},
        "storage": {"there": True, "problem": None, "set_aside": 0, "unshown": 0},
        "connected": 2,
        "model": None,
        "processes": [process("worker"), process("server", 2)],
        "people": [],
        "strategies": {},
        "asking": [],
        "point": Point(0.0, 10, 5.0, 9, 10, 3.0, 1.0),
        **fields,
    }  # fmt: skip
    return State(**values)


def worst(state: State) -> list[tuple[str, str]]:
    """Parts and levels of what is more than a remark."""
    return [(found.part, found.level) for found in diagnose(state) if found.level != "info"]


def test_nothing_is_wrong_where_everything_moves() -> None:
    assert worst(healthy()) == []


def test_a_storage_that_is_away_is_the_first_thing_said() -> None:
    away = {"there": False, "problem": "Nothing is there.", "set_aside": 3, "unshown": 4}
    first, *others = diagnose(healthy(storage=away))
    assert (first.part, first.level) == ("unlabeled", "bad")
    assert first.words.startswith("No image can be shown. Nothing is there. Nobody is asked")
    assert [found for found in others if found.level != "info"] == []


@pytest.mark.parametrize(
    ("number", "aside", "unshown"),
    [(1, "1 image is set aside", "browser once."), (7, "7 images are set", "browser 7 times.")],
)
def test_what_machines_found_out_is_told(number: int, aside: str, unshown: str) -> None:
    found = {"there": True, "problem": None, "set_aside": number, "unshown": number}
    state = healthy(storage=found)
    assert worst(state) == [("unlabeled", "warn"), ("annotators", "warn")]
    words = [each.words for each in diagnose(state) if each.level == "warn"]
    assert aside in words[0]
    assert unshown in words[1]


def test_a_campaign_without_images_is_told_how_to_get_some_and_nothing_else() -> None:
    state = healthy(pools=Pools(0, 0, 0, 0, 0, 0, 0, 0), processes=[])
    assert worst(state) == [("unlabeled", "warn")]
    assert "manage.py import_images cats" in diagnose(state)[0].words


def test_an_engine_that_does_not_run_is_told_how_to_start() -> None:
    state = healthy(processes=[])
    assert worst(state) == [("workers", "bad"), ("servers", "bad")]
    assert all(
        "run_engine cats" in found.words for found in diagnose(state) if found.level == "bad"
    )


def test_a_campaign_that_wants_no_servers_misses_none() -> None:
    state = healthy(processes=[process("worker")])
    state = replace(state, campaign=replace(state.campaign, servers=0))
    assert worst(state) == []


def test_one_silent_process_is_named_with_its_silence() -> None:
    lost = process("worker", 3, alive=False, heard_s=41.0)
    state = healthy(processes=[process("worker"), lost, process("server", 2)])
    assert worst(state) == [("workers", "warn")]
    assert "worker-3 has been silent for 41 s." in [found.words for found in diagnose(state)]


def test_a_process_that_was_stopped_is_not_missed() -> None:
    ended = process("worker", 3, alive=False, stopped=True)
    assert worst(healthy(processes=[process("worker"), ended, process("server", 2)])) == []


def test_a_dry_s_is_worse_when_somebody_waits() -> None:
    dry = replace(healthy().pools, open_queries=0)
    assert worst(healthy(pools=dry)) == [("queries", "bad")]
    assert worst(healthy(pools=dry, connected=0)) == [("queries", "warn")]


def test_s_may_be_empty_when_d_is() -> None:
    done = replace(healthy().pools, unlabeled=0, queried=0, open_queries=0)
    assert worst(healthy(pools=done)) == []


def test_a_shallow_s_is_said_with_its_numbers() -> None:
    state = healthy(pools=replace(healthy().pools, open_queries=2))
    assert worst(state) == [("queries", "warn")]
    assert "2 of the 10" in next(f.words for f in diagnose(state) if f.part == "queries")


def test_waits_of_people_are_said() -> None:
    state = healthy(waits_ms={"p50": 0.0, "p99": 3.0, "dry": 3})
    assert worst(state) == [("annotators", "warn")]


def test_a_paused_campaign_misses_nobody() -> None:
    state = healthy(processes=[])
    state = replace(state, campaign=replace(state.campaign, state="paused"))
    assert worst(state) == []
    assert "Paused" in diagnose(state)[0].words


def test_a_campaign_at_rest_misses_nothing_and_says_so() -> None:
    engine = process("engine", 4, doing="at rest", idle=True)
    ended = [process(role, 5, alive=False, stopped=True) for role in ("worker", "server")]
    state = healthy(processes=[engine, *ended], connected=0)
    assert worst(state) == []
    assert "At rest: workers and servers start" in " ".join(each.words for each in diagnose(state))
    awake = replace(state, processes=[replace(engine, idle=False, doing="at work"), *ended])
    assert worst(awake) == [], "its processes are about to start"
    assert "No server is running yet; engine-4 on here: at work." in [
        each.words for each in diagnose(awake)
    ]
    gone = replace(state, processes=[replace(engine, alive=False, stopped=True), *ended])
    assert worst(gone) == [("workers", "bad"), ("servers", "bad")]
