"""Commands tell people on stderr and programs on stdout, and refuse bad input in one line."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from command_runs import refused, run
from pictures import picture, write_folder, write_tar

from al_engine.pools import campaigns
from al_engine.pools.models import Annotator, Campaign, Image
from annotator_site.accounts.models import Token, User, token_digest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign() -> Campaign:
    return campaigns.create_campaign(
        slug="pets", choices=[campaigns.NewChoice("cat"), campaigns.NewChoice("dog")]
    )


# --- create_campaign -----------------------------------------------------------------------------


def test_a_campaign_is_made_with_its_classes_and_settings(tmp_path: Path) -> None:
    instructions = tmp_path / "how.md"
    instructions.write_text("Look at the **ears**.", encoding="utf-8")

    told = run(
        "create_campaign", "my-pets", "--classes", "cat, dog,hamster", "--title", "My pets",
        "--instructions", str(instructions), "--set", "workers=3", "--set", "refresh=false",
        "--json",
    )  # fmt: skip

    made = Campaign.objects.get()
    assert (made.slug, made.title, made.instructions) == (
        "my-pets",
        "My pets",
        "Look at the **ears**.",
    )
    assert (made.workers, made.refresh) == (3, False)
    assert list(made.choices.values_list("name", flat=True)) == ["cat", "dog", "hamster"]
    assert told.json == {
        "slug": "my-pets",
        "title": "My pets",
        "classes": ["cat", "dog", "hamster"],
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_instructions_are_read_however_an_editor_saved_them(encoding: str, tmp_path: Path) -> None:
    instructions = tmp_path / "how.md"
    instructions.write_bytes("Blick auf die\r\n**Öhrchen**".encode(encoding))
    run("create_campaign", "x", "--classes", "a,b", "--instructions", str(instructions))
    assert Campaign.objects.get().instructions == "Blick auf die\n**Öhrchen**"


def test_a_preset_sets_what_belongs_together_and_a_setting_goes_over_it(db: None) -> None:
    made = ("create_campaign", "cifar", "--classes", "cat,dog", "--preset", "paper")
    run(*made, "--set", "batch_size=2500")
    campaign = Campaign.objects.get()
    assert campaign.strategies == ["entropy", "least_confidence", "margin"]
    assert (campaign.architectures, campaign.workers, campaign.refresh) == (["vgg16"], 10, False)
    assert campaign.batch_size == 2500


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pets", "--classes", "a,b"], "There is a campaign “pets” already"),
        (["--classes", "a,b", "--", "-rf"], "slug: It may not begin with a dash"),
        (["--classes", "a,b", "--", "-"], "slug: It may not begin with a dash"),
        (["--classes", "a,b", "--", "--pets"], "write for example pets"),
        (["new", "--classes", "a"], "needs two classes at least"),
        (["new", "--classes", "a,b,a"], "Two classes are called “a”: change one."),
        (["not a slug!", "--classes", "a,b"], "slug"),
        (["a\0b", "--classes", "a,b"], "slug"),
        (["a\udcff", "--classes", "a,b"], "slug"),
        (
            ["new", "--classes", "a,b", "--title", "\udcff"],
            "title holds a NUL or bytes that are no",
        ),
        (["new", "--classes", "a,b", "--set", "strategies=a,\udcff"], "strategies holds a NUL or"),
        (["new", "--classes", "a,b", "--set", "colour=red"], "is not key=value with a key of"),
        (
            ["new", "--classes", "a,b", "--set", "architecture=vgg16"],
            "architecture is a list now: write architectures=vgg16.",
        ),
        (
            ["new", "--classes", "a,b", "--set", "architectures="],
            "Name one architecture at least, for example auto.",
        ),
        (
            ["new", "--classes", "a,b", "--set", "architectures=auto,vgg16,auto"],
            "auto is named twice",
        ),
        (["new", "--classes", "a,b", "--set", "workers=many"], "workers cannot be “many”"),
        (["new", "--classes", "a,b", "--set", "audit_rate=7"], "audit_rate"),
        (["new", "--classes", "a,b", "--instructions", "/nowhere"], "cannot be read"),
    ],
)
def test_a_campaign_that_cannot_be_is_refused_and_leaves_nothing(
    campaign: Campaign, arguments: list[str], message: str
) -> None:
    assert message in refused("create_campaign", *arguments)
    assert list(Campaign.objects.all()) == [campaign]
    assert campaign.choices.count() == 2


# --- create_annotators ---------------------------------------------------------------------------


def test_annotators_get_names_of_their_own_and_tokens_that_work(campaign: Campaign) -> None:
    first = run("create_annotators", "pets", "--count", "2")
    other = run("create_annotators", "pets", "--count", "1", "--prefix", "bot_")
    again = run("create_annotators", "pets", "--count", "2", "--json")

    lines = [json.loads(line) for line in (first.out + again.out + other.out).splitlines()]
    assert lines.pop(4) == again.json == {"campaign": "pets", "created": 2}
    assert [line["username"] for line in lines] == [
        *(f"annotator-{number}" for number in range(1, 5)),
        "bot_-1",
    ]
    for line in lines:
        user = Token.objects.get(digest=token_digest(line["token"])).user
        assert user.username == line["username"]
        assert not user.has_usable_password()
        assert Annotator.objects.filter(campaign=campaign, user=user, active=True).exists()
    assert Token.objects.count() == 5


@pytest.mark.parametrize(("arguments", "days"), [([], 90), (["--expires", "7"], 7)])
def test_annotators_tokens_expire(campaign: Campaign, arguments: list[str], days: int) -> None:
    run("create_annotators", "pets", "--count", "1", *arguments)
    token = Token.objects.get()
    assert token.expires_at is not None
    assert round((token.expires_at - token.created_at) / timedelta(days=1)) == days


def test_annotators_tokens_never_expire_where_somebody_says_so(campaign: Campaign) -> None:
    run("create_annotators", "pets", "--count", "1", "--expires", "never")
    assert Token.objects.get().expires_at is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pets", "--count", "0"], "--count is 0: it must be 1 to 10,000"),
        (["pets", "--count", "10001"], "it must be 1 to 10,000"),
        (["pets", "--count", "1", "--prefix", "a b"], "cannot begin a user name"),
        *(
            (["pets", "--count", "1", "--expires", days], f"--expires is {days}: it must be 1 to")
            for days in ("0", "-1", "soon", "1.5", "3651", "")
        ),
        (["dogs", "--count", "1"], "There is no campaign “dogs”. Campaigns: pets."),
    ],
)
def test_annotators_that_cannot_be_are_refused(
    campaign: Campaign, arguments: list[str], message: str
) -> None:
    assert message in refused("create_annotators", *arguments)
    assert not User.objects.exists()


# --- import_images -------------------------------------------------------------------------------


def test_an_import_tells_what_it_did(campaign: Campaign, tmp_path: Path) -> None:
    files = {
        "cat/1.png": picture(shade=1),
        "dgo/2.png": picture(shade=2),
        "cat/broken.png": b"text",
        ".DS_Store": b"",
    }
    folder = write_folder(tmp_path, files)

    told = run("import_images", "pets", str(folder), "--known-labels", "folder", "--json")
    again = run("import_images", "pets", str(folder), "--split", "gold")

    assert "cat/broken.png: not a JPEG, PNG or WebP picture" in told.err
    assert "folder “dgo” is no class of this campaign: 1 images" in told.err
    assert "2 images added, 1 known labels, 0 duplicates, 1 broken, 1 ignored" in told.err
    assert told.json["seconds"] > 0
    assert {**told.json, "seconds": 0} == {
        "added": 2,
        "duplicates": 0,
        "copies_count": 0,
        "copies": [],
        "broken_count": 1,
        "broken": [["cat/broken.png", "not a JPEG, PNG or WebP picture"]],
        "ignored": 1,
        "with_known_label": 1,
        "labels_changed": 0,
        "disputed": 0,
        "in_other_split": 0,
        "label_problems": [
            "folder “dgo” is no class of this campaign: 1 images without a known label"
        ],
        "name_notes": [],
        "order_note": "",
        "seconds": 0,
    }
    assert "0 images added, 0 known labels, 2 duplicates" in again.err
    assert "2 of the duplicates belong to another split than gold" in again.err


def test_a_tar_of_class_folders_is_warned_of(campaign: Campaign, tmp_path: Path) -> None:
    files = {"cat/1.png": picture(shade=1), "dog/2.png": picture(shade=2)}

    told = run("import_images", "pets", str(write_tar(tmp_path / "in.tar", files)), "--json")

    assert told.json["order_note"] in told.err
    assert "unpack the tar and import the folder" in told.json["order_note"]


def test_reserved_images_without_labels_are_warned_of(campaign: Campaign, tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"1.png": picture()})

    told = run("import_images", "pets", str(folder), "--split", "holdout")

    assert "Holdout images without a known label are of no use" in told.err


def test_a_csv_gives_known_labels(campaign: Campaign, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images", {"a/1.png": picture(), "2.png": picture(shade=1)})
    labels = tmp_path / "labels.csv"
    labels.write_text("path,label\na/1.png,dog\n2.png,wolf\n3.png,cat\n", encoding="utf-8")

    told = run("import_images", "pets", str(folder), "--known-labels", str(labels))

    assert "line 3: “wolf” is no class of this campaign" in told.err
    assert "line 4: there is no image “3.png”" in told.err
    known = dict(Image.objects.values_list("name", "known_choice__name"))
    assert known == {"a/1.png": "dog", "2.png": None}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pets", "nowhere"], "does not exist"),
        (["pets", "list.csv"], "not supported yet"),
        (["pets", "empty"], "empty has no usable image: there is no file in it"),
        (["pets", "texts"], "1 files cannot be used, the first is 1.txt (not a JPEG"),
        (["pets", "texts", "--known-labels", "no.csv"], "no.csv cannot be read"),
        (["pets", "texts", "--split", "train"], "invalid choice: 'train'"),
        (["dogs", "texts"], "There is no campaign “dogs”. Campaigns: pets."),
    ],
)
def test_an_import_that_cannot_be_is_refused(
    campaign: Campaign,
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_folder(tmp_path, {"list.csv": b"path,label\n", "texts/1.txt": b"text"})
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)

    assert message in refused("import_images", *arguments)
    assert not Image.objects.exists()


def test_the_program_exits_with_one_line_and_no_traceback(
    campaign: Campaign, test_environment: dict[str, str]
) -> None:
    program = subprocess.run(
        [sys.executable, "manage.py", "import_images", "dogs", "nowhere", "--json"],
        cwd=ROOT, env=test_environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert program.returncode == 1
    assert program.stdout == ""
    assert program.stderr == "CommandError: There is no campaign “dogs”. Campaigns: pets.\n"
