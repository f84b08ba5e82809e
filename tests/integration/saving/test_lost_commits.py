"""A server that dies takes what it had committed and not flushed; nobody notices more than a delay.

People label, take back, label again, skip and lose their connections, all at once, while the server
dies again and again: between transactions, in the middle of them, between a commit and its flush.
Which of this comes when is drawn; NOWAIT_EXAMPLES=10 draws ten times as much.
"""

import os
import random
from collections.abc import Iterator

import pytest

from annotator_site.labeling import desks

from .conftest import Sit
from .injector import Injector
from .people import Person
from .volatile import VolatileDisk, VolatilePool
from .web import WebProcess

ROUNDS = 60 * int(os.environ.get("NOWAIT_EXAMPLES", "1"))


@pytest.fixture(scope="module")
def web(injector: Injector) -> Iterator[WebProcess]:
    """Desks over a database that forgets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desks, "Pool", VolatilePool)
        patch.setattr(desks, "Disk", VolatileDisk)
        process = WebProcess()
        pool, disk = process.run(process.desks.pool()), process.desks._disk
        assert isinstance(pool, VolatilePool)
        assert isinstance(disk, VolatileDisk)
        disk.pool = pool
        yield process
        process.stop()


def say_something(person: Person, dice: random.Random) -> None:
    """One thing that somebody may do now."""
    labels = [id_ for id_ in person.standing() if id_ not in person.open]
    match dice.randrange(8):
        case 0 if person.held:
            person.skip()
        case 1 if labels:
            person.say("undo", label=dice.choice(labels))
        case 2 if person.held:
            # In one breath: said, taken back, and said again of the same image.
            query, proof = next(iter(person.held.items()))
            label = person.label()
            person.say("undo", label=label)
            person.held = {query: proof, **person.held}
            person.label(choice=1)
        case 3:
            person.reconnect(5)
        case _ if person.held:
            person.label(choice=dice.randrange(2))
        case _:
            pass


def test_no_answer_is_lost_or_doubled_or_out_of_order(sit: Sit) -> None:
    table = sit(12 * ROUNDS + 100, people=5)
    pool = table.desk.pool
    assert isinstance(pool, VolatilePool)
    seed = random.randrange(10**6)
    print(f"drawn from {seed}")
    dice = random.Random(seed)

    def a_moment() -> None:
        for person in dice.sample(table.people, 3):
            for _ in range(dice.randint(1, 3)):
                say_something(person, dice)

    for _ in range(ROUNDS):
        table.act(a_moment)
        if dice.random() < 0.5:
            for _ in range(dice.randint(1, 3)):
                table.wait(dice.uniform(0, 0.03))
                table.act(pool.crash)
        if dice.random() < 0.3:
            table.settle()
    table.settle()
    assert pool.life > ROUNDS / 4
    table.web.run(pool.flush(pool.life))
    table.check()
    assert sum(len(person.acked) for person in table.people) > ROUNDS
