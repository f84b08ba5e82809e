"""Makes a campaign from the shell."""

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from al_engine.pools.campaigns import (
    PRESETS,
    SETTINGS,
    BadSetting,
    NewChoice,
    create_campaign,
    parse_setting,
)
from al_engine.pools.models import Campaign
from annotator_site.command_output import CampaignCommand


class Command(CampaignCommand):
    help = f"Make a campaign. Settings for --set: {', '.join(SETTINGS)}."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--classes", required=True, metavar="a,b,c", help="the classes")
        parser.add_argument("--title", default="", help="what people read; default: from the slug")
        parser.add_argument(
            "--instructions", type=Path, metavar="FILE", help="a Markdown file for the annotators"
        )
        parser.add_argument(
            "--preset", choices=PRESETS, help="settings that belong together; --set goes over them"
        )
        parser.add_argument(
            "--set", action="append", default=[], metavar="key=value", help="a setting; repeatable"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"]
        if Campaign.objects.filter(slug=slug).exists():
            raise CommandError(
                f"There is a campaign “{slug}” already: take another slug, or change its settings "
                "in the admin."
            )
        names = [name.strip() for name in options["classes"].split(",") if name.strip()]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise CommandError(f"--classes names “{twice[0]}” more than once.")
        try:
            campaign = create_campaign(
                slug=slug,
                title=options["title"],
                instructions=_read(options["instructions"]),
                choices=[NewChoice(name) for name in names],
                settings={
                    **PRESETS.get(options["preset"], {}),
                    **dict(parse_setting(text) for text in options["set"]),
                },
            )
        except BadSetting as error:
            raise CommandError(str(error)) from error
        self.say(
            f"Campaign “{campaign.title}” with {len(names)} classes. "
            f"Next: manage.py import_images {slug} PATH"
        )
        self.conclude(options, {"slug": slug, "title": campaign.title, "classes": names})


def _read(path: Path | None) -> str:
    try:
        return path.read_text(encoding="utf-8") if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--instructions {path} cannot be read ({error}).") from error
