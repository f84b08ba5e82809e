"""Rules that find what stalls in the loop, from the numbers of one State, and say what to do."""

from typing import Final

from annotator_site.monitor.values import Finding, Level, Part, Process, State

SHALLOW: Final = 0.25
"""Share of the target depth below which S is called shallow."""


def diagnose(state: State) -> list[Finding]:
    """Findings in the order of the loop; empty if nothing stalls."""
    pools = state.pools
    rests = is_at_rest(state)
    # A campaign at rest misses neither workers nor servers, and its S need not be deeper.
    running = state.campaign.state == "running" and not rests
    if pools.unlabeled + pools.queried + pools.labeled == 0:
        # Without images the other findings are of no use yet.
        return [*_unlabeled(state), *_annotators(state)]
    return [
        *_storage(state),
        *_unlabeled(state),
        *_embedders(state),
        *(_processes(state, "worker", state.campaign.workers) if running else []),
        *(_queries(state) if running else []),
        *_annotators(state),
        *(_resting() if rests else []),
        *(_processes(state, "server", state.campaign.servers) if running else []),
        *_misfit(state),
        *(_model(state) if running else []),
    ]


def is_at_rest(state: State) -> bool:
    """Whether engines look after the campaign, and all of them rest."""
    engines = [each for each in state.processes if each.role == "engine" and each.alive]
    others = any(each.role in ("worker", "server") and each.alive for each in state.processes)
    return bool(engines) and all(each.idle for each in engines) and not others


def _resting() -> list[Finding]:
    words = "At rest: workers and servers start with the next person or label."
    return [Finding("workers", "info", words)]


def _storage(state: State) -> list[Finding]:
    storage = state.storage
    if storage["problem"]:
        return [
            Finding(
                "unlabeled",
                "bad",
                f"No image can be shown. {storage['problem']} Nobody is asked until the storage is "
                "back; what people hold and answered is kept.",
            )
        ]
    found = []
    if storage["set_aside"]:
        words = "1 image is" if storage["set_aside"] == 1 else f"{storage['set_aside']} images are"
        found.append(
            Finding(
                "unlabeled",
                "warn",
                f"{words} set aside: files are missing or damaged. Import them again, or bring "
                "the files back; the images then return by themselves.",
            )
        )
    if storage["unshown"]:
        times = "once" if storage["unshown"] == 1 else f"{storage['unshown']} times"
        found.append(
            Finding(
                "annotators",
                "warn",
                f"A picture did not show in somebody’s browser {times}. See “did not show” in "
                "the list of images.",
            )
        )
    return found


def _unlabeled(state: State) -> list[Finding]:
    pools = state.pools
    if pools.unlabeled + pools.queried + pools.labeled == 0:
        return [
            Finding(
                "unlabeled",
                "warn",
                f"No images yet. Import some: manage.py import_images {state.campaign.slug} FOLDER",
            )
        ]
    if pools.unlabeled == 0 and pools.queried == 0:
        return [Finding("unlabeled", "info", "Every image is labeled.")]
    if pools.unlabeled == 0:
        return [Finding("unlabeled", "info", "Every image has been asked; S is the last of them.")]
    return []


def _embedders(state: State) -> list[Finding]:
    """What embedders are at, while models know only a part of the images."""
    alive = [process for process in state.processes if process.role == "embedder" and process.alive]
    found = []
    for process in alive:
        if process.last_error:
            found.append(Finding("unlabeled", "warn", f"{process.name}: {process.last_error}"))
        elif process.doing.startswith("embedding"):
            words = f"Queries come from what is embedded so far. {process.name}: {process.doing}."
            found.append(Finding("unlabeled", "info", words))
    return found


def _processes(state: State, role: str, wanted: int) -> list[Finding]:
    part: Part = "workers" if role == "worker" else "servers"
    rows = [process for process in state.processes if process.role == role]
    alive = [process for process in rows if process.alive]
    lost = [process for process in rows if not process.alive and not process.stopped]
    found = []
    engine = next((each for each in state.processes if each.role == "engine" and each.alive), None)
    if not alive and engine is not None and not lost:
        if wanted:
            words = f"No {role} is running yet; {engine.name} on {engine.host}: {engine.doing}."
            found.append(Finding(part, "info", words))
    elif not alive and (wanted or rows):
        found.append(
            Finding(
                part,
                "bad",
                f"No {role} is running. Start the engine: "
                f"manage.py run_engine {state.campaign.slug}",
            )
        )
    elif lost:
        found.append(Finding(part, "warn", _silent_words(lost)))
    failing = [process for process in alive if process.last_error]
    if failing:
        names = ", ".join(process.name for process in failing[:3])
        found.append(Finding(part, "warn", f"Reported an error: {names}. See the table below."))
    return found


def _silent_words(lost: list[Process]) -> str:
    longest = max(process.heard_s for process in lost)
    if len(lost) == 1:
        return f"{lost[0].name} has been silent for {_span(longest)}."
    return f"{len(lost)} of them have been silent, the longest for {_span(longest)}."


def _queries(state: State) -> list[Finding]:
    pools = state.pools
    if pools.unlabeled == 0:
        return []
    if pools.open_queries == 0:
        level: Level = "bad" if state.connected else "warn"
        return [Finding("queries", level, "S is dry: people wait until a worker refills it.")]
    if pools.open_queries < SHALLOW * pools.target_depth:
        return [
            Finding(
                "queries",
                "warn",
                f"S is shallow: {pools.open_queries} of the {pools.target_depth} open queries "
                "that the workers aim at.",
            )
        ]
    return []


def _annotators(state: State) -> list[Finding]:
    if state.campaign.state == "finished":
        return [Finding("annotators", "info", "Finished: nobody is asked any more.")]
    if state.campaign.state == "paused":
        return [Finding("annotators", "info", "Paused: nobody is asked until it runs again.")]
    if state.waits_ms["dry"]:
        times = "once" if state.waits_ms["dry"] == 1 else f"{state.waits_ms['dry']} times"
        return [
            Finding("annotators", "warn", f"In the last 5 min people had no next image {times}.")
        ]
    if not state.connected:
        return [Finding("annotators", "info", "Nobody is connected.")]
    return []


def _misfit(state: State) -> list[Finding]:
    words = state.campaign.misfit
    return [Finding("servers", "warn", words)] if words else []


def _model(state: State) -> list[Finding]:
    if state.model is not None:
        return []
    if state.pools.labeled == 0:
        return [Finding("model", "info", "The first model comes after the first labels.")]
    return [Finding("model", "info", "No model yet: queries are drawn without one.")]


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
