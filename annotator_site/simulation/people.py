"""The bots' accounts, the labels that they know, and the accuracy of the models they trained."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import Max

from al_engine.pools import campaigns
from al_engine.pools.models import Campaign, Image, ModelVersion
from annotator_site.accounts.models import Token, User, token_digest
from annotator_site.accounts.tokens import create_token
from annotator_site.simulation.crew import Identity
from annotator_site.simulation.summary import Accuracy


class NotABot(ValueError):
    """An account with a bot's name belongs to a person."""


class NotEnoughImages(ValueError):
    """The campaign has too few images left for the labels that are wanted."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The known labels (image id to choice id), and the ids of all choices of the campaign."""

    answers: dict[int, int]
    choices: tuple[int, ...]


@contextmanager
def enlisted(*, campaign: Campaign, count: int, first: int = 1) -> Iterator[Sequence[Identity]]:
    """`count` annotators of the campaign, with tokens that are deleted when the context ends.

    They are named bot-0001, bot-0002 …, starting with number `first`; existing accounts are
    reused. Raises NotABot if an account with such a name has a password.
    """
    identities = _enlist(campaign=campaign, count=count, first=first)
    try:
        yield identities
    finally:
        digests = [token_digest(identity.token) for identity in identities]
        Token.objects.filter(digest__in=digests).delete()


@transaction.atomic
def _enlist(*, campaign: Campaign, count: int, first: int) -> list[Identity]:
    names = [f"bot-{number:04}" for number in range(first, first + count)]
    # Bots have no usable password: nobody can log in as a bot, and a person's account, which has
    # one, is not taken for a bot's.
    unusable = make_password(None)
    User.objects.bulk_create(
        [User(username=name, password=unusable) for name in names], ignore_conflicts=True
    )
    users = list(User.objects.filter(username__in=names).order_by("username"))
    for user in users:
        if user.has_usable_password():
            raise NotABot(
                f"The account {user.username} has a password, so it is a person's: "
                "rename it, or choose other numbers by --first."
            )
        campaigns.join(campaign_id=campaign.pk, user_id=user.pk)
    return [Identity(username=user.username, token=create_token(user=user)) for user in users]


def read_knowledge(*, campaign: Campaign) -> Knowledge:
    """The known labels of the campaign's pool images."""
    known = Image.objects.filter(
        campaign=campaign, split=Image.Split.POOL, known_choice__isnull=False
    ).values_list("id", "known_choice_id")
    return Knowledge(
        answers={image: choice for image, choice in known.iterator() if choice is not None},
        choices=tuple(campaign.choices.values_list("id", flat=True)),
    )


def check_supply(*, campaign: Campaign, labels: int | None) -> None:
    """Raise NotEnoughImages if a run could not end, because too few images are left to label."""
    images = Image.objects.filter(
        campaign=campaign,
        split=Image.Split.POOL,
        state__in=[Image.State.UNLABELED, Image.State.QUERIED],
        known_choice__isnull=False,
    ).count()
    # An upper bound: some of these answers may have been given already.
    if images * (campaign.max_answers or campaign.answers_per_image) < (labels or 1):
        raise NotEnoughImages(
            f"There is nothing for {labels or 'any'} labels: campaign {campaign.slug} has {images} "
            "images with a known label left to ask. Import more (`manage.py import_images`), or "
            "begin anew with a campaign of its own (`demo --fresh` does)."
        )


def newest_version(*, campaign: Campaign) -> int:
    """The number of the newest model version; 0 before the first."""
    newest = ModelVersion.objects.filter(campaign=campaign).aggregate(n=Max("version"))
    return newest["n"] or 0


def read_accuracy(*, campaign: Campaign, after: int) -> Accuracy:
    """The holdout accuracy of the models that were published after version `after`."""
    accuracies = list(
        ModelVersion.objects.filter(campaign=campaign, version__gt=after)
        .order_by("version")
        .values_list("accuracy", flat=True)
    )
    return Accuracy(
        first=accuracies[0] if accuracies else None,
        last=accuracies[-1] if accuracies else None,
        versions=len(accuracies),
    )
