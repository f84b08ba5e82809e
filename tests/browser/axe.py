"""axe-core at work: what breaks a rule of WCAG 2.2 A or AA on the page that is open."""

from functools import cache
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

SCRIPT: Final = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
STANDARDS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@cache
def _script() -> str:
    return SCRIPT.read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """Each violated rule with the elements that violate it; empty where all is well."""
    # Evaluated by the browser's debugger, so that the page's policy need not allow it.
    if not page.evaluate("'axe' in window"):
        page.evaluate(_script())
    # Of what passes it need not say where it is.
    found: dict[str, Any] = page.evaluate(
        """(standards) => axe.run({
            runOnly: {type: 'tag', values: standards}, resultTypes: ['violations'],
        })""",
        STANDARDS,
    )
    assert len(found["passes"]) > 5  # it has looked
    return [
        f"{rule['id']}: {node['html'][:160]} ({node['failureSummary']})"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
