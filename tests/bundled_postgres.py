"""The address of the bundled PostgreSQL, for processes that use another database of it."""

from pathlib import Path
from urllib.parse import quote

from annotator_site.embedded_postgres import connection_settings


def connection_url(var: Path, database: str | None = None) -> str:
    """The DATABASE_URL of a database of the bundled server; by default the site's own."""
    bundled = connection_settings(var)
    host = quote(bundled["HOST"], safe="")
    return f"postgresql://{bundled['USER']}@{host}:{bundled['PORT']}/{database or bundled['NAME']}"
