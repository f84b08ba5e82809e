"""A database that only reads for a while, as in a failover: everything said meanwhile is kept."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Final

import orjson
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from stock import make_campaign, stock

from al_engine.pools.models import Campaign, Label

PEOPLE: Final = 20
READ_ONLY_S: Final = 4.0
PATIENCE_S: Final = 60.0


@contextmanager
def only_reading() -> Iterator[None]:
    """What connects to the database from now on may only read; what a web process had is gone."""
    name = connection.ops.quote_name(str(connection.settings_dict["NAME"]))
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        try:
            cursor.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'nowait web'"""
            )
            yield
        finally:
            cursor.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")


class Outage(threading.Thread):
    """Lets the database only read for a while, once people label."""

    def __init__(self, campaign: Campaign) -> None:
        super().__init__()
        self.campaign = campaign
        # How many labels there were when it had begun, and when it ended.
        self.stored: list[int] = []

    def run(self) -> None:
        try:
            until_stored(self.campaign, 100)
            with only_reading():
                time.sleep(0.5)  # what was under way has ended
                self.stored.append(stored(self.campaign))
                time.sleep(READ_ONLY_S - 0.5)
                self.stored.append(stored(self.campaign))
        finally:
            connections.close_all()


def stored(campaign: Campaign) -> int:
    return Label.objects.filter(campaign=campaign).count()


def until_stored(campaign: Campaign, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while stored(campaign) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nothing_is_refused_or_lost_while_the_database_only_reads(
    transactional_db: None, second_site: str, tmp_path: Path
) -> None:
    campaign = make_campaign()
    stock(campaign, 700)
    log = settings.VAR / "logs" / "second_site.log"
    said_before = len(log.read_text().splitlines())
    outage, out, journal = Outage(campaign), StringIO(), tmp_path / "journal.jsonl"
    outage.start()
    call_command(
        "run_annotators",
        campaign.slug,
        count=PEOPLE,
        labels=500,
        think=0.1,
        seconds=PATIENCE_S,
        journal=journal,
        url=second_site.replace("http", "ws", 1),
        json=True,
        stdout=out,
        stderr=StringIO(),
    )
    outage.join()
    summary = orjson.loads(out.getvalue().splitlines()[-1])
    assert summary["labels"] == 500
    assert summary["nacks"] == {}, "nobody is told that it was their fault"
    began, ended = outage.stored
    assert began == ended, "it did only read"
    acknowledged = {
        (line["client_id"], line["query"], line["choice"])
        for line in map(orjson.loads, journal.read_bytes().splitlines())
    }
    rows = Label.objects.filter(campaign=campaign, retracted_at=None)
    in_database = set(rows.values_list("client_id", "turn_id", "choice_id"))
    assert acknowledged == {(str(id_), *rest) for id_, *rest in in_database}
    said = log.read_text().splitlines()[said_before:]
    assert any("Saving answers fails" in line and "25006" in line for line in said), said
    assert any("Saving answers fails no more" in line for line in said), said
    assert len(said) < 40, "\n".join(said[:60])
    assert not any("Traceback" in line for line in said)
