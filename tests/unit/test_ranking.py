"""What a pass changes in S, and what it leaves for later."""

import pytest
import torch

from al_engine.strategies import Evidence, UnknownStrategy
from al_engine.strategies import ranking as ranking_module
from al_engine.strategies.ranking import (
    RANK_AHEAD_FACTOR,
    Ranking,
    Replanned,
    Taken,
)

# Images 100 to 107, the most doubtful first: its likeliest class has 0.51, 0.52, and so on.
IDS = list(range(100, 108))


def evidence(embeddings: torch.Tensor | None = None) -> Evidence:
    sure = torch.tensor([0.51 + 0.01 * place for place in range(len(IDS))])
    return Evidence(torch.stack([sure, 1 - sure], dim=1), embeddings)


def ranking() -> Ranking:
    return Ranking("margin", generator=torch.Generator().manual_seed(0))


def planned(
    of: Ranking,
    *,
    active: tuple[int, ...] = (),
    wanted: int,
    embeddings: torch.Tensor | None = None,
    taken: Taken | None = None,
) -> Replanned:
    return of.replan(
        IDS,
        evidence(embeddings),
        strategy="margin",
        version=3,
        active=active,
        waiting=len(active),
        wanted=wanted,
        taken=taken,
    )


def test_open_queries_become_the_new_choice() -> None:
    one = ranking()
    # Two queries are open, of which one is among the best three; the pass did not see image 55.
    plan = planned(one, active=(101, 107, 55), wanted=1)
    assert plan.add == 2
    assert plan.withdraw == (107,)
    assert dict(plan.confirmed) == {101: pytest.approx(-0.04)}
    added = one.take(plan.add)
    assert dict(added) == {100: pytest.approx(-0.02), 102: pytest.approx(-0.06)}
    assert (one.strategy, one.version, one.ranked) == ("margin", 3, True)


def test_what_is_ranked_ahead_waits_for_the_next_refills() -> None:
    one = ranking()
    assert one.ahead == 0
    assert not one.ranked
    planned(one, wanted=1)
    assert one.ahead == RANK_AHEAD_FACTOR
    assert [image for image, _ in one.take(2)] == [100, 101]
    assert [image for image, _ in one.take(9, but={102})] == [103]
    assert one.ahead == 0


def test_copies_of_what_was_taken_come_last() -> None:
    # All images point elsewhere but 102, a copy of 100, and 103, of what was taken before.
    embeddings = torch.eye(8)
    embeddings[2] = 2 * embeddings[0]
    embeddings[3] = torch.tensor([0.0] * 7 + [5.0])
    taken = Taken()
    taken.add(torch.eye(8)[7:])
    one = ranking()
    planned(one, wanted=2, embeddings=embeddings, taken=taken)
    order = [image for image, _ in one.take(8, taken=taken)]
    assert order == [100, 101, 104, 105, 106, 102, 103, 107]


def test_it_looks_past_copies_until_there_are_enough_others() -> None:
    # Three hundred images, the most doubtful first; each of thirty is there ten times in a row.
    pool = 300
    sure = 0.51 + 0.001 * torch.arange(pool)
    embeddings = torch.eye(30).repeat_interleave(10, dim=0)
    scored = Evidence(torch.stack([sure, 1 - sure], dim=1), embeddings)
    taken, one = Taken(), ranking()

    def pass_of(of: Ranking, wanted: int, known: Taken) -> None:
        of.replan(
            *(range(pool), scored),
            strategy="margin",
            version=1,
            active=(),
            waiting=0,
            wanted=wanted,
            taken=known,
        )

    pass_of(one, 8, taken)
    first = [image for image, _ in one.take(8, taken=taken)]
    assert first == [0, 10, 20, 30, 40, 50, 60, 70]
    # Another worker has the like, and ranks the same before it knows; then it asks something else.
    other = ranking()
    pass_of(other, 8, Taken())
    assert 80 <= other.take(1, taken=taken)[0][0] < 90
    # Where all was looked at and the others are too few, copies are asked rather than nothing.
    pass_of(one, 40, taken)
    found = [image for image, _ in one.take(40, taken=taken)]
    assert len(found) == 40
    assert [image // 10 for image in found[:21]] == list(range(9, 30))


def test_a_pass_ranks_what_will_be_asked_before_the_next_one_and_copies_of_it_come_last() -> None:
    embeddings = torch.eye(8)
    embeddings[1] = 3 * embeddings[0]
    taken, one = Taken(), ranking()
    plan = one.replan(
        *(IDS, evidence(embeddings)),
        strategy="margin",
        version=3,
        active=(),
        waiting=0,
        wanted=0,
        taken=taken,
        ahead=5,
    )
    assert plan == Replanned(add=0, withdraw=(), confirmed=())
    offered = [image for image, _ in one.take(5, taken=taken)]
    assert offered == [100, 102, 103, 104, 105]
    kept = one.embeddings_of([104, 101, 999])
    assert kept is not None
    assert torch.equal(kept, embeddings[[4]])
    assert one.embeddings_of([]) is None


def test_what_one_pass_may_take_is_no_part_of_what_was_taken() -> None:
    taken = Taken()
    taken.add(torch.eye(4)[:1])
    trial = taken.copy()
    trial.add(torch.eye(4)[1:2])
    order = torch.tensor([0, 1, 2])
    assert trial.drop_copies(torch.eye(4), order).tolist() == [2]
    assert taken.drop_copies(torch.eye(4), order).tolist() == [1, 2]


def test_another_model_forgets_what_was_taken() -> None:
    taken = Taken()
    taken.add(torch.ones(2, 4))
    other = torch.tensor([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    assert taken.drop_copies(other, torch.tensor([1, 0])).tolist() == [0]
    taken.clear()
    assert taken.drop_copies(other, torch.tensor([1, 0])).tolist() == [1, 0]


def test_a_strategy_that_nobody_knows_is_said_at_once() -> None:
    with pytest.raises(UnknownStrategy):
        Ranking("margarine", generator=torch.Generator())


def test_how_alike_copies_are_is_said_by_whoever_knows_the_embeddings() -> None:
    # 1 is at a cosine of 0.97 to 0, and 2 at 0.5.
    rows = torch.tensor([[1.0, 0.0], [0.97, 0.2431], [0.5, 0.866]])
    order = torch.arange(3)
    assert Taken().drop_copies(rows, order).tolist() == [0, 1, 2]
    near = Taken(cosine=0.96)
    assert near.drop_copies(rows, order).tolist() == [0, 2]
    near.add(rows[:1])
    assert near.copy().drop_copies(rows, order).tolist() == [2]


def test_only_the_newest_images_are_compared_however_many_were_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranking_module, "IMAGES_COMPARED", 4)
    rows, order = torch.eye(8), torch.arange(8)
    taken = Taken()
    for part in (rows[:1], rows[1:3], rows[3:5]):
        taken.add(part)
    assert taken.drop_copies(rows, order).tolist() == [0, 5, 6, 7]
    taken.add(rows[:6])
    assert taken.drop_copies(rows, order).tolist() == [0, 1, 6, 7]
