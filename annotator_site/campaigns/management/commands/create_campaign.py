"""Creates a campaign from the shell."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from al_engine.pools.campaigns import (
    PRESETS,
    SETTINGS,
    BadSetting,
    NewChoice,
    add_owners,
    create_campaign,
    parse_setting,
)
from al_engine.pools.models import Campaign
from annotator_site.accounts.models import User
from annotator_site.campaigns.class_lists import ClassListError, read_file, read_option
from annotator_site.command_output import CampaignCommand
from annotator_site.importing.text_files import open_text


class Command(CampaignCommand):
    help = f"Make a campaign. Settings for --set: {', '.join(SETTINGS)}."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        classes = parser.add_mutually_exclusive_group(required=True)
        classes.add_argument(
            "--classes", metavar="a,b,c", help='the classes; quoted as in a CSV: cat,"fox, red"'
        )
        classes.add_argument(
            "--classes-file",
            type=Path,
            metavar="FILE",
            help="a file with one class a line, quoted as in a CSV",
        )
        parser.add_argument("--title", default="", help="what people read; default: from the slug")
        parser.add_argument(
            "--instructions", type=Path, metavar="FILE", help="a Markdown file for the annotators"
        )
        parser.add_argument(
            "--preset", choices=PRESETS, help="settings that belong together; --set goes over them"
        )
        parser.add_argument(
            "--owner",
            action="append",
            default=[],
            metavar="USERNAME",
            help="staff whose permissions hold in it; repeatable",
        )
        parser.add_argument(
            "--set", action="append", default=[], metavar="key=value", help="a setting; repeatable"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"]
        # An unprintable slug cannot be queried; `create_campaign` refuses it as no slug.
        if slug.isprintable() and Campaign.objects.filter(slug=slug).exists():
            raise CommandError(
                f"There is a campaign “{slug}” already: take another slug, or change its settings "
                "in the admin."
            )
        owners = _staff(options["owner"])
        file = options["classes_file"]
        try:
            names = read_file(file) if file else read_option(options["classes"])
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
        except (BadSetting, ClassListError) as error:
            raise CommandError(str(error)) from error
        add_owners(campaign_id=campaign.pk, user_ids=owners)
        self.say(
            f"Campaign “{campaign.title}” with {len(names)} classes. "
            f"Next: manage.py import_images {slug} PATH"
        )
        self.conclude(options, {"slug": slug, "title": campaign.title, "classes": names})


def _staff(names: list[str]) -> list[int]:
    """The ids of these people. Raises CommandError where one is not staff."""
    found = dict(User.objects.filter(is_staff=True).values_list("username", "pk"))
    for name in names:
        if name not in found:
            raise CommandError(
                f"--owner {name}: nobody of that name is staff. Make the user in the admin, with "
                "“Staff status”, and take the name from there."
            )
    return [found[name] for name in names]


def _read(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        with open_text(path) as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--instructions {path} cannot be read ({error}).") from error
