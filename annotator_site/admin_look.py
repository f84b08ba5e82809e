"""The look of the administration: settings of unfold, which renders it."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Nowait",
    "SITE_HEADER": "Nowait",
    "SITE_URL": "/",
    "SITE_ICON": lambda request: static("favicon.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "href": lambda request: static("favicon.svg")}],
    "STYLES": [lambda request: static("monitor/admin.css")],
    "SCRIPTS": [lambda request: static("monitor/admin.js")],
    "SHOW_BACK_BUTTON": True,
    "ACCOUNT": {"navigation": [{"title": "Your account", "link": reverse_lazy("account")}]},
    "SIDEBAR": {"navigation": "annotator_site.campaigns.admin.sidebar.navigation"},
    # The grays and the accent of static/css/tokens.css.
    "COLORS": {
        "base": {
            "50": "#fafafa", "100": "#f4f4f4", "200": "#e4e4e4", "300": "#d0d0d0",
            "400": "#adadad", "500": "#6b6b6b", "600": "#565656", "700": "#404040",
            "800": "#2a2a2a", "900": "#1c1c1c", "950": "#0b0b0b",
        },
        "primary": {
            "50": "#eef1fd", "100": "#e0e6fc", "200": "#c5cffa", "300": "#9fb2ff",
            "400": "#8296f4", "500": "#6f86ee", "600": "#2b49c9", "700": "#243da8",
            "800": "#1f3386", "900": "#1b2c6c", "950": "#121c45",
        },
    },
}  # fmt: skip
