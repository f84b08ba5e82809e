"""The statements of the hot path, one named file each; parameters are psycopg's %(name)s."""

from functools import cache
from pathlib import Path


@cache
def statement(name: str) -> str:
    """The text of `<name>.sql` in this folder."""
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
