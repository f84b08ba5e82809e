"""Acks and nacks: of messages refused at once, and of those that the database has seen."""

from typing import Final

from psycopg.errors import ForeignKeyViolation

from al_engine.pools.turns import Receipt
from annotator_site.labeling import protocol
from annotator_site.labeling.batch import Act, Outcome, Submission
from annotator_site.labeling.campaign_view import CampaignView
from annotator_site.labeling.protocol import LabelMessage, NackCode, SkipMessage, UndoMessage
from annotator_site.labeling.session import Session
from annotator_site.labeling.transaction import NEVER_HELD

_MAX_UNANSWERED: Final = 64
NO_SUCH_CLASS: Final = "This campaign has no such class."

_WORDS: Final[dict[Receipt, tuple[NackCode, str]]] = {
    "conflict": ("bad_message", "This id was used for another answer; the first one is kept."),
    "unknown_query": ("unknown_query", "There is no such query in this campaign."),
    "too_late": ("too_late", "You have answered or skipped this image before."),
    "not_yours": ("not_yours", "This query was never in your hands."),
    "unknown_choice": ("unknown_choice", NO_SUCH_CLASS),
    "other_choices": ("other_choices", "The classes have changed: answer this query again."),
}


def refusal(campaign: CampaignView, session: Session, message: Act, *, full: bool) -> str | None:
    """The nack of a message that never reaches the database; None for one that does.

    `full`: this process keeps as many messages as it can.
    """
    if full or session.unanswered >= _MAX_UNANSWERED:
        words = "Wait for the answers to what you sent before."
        return protocol.nack(message.id, "rate_limited", words)
    if isinstance(message, UndoMessage) and campaign.state != "running":
        words = "The campaign is not running: nothing can be undone now."
        return protocol.nack(message.id, "paused", words)
    return None


def receipt_of(sub: Submission, outcome: Outcome) -> Receipt:
    """The receipt of a message."""
    person, message = sub.session.annotator_id, sub.message
    match message:
        case LabelMessage():
            return outcome.answers[person, message.id]
        case SkipMessage():
            receipt = outcome.skips[person, message.turn_id]
            # A turn whose lease a crash lost needs no skip, like one whose lease expired.
            return "stored" if receipt in NEVER_HELD and sub.image_id else receipt
        case UndoMessage():
            return "stored" if (person, message.label) in outcome.known else "unknown_query"


def verdict(sub: Submission, error: BaseException) -> str:
    """The nack of a message whose own values the database refused with `error`."""
    if isinstance(error, ForeignKeyViolation):
        return protocol.nack(sub.message.id, "unknown_choice", NO_SUCH_CLASS)
    return protocol.nack(sub.message.id, "bad_message", "This cannot be stored.")


def reply(sub: Submission, receipt: Receipt, outcome: Outcome) -> str:
    """The ack or nack of a message."""
    if receipt in ("stored", "repeated"):
        return protocol.ack(sub.message.id, outcome.progress, sub.session.mine)
    code, words = _WORDS[receipt]
    return protocol.nack(sub.message.id, code, words)
