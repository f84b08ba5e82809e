"""What every kind of person gets at every address: the only list of it.

A row has a letter for each of PEOPLE, in three groups of three, for GET and for POST. Addresses
stand under the names of the URL configuration; what has no name, under its route.
"""

from typing import Final

PEOPLE: Final = (
    # Nobody in particular; somebody who labels campaign B; somebody who labels campaign A.
    *("stranger", "other_annotator", "annotator"),
    # Staff who may do nothing; an owner of campaign B; somebody who looks after all people.
    *("plain_staff", "neighbor", "officer"),
    # Staff who may view everything in all campaigns; an owner of campaign A; a superuser.
    *("viewer", "owner", "superuser"),
)
OUTSIDERS: Final = frozenset(PEOPLE) - {"annotator", "viewer", "owner", "superuser"}
"""Who must not learn anything of campaign A."""

OUTCOMES: Final = {
    ".": "open",
    "l": "sent to a log-in page",
    "f": "forbidden (403)",
    "n": "not found (404)",
    "m": "not this method (405)",
    "u": "asked to log in (401)",
    "c": "in conflict with what there is (409)",
    "a": "sent to the first page of the administration: there is no such thing for them",
}

Row = tuple[str, str]
ALL: Final = "... ... ..."
STAFF: Final = "lll ... ..."
ACCOUNT: Final = "l.. ... ..."
NO_METHOD: Final = "mmm mmm mmm"

EVERYBODY: Final[dict[str, Row]] = {
    "home": ("l.. ... ...",) * 2,
    "label": ("lf. fff fff",) * 2,
    "examples": ("ln. nnn nnn", "lmm mmm mmm"),
    "practice": ("ln. nnn nnn", "lmm mmm mmm"),
    "passed": ("lmm mmm mmm", "ln. nnn nnn"),
    "login": (ALL, ALL),
    "account_login": (ALL, ALL),
    "logout": (NO_METHOD, ALL),
    "account": (ACCOUNT, ACCOUNT),
    "mfa_authenticate": (ALL, ALL),
    "account_change_password": (ACCOUNT, ACCOUNT),
    "account_reauthenticate": (ACCOUNT, ACCOUNT),
    "mfa_reauthenticate": (ACCOUNT, ACCOUNT),
    "mfa_index": (ALL, ALL),
    "mfa_activate_totp": (ACCOUNT, ACCOUNT),
    # Nobody here has a second factor.
    "mfa_deactivate_totp": ("lnn nnn nnn",) * 2,
    "mfa_view_recovery_codes": ("lnn nnn nnn", "lmm mmm mmm"),
    "mfa_generate_recovery_codes": (ACCOUNT, ACCOUNT),
    "end_sessions": (NO_METHOD, ACCOUNT),
    "new_token": (ACCOUNT, ACCOUNT),
    # Of a token that is not theirs nothing is said, and nothing is done.
    "end_token": (NO_METHOD, ACCOUNT),
    "set_language": (ALL, ALL),
    "healthz": (ALL, ALL),
    "readyz": (ALL, ALL),
    # There is one only where the installation names a contact.
    "security_txt": ("nnn nnn nnn", NO_METHOD),
}

ADMINISTRATION: Final[dict[str, Row]] = {
    "admin:index": (STAFF, STAFF),
    # It leads to the log-in page of all, or past it.
    "admin:login": ("lff aaa aaa",) * 2,
    "admin:logout": ("aaa mmm mmm", "aaa ... ..."),
    "admin:password_change": (STAFF, STAFF),
    "admin:password_change_done": (STAFF, "lll mmm mmm"),
    "admin:search": (STAFF, STAFF),
    "admin:jsi18n": (STAFF, "lll mmm mmm"),
    "admin:app_list": ("lll n.n ...",) * 2,
    "admin:view_on_site": ("lll nnn nnn",) * 2,
    "admin/(?P<url>.*)$": ("lll nnn nnn",) * 2,
    "admin:pools_campaign_live": ("lll fff ...", "lll mmm mmm"),
    "admin:pools_image_similar": ("lll fff ...", "lll mmm mmm"),
    "admin:pools_campaign_state": ("lll mmm mmm", "lll fff f.."),
    "admin:auth_user_password_change": ("lll ff. ff.",) * 2,
    "admin:autocomplete": ("lll fff fff", "lll mmm mmm"),
}

_READ: Final = "unf nnn ...", "umm mmm mmm"
_CHANGED: Final = "umm mmm mmm", "unf nnn f.."
_NONE_SUCH: Final = ("unn nnn nnn",) * 2
API: Final[dict[str, Row]] = {
    # Lists of campaigns show each person theirs.
    "api:campaigns": ("u.. ... ...", "uff f.f f.."),
    "api:campaign": ("un. nnn ...", "umm mmm mmm"),
    **{
        f"api:{name}": _READ
        for name in (
            *("images", "image", "consensus", "queries", "models", "model"),
            *("annotator", "stats"),
        )
    },
    **{f"api:{name}": _CHANGED for name in ("pause", "resume", "finish", "exclude", "put_back")},
    "api:claim": ("umm mmm mmm", "un. nnn fff"),
    "api:labels": ("unf nnn ...", "un. nnn fff"),
    "api:classes": ("un. nnn ...", "umm mmm mmm"),
    # To invite somebody takes the right to see who there is.
    "api:annotators": ("unf nnn ...", "unf nnn ff."),
    # This version's weights are not kept (409), which only those learn who may read it.
    "api:weights": ("unf nnn ccc", "umm mmm mmm"),
    "api:schema": (ALL, NO_METHOD),
    "api:docs": (ALL, NO_METHOD),
    "api:llms": (ALL, NO_METHOD),
    "api:nowhere": _NONE_SUCH,
}

AUTOCOMPLETES: Final[dict[str, str]] = {
    # The model and field that the choices are for, and who gets them.
    "accounts_token user": "lll ff. ff.",
    "pools_annotator campaign": "lll f.f ...",
    "pools_annotator user": "lll ff. ff.",
    "pools_campaign owners": "lll ff. ff.",
}

_READ_ONLY: Final[dict[str, Row]] = {
    "changelist": ("lll f.f ...",) * 2,
    "add": ("lll fff fff",) * 2,
    "change": ("lll faf ...", "lll fff fff"),
    "delete": ("lll fff fff",) * 2,
    "history": ("lll aaf ...",) * 2,
    "": (STAFF, STAFF),
}
_ABOUT_PEOPLE: Final[dict[str, Row]] = {
    "changelist": ("lll ff. ff.",) * 2,
    "add": ("lll ff. ff.",) * 2,
    "change": ("lll ff. ff.",) * 2,
    "delete": ("lll ff. ff.",) * 2,
    "history": ("lll ff. ff.",) * 2,
    "": (STAFF, STAFF),
}
_SET_UP: Final[dict[str, Row]] = {
    **_READ_ONLY,
    "add": ("lll f.f f..",) * 2,
    "change": ("lll faf ...", "lll faf f.."),
}
MODELS: Final[dict[str, dict[str, Row]]] = {
    "accounts_user": _ABOUT_PEOPLE,
    "auth_group": _ABOUT_PEOPLE,
    # A token is made and deleted, never changed.
    "accounts_token": {**_ABOUT_PEOPLE, "change": ("lll ff. ff.", "lll fff fff")},
    "pools_campaign": _SET_UP,
    "pools_annotator": _SET_UP,
    "pools_image": _READ_ONLY,
    "pools_query": _READ_ONLY,
    "pools_turn": _READ_ONLY,
    "pools_label": _READ_ONLY,
    "pools_consensus": _READ_ONLY,
    "pools_modelversion": _READ_ONLY,
    "pools_engineprocess": _READ_ONLY,
    "pools_cell": _READ_ONLY,
}
"""The pages of a model in the administration; "" is the short form that leads to its change."""


def _of_models() -> dict[str, Row]:
    rows = {}
    for model, pages in MODELS.items():
        app, name = model.split("_")
        for page, row in pages.items():
            rows[f"admin:{model}_{page}" if page else f"admin/{app}/{name}/<path:object_id>/"] = row
    return rows


ROWS: Final[dict[str, Row]] = {**EVERYBODY, **API, **ADMINISTRATION, **_of_models()}

POSTED: Final[dict[str, dict[str, str]]] = {
    "passed": {"step": "introduced"},
    "set_language": {"language": "de"},
    # Refused for its value, and so by no right.
    "admin:pools_campaign_state": {"state": "asleep"},
}
"""What is posted where an empty form would say nothing of rights."""

SOCKETS: Final[dict[str, str]] = {
    # Refusals mean the same by HTTP at the handshake and by a close code: 401 and 4401 are `l`.
    "ws/campaigns/<slug:slug>/label/": "lf. fff fff",
    "ws/campaigns/<slug:slug>/monitor/": "lff fff ...",
}
PICTURES: Final = {
    # Whoever was given a signed address may fetch the picture.
    "signed": (ALL, "fff fff fff"),
    "unsigned": ("fff fff fff", "fff fff fff"),
}


def letter(row: str, person: str) -> str:
    """What a row says of a person."""
    letters = row.replace(" ", "")
    assert len(letters) == len(PEOPLE), row
    return letters[PEOPLE.index(person)]
