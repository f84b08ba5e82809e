"""Run management commands inside a test and capture their output."""

import io
import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import CommandError, call_command


@dataclass(frozen=True)
class Told:
    """The output of a command: for programs (stdout) and for people (stderr)."""

    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The JSON object in the last line of stdout, as `--json` promises."""
        values: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return values


def run(*arguments: str) -> Told:
    """Run a command as if from the command line."""
    out, err = io.StringIO(), io.StringIO()
    call_command(*arguments, stdout=out, stderr=err)
    return Told(out.getvalue(), err.getvalue())


def refused(*arguments: str) -> str:
    """The single line of the CommandError with which a command refuses its input."""
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)
