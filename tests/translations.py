"""The catalogs of `locale/`: messages gathered from the code, and their compiled form.

`make words` writes both; the tests compare them with the code. Babel replaces GNU gettext, so
nothing has to be installed beside Python packages.
"""

import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Final

import django
from babel import Locale
from babel.messages import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT: Final = Path(__file__).resolve().parents[1]
KEYWORDS: Final = {
    "_": None,
    "gettext": None,
    "_counted": (1, 2),
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
# A call of gettext with literal arguments in the output of Django's `templatize`.
CALL: Final = re.compile(
    r"\b(?:n|p|np)?gettext\((?:[^()\"']|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')*\)"
)
# A fixed date, so that the same messages always give the same files.
LONG_AGO: Final = datetime(2026, 1, 1, tzinfo=UTC)
KEPT: Final = ("Language:", "Plural-Forms:", "MIME-Version:", "Content-Type:")
HEADER: Final = "# What annotators read, in {language}. `make words` gathers and compiles it.\n#"


class Unsigned(Catalog):
    """A catalog whose header does not name the release of Babel that wrote it."""

    def __iter__(self) -> Iterator[Message]:
        header, *messages = super().__iter__()
        kept = [line for line in str(header.string).splitlines() if line.startswith(KEPT)]
        yield Message("", "".join(f"{line}\n" for line in kept))
        yield from messages


def sources() -> list[Path]:
    """The files with messages: the site's Python, and templates but those in English."""
    pages = [
        path
        for path in (ROOT / "templates").rglob("*.html")
        if path.relative_to(ROOT / "templates").parts[0] not in ("admin", "api", "monitor")
    ]
    return sorted([*(ROOT / "annotator_site").rglob("*.py"), *pages])


def gathered() -> Catalog:
    """Every message of the code, without translations."""
    catalog = Catalog()
    for path in sources():
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            text = "\n".join(CALL.findall(templatize(text, origin=str(path))))
        for _, message, comments, context in extract(
            "python", BytesIO(text.encode()), keywords=KEYWORDS, options={"encoding": "utf-8"}
        ):
            place = [(path.relative_to(ROOT).as_posix(), 0)]
            catalog.add(message, locations=place, auto_comments=comments, context=context)
    return catalog


def languages() -> list[str]:
    """The languages that need a catalog: all but the language of the code."""
    return [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def path_of(language: str) -> Path:
    """The path of a language's catalog."""
    return ROOT / "locale" / language / "LC_MESSAGES" / "django.po"


def read(language: str) -> Catalog:
    """The translations of a language."""
    with path_of(language).open("rb") as file:
        catalog = read_po(file, locale=language)
    catalog.creation_date = catalog.revision_date = LONG_AGO
    return catalog


def compiled(catalog: Catalog) -> bytes:
    """A catalog compiled for Django (.mo)."""
    plain = Unsigned(catalog.locale, charset="utf-8")
    for message in catalog:
        if message.id:
            plain[message.id] = message
    buffer = BytesIO()
    write_mo(buffer, plain)
    return buffer.getvalue()


def written(catalog: Catalog) -> str:
    """A catalog as text for translators (.po)."""
    catalog.fuzzy = False
    buffer = BytesIO()
    write_po(buffer, catalog, width=100, sort_output=True, include_lineno=False)
    header = re.compile(r'^"(?P<key>[\w-]+:).*\\n"$')
    return "\n".join(
        line
        for line in buffer.getvalue().decode().split("\n")
        if not (found := header.match(line)) or found["key"] in KEPT
    )


def update(language: str) -> None:
    """Update a language's catalog from the code, and compile it."""
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    catalog = read(language) if path.exists() else Catalog(language, charset="utf-8")
    catalog.update(gathered(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    catalog.header_comment = HEADER.format(language=Locale.parse(language).english_name)
    path.write_text(written(catalog), encoding="utf-8")
    path.with_suffix(".mo").write_bytes(compiled(read(language)))
    missing = [message.id for message in catalog if message.id and not message.string]
    sys.stderr.write(f"{path.relative_to(ROOT)}: {len(catalog)} messages\n")
    for each in missing:
        sys.stderr.write(f"  not translated yet: {each}\n")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotator_site.settings")
    django.setup()
    for code in languages():
        update(code)
