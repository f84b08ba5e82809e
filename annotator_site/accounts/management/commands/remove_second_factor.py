"""Removes a user's second factor."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotator_site.accounts.models import User
from annotator_site.accounts.second_factor import remove_second_factor


class Command(BaseCommand):
    help = (
        "Take the second factor away from somebody who has lost their phone and their recovery "
        "codes: their password alone logs them in, until they set up a new one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["username"]
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is nobody with the name {name}.")
        had = remove_second_factor(user)
        self.stdout.write(f"{name} has no second factor{' any more' if had else ''}.")
