"""What a desk makes of a storage that is away, and of one that is back."""

from types import SimpleNamespace
from typing import Any

import pytest

from annotator_site.labeling import storage_watch


def desk_with(*sessions: Any) -> Any:
    """A desk as far as it is asked, and how often it was poked."""
    desk = SimpleNamespace(
        campaign=SimpleNamespace(slug="pets"),
        people=SimpleNamespace(sessions=dict(enumerate(sessions))),
        storage_away=False,
        pokes=0,
    )

    def poke() -> None:
        desk.pokes += 1

    desk.poke = poke
    return desk


def test_a_change_is_told_once_and_wakes_those_who_wait(caplog: pytest.LogCaptureFixture) -> None:
    desk = desk_with()
    for problem, away, pokes in (
        ("", False, 0), ("It is away.", True, 1), ("It is away.", True, 1), ("", False, 2),
        ("", False, 2),
    ):  # fmt: skip
        storage_watch._judge(desk, problem)
        assert (desk.storage_away, desk.pokes) == (away, pokes)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "Nothing is handed out for pets: It is away." in caplog.text


def test_who_waits_for_pictures_is_not_away_and_who_was_before_stays_so() -> None:
    waiting = SimpleNamespace(away=False, active_at=1.0)
    gone = SimpleNamespace(away=True, active_at=1.0)
    desk = desk_with(waiting, gone)
    storage_watch._judge(desk, "")
    assert waiting.active_at == 1.0
    storage_watch._judge(desk, "It is away.")
    assert waiting.active_at > 1.0
    assert (gone.active_at, gone.away) == (1.0, True)
