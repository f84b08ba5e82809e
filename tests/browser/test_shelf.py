"""What is kept in the browser until the server has it, and what happens where nothing is kept."""

from playwright.sync_api import expect

from .conftest import Start
from .test_connection import HeldLink

KEPT = """() => new Promise((done, failed) => {
  const request = indexedDB.open("nowait", 1);
  request.onerror = () => failed(request.error);
  request.onsuccess = () => {
    const all = request.result.transaction("outbox").objectStore("outbox").getAll();
    all.onsuccess = () => {
      request.result.close();
      done(all.result.map((row) => row.message.type).sort());
    };
  };
})"""


def test_a_message_is_kept_until_it_is_acknowledged(start: Start) -> None:
    ann = start()
    link = HeldLink(ann)
    ann.open()
    for key in "12":
        ann.press(key)
    ann.press("s")
    ann.await_pending(3)
    assert ann.page.evaluate(KEPT) == ["label", "label", "skip"]
    link.let_through()
    ann.await_pending(0)
    ann.page.wait_for_function(f"async () => !(await ({KEPT})()).length")
    assert ann.stored() == ann.pressed


def test_an_answer_survives_a_page_that_goes_in_the_same_task(start: Start) -> None:
    ann = start()
    HeldLink(ann)
    ann.open()
    query = ann.shown()
    ann.page.on("dialog", lambda dialog: dialog.accept())
    with ann.page.expect_navigation():
        ann.page.evaluate(
            """() => {
              document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "6", bubbles: true}));
              location.assign("/");
            }"""
        )
    other = ann.beside().open()
    other.await_pending(0)
    assert ann.stored() == [(query, "6")]


def test_without_storage_the_page_says_so_and_works(start: Start) -> None:
    ann = start()
    ann.page.add_init_script(
        "IDBFactory.prototype.open = () => { throw new DOMException('', 'SecurityError'); };"
    )
    ann.open()
    expect(ann.at("#toasts .toast")).to_contain_text("This browser keeps nothing for this site")
    for key in "123":
        ann.press(key)
    ann.undo()
    ann.press("5")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed


def test_a_database_that_is_taken_away_costs_no_answer(start: Start) -> None:
    ann = start()
    ann.press("1")
    ann.await_pending(0)
    ann.page.evaluate(
        """() => new Promise((done) => {
          indexedDB.deleteDatabase("nowait").onsuccess = done;
        })"""
    )
    expect(ann.at("#toasts .toast")).to_contain_text("This browser keeps nothing for this site")
    ann.press("2")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
