"""Hears what is written into the security log."""

from collections.abc import Iterator

import pytest

from annotator_site.security import log

from .scene import Lines


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Both files, in a minute of their own."""
    floods = log._Floods()
    monkeypatch.setattr(log, "_floods", floods)
    handler = Lines()
    for logger in (log.PEOPLE, log.STRANGERS):
        logger.addHandler(handler)
    yield handler
    floods.close_all()
    for logger in (log.PEOPLE, log.STRANGERS):
        logger.removeHandler(handler)
