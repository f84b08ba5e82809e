"""Scripts write what others said as text, and run nothing that came as text."""

import re

import pytest
from documents import ROOT

SCRIPTS = sorted(path for path in (ROOT / "static").rglob("*.js") if "vendor" not in path.parts)
SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser"
    r"|srcdoc|\beval\b|\bFunction\(|javascript:|setAttribute\(\s*[\"'](?:on|src|href)"
    r"|set(?:Timeout|Interval)\(\s*[\"'`]|\.html\("
)
# The instructions of a campaign, which the server has made harmless (campaign_view.py), and which
# are parsed in a template that runs and loads nothing.
ALLOWED = {
    "static/labeling/view.js": [
        "told.innerHTML = instructions_html;",
        'if (told.innerHTML === part("instructions").innerHTML) return;',
    ]
}


def test_nothing_is_put_into_a_page_but_as_text() -> None:
    assert len(SCRIPTS) > 40
    for path in SCRIPTS:
        name = str(path.relative_to(ROOT))
        lines = path.read_text(encoding="utf-8").splitlines()
        assert [line.strip() for line in lines if SINKS.search(line)] == ALLOWED.get(name, []), name


@pytest.mark.parametrize(
    "line",
    [
        *("a.innerHTML = name", "eval(x)", "new Function(x)()", "document.write(x)"),
        *("a.insertAdjacentHTML('beforeend', x)", 'setTimeout("go()", 1)', "a.outerHTML = x"),
        *('a.setAttribute("onclick", x)', 'a.setAttribute( "href", x)', "frame.srcdoc = x"),
    ],
)
def test_every_such_way_is_noticed(line: str) -> None:
    assert SINKS.search(line)
