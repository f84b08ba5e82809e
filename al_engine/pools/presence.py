"""Who shares this machine: connected annotators, and servers that train on it."""

import socket

from django.db import connection
from django.db.models.functions import Now

from al_engine.pools.models import EngineProcess
from al_engine.pools.processes import SILENCE


def answers() -> int:
    """Answers ever stored, in all campaigns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(answers), 0) FROM pools_counter")
        return int(cursor.fetchone()[0])


def serves_here() -> bool:
    """Whether a web process of this machine had annotators connected in the last minute."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT EXISTS (SELECT 1 FROM pools_campaign c CROSS JOIN LATERAL (
                   SELECT source, connected FROM pools_sample s
                   WHERE s.campaign_id = c.id AND s.taken_at > now() - interval '1 minute') recent
               WHERE starts_with(recent.source, %s) AND recent.connected > 0)""",
            [f"{socket.gethostname()}:"],
        )
        return bool(cursor.fetchone()[0])


def is_training_here(*, beside: int) -> bool:
    """Whether a server of this machine, other than the process `beside`, trains or evaluates.

    Servers for delivery do not count: they are the ones that wait.
    """
    live = EngineProcess.objects.filter(
        role=EngineProcess.Role.SERVER,
        host=socket.gethostname(),
        heartbeat_at__gt=Now() - SILENCE,
        name__startswith="server-",
    )
    return live.filter(state__regex="^(training .* labels|evaluating)").exclude(pk=beside).exists()


def campaigns_with_people() -> set[int]:
    """The campaigns of which somebody holds queries now."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT c.id FROM pools_campaign c WHERE EXISTS (
                   SELECT 1 FROM pools_turn a
                   WHERE a.campaign_id = c.id AND a.state = 'leased' AND a.lease_expires > now())"""
        )
        return {campaign_id for (campaign_id,) in cursor.fetchall()}


def servers_here() -> int:
    """How many live servers run on this machine, in all campaigns."""
    return EngineProcess.objects.filter(
        role=EngineProcess.Role.SERVER,
        host=socket.gethostname(),
        heartbeat_at__gt=Now() - SILENCE,
    ).count()
