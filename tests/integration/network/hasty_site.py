"""The site, with little time for strangers: what takes twenty seconds there takes one here."""

import sys

from annotator_site.network import limits

limits.FORM_S = limits.ADMIN_S = limits.HEADERS_S = 1.0  # type: ignore[misc]
# Whoever runs this site may have read them already.
for name in ("with_daphne", "with_uvicorn"):
    if module := sys.modules.get(f"annotator_site.network.{name}"):
        module.HEADERS_S = limits.HEADERS_S  # type: ignore[attr-defined]

from annotator_site.asgi import application  # noqa: E402

__all__ = ["application"]
