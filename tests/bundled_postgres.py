"""The address of the bundled server, for processes that shall use another database of it."""

from pathlib import Path
from urllib.parse import quote

from annotator_site.embedded_postgres import connection_settings


def connection_url(var: Path, database: str | None = None) -> str:
    """A database of the bundled server as a DATABASE_URL; the site's own if none is named."""
    bundled = connection_settings(var)
    host = quote(bundled["HOST"], safe="")
    return f"postgresql://{bundled['USER']}@{host}:{bundled['PORT']}/{database or bundled['NAME']}"
