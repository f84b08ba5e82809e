"""Keys answer on every keyboard, whatever it types without Shift, and never for a typed name."""

from typing import Any

from playwright.sync_api import Page, expect

from .conftest import Start

# What the keys 1 to 9 and 0 type without Shift.
ROWS = {
    "French": "&é\"'(-è_çà",
    "Belgian": "&é\"'(§è!çà",
    "Bépo": '"«»()@+-/*',
    "Czech": "+ěščřžýáíé",
    "Slovak": "+ľščťžýáíé",
    "Lithuanian": "ąčęėįšųū„“",
    "programmer Dvorak": "&[{}(=*)+]",
    "Russian typewriter": '№-/":,._?%',
    "Mongolian": '№-"₮:._,%?',
    "Arabic": "١٢٣٤٥٦٧٨٩٠",
    "Persian": "۱۲۳۴۵۶۷۸۹۰",
    "Hindi": "१२३४५६७८९०",
    "Thai": "ๅ/-ภถุึคตจ",
}
DIGITS = [f"class {digit}" for digit in "1234567890"]
PLACES = [f"Digit{digit}" for digit in "1234567890"]
VIETNAMESE = [*"ăâêô", *["Dead"] * 5, "đ"]
SIGNS = {"+": "zoom_in", "=": "zoom_in", "-": "zoom_out", ".": "more_contrast",
         ",": "less_contrast"}  # fmt: skip
MEANINGS = """async ([choices, events]) => {
  const scripts = performance.getEntriesByType("resource").map(({ name }) => name);
  const { MANY, answering, keymap } = await import(scripts.find((url) => /\\/keys\\./.test(url)));
  const search = choices.length > MANY ? document.createElement("input") : null;
  const { meaning, caps } = keymap(answering(choices), search);
  const said = events.map((event) => {
    const means = meaning(new KeyboardEvent("keydown", event));
    return means?.choice?.name ?? means?.action ?? (means?.search ? "search" : "nothing");
  });
  return [said, Object.fromEntries(caps)];
}"""

Press = dict[str, Any]


def press(key: str, code: str = "", **held: bool) -> Press:
    """A key press as the browser tells it."""
    return {"key": key, "code": code, **held}


def classes(keys: str) -> list[dict[str, Any]]:
    """Classes that are called by their keys."""
    return [{"choice": at, "name": f"class {key}", "hotkey": key} for at, key in enumerate(keys)]


def meanings(
    page: Page, choices: list[dict[str, Any]], events: list[Press]
) -> tuple[list[str], dict[str, str]]:
    """What key presses mean with these classes, and the key caps of the actions."""
    said, caps = page.evaluate(MEANINGS, [choices, events])
    return said, caps


def test_the_row_of_digits_answers_on_every_layout(start: Start) -> None:
    page = start().page
    choices = classes("1234567890")
    rows = {name: list(row) for name, row in ROWS.items()} | {"Vietnamese": VIETNAMESE}
    for name, row in rows.items():
        plain = [press(key, code) for key, code in zip(row, PLACES, strict=True)]
        assert meanings(page, choices, plain)[0] == DIGITS, name
        shifted = [press(code[-1], code, shiftKey=True) for code in PLACES]
        assert meanings(page, choices, shifted)[0] == DIGITS, name
        # Two classes leave the other keys to the view, and a sign that is a key is that key.
        few = meanings(page, classes("12"), plain)[0]
        assert few[:2] == DIGITS[:2], name
        assert few[2:] == [SIGNS.get(key, {"?": "help"}.get(key, "nothing")) for key in row[2:]], (
            name
        )
        letters = [key for key in row if len(key) == 1 and not key.isdecimal()]
        own = classes("".join(letters))
        expected = [each["name"] for each in own]
        assert meanings(page, own, [press(key, "Digit1") for key in letters])[0] == expected, name


def test_a_sign_that_a_class_has_leaves_the_view_another_key(start: Start) -> None:
    page = start().page
    for sign, action in SIGNS.items():
        said, caps = meanings(page, classes(f"1{sign}"), [press(sign)])
        assert said == [f"class {sign}"]
        assert caps[action] != sign
    behind = [press("PageUp"), press("PageDown")]
    behind += [press("PageUp", shiftKey=True), press("PageDown", shiftKey=True)]
    said, caps = meanings(page, classes("+-=.,?"), behind)
    assert said == ["zoom_in", "zoom_out", "more_contrast", "less_contrast"]
    assert [caps[each] for each in said] == ["PgUp", "PgDn", "⇧PgUp", "⇧PgDn"]
    assert caps["help"] == "H"


NAMES = [
    *(f"species {number}" for number in range(30)), "École", "ébène", "Sperber", "Uhu", "Xenops",
    "2CV", "3 wheels", "(unknown)", "+ more", "ёж", "日本", "Pica pica", "Haliaeetus", "Zilpzalp",
    "Rotkehlchen", "č", "a", "b",
]  # fmt: skip


def test_the_first_character_of_a_name_never_answers(start: Start) -> None:
    """Of more than forty classes, typed by hand on layouts that have the character."""
    page = start().page
    keys = "1234567890abcdefghijklmnopqrstuvwxyz"
    choices = [
        {"choice": at, "name": name, "hotkey": keys[at] if at < len(keys) else ""}
        for at, name in enumerate(NAMES)
    ]
    typed = []
    for first in dict.fromkeys(name[0] for name in NAMES):
        typed += [press(first.lower(), "KeyQ"), press(first.lower(), "Digit2")]
        typed += [press(first.upper(), "KeyQ", shiftKey=True)]
        typed += [press(first.lower(), "Digit1"), press(first.upper(), "KeyU", shiftKey=True)]
    said, caps = meanings(page, choices, typed)
    for each, means in zip(typed, said, strict=True):
        assert means == ("zoom_in" if each["key"] == "+" else "search"), each
    # Digits that begin no name answer, also by their place; every action has a key that it shows.
    answers = [press("1", "Digit1"), press("&", "Digit1"), press("è", "Digit7"), press("4", "KeyX")]
    assert meanings(page, choices, answers)[0] == [NAMES[0], NAMES[0], NAMES[6], NAMES[3]]
    for action, letter in {"unsure": "u", "other": "s", "rotate": "r", "pause": "p"}.items():
        assert caps[action] == f"Alt {letter.upper()}"
        held = [press(letter, altKey=True), press("¨", f"Key{letter.upper()}", altKey=True)]
        assert meanings(page, choices, held)[0] == [action, action]


def test_a_name_is_typed_from_its_first_letter_on(start: Start) -> None:
    ann = start(classes=NAMES)
    caps = ann.at("#choices .choice kbd").all_inner_texts()
    assert "".join(caps) == "14567890"
    expected = []
    for name in ("2CV", "Uhu", "species 12", "Sperber", "3 wheels"):
        query = ann.shown()
        ann.page.keyboard.type(name)
        marked = ann.at("#choices .choice[data-marked] .choice-name")
        expect(marked).to_have_text(name, use_inner_text=True)
        ann.page.keyboard.press("Enter")
        ann.page.wait_for_selector(f'#stage[data-armed]:not([data-query="{query}"])')
        ann.page.keyboard.press("Escape")
        expected.append((query, str(NAMES.index(name))))
    ann.await_pending(0)
    assert ann.stored() == expected


def test_a_key_of_ones_own_may_be_a_sign_and_no_letter_of_many_names(start: Start) -> None:
    ann = start(classes=NAMES)
    ann.page.keyboard.press("?")
    ann.at("#own-keys-open").click()
    said = ann.at("#own-keys-words")
    ann.at("#own-keys-list .choice").nth(4).click()
    for key in ("q", "2"):
        ann.page.keyboard.press(key)
        expect(said).to_contain_text(f"{key.upper()} may begin the name of a class")
    ann.page.keyboard.press("-")
    expect(said).to_have_text("species 4 has the key -.")
    ann.at("#own-keys-close").click()
    ann.page.keyboard.press("Escape")
    expect(ann.at('[data-cap="zoom_out"]')).to_have_text("PgDn")
    query = ann.press("-")
    ann.await_pending(0)
    assert ann.stored() == [(query, "4")]
