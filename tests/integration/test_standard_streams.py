"""Whatever is done to what a command prints, it ends in a line or without a word."""

import json
import subprocess
import sys
from pathlib import Path

from django.core.management import get_commands
from pictures import picture, write_folder

from al_engine.pools import campaigns
from al_engine.pools.models import Annotator, Campaign
from annotator_site.accounts.models import Token, User

ROOT = Path(__file__).resolve().parents[2]
OURS = sorted(
    name
    for name, app in get_commands().items()
    if str(app).startswith(("annotator_site", "al_engine"))
)
# Each runs in a fork of one process that has loaded all that they share.
DRIVER = """
import json, os, sys, traceback
import django
import manage
from django.core.checks import run_checks
from django.core.management import get_commands, load_command_class
os.environ["DJANGO_SETTINGS_MODULE"] = "annotator_site.settings"
django.setup()
for name, app in get_commands().items():
    if app.startswith(("annotator_site", "al_engine")):
        load_command_class(app, name)
run_checks()
for line in sys.stdin:
    arguments, how = json.loads(line)
    reading, writing = os.pipe()
    if not os.fork():
        os.dup2(writing, 2)
        os.close(reading)
        if how == "full":
            os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
        elif how in ("unread", "both unread"):
            gone, broken = os.pipe()
            os.close(gone)
            os.dup2(broken, 1)
            if how == "both unread":
                os.dup2(broken, 2)
        else:
            os.close(1)
            sys.stdout = sys.__stdout__ = None
        sys.argv = ["manage.py", *arguments]
        status = 0
        try:
            manage.main()
        except SystemExit as end:
            status = end.code
        except BaseException:
            traceback.print_exc()
        try:
            sys.stdout.flush()  # as Python does at its end
        finally:
            os._exit(status or 0)
    os.close(writing)
    said = b""
    while piece := os.read(reading, 65536):
        said += piece
    os.close(reading)
    _, status = os.wait()
    print(json.dumps([os.waitstatus_to_exitcode(status), said.decode()]), flush=True)
"""
WAYS = ("unread", "full", "closed", "both unread")
HELP = WAYS[:2]


def outcomes(
    environment: dict[str, str], asked: list[tuple[list[str], str]]
) -> list[tuple[int, str]]:
    """Exit status and words of each command line, run with its standard output done away with."""
    driver = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input="".join(f"{json.dumps(each)}\n" for each in asked),
        cwd=ROOT, env={**environment, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return [(status, words) for status, words in map(json.loads, driver.stdout.splitlines())]


def judge(arguments: list[str], how: str, status: int, words: str) -> None:
    """A reader that is gone is no failure; any other is one, and a line says so."""
    case = (arguments, how, status, words)
    assert "Traceback" not in words, case
    assert "Exception ignored" not in words, case
    if how == "unread":
        assert status == 0, case
        assert "standard output" not in words, case
    elif how == "both unread":
        assert status in (0, 141), case
    else:
        assert status == 1, case
        last = words.splitlines()[-1]
        assert last.startswith("nowait: standard output cannot be written ("), case


def test_every_command_bears_the_loss_of_its_output(
    test_environment: dict[str, str], transactional_db: None, tmp_path: Path
) -> None:
    campaigns.create_campaign(
        slug="pets", choices=[campaigns.NewChoice("cat"), campaigns.NewChoice("dog")]
    )
    images = write_folder(tmp_path, {"1.png": picture()})
    lines = [
        *([name, "--help"] for name in OURS),
        ["import_images", "pets", str(images), "--json"],
        ["campaign_status", "pets", "--json"],
        ["create_annotators", "pets", "--count", "3"],
        ["help"],
    ]
    asked = [(line, how) for line in lines for how in WAYS if "--help" not in line or how in HELP]
    asked += [
        (["create_campaign", f"x-{how[0]}", "--classes", "a,b", "--json"], how) for how in WAYS
    ]
    assert len(OURS) >= 13

    found = outcomes(test_environment, asked)

    for (line, how), (status, words) in zip(asked, found, strict=True):
        if line[0] == "create_annotators" and line[-1] == "3":
            assert status == (141 if how == "both unread" else 1), (how, words)
            assert how == "both unread" or "No annotators were made" in words, (how, words)
        else:
            judge(line, how, status, words)
    assert Campaign.objects.count() == 1 + len(WAYS)
    # A token that nobody could read belongs to nobody.
    assert (User.objects.count(), Annotator.objects.count(), Token.objects.count()) == (0, 0, 0)
