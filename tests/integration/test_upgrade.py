"""A database of the version before, in which turns were called assignments, labels on after it.

Its tables are made by the migrations of that version, and filled by their names.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Final

import psycopg
import pytest
from conftest import web_process
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

ROOT: Final = Path(__file__).resolve().parents[2]
LABELED: Final = 10_000
WAITING: Final = 200
LABELED_NOW: Final = 50

# By the models of that version: today's have columns that it lacks.
CAMPAIGN: Final = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
loader = MigrationExecutor(connection).loader
of = loader.project_state([("pools", "0009_held_by_session")]).apps.get_model
campaign = of("pools", "Campaign").objects.create(slug="owls", title="Owls")
for place, name in enumerate(["eagle owl", "barn owl"]):
    of("pools", "Choice").objects.create(campaign=campaign, position=place, name=name)
for number in range(64):
    of("pools", "Cell").objects.create(campaign=campaign, cell=number)
"""

FILL: Final = """
INSERT INTO pools_image (campaign_id, position, sha256, name, key, width, height, size, cell,
                         split, state, problem, known_choice_id)
SELECT campaign.id, n, md5(n::text) || md5((-n)::text), n || '.png', '{key}', 8, 8, 200,
       n % 64, 'pool', CASE WHEN n < {labeled} THEN 'labeled' ELSE 'queried' END, '', choice.id
FROM pools_campaign campaign, generate_series(0, {images} - 1) n
JOIN LATERAL (SELECT id FROM pools_choice ORDER BY id OFFSET n % 2 LIMIT 1) choice ON true;

INSERT INTO pools_annotator (campaign_id, user_id, pseudonym, active)
SELECT campaign.id, person.id, 'early', true FROM pools_campaign campaign, accounts_user person;

INSERT INTO pools_query (campaign_id, image_id, cell, strategy, state)
SELECT campaign_id, id, cell, 'random', CASE state WHEN 'labeled' THEN 'closed' ELSE 'open' END
FROM pools_image ORDER BY position;

INSERT INTO pools_assignment (campaign_id, query_id, image_id, state, annotator_id)
SELECT q.campaign_id, q.id, q.image_id, CASE q.state WHEN 'open' THEN 'open' ELSE 'answered' END,
       CASE q.state WHEN 'open' THEN NULL ELSE person.id END
FROM pools_query q, pools_annotator person ORDER BY q.id;

INSERT INTO pools_label (campaign_id, image_id, query_id, assignment_id, annotator_id, choice_id,
                         client_id, shown_ms)
SELECT a.campaign_id, a.image_id, a.query_id, a.id, a.annotator_id, i.known_choice_id,
       gen_random_uuid(), 700
FROM pools_assignment a JOIN pools_image i ON i.id = a.image_id WHERE a.state = 'answered';

INSERT INTO pools_consensus (image_id, campaign_id, query_id, choice_id, confidence, answers)
SELECT image_id, campaign_id, query_id, choice_id, 1.0, 1 FROM pools_label;

INSERT INTO accounts_user_user_permissions (user_id, permission_id)
SELECT person.id, permission.id FROM accounts_user person, auth_permission permission
WHERE permission.codename = 'view_assignment';
"""
# What a table or an index is stored in changes when it is written anew.
FILES: Final = """
SELECT replace(relname, 'assignment', 'turn'), relfilenode FROM pg_class
WHERE relname ~ 'assignment|turn|pools_label' AND relkind IN ('r', 'i') ORDER BY 1
"""


@pytest.fixture
def before(test_environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a database as the version before left it, with 10,000 labels."""
    picture = BytesIO()
    Image.new("L", (8, 8)).save(picture, "png")
    key = default_storage.save("upgrade/owl.png", ContentFile(picture.getvalue()))
    url, mark, query = test_environment["DATABASE_URL"].partition("?")
    there = test_environment["DATABASE_URL"]
    environment = {
        **test_environment,
        "DATABASE_URL": f"{url.rpartition('/')[0]}/upgraded_{os.getpid()}{mark}{query}",
    }
    with closing(psycopg.connect(there, autocommit=True)) as admin:
        admin.execute(f"CREATE DATABASE upgraded_{os.getpid()}")
        try:
            manage(environment, "migrate", "pools", "0009_held_by_session")
            manage(environment, "migrate", "accounts")
            manage(environment, "shell", "-c", CAMPAIGN)
            manage(
                {**environment, "DJANGO_SUPERUSER_PASSWORD": "who-knows-it"},
                *("createsuperuser", "--noinput", "--username=early", "--email=e@example.org"),
            )
            with closing(psycopg.connect(environment["DATABASE_URL"])) as old:
                old.execute(FILL.format(labeled=LABELED, images=LABELED + WAITING, key=key))
                old.commit()
            yield environment
        finally:
            admin.execute(f"DROP DATABASE upgraded_{os.getpid()} WITH (FORCE)")
            default_storage.delete(key)


def manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_it_is_renamed_in_place_labels_on_and_may_be_taken_back(before: dict[str, str]) -> None:
    """No file is written anew, no label is lost, and people go on."""
    with closing(psycopg.connect(before["DATABASE_URL"], autocommit=True)) as database:
        files = database.execute(FILES).fetchall()
        labels = database.execute("SELECT id, assignment_id, choice_id FROM pools_label").fetchall()

        manage(before, "migrate")

        assert database.execute(FILES).fetchall() == files
        after = database.execute("SELECT id, turn_id, choice_id FROM pools_label").fetchall()
        assert after == labels
        assert len(after) == LABELED
        names = """SELECT conname FROM pg_constraint WHERE conname ~ 'assignment'
                   UNION SELECT relname FROM pg_class WHERE relname ~ 'assignment'"""
        assert database.execute(names).fetchall() == []
        held = """SELECT p.codename, p.name, t.model FROM accounts_user_user_permissions mine
                  JOIN auth_permission p ON p.id = mine.permission_id
                  JOIN django_content_type t ON t.id = p.content_type_id"""
        assert database.execute(held).fetchall() == [("view_turn", "Can view turn", "turn")]
        trained = "SELECT architecture{} FROM pools_campaign"
        assert database.execute(trained.format("s")).fetchall() == [(["small_cnn"],)]

        with web_process(before, "upgraded") as address:
            told = manage(
                *(before, "run_annotators", "owls", "--count=2", f"--labels={LABELED_NOW}"),
                *("--think=0", "--seconds=60", f"--url={address.replace('http', 'ws', 1)}"),
            )
        assert str(LABELED_NOW) in told, told
        stored = "SELECT count(*), count(DISTINCT turn_id) FROM pools_label"
        (count, turns) = database.execute(stored).fetchone() or (0, 0)
        assert count == turns >= LABELED + LABELED_NOW

        # Whoever must return to the version before can.
        manage(before, "migrate", "pools", "0009_held_by_session")
        (kept,) = database.execute("SELECT count(*) FROM pools_assignment").fetchone() or (0,)
        assert kept == LABELED + WAITING
        assert [codename for codename, *_ in database.execute(held)] == ["view_assignment"]
        assert database.execute(trained.format("")).fetchall() == [("small_cnn",)]
