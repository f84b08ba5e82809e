"""What an error proves, and what is said of one that goes on."""

import logging
import time

import psycopg
import pytest
from psycopg_pool import PoolClosed, PoolTimeout

from annotator_site.labeling import faults
from annotator_site.labeling.faults import InDoubt, Trouble

STATES = sorted(
    {
        error.sqlstate: error
        for error in vars(psycopg.errors).values()
        if isinstance(error, type) and issubclass(error, psycopg.Error) and error.sqlstate
    }.items()
)
"""Every error that PostgreSQL knows, by its code."""
WITHOUT_CODE: list[Exception] = [
    psycopg.OperationalError("server closed the connection unexpectedly"),
    psycopg.InterfaceError("the connection is closed"),
    PoolTimeout("couldn't get a connection after 10.00 sec"),
    PoolClosed("the pool is closed"),
    ConnectionResetError(),
    TimeoutError(),
]


def test_there_are_errors_of_every_class() -> None:
    assert len(STATES) > 200
    assert len({code[:2] for code, _ in STATES}) > 35


@pytest.mark.parametrize(("code", "error"), STATES, ids=[code for code, _ in STATES])
def test_only_data_and_integrity_errors_can_be_of_a_messages_values(
    code: str, error: type[psycopg.Error]
) -> None:
    raised = error("refused")
    assert faults.may_be_of_values(raised) is (code[:2] in ("22", "23") and code != "23505")
    # What may be one message's is never taken for everybody's.
    assert not (faults.may_be_of_values(raised) and faults.is_everybodys(raised))
    assert not faults.is_unsure(raised), "a server that answers has not committed it"


@pytest.mark.parametrize(
    ("code", "everybodys"),
    [
        *(("25006", True), ("53100", True), ("57P01", True), ("58030", True), ("08006", True)),
        *(("57014", False), ("40001", False), ("55P03", False), ("XX001", False)),
    ],
)
def test_what_is_surely_about_no_message(code: str, everybodys: bool) -> None:
    assert faults.is_everybodys(dict(STATES)[code]("refused")) is everybodys


@pytest.mark.parametrize("error", WITHOUT_CODE, ids=lambda error: type(error).__name__)
def test_a_lost_connection_is_everybodys(error: Exception) -> None:
    assert faults.is_everybodys(error)
    assert not faults.may_be_of_values(error)


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("another")])
def test_a_bug_is_no_messages_fault_and_may_be_about_one(error: Exception) -> None:
    assert not faults.may_be_of_values(error)
    assert not faults.is_everybodys(error)


def test_whether_a_broken_transaction_may_be_committed() -> None:
    unsure = {type(error) for error in WITHOUT_CODE if faults.is_unsure(error)}
    assert psycopg.OperationalError in unsure
    assert not {PoolTimeout, PoolClosed} & unsure, "it never began"
    assert not faults.is_unsure(InDoubt())


@pytest.mark.parametrize(
    ("code", "spoils"),
    [
        *(("25006", True), ("0A000", True), ("42P01", True), ("XX000", True), ("57P01", True)),
        *(("23503", False), ("22003", False), ("40P01", False), ("57014", False)),
    ],
)
def test_what_a_session_may_have_wrong_ends_its_connection(code: str, spoils: bool) -> None:
    assert faults.spoils_connection(dict(STATES)[code]("refused")) is spoils


def test_what_goes_on_is_told_when_it_begins_and_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trouble = Trouble("Saving fails")
    for _ in range(500):
        trouble.failed(psycopg.errors.ReadOnlySqlTransaction("it only reads"))
    trouble.over()
    trouble.over()
    begin, end = [record.getMessage() for record in caplog.records]
    assert begin.startswith("Saving fails, and is tried again until it works (1 failures in 0.0 s)")
    assert "ReadOnlySqlTransaction 25006" in begin
    assert end.startswith("Saving fails no more, after 500 failures")


def test_another_error_and_a_long_time_are_told_as_well(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    trouble = Trouble("Saving fails")
    for _ in range(100):
        now += 1.0
        trouble.failed(psycopg.errors.AdminShutdown("stopped"))
        trouble.failed(OSError("nobody there"))
    assert len(caplog.records) == 2 * 4, "each every half a minute"


def test_what_comes_and_goes_is_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble("Saving fails")
    for _ in range(100):
        trouble.failed(psycopg.errors.DeadlockDetected("deadlock"))
        trouble.over()
    assert len(caplog.records) == 2


def test_a_bug_is_told_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble("Saving fails")
    trouble.failed(psycopg.errors.DeadlockDetected("deadlock"))
    trouble.failed(ValueError("a bug"))
    assert [bool(record.exc_info) for record in caplog.records] == [False, True]


def test_pauses_grow_up_to_a_bound_and_begin_anew() -> None:
    logging.disable()
    try:
        trouble = Trouble("Saving fails")
        pauses = [trouble.failed(OSError()) for _ in range(2_000)]
        longest = faults.LONGEST_PAUSE_SECONDS
        assert all(pause <= longest for pause in pauses)
        assert all(pause >= longest / 2 for pause in pauses[10:])
        assert len(set(pauses[10:])) > 1_000, "those who failed together come back one by one"
        trouble.over()
        assert trouble.failed(OSError()) < 0.1
    finally:
        logging.disable(logging.NOTSET)
