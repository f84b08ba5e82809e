"""Is the process alive, and can it serve?"""

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import OperationalError
from django.http import HttpRequest, HttpResponse


def healthz(_request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(_request: HttpRequest) -> HttpResponse:
    """The database answers and its tables are those of this version."""
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except OperationalError:
        return HttpResponse("the database does not answer\n", status=503)
    if waiting:
        return HttpResponse("migrations wait: run manage.py migrate\n", status=503)
    return HttpResponse("ok\n", content_type="text/plain")
