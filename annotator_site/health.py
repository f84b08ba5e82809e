"""Health probes: is the process alive (/healthz), and can it serve (/readyz)?"""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse

from annotator_site.background import Health, background


def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer "ok", because the process is alive."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


def readyz(_request: HttpRequest) -> HttpResponse:
    """Whether the database answers, all migrations are applied, and all essential tasks run.

    JSON: `ready`, `problems` (sentences), and `tasks` (those that ever failed); status 503 if not
    ready. Anybody may read it, so it names no campaign; the log does.
    """
    tasks = [health for health in background.report() if health.failures]
    problems = _problems_of_the_database()
    problems += [
        f"the task “{_kind(health)}” failed with {health.last_error} and is started again"
        for health in tasks
        if health.is_down and health.essential
    ]
    answer: dict[str, Any] = {
        "ready": not problems,
        "problems": problems,
        "tasks": [
            {
                "name": _kind(health),
                "essential": health.essential,
                "down": health.is_down,
                "failures": health.failures,
                "last_error": health.last_error,
            }
            for health in tasks
        ],
    }
    return JsonResponse(answer, status=503 if problems else 200)


def _kind(health: Health) -> str:
    """A task's name without the name of its campaign."""
    return health.name.partition(" of ")[0]


def _problems_of_the_database() -> list[str]:
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except OperationalError:
        return ["the database does not answer"]
    return ["migrations wait: run manage.py migrate"] if waiting else []


class HealthMiddleware:
    """Answers both probes before the Host header is checked: probes use the machine's address.

    The answers do not depend on the client or on the request's headers.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = {"/healthz": healthz, "/readyz": readyz}.get(request.path_info)
        return self.get_response(request) if view is None else view(request)
