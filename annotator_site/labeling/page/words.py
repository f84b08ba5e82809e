"""What the labeling page says, in the language of the request.

The page embeds all of it as JSON, which `static/labeling/words.js` reads. So one catalog
(`locale/`) has the texts of templates, of Python and of the page's modules, and a new language
needs no code. The page fills in `{name}`.
"""

from functools import cache
from typing import Any, Final

from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

# One number of each of CLDR's cardinal categories: Polish and Arabic have more of these than
# English and German.
_SAMPLES: Final = {"zero": 0, "one": 1, "two": 2, "few": 3, "many": 11, "other": 100}


def words() -> dict[str, Any]:
    """All texts of the page's modules by name; those of states under `states`.

    Cached: the same mapping for each request in a language.
    """
    return _words_in(get_language())


@cache
def _words_in(_language: str) -> dict[str, Any]:
    return {"states": _states(), **_link(), **_image(), **_classes(), **_session(), **_practice()}


def _counted(one: str, many: str) -> dict[str, str]:
    """A text for each cardinal category; callers mark both arguments for translation."""
    return {kind: ngettext(one, many, number) for kind, number in _SAMPLES.items()}


def _states() -> dict[str, Any]:
    """Title, text and actions of each state in which there is no image to label."""
    return {**_on_the_way(), **_nothing_to_label(), **_stopped_here(), **_closed()}


def _on_the_way() -> dict[str, Any]:
    """States in which images are expected over the network."""
    return {
        "connecting": _state(_("Connecting"), _("Your first images are on their way.")),
        "waiting": _state(_("Fetching the next image"), _("It is on its way.")),
        "unreachable": _state(
            _("No connection to the server"),
            _("This page tries again by itself and goes on as soon as it gets through."),
        ),
    }


def _nothing_to_label() -> dict[str, Any]:
    """States in which the campaign has nothing for this person now."""
    home = {"text": _("All campaigns"), "href": "/"}
    return {
        "pool_empty": _state(
            _("The next images are being chosen"),
            _("You need do nothing: they come by themselves."),
        ),
        "no_workers": _state(
            _("Nobody is choosing images at the moment"),
            _(
                "The programs that choose the next images are not running. Whoever runs the "
                "campaign can start them; images then come by themselves."
            ),
            link=home,
        ),
        "nothing_left_for_you": _state(
            _("Nothing is left for you at the moment"),
            _(
                "You have answered or skipped what there is, or others hold the rest. If an image "
                "comes back, it appears here by itself."
            ),
            link=home,
        ),
        "no_images": _state(
            _("This campaign has no images yet"),
            _("Whoever runs it has to import some; they then come by themselves."),
            link=home,
        ),
        "storage_away": _state(
            _("Images cannot be loaded now"),
            _(
                "Your answers are kept. This page tries again by itself and goes on as soon as "
                "images come."
            ),
        ),
        "paused": _state(
            _("This campaign is paused"),
            _("Everything you answered is safe. When it goes on, images come by themselves."),
            link=home,
        ),
        "finished": _state(
            _("This campaign is finished"),
            _("Every image has its label. Thank you for your part in it."),
            link=home,
        ),
    }


def _stopped_here() -> dict[str, Any]:
    """States in which the person or this browser has stopped, and can go on."""
    return {
        "away": _state(
            _("You were away"),
            _("Your images went to others, so that nobody waits. Press any key to go on."),
            button=_("Go on"),
        ),
        "break": _state(
            _("Paused by you"),
            _("Your answers are saved and your images went to others. Press any key to go on."),
            button=_("Go on"),
        ),
        "cannot_show": _state(
            _("This browser cannot show these images"),
            _(
                "Several in a row could not be opened here. That was reported. Try another "
                "browser or device, or press any key to try again."
            ),
            button=_("Go on"),
        ),
        "changed": _state(
            _("The classes have changed"),
            _(
                "Look at the new list, then press any key. What you answered just before is "
                "asked again if it was not saved yet."
            ),
            button=_("Go on"),
        ),
        "stranger": _state(
            _("Somebody else is logged in"),
            _(
                "In this browser {other} is logged in now, and this page is {name}’s: it shows and "
                "sends nothing until {name} is back. To go on as {other}, load it again."
            ),
            button=_("Load again"),
        ),
    }


def _closed() -> dict[str, Any]:
    """States after the server closed the connection, by its close code."""
    home = {"text": _("All campaigns"), "href": "/"}
    log_in = {"text": _("Log in"), "href": "login"}
    return {
        "4401": _state(
            _("You are logged out"),
            _("Log in again, and you come back to this page."),
            link=log_in,
        ),
        "4403": _state(
            _("You are not in this campaign"),
            _(
                "Ask whoever runs it to add you, or to let you in again. "
                "Then open this page afresh."
            ),
            link=home,
        ),
        "4404": _state(
            _("This campaign does not exist any more"),
            _("It may have been removed or renamed."),
            link=home,
        ),
        "4409": _state(
            _("Labeling is open in too many places"),
            _("Close it in another tab or on another device, then go on here."),
            button=_("Go on here"),
        ),
        "4429": _state(
            _("That was faster than this campaign allows"),
            _("Nothing is lost. Wait a few seconds, then go on."),
            button=_("Go on"),
        ),
    }


def _state(
    title: str, text: str, *, button: str = "", link: dict[str, str] | None = None
) -> dict[str, Any]:
    return {"title": title, "text": text, "button": button, "link": link}


def _link() -> dict[str, Any]:
    """The connection, and the answers that wait in this browser."""
    return {
        "live": pgettext("connection", "Live"),
        "saving": _counted("Saving {n} answer", "Saving {n} answers"),
        "saving_delayed": _counted(
            "Saving is delayed · {n} answer kept", "Saving is delayed · {n} answers kept"
        ),
        "delayed": _(
            "Saving is delayed. Nothing is lost: your answers are kept and saved as soon as "
            "possible. Go on."
        ),
        "saved_again": _("Your answers are saved."),
        "not_connected": _("Not connected"),
        "connecting": _("Connecting"),
        "reconnecting": _("Reconnecting"),
        "offline": _("Offline"),
        "on_break": pgettext("connection", "Paused"),
        "unsent": _counted("{word} · {n} answer unsent", "{word} · {n} answers unsent"),
        "kept": _counted(
            "{n} answer kept in this browser; it is sent as soon as there is a connection.",
            "{n} answers kept in this browser; they are sent as soon as there is a connection.",
        ),
        "kept_out": _counted(
            "{n} answer kept in this browser; it is sent as soon as you are logged in again.",
            "{n} answers kept in this browser; they are sent as soon as you are logged in again.",
        ),
        "kept_owner": _counted(
            "{n} answer of {name} is kept in this browser until {name} is back.",
            "{n} answers of {name} are kept in this browser until {name} is back.",
        ),
        "held": _counted(
            "{n} answer is in this page alone, since this browser keeps nothing for this site: "
            "leave it open until there is a connection.",
            "{n} answers are in this page alone, since this browser keeps nothing for this site: "
            "leave it open until there is a connection.",
        ),
        "unkept": _(
            "This browser keeps nothing for this site: answers that are not sent yet are lost when "
            "the page is closed."
        ),
        "progress": _("{labeled} of {total} images labeled, {mine} answers yours"),
    }


def _image() -> dict[str, Any]:
    """The image on the stage, and news about other images."""
    return {
        "image": _("The image to label"),
        "new_image": _counted(
            "Image {number}. Choose the class.", "Image {number}. Choose one of {n} classes."
        ),
        "space": pgettext("key", "Space"),
        "undone": _("Undone: {name}. Choose again."),
        "skipped": _("Skipped"),
        "zoom": _("Size {percent} %"),
        "turned": _("Turned {degrees}°"),
        "brightness": _("Brightness {percent} %"),
        "contrast": _("Contrast {percent} %"),
        "again": _("{name}: label this image again"),
        "undo": _("Undo {name} and label its image again"),
        "unshown": _("An image could not be shown here. That was reported."),
        "overtaken": _(
            "The classes changed before an answer of yours was saved: please look at its image "
            "again."
        ),
        "recolored": _("The classes have other colors now."),
        "instructions_changed": _("The instructions have changed: the help has the new ones."),
        "revoked": _("That image went to somebody else. Here is the next."),
        "refusals": {
            "bad_message": _("The server could not read an answer of this page. Load it again."),
            "unknown_query": _("An answer was for an image that this campaign no longer has."),
            "not_yours": _("An answer was for an image that was never yours."),
            "too_late": _("You have answered or skipped this image before."),
            "paused": _("The campaign is not running: nothing can be undone now."),
        },
    }


def _classes() -> dict[str, Any]:
    """The field that finds a class by its name."""
    return {
        "classes": _counted("{n} class", "{n} classes"),
        "found": _("{found} of {n}"),
        "no_class": _("No class is called “{text}”"),
        "examples_of": _("Examples of {name}"),
        "choose_class": _("Choose a class, then press the key that you want for it."),
        "press_key": _("Press the key for {name}."),
        "key_set": _("{name} has the key {key}."),
        "keys_swapped": _("{key} was the key of {other}, which has {former} now."),
        "key_moved": _("{key} was the key of {other}, which has none now."),
        "key_taken": _("{key} is a key of the page itself. Press a letter or a digit."),
        "key_finds": _(
            "{key} may begin the name of a class, which you type to find it. "
            "Press a digit or a sign that begins none."
        ),
        "keys_reset": _("The classes have the campaign’s keys again."),
    }


def _session() -> dict[str, Any]:
    """The person's own pace and goal."""
    return {
        "pace": _counted("{n} answer a minute", "{n} answers a minute"),
        "no_pace": _("The pace shows after a few answers."),
        "done": _counted("{n} answer", "{n} answers"),
        "done_long": _counted("{n} answer in this session", "{n} answers in this session"),
        "done_of": _("{n} of {goal}"),
        "goal_reached": _counted(
            "That was your goal of {n} answer. Go on as long as you like.",
            "That was your goal of {n} answers. Go on as long as you like.",
        ),
        "begin": _("Begin"),
    }


def _practice() -> dict[str, Any]:
    """The practice before the first image that counts."""
    return {
        "practice_at": _("Image {at} of {n}"),
        "right": _("Right: {name}."),
        "wrong": _("This is {right}, not {said}."),
        "score": _counted("{right} of {n} image right", "{right} of {n} images right"),
        "practice_failed": _("The practice images could not be fetched. Try again in a moment."),
    }
