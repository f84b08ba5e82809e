"""A program that asks the API with a token, within this process."""

from collections.abc import Sequence
from typing import Any

from django.test import Client

from annotator_site.accounts.models import User
from annotator_site.accounts.tokens import create_token


class Program:
    """Asks as `user`, with a token of these scopes (None: all)."""

    def __init__(self, user: User | None, scopes: Sequence[str] | None = None) -> None:
        self.headers = {}
        if user is not None:
            self.headers["Authorization"] = f"Token {create_token(user=user, scopes=scopes)}"
        self.client = Client()

    def get(self, path: str, **headers: str) -> Any:
        """The response to a GET."""
        return self.client.get(f"/api/v1/{path}", headers={**self.headers, **headers})

    def send(self, path: str, data: Any = None, *, method: str = "post", **headers: str) -> Any:
        """The response to a change, with a body of JSON."""
        ask = getattr(self.client, method)
        return ask(
            f"/api/v1/{path}", data, content_type="application/json",
            headers={**self.headers, **headers},
        )  # fmt: skip

    def rows(self, path: str) -> list[dict[str, Any]]:
        """All rows of a list, page by page."""
        found, following = [], f"/api/v1/{path}"
        while following:
            answer = self.client.get(following, headers=self.headers)
            assert answer.status_code == 200, answer.content
            page = answer.json()
            found += page["results"]
            following = page["next"]
        return found
