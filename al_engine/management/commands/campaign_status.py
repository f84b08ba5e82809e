"""`campaign_status SLUG`: print the present state of a campaign."""

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from al_engine.pools.learners import learner_words
from al_engine.pools.lookup import UnknownCampaignError, campaign_of
from al_engine.pools.processes import SILENT_AFTER_SECONDS
from al_engine.pools.status import Model, Process, Status, network_words, status

MODELS_SHOWN = 3


class Command(BaseCommand):
    help = "Print what a campaign does now: pools, rates, waits, models and processes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="the campaign")
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            campaign = campaign_of(options["slug"])
        except UnknownCampaignError as error:
            raise CommandError(str(error)) from error
        now = status(campaign)
        text = f"{campaign.title} ({campaign.slug}): {campaign.state}\n{_text(now)}"
        self.stderr.write(text, style_func=str)
        if options["json"]:
            self.stdout.write(json.dumps(now))


def _text(now: Status) -> str:
    pools, rates, waits, staleness = now["pools"], now["rates"], now["waits_ms"], now["staleness"]
    parts = {
        "pools": f"{pools['unlabeled']:,} unlabeled, {pools['queried']:,} queried, "
        f"{pools['labeled']:,} labeled, {pools['excluded']:,} excluded",
        "network": network_words(now["network"]),
        "queries": f"{pools['open_queries']:,} open of {pools['target_depth']:,} aimed at",
        "rates": f"{rates['labels_per_minute']:,.1f} labels, "
        f"{rates['versions_per_minute']:,.1f} models a minute",
        "waits": f"p50 {_number(waits['p50'])} ms, p99 {_number(waits['p99'])} ms, "
        f"{waits['dry']:,} without an image ready",
        "staleness": f"mean {_number(staleness['mean'])}, p99 {_number(staleness['p99'])} labels",
    }
    if now["network"]["problem"]:
        parts["image size"] = now["network"]["problem"]
    if now["storage"]["problem"]:
        parts["storage"] = f"{now['storage']['problem']} Nobody is asked until it is back."
    if faulty := now["storage"]["set_aside"]:
        parts["files"] = f"{faulty:,} images are set aside: their files are missing or damaged"
    if unshown := now["storage"]["unshown"]:
        parts["pictures"] = f"{unshown:,} times one did not show in a browser"
    lines = [f"  {name:10} {text}" for name, text in parts.items()]
    lines += [
        f"  {'best on audits: ' if learner['best'] else ''}{learner['architecture']}: "
        f"{learner_words(learner)}"
        for learner in now["learners"]
    ]
    lines += [_model_line(model) for model in now["models"][:MODELS_SHOWN]]
    if len(now["models"]) > MODELS_SHOWN:
        lines.append(f"  … and {len(now['models']) - MODELS_SHOWN} older models (--json has them)")
    ran = [process for process in now["processes"] if process["state"] == "stopped"]
    lines += [_process_line(process) for process in now["processes"] if process not in ran]
    if ran:
        lines.append(f"  {len(ran)} servers, workers and others that have stopped")
    if not now["processes"]:
        lines.append("  no engine yet: start one with `manage.py run_engine`, or `up` for all")
    return "\n".join(lines)


def _model_line(model: Model) -> str:
    return (
        f"  model {model['version']}: {model['architecture']}, "
        f"{model['labels_seen']:,} labels seen, accuracy {_number(model['accuracy'], 4)}, "
        f"trained in {model['train_seconds']:.1f} s"
    )


def _process_line(process: Process) -> str:
    heard = datetime.fromisoformat(process["heartbeat_at"])
    silent = (timezone.now() - heard).total_seconds()
    ago = f", last heard {silent:,.0f} s ago" if silent > SILENT_AFTER_SECONDS else ""
    where = "/".join(part for part in (process["host"], process["device"]) if part)
    return f"  {process['role']} {process['name']} on {where}: {process['state']}{ago}"


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
