"""The sidebar of the admin: groups of pages, in the order of the work."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

# (group, [(title, icon of Material Symbols, model as app_model)])
GROUPS = [
    ("Set up", [("Campaigns", "label", "pools_campaign"), ("Images", "image", "pools_image")]),
    (
        "People",
        [
            ("Annotators", "group", "pools_annotator"),
            ("Users", "person", "accounts_user"),
            ("Staff groups", "shield_person", "auth_group"),
            ("Tokens of programs", "key", "accounts_token"),
        ],
    ),
    (
        "Pools",
        [
            ("Queries (S)", "help", "pools_query"),
            ("Turns", "swap_horiz", "pools_turn"),
            ("Answers", "edit_note", "pools_label"),
            ("Consensus (L)", "how_to_vote", "pools_consensus"),
        ],
    ),
    (
        "Engine",
        [
            ("Model versions (g*)", "deployed_code", "pools_modelversion"),
            ("Servers and workers", "memory", "pools_engineprocess"),
            ("Cells of D", "grid_view", "pools_cell"),
        ],
    ),
]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups and pages that this person may see."""
    groups = []
    for title, entries in GROUPS:
        items: list[dict[str, Any]] = [
            {
                "title": name,
                "icon": icon,
                "link": reverse(f"admin:{model}_changelist"),
                "permission": _may_view(model),
            }
            for name, icon, model in entries
        ]
        if any(item["permission"](request) for item in items):
            groups.append({"title": title, "separator": True, "items": items})
    return groups


def _may_view(model: str) -> Callable[[HttpRequest], bool]:
    app, name = model.split("_")

    def may_view(request: HttpRequest) -> bool:
        return any(request.user.has_perm(f"{app}.{verb}_{name}") for verb in ("view", "change"))

    return may_view
