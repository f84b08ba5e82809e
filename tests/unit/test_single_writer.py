"""Only `al_engine.pools` writes the tables of the pools.

Read from the source of the product: al_engine, annotator_site and manage.py. Exempt are
`al_engine/pools` itself; migrations, which change tables once; the packages whose import contracts
keep them from Django and the database; and what is not the product: tests and benchmarks put tables
into states that no function makes. The demo and the simulated annotators are not exempt. What a
foreign key does when its target is deleted (a person's answers stay, under a pseudonym) is declared
in the models.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import RequestFactory

from annotator_site.accounts.models import User

ROOT: Final = Path(__file__).resolve().parents[2]
PRODUCT: Final = ("al_engine", "annotator_site", "manage.py")
EXEMPT: Final = re.compile(
    r"al_engine/(pools|architectures|decisions|strategies|supervision|training)/"
    r"|.*/migrations/"
)

WRITES: Final = {
    each
    for name in (
        *("create", "bulk_create", "get_or_create", "update_or_create"),
        *("save", "save_base", "bulk_update", "delete"),
    )
    for each in (name, f"a{name}")
}
"""Methods that write rows, whatever they are called on. `update` is a dictionary's as well."""

UPDATES: Final = {"update", "aupdate"}
RELATION_WRITES: Final = {"add", "set", "remove", "clear", "create", "update", "delete"}

OTHERS: Final = {
    "Authenticator": "a table of django-allauth",
    "Token": "a table of the site",
    "User": "a table of the site",
    "UserSession": "a table of django-allauth",
    "default_storage": "files",
    "_for_screens": "a picture of Pillow",
    "Image.fromarray": "a picture of Pillow",
    "super": "what is overridden, of files or of the site's own tables",
    "formset": "builds rows, and stores none with commit=False",
    "column.__dict__": "a dictionary",
}
"""Everything else that is saved, created or deleted: what a call begins with, and what it is."""

SQL: Final = re.compile(
    r"\b(insert\s+into|update(\s+only)?|delete\s+from(\s+only)?|merge\s+into|copy"
    r"|truncate(\s+table)?)\s+\"?pools_\w+",
    re.IGNORECASE,
)


def relations() -> set[str]:
    """Names by which rows of the pools are reached from one another and from people."""
    names: set[str] = set()
    for model in apps.get_app_config("pools").get_models():
        for field in model._meta.get_fields(include_hidden=False):
            if field.many_to_many or field.one_to_many:
                names.add(getattr(field, "get_accessor_name", lambda: None)() or field.name)
        for many in (*model._meta.many_to_many, *model._meta.fields):
            related = many.remote_field.get_accessor_name() if many.remote_field else None
            names |= {related} if related else set()
    return names


def writes_in(source: str) -> Iterator[str]:
    """The calls and statements of a source text that may write a table of the pools."""
    related = relations()
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and SQL.search(node.value)
        ):
            yield f"line {node.lineno}: {' '.join(node.value.split())[:80]}"
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        written = ast.unparse(node.func)
        owner, _, method = written.rpartition(".")
        on_relation = method in RELATION_WRITES and owner.rpartition(".")[2] in related
        # A dictionary is updated by another one, rows by their columns.
        on_rows = method in UPDATES and bool(node.keywords) and not node.args
        if not (method in WRITES or on_rows or on_relation):
            continue
        root = written.split(".objects")[0].split("(")[0].removesuffix(f".{method}")
        if on_relation or root not in OTHERS:
            yield f"line {node.lineno}: {written}"


def product() -> Iterator[Path]:
    for name in PRODUCT:
        place = ROOT / name
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.suffix in (".py", ".sql") and not EXEMPT.match(str(path.relative_to(ROOT))):
                yield path


def test_nobody_but_the_pools_writes_their_tables() -> None:
    found = []
    for path in product():
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".sql":
            found += [f"{path.relative_to(ROOT)}: {text[:60]}"] if SQL.search(text) else []
        else:
            found += [f"{path.relative_to(ROOT)}, {each}" for each in writes_in(text)]
    assert not found, "\n".join(["Write through a function of al_engine.pools instead:", *found])


@pytest.mark.parametrize(
    "source",
    [
        "Image.objects.filter(pk=1).update(state='labeled')",
        "models.Sample.objects.create(campaign=campaign)",
        "Image.objects.bulk_create([Image()])",
        "await Annotator.objects.aget_or_create(user=user)",
        "choice.save()",
        "Choice(name='cat').save()",
        "row.campaign.delete()",
        "campaign.owners.add(person)",
        "person.owned_campaigns.clear()",
        "campaign.choices.create(name='cat')",
        "cursor.execute('UPDATE pools_image SET state = 1')",
        "cursor.execute(f'''INSERT INTO\n pools_label SELECT {columns}''')",
        "SQL = 'WITH gone AS (DELETE FROM pools_turn RETURNING id) SELECT 1'",
        "cursor.execute('TRUNCATE ' 'pools_query')",
    ],
)
def test_a_write_outside_the_pools_is_found(source: str) -> None:
    assert list(writes_in(source))


@pytest.mark.parametrize(
    "source",
    [
        "Image.objects.filter(pk=1).exists()",
        "token = Token.objects.create(user=user)",
        "seen.update({1: 2})",
        "held.add(campaign)",
        "campaigns.add_owners(campaign_id=1, user_ids=[2])",
        "cursor.execute('SELECT * FROM pools_image FOR UPDATE')",
    ],
)
def test_reading_and_writing_other_tables_is_left_alone(source: str) -> None:
    assert not list(writes_in(source))


def test_the_administration_stores_rows_of_the_pools_through_the_pools() -> None:
    """Django's pages save a row by themselves, unless the method that does so is overridden."""
    request = RequestFactory().get("/")
    request.user = User(username="root", is_staff=True, is_superuser=True)
    pools = set(apps.get_app_config("pools").get_models())
    plain: list[str] = []
    for model, page in admin.site._registry.items():
        if model in pools:
            may = page.has_add_permission(request) or page.has_change_permission(request)
            if may and type(page).save_model.__module__.split(".")[0] != "annotator_site":
                plain.append(f"{model.__name__} is saved by Django's page")
            assert not page.has_delete_permission(request), f"{model.__name__} can be deleted"
        rows = {inline.model for inline in page.inlines} & pools
        if rows and type(page).save_formset.__module__.split(".")[0] != "annotator_site":
            plain.append(f"{', '.join(each.__name__ for each in rows)} are saved by Django's rows")
    assert not plain, "\n".join(plain)
