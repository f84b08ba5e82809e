"""What the documents name exists, and what people rely on is in the documents."""

import argparse
import re
import shlex
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
import torch
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.db import models
from django.urls import resolve
from documents import ROOT, first, names, page, section, source, table

from al_engine import architectures, strategies
from al_engine.pools import learners, readings, status
from al_engine.pools.campaigns import SETTINGS, parse_setting
from al_engine.pools.models import Campaign, Image
from annotator_site import environment, settings
from annotator_site.exports.formats import FORMATS
from annotator_site.exports.rows import COLUMNS, Rows
from annotator_site.labeling.page.words import words as words_of_the_page

DOCS = sorted((ROOT / "docs").glob("*.md"))
MEASURED = sorted((ROOT / "docs" / "benchmarks").glob("*.md"))
PAGES = [*DOCS, *MEASURED, *sorted(ROOT.glob("*.md"))]
OURS = ("al_engine", "annotator_site")
# Commands of Django and its packages that the documents may name.
OTHERS = {"migrate", "createsuperuser", "changepassword", "clearsessions", "dbshell", "shell"} | {
    "axes_reset_ip",
    "axes_reset_username",
}


@cache
def parser_of(command: str) -> argparse.ArgumentParser:
    app = get_commands()[command]
    loaded = load_command_class(app, command) if isinstance(app, str) else app
    return loaded.create_parser("manage.py", command)


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


def own_options(command: str) -> set[str]:
    plain = BaseCommand().create_parser("manage.py", command)
    return options_of(parser_of(command)) - options_of(plain)


def own_commands() -> set[str]:
    known = get_commands().items()
    return {name for name, app in known if isinstance(app, str) and app.startswith(OURS)}


def invocations(text: str) -> list[list[str]]:
    """The words of every `manage.py …` in code, continued lines joined."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    lines = [
        " ".join(line.split())
        for block in [*blocks, *(each.replace("\n", " ") for each in names(text))]
        for line in block.replace("\\\n", " ").splitlines()
    ]
    said = [line.partition("manage.py ")[2] for line in lines]
    return [shlex.split(re.split(r" (?:[|<>#]|2>)", line)[0]) for line in said if line]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_options_that_a_page_names_exist(path: Path) -> None:
    for command, *words in invocations(path.read_text(encoding="utf-8")):
        assert command in own_commands() | OTHERS, command
        if "--" in words:  # the rest is another program's
            words = words[: words.index("--")]
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert options <= options_of(parser_of(command)), (command, words)
        for option, value in pairwise(words):
            if option == "--set":
                parse_setting(value)


def test_every_command_and_every_option_is_in_the_documents() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCS)
    for command in own_commands():
        assert f"manage.py {command}" in text, command
        for option in own_options(command):
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", text), (command, option)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("admins.md", "demo"),
        ("admins.md", "run_annotators"),
        ("operators.md", "up"),
        ("operators.md", "run_engine"),
    ],
)
def test_options_in_a_commands_table_are_its_own(name: str, command: str) -> None:
    header = f"option of `{command}`"
    rows = table(page(name), f"{header} | default" if command == "up" else f"{header} | meaning")
    assert set(first(rows)) <= own_options(command)


def test_the_short_list_of_commands_names_what_there_is() -> None:
    listed = first(table(page("README.md"), "command | what it does"))
    assert set(listed) <= own_commands()


def test_the_table_of_settings_is_complete_and_has_the_defaults() -> None:
    rows = table(page("admins.md"), "setting | default | meaning")
    assert first(rows) == list(SETTINGS)
    for setting, default, _ in rows:
        field = Campaign._meta.get_field(names(setting)[0])
        assert isinstance(field, models.Field)
        written = "" if default == "empty" else names(default)[0]
        assert parse_setting(f"{field.name}={written}") == (field.name, field.get_default())


def test_the_names_that_a_setting_may_have_are_documented() -> None:
    rows = {names(row[0])[0]: row[2] for row in table(page("admins.md"), "setting | default")}
    for setting, choices in [
        ("model_choice", Campaign.ModelChoice),
        ("warm_start", Campaign.WarmStart),
        ("partition", Campaign.Partition),
    ]:
        assert set(choices.values) <= set(names(rows[setting])), setting
    assert {"auto", *architectures.names()} == set(names(rows["architectures"]))
    researchers = page("researchers.md")
    assert first(table(researchers, "architecture | for")) == architectures.names()
    assert first(table(researchers, "strategy | chooses | score")) == strategies.names()
    assert first(table(page("admins.md"), "split | what the images are for")) == Image.Split.values
    states = table(page("admins.md"), "state | what happens")
    assert [row[0] for row in states] == Campaign.State.values


def test_every_environment_variable_is_documented_and_read() -> None:
    listed = first(table(page("operators.md"), "variable | unset | meaning"))
    docstring = settings.__doc__ or ""
    assert sorted(listed) == sorted(re.findall(r"^([A-Z_]+) {2,}", docstring, re.MULTILINE))
    code = source("annotator_site/settings.py") + Path(environment.__file__).read_text()
    read = re.findall(r'(?:environ|env)(?:\.get\(|, |\[)"([A-Z_]+)"', code)
    assert set(listed) == set(read)


def test_the_columns_and_formats_of_exports_are_documented() -> None:
    text = section(page("researchers.md"), "## Export")
    rows: Rows
    for rows in get_args(Rows):
        after = text.partition(f"`--rows {rows}`")[2]
        assert first(table(after, "column | meaning")) == list(COLUMNS[rows]), rows
    assert set(FORMATS) <= set(names(text))


def test_the_numbers_of_a_campaign_are_documented() -> None:
    rows = table(page("admins.md"), "key | contents")
    parts = {"pools": status.Pools, "network": readings.Network}
    parts |= {"rates": readings.Rates, "waits_ms": readings.Waits}
    parts |= {"staleness": readings.Staleness, "storage": readings.Storage}
    parts |= {"learners": learners.Learner}
    parts |= {"models": status.Model, "processes": status.Process}
    assert first(rows) == list(status.Status.__annotations__) == list(parts)
    for key, contents in rows:
        assert names(contents) == list(parts[names(key)[0]].__annotations__), key
    live = source("templates/monitor/live.html")
    shown = re.findall(r'with id="[\w-]+" name="([^"]+)"', live)
    shown += [name for name in re.findall(r"<h2[^>]*>([^<{]+)</h2>", live) if name != "The loop"]
    assert sorted(shown) == sorted(
        row[0]
        for header in ("number | meaning", "chart or list | meaning")
        for row in table(page("admins.md"), header)
    )


def test_the_keys_and_words_of_the_labeling_page_are_documented() -> None:
    text = page("annotators.md")
    listed = [(names(row[0])[0], row[1]) for row in table(text, "key | action")]
    keys = re.findall(r'name: "(\w+)", letter: "(\w)"', source("static/labeling/keys.js"))
    assert listed == [(letter.upper(), name) for name, letter in keys]
    said = words_of_the_page()
    titles = [state["title"] for state in said["states"].values()]
    assert sorted(titles) == sorted(row[0] for row in table(text, "page says | what to do"))
    assert said["revoked"] in " ".join(text.split())


def test_every_promise_names_tests_that_exist() -> None:
    text = page("guarantees.md")
    shown = [row[2] for part in re.split(r"\n(?=## )", text) if "| promise |" in part
             for row in table(part, "promise | mechanism | shown by")]  # fmt: skip
    assert len(shown) > 20
    for cell in shown:
        assert names(cell)
        for name in names(cell):
            path, _, test = name.partition("::")
            assert f"def {test}(" in source(path), name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (path.parent / target).exists(), target
    for name in names(text):
        if re.fullmatch(r"(?:al_engine|annotator_site|static|templates|tests)/[\w/.]+", name):
            assert (ROOT / name).exists(), name
    for address in re.findall(r"`(/(?:healthz|readyz|admin/))`", text):
        resolve(address)


def test_every_page_of_figures_is_in_their_index() -> None:
    rows = table(page("benchmarks/README.md"), "question | page")
    listed = re.findall(r"\]\((\w+\.md)\)", " ".join(row[1] for row in rows))
    assert sorted(listed) == [path.name for path in MEASURED if path.name != "README.md"]


def test_the_example_of_a_strategy_works() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", page("researchers.md"), re.DOTALL)
    space: dict[str, strategies.Strategy] = {}
    exec(compile(code, "researchers.md", "exec"), space)  # noqa: S102 - our own page
    chosen = space["second_best"](
        torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2]]), 2, generator=torch.Generator()
    )
    assert chosen.indices.tolist() == [1, 2]
