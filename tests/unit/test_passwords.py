"""Which passwords are taken: of any characters and any length, but none that others try first."""

import secrets
import string

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from pytest_django import Settings

from annotator_site.accounts.models import User
from annotator_site.accounts.passwords import WORDS

HOST = "labels.example.org"
PERSON = User(username="ada.lovelace", first_name="Ada", last_name="Lovelace")
# One kind of character each, or several: none is asked for and none is refused.
KINDS = [
    *(string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation),
    *(
        "äöüßéñøł",
        "абвгдежзик",
        "漢字仮名交文",
        "😀🎈🦦🍋🛠🧭",
        "ñ \u00a0\u2003",
        string.printable[:90],
    ),
]
PATTERNS = ["{}", "{}2026", "{}2026!", "123{}", "{0}-{0}", "{}.{}.1", "__{}__", "{} {} {}"]


@pytest.mark.parametrize("length", [14, 64, 128, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_characters_of_any_kind_and_any_length_are_taken(kind: str, length: int) -> None:
    validate_password("".join(secrets.choice(kind) for _ in range(length)), PERSON)


@pytest.mark.parametrize("length", range(1, 8))
def test_fewer_than_eight_characters_are_refused(length: int) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_password(secrets.token_hex(8)[:length], PERSON)
    assert "password_too_short" in {error.code for error in refused.value.error_list}


@pytest.mark.parametrize(
    "password",
    [
        "qwertyuiop",
        "iloveyou1",
        "12345678",
        "sunshine1",
        "ada.lovelace",
        "lovelace99",
        "Ada.Lovelace",
    ],
)
def test_what_is_common_or_the_persons_own_name_is_refused(password: str) -> None:
    with pytest.raises(ValidationError):
        validate_password(password, PERSON)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_words_of_the_site_make_no_password(pattern: str, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = [HOST]
    for word in (*WORDS, "example", "NoWait", "LABELS"):
        password = pattern.format(word, "campaign", "admin")
        with pytest.raises(ValidationError) as refused:
            validate_password(password, PERSON)
        codes = {error.code for error in refused.value.error_list}
        assert "password_of_site_words" in codes, password


@pytest.mark.parametrize(
    "password",
    [
        *(
            "nowait-otter-lamp",
            "protest-otter",
            "my labels are blue",
            "greatest-lemon",
            "73920184651",
        ),
        *("correct horse battery staple", "Bilder malen Kinder", "rootless-tree-9"),
    ],
)
def test_a_phrase_that_has_such_a_word_among_others_is_taken(
    password: str, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS = [HOST]
    validate_password(password, PERSON)


def test_a_password_counts_exactly_as_it_was_typed() -> None:
    said = " Übergroß und länger als zweiundsiebzig Bytes, mit Leerzeichen am Ende, genau so "
    stored = make_password(said)
    assert check_password(said, stored)
    for other in (said.strip(), said[:72]):
        assert not check_password(other, stored), other
