"""How often strangers are written down, and how the security log's files stay small and whole."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from annotator_site.security.files import SharedFileHandler
from annotator_site.security.floods import (
    COUNTED_ORIGINS,
    ELSEWHERE,
    MINUTE_S,
    TOLD_OF_KIND,
    TOLD_OF_ORIGIN,
    Tally,
)

FLOODS = {
    # (kind, origin) of each event; how many are told.
    "one guesser": ([("failed", "1.2.3.0/24")] * 5_000, TOLD_OF_ORIGIN),
    "a guesser and a visitor": ([("failed", "a")] * 5_000 + [("failed", "b")], TOLD_OF_ORIGIN + 1),
    "two kinds": ([("failed", "a"), ("refused", "a")] * 500, 2 * TOLD_OF_ORIGIN),
    "many networks": ([("failed", str(n)) for n in range(5_000)], TOLD_OF_KIND),
    "many networks, again and again": (
        [("failed", str(n % 700)) for n in range(20_000)],
        TOLD_OF_KIND,
    ),
    "a few": ([("failed", "a")] * TOLD_OF_ORIGIN, TOLD_OF_ORIGIN),
    "nobody": ([], 0),
}


@pytest.mark.parametrize("what", FLOODS)
def test_the_first_of_a_minute_are_told_and_every_other_one_is_counted(what: str) -> None:
    events, expected = FLOODS[what]
    tally = Tally()
    told = sum(tally.take(kind, origin, 0.0) for kind, origin in events)
    counted = tally.close()
    assert told == expected
    assert told + sum(each.count for each in counted) == len(events)
    assert len(counted) <= 2 * (COUNTED_ORIGINS + 1)
    assert tally.close() == []


def test_a_minute_begins_with_its_first_event_and_the_next_is_told_again() -> None:
    tally = Tally()
    assert [tally.take("failed", "a", 100.0) for _ in range(TOLD_OF_ORIGIN + 1)][-1] is False
    assert tally.ends_in(130.0) == MINUTE_S - 30
    tally.close()
    assert tally.take("failed", "a", 200.0)
    assert tally.ends_in(200.0) == MINUTE_S


def test_beyond_a_number_of_origins_the_others_are_counted_together() -> None:
    tally = Tally()
    for number in range(COUNTED_ORIGINS + 100):
        tally.take("failed", str(number), 0.0)
    assert (ELSEWHERE, 100) in [(each.origin, each.count) for each in tally.close()]


WRITER = """
import logging, sys
from annotator_site.security.files import SharedFileHandler
handler = SharedFileHandler(sys.argv[1], most_bytes=20_000, kept=100)
logger = logging.getLogger("x")
logger.addHandler(handler)
logger.setLevel("INFO")
for number in range(1_000):
    logger.info('{"writer": %s, "number": %d, "text": "%s"}', sys.argv[2], number, "x" * 100)
"""


def test_several_processes_share_a_file_and_no_line_is_torn_or_lost(tmp_path: Path) -> None:
    path = tmp_path / "security.log"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number)], stderr=-1)
        for number in range(3)
    ]
    assert [writer.communicate()[1] for writer in writers] == [b""] * 3
    files = [each for each in tmp_path.iterdir() if each.suffix != ".lock"]
    lines = [json.loads(line) for each in files for line in each.read_text().splitlines()]
    assert sorted((line["writer"], line["number"]) for line in lines) == [
        (writer, number) for writer in range(3) for number in range(1_000)
    ]
    assert len(files) > 10
    # Whoever finds it full has written the line that filled it.
    assert max(each.stat().st_size for each in files) < 20_000 + 3 * 200
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}


def test_only_so_many_files_are_kept(tmp_path: Path) -> None:
    handler = SharedFileHandler(str(tmp_path / "x.log"), most_bytes=100, kept=3)
    for number in range(50):
        handler.emit(logging.makeLogRecord({"msg": f"{number} {'x' * 60}"}))
    handler.close()
    newest = (tmp_path / "x.log.1").read_text().split()[0]
    assert sorted(each.name for each in tmp_path.iterdir() if each.suffix != ".lock") == [
        "x.log.1", "x.log.2", "x.log.3",
    ]  # fmt: skip
    assert int(newest) > 40


def test_a_file_that_cannot_be_written_harms_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = SharedFileHandler(str(tmp_path / "away" / "x.log"))
    handler.emit(logging.makeLogRecord({"msg": "words"}))
    assert "No such file" in capsys.readouterr().err
