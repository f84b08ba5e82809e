"""Key presses at the labeling page in a real Chromium, and the time of each to the screen."""

import json
import random
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.sync_api import Browser, Page, Playwright

CHROMIUM_ARGUMENTS: Final = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
KEYS: Final = "1234"
# A fast person's pause from the time an image may be answered to the key press.
PAUSE_S: Final = (0.15, 0.25)
SETTLE_S: Final = 1.0

# The trace category in which Chromium records a key press from its arrival to the frame on the
# screen, and our names for its stages.
CATEGORY: Final = "input.scrolling"
STAGES: Final = {
    "GenerationToBrowserMain": "key press to page",
    "BrowserMainToRendererCompositor": "key press to page",
    "RendererCompositorQueueingDelay": "key press to page",
    "RendererCompositorProcessing": "key press to page",
    "RendererCompositorToMain": "key press to page",
    "RendererMainProcessing": "the page's own code",
    "RendererMainFinishedToBeginImplFrame": "wait for the next frame",
    "RendererMainFinishedToSendBeginMainFrame": "wait for the next frame",
    "BeginImplFrameToSendBeginMainFrame": "wait for the next frame",
    "SendBeginMainFrameToCommit": "style, layout and paint",
    "RendererMainFinishedToCommit": "style, layout and paint",
    "Commit": "style, layout and paint",
    "EndCommitToActivation": "tiles and layers",
    "Activation": "tiles and layers",
    "EndActivateToSubmitCompositorFrame": "tiles and layers",
    "SubmitCompositorFrameToPresentationCompositorFrame": "compositing to the screen",
}

# A script that records Event Timing, whether the frame after a key press has an image on the stage,
# and when an image may be answered.
WATCH: Final = """(() => {
  const watch = (window.watch = { events: [], dry: [] });
  new PerformanceObserver((list) => {
    for (const { name, duration } of list.getEntries()) {
      if (name === "keydown") watch.events.push(duration);
    }
  }).observe({ type: "event", durationThreshold: 16 });
  addEventListener("keydown", ({ timeStamp }) => {
    requestAnimationFrame(() => {
      watch.since = document.getElementById("stage").dataset.query ? null : timeStamp;
    });
  }, true);
  watch.armed = (last) => new Promise((done) => {
    const stage = document.getElementById("stage");
    const look = () => {
      const { armed, query } = stage.dataset;
      if (!armed || query === last) return;
      observer.disconnect();
      if (watch.since) watch.dry.push(performance.now() - watch.since);
      watch.since = null;
      done(query);
    };
    const observer = new MutationObserver(look);
    observer.observe(stage, { attributes: true });
    look();
  });
})()"""


@dataclass(slots=True)
class Measured:
    """The figures of a run of key presses; times in milliseconds except for `seconds`."""

    answers: int = 0
    seconds: float = 0.0
    painted: list[float] = field(default_factory=list)
    """From each key press to its frame on the screen, ascending."""
    stages: dict[str, list[float]] = field(default_factory=dict)
    """The same, by stage."""
    events: Counter[int] = field(default_factory=Counter)
    """Counts of Event Timing's durations of 16 ms and more, which come in steps of 8 ms."""
    dry: list[float] = field(default_factory=list)
    """From a key press to the next image, if the frame after it had none."""


def chromium(playwright: Playwright) -> Browser:
    """A headless Chromium that draws in software, as in the tests."""
    return playwright.chromium.launch(
        executable_path=shutil.which("chromium") or shutil.which("chromium-headless-shell"),
        args=CHROMIUM_ARGUMENTS,
    )


def measure(browser: Browser, *, site: str, path: str, cookie: str, answers: int) -> Measured:
    """Answer `answers` images by real key presses, each once its image may be answered."""
    context = browser.new_context(base_url=site, viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": site}])
    context.add_init_script(WATCH)
    page = context.new_page()
    page.goto(path, wait_until="commit")
    page.wait_for_selector("#stage[data-armed]")
    page.wait_for_timeout(1_000 * SETTLE_S)
    browser.start_tracing(page=page, categories=[CATEGORY])
    begun = time.monotonic()
    _press(page, answers)
    seconds = time.monotonic() - begun
    page.wait_for_timeout(1_000 * SETTLE_S)
    trace = json.loads(browser.stop_tracing())["traceEvents"]
    measured = _latencies(trace)
    measured.answers = answers
    measured.seconds = seconds
    measured.events = Counter(page.evaluate("watch.events"))
    measured.dry = page.evaluate("watch.dry")
    context.close()
    return measured


def _press(page: Page, answers: int) -> None:
    dice = random.Random(5)  # noqa: S311 - no secret
    query = page.evaluate("watch.armed('')")
    for _ in range(answers):
        time.sleep(dice.uniform(*PAUSE_S))
        page.keyboard.press(dice.choice(KEYS))
        query = page.evaluate("query => watch.armed(query)", query)


def _latencies(trace: Iterable[dict[str, Any]]) -> Measured:
    """The key presses of a trace, in which an event and its stages are nested slices of one id."""
    measured = Measured()
    stages: dict[str, list[float]] = defaultdict(list)
    open_slices: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    slices = [
        each
        for each in trace
        if CATEGORY in each.get("cat", "") and each["ph"] in "be" and "id2" in each
    ]
    for event in sorted(slices, key=lambda each: float(each["ts"])):
        stack = open_slices[event["pid"], str(event["id2"])]
        if event["ph"] == "b":
            event["inner"] = []
            if stack:
                stack[-1]["inner"].append(event)
            stack.append(event)
        elif stack:
            begun = stack.pop()
            begun["ms"] = (event["ts"] - begun["ts"]) / 1_000
            details = begun.get("args", {}).get("event_latency", {})
            if details.get("event_type") == "KEY_PRESSED":
                measured.painted.append(begun["ms"])
                times: dict[str, float] = defaultdict(float)
                for each in begun["inner"]:
                    times[STAGES.get(each["name"], "other")] += each["ms"]
                for name, took in times.items():
                    stages[name].append(took)
    measured.painted.sort()
    names = dict.fromkeys([*STAGES.values(), "other"])
    measured.stages = {name: sorted(stages[name]) for name in names if name in stages}
    return measured
