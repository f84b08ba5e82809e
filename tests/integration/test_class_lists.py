"""Any list of classes is stored exactly or refused in words about it, through both doors."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from unicodedata import category
from urllib.parse import urlencode

import pytest
from command_runs import refused, run
from django.core.management import CommandError
from django.db import transaction
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stock import make_user
from test_admin import form

from al_engine.pools.class_names import MAX_CLASSES, as_compared
from al_engine.pools.models import Campaign

pytestmark = pytest.mark.django_db

# Stored under exactly these names.
GOOD = [
    ["cat", "dog"], ["cat", "Cat"], ["a", "A", "b"], ["fox, red", "fox, grey"], ["a;b", "a\\b"],
    ['"quoted"', "un'quoted"], ['5" disk', 'say ""'], ["=1+1", "@sum", "-1", "+1"], ["1", "2", "0"],
    ["İ", "ı"], ["ß", "ẞ"], ["ǅ", "ŉ"], ["Ä", "ö"], ["é", "e"], ["e\u0301", "e"], ["кот", "пёс"],
    ["猫", "犬"], ["قطة", "كلب"], ["می\u200cخواهم", "b"], ["👩\u200d🔬", "👩", "🔬"],
    ["❤\ufe0f", "x"], ["a b", "ab"], ["a  b", "c"], ["a\u00a0b", "c"], ["x" * 200, "y" * 200],
    ["<b>", "&amp;"], ["None", "null"], ["#", "%s", "{0}"], ["/", ".."],
    ["K", "\u212aelvin"], ["\ue000", "b"], [",", ",,"], ["ﬁ", "fi"], ["a\u0323\u0302", "b"],
    ["cat", "d,o,g", 'b"i,r"d'], ["Q", "q"], [f"class {number}" for number in range(60)],
]  # fmt: skip
# Refused in a sentence that holds this.
BAD: list[tuple[list[str], str]] = [
    (["cat", "cat"], "Two classes are called “cat”"),
    (["é", "e\u0301"], "people see no difference"),
    (["a b", "a  b"], "people see no difference"),
    (["a b", "a\u00a0b"], "people see no difference"),
    (["cat", "ca\u200dt"], "people see no difference"),
    (["❤", "❤\ufe0f"], "people see no difference"),
    (["Å", "\u212b"], "people see no difference"),
    (["K", "\u212a"], "people see no difference"),
    (["각", "\u1100\u1161\u11a8"], "people see no difference"),
    (["cat"], "two classes at least"),
    (["cat", " "], "has no name"),
    (["cat", "\u200d"], "nothing can be seen"),
    (["cat", "\u3164"], "nothing can be seen"),
    (["cat", "\u2800"], "nothing can be seen"),
    (["cat", "\u00a0dog"], "begins or ends with a space"),
    (["cat", "dog\u3000"], "begins or ends with a space"),
    (["cat", "x" * 201], "200"),
    (["cat", "猫" * 1000], "200"),
    (["cat", "a\nb"], "U+000A"),
    (["cat", "a\rb"], "U+000D"),
    (["cat", "a\tb"], "U+0009"),
    (["cat", "a\x1b[31m"], "U+001B"),
    (["cat", "a\x7f"], "U+007F"),
    (["cat", "a\x85b"], "U+0085"),
    (["cat", "a\x1c"], "U+001C"),
    (["cat", "a\u2028b"], "U+2028 LINE SEPARATOR"),
    (["cat", "\u202egod"], "U+202E RIGHT-TO-LEFT OVERRIDE"),
    (["cat", "a\u2066b"], "U+2066"),
    (["cat", "a\u200fb"], "U+200F"),
    (["cat", "a\u061cb"], "U+061C"),
    (["cat", "a\u200bb"], "U+200B ZERO WIDTH SPACE"),
    (["cat", "a\u00adb"], "U+00AD SOFT HYPHEN"),
    (["cat", "a\ufeffb"], "U+FEFF"),
    (["cat", "a\U000e0041"], "U+E0041"),
    (["cat", "a\ufffeb"], "U+FFFE"),
    (["cat", "a\ufdd0b"], "U+FDD0"),
    (["cat", "a\U0010ffff"], "U+10FFFF"),
    (["cat", "a\ufffdb"], "was lost when the text was read"),
    ([f"class {number}" for number in range(MAX_CLASSES + 1)], "at most 1,000"),
]
# Only the shell can be given these: what a browser sends is text.
BAD_BYTES = [["cat", "\udcff"], ["cat", "a\ud800"], ["\udce4\udcf6", "dog"]]
# Of what nobody filled.
FOREIGN = ("hotkey", "colour", "color", "position", "constraint", "field", "key ", "form")


class RefusedError(Exception):
    """A door said no; the message is what it said."""


Door = Callable[[list[str]], None]


def by_option(names: list[str]) -> None:
    """`create_campaign --classes`."""
    out = io.StringIO()
    csv.writer(out).writerow(names)
    shell("--classes", out.getvalue().removesuffix("\r\n"))


def file_door(path: Path, encoding: str = "utf-8") -> Door:
    """`create_campaign --classes-file`."""

    def by_file(names: list[str]) -> None:
        out = io.StringIO()
        csv.writer(out).writerows([name] for name in names)
        path.write_bytes(out.getvalue().encode(encoding, "surrogateescape"))
        shell("--classes-file", str(path))

    return by_file


def shell(*arguments: str) -> None:
    try:
        run("create_campaign", "cats", *arguments)
    except CommandError as error:
        raise RefusedError(str(error)) from error


def admin_door(client: Client) -> Door:
    """The form of a new campaign."""
    client.force_login(make_user(is_staff=True, is_superuser=True))

    def by_admin(names: list[str]) -> None:
        body = urlencode(form([{"name": name} for name in names]), errors="surrogatepass")
        answer = client.post(
            reverse("admin:pools_campaign_add"), body, "application/x-www-form-urlencoded"
        )
        if answer.status_code == 302:
            return
        assert answer.status_code == 200
        assert answer.context["adminform"].form.errors == {}
        (inline,) = answer.context["inline_admin_formsets"]
        said = [each for row in inline.formset.errors for each in row.items()]
        assert all(field == "name" for field, _ in said)
        words = [each for _, problems in said for each in problems]
        raise RefusedError(" ".join([*words, *inline.formset.non_form_errors()]))

    return by_admin


@pytest.fixture(params=["option", "file", "UTF-16 file", "admin"])
def door(request: pytest.FixtureRequest, tmp_path: Path, client: Client) -> Door:
    if request.param == "option":
        return by_option
    if request.param == "admin":
        return admin_door(client)
    encoding = "utf-16" if "16" in request.param else "utf-8-sig"
    return file_door(tmp_path / "classes.csv", encoding)


def stored() -> list[str]:
    return list(Campaign.objects.get().choices.order_by("position").values_list("name", flat=True))


def test_a_list_is_stored_exactly(door: Door) -> None:
    for names in GOOD:
        assert outcome(door, names) == names


def test_a_list_that_people_could_not_use_is_refused_in_words_about_it(door: Door) -> None:
    for names, words in BAD:
        told = outcome(door, names)
        assert isinstance(told, str), names
        assert words in told, names
        assert is_about_the_list(told), names


@pytest.mark.parametrize("names", [["cat", "a\0b"], ["\0", "dog"]])
def test_a_nul_is_refused(door: Door, names: list[str]) -> None:
    with pytest.raises(RefusedError, match=r"U\+0000|Null characters are not allowed"):
        door(names)


@pytest.mark.parametrize("names", BAD_BYTES, ids=ascii)
def test_bytes_that_are_no_text_are_refused(names: list[str], tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="cannot see"):
        by_option(names)
    (tmp_path / "classes").write_bytes("\n".join(names).encode("utf-8", "surrogatepass"))
    assert "is not text in UTF-8" in refused(
        "create_campaign", "cats", "--classes-file", str(tmp_path / "classes")
    )


@given(
    names=st.lists(
        st.one_of(
            st.text(max_size=6),
            st.text(
                st.sampled_from("aAä\u0308 ,\"'\n\r\t\0\u200d\u202e\ufe0fİ\u00a0="), max_size=5
            ),
        ),
        max_size=5,
    )
)
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_is_given_is_stored_or_refused_by_every_door_alike(
    names: list[str], tmp_path: Path, client: Client
) -> None:
    doors = [by_option, file_door(tmp_path / "classes"), admin_door(client)]
    said = [outcome(each, names) for each in doors]

    exact = [name.strip(" \t") for name in names]
    for result in said:
        assert isinstance(result, str) or result == exact or "" in names
        if isinstance(result, str):
            assert is_about_the_list(result)
        else:
            assert len({as_compared(name) for name in result}) == len(result)
    # A row of the form that was left empty, and an empty line, are none of the list.
    if "" not in names:
        assert len({isinstance(result, str) for result in said}) == 1


def is_about_the_list(told: str) -> bool:
    """Whether it is one harmless line that speaks of nothing that nobody filled."""
    harmless = all(category(each) not in ("Cc", "Cs", "Zl", "Zp") for each in told)
    return harmless and not any(word in told.lower() for word in FOREIGN)


def outcome(door: Door, names: list[str]) -> list[str] | str:
    """The stored names, or the words of a refusal; nothing is left of either."""
    with transaction.atomic():
        try:
            door(names)
            return stored()
        except RefusedError as error:
            return str(error)
        finally:
            transaction.set_rollback(True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "two classes at least"),
        ("cat,,dog", "has no name"),
        ("cat,dog,", "has no name"),
        ('cat,"dog', "double quotes"),
        ('cat,"d"og', "double quotes"),
        ("cat\ndog", "--classes-file"),
        ('cat,"fox\nred"', "U+000A"),
    ],
)
def test_a_list_that_is_typed_wrongly_is_refused(text: str, words: str) -> None:
    assert words in refused("create_campaign", "cats", "--classes", text)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "two classes at least"),
        (b"cat,dog\n", "line 1, has 2 names, the first is “cat”"),
        (b"cat\nfox, red\n", "line 2, has 2 names"),
        (b'cat\n"fox', "line 2, cannot be read"),
        (b'cat\n\n""\n', "has no name"),
        (b"cat\n\xe4hre\n", "is not text in UTF-8 (invalid continuation byte at byte 4)"),
        (b"cat\n" * 2_000_000, "larger than 4 MiB"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_file_that_is_no_such_list_is_refused(
    data: bytes | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "classes"
    if data is not None:
        path.write_bytes(data)

    assert words in refused("create_campaign", "cats", "--classes-file", str(path))


def test_lines_may_end_in_any_way_and_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "classes"
    path.write_bytes('cat\r\n\r\n "fox, red" \n\ndog\rowl'.replace('" ', '"').encode())

    run("create_campaign", "cats", "--classes-file", str(path))

    assert stored() == ["cat", "fox, red", "dog", "owl"]


def test_the_form_takes_as_many_classes_as_a_campaign_may_have(client: Client) -> None:
    admin_door(client)
    names = [f"class {number}" for number in range(MAX_CLASSES)]
    by_option(names)
    campaign = Campaign.objects.get()
    rows = [
        {"id": each.pk, "name": f"{each.name}!", "hotkey": each.hotkey, "color": each.color,
         "campaign": campaign.pk}
        for each in campaign.choices.all()
    ]  # fmt: skip
    answer = client.post(reverse("admin:pools_campaign_change", args=[campaign.pk]), form(rows))
    assert answer.status_code == 302
    assert stored() == [f"{name}!" for name in names]
