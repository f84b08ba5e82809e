"""A server as a process: registered, spread out in time, and repeated until it is told to end."""

import time

from al_engine.pools import processes
from al_engine.pools.models import Campaign, ModelVersion
from al_engine.pools.signals import listening
from al_engine.roles.choosing import wait_for_choice
from al_engine.roles.life import Ending, Heartbeat
from al_engine.roles.server import Server
from al_engine.roles.zero_shot import ZeroShot
from al_engine.training import devices


def serve(
    *,
    campaign: Campaign,
    name: str,
    role: str,
    device_name: str,
    architecture: str | None,
    index: int,
    servers: int,
    ending: Ending,
) -> None:
    """Run server `index` (from 0) of `servers` until the process is told to end.

    Servers are spread out evenly, as in the paper: after its first training a server waits once for
    its fraction, `index` over `servers`, of that training's time.
    """
    offset = index / servers
    device = devices.resolve(device_name)
    part = ending.patiently(
        lambda: processes.register(campaign_id=campaign.pk, role="server", name=name)
    )
    with Heartbeat([part]), listening(campaign.pk) as listener:
        ending.patiently(
            lambda: wait_for_choice(
                campaign,
                device,
                ending=ending,
                say=lambda what: processes.report(process_id=part.id, state=what),
            )
        )
        server = ending.patiently(
            lambda: Server(
                campaign, part, device, architecture, ending, role, index=index, servers=servers
            )
        )
        waited = not offset
        zero_shot = ZeroShot(campaign, part.id, device)

        def step() -> None:
            nonlocal waited
            began, before = time.monotonic(), server.trainings
            if not index and role == ModelVersion.Role.SELECTION:
                zero_shot.publish_once()
            server.step(listener)
            if server.trainings > before and not waited:
                waited = True
                server.say("waiting for its turn among the servers")
                ending.sleep(offset * (time.monotonic() - began))

        ending.repeat(step)
