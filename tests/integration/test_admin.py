"""The admin: who may see and change what, and campaigns made and run in it."""

from datetime import timedelta
from html import unescape
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.db.models import Q
from django.test import Client
from django.urls import reverse
from stock import make_campaign, make_user, one_file, stock

from al_engine.architectures import registry as architectures
from al_engine.decisions import architecture
from al_engine.decisions.rules import CELLS
from al_engine.pools import campaigns, signals
from al_engine.pools.models import Campaign, Cell, Choice, ModelVersion
from al_engine.strategies import names as strategy_names
from annotator_site.accounts.models import Token, token_digest
from annotator_site.campaigns import engine_names
from annotator_site.images.addresses import image_url

pytestmark = pytest.mark.django_db

LISTS = [
    "campaign", "image", "query", "turn", "label", "consensus", "modelversion",
    "engineprocess", "cell", "annotator",
]  # fmt: skip
WRITTEN_BY_THE_ENGINE = [name for name in LISTS if name not in ("campaign", "annotator")]


@pytest.fixture
def owner(client: Client) -> Client:
    """A browser in which an owner of the installation is logged in."""
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def viewer(client: Client) -> Client:
    """A browser of staff who may look at the pools of all campaigns and change nothing."""
    user = make_user(is_staff=True)
    in_pools = Permission.objects.filter(content_type__app_label="pools")
    user.user_permissions.set(
        in_pools.filter(Q(codename__startswith="view_") | Q(codename="all_campaigns"))
    )
    client.force_login(user)
    return client


def form(classes: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """What a browser posts to make a campaign."""
    values = {
        "title": "Cats and dogs", "slug": "cats", "instructions": "", "answers_per_image": 1,
        "max_answers": "", "confidence": 0.5, "lease_seconds": 120, "resume_seconds": 30,
        "messages_per_second": 20, "strategies": "entropy, margin", "architectures": "small_cnn",
        "image_size": 32, "servers": 1, "workers": 2, "batch_size": 0, "refresh": "on",
        "model_choice": "latest", "warm_start": "scratch", "min_new_labels": 1,
        "partition": "random",
        "audit_rate": 0.05, "budget": 0, "examples_per_class": 4, "practice_images": 0, **fields,
        "choices-TOTAL_FORMS": len(classes),
        "choices-INITIAL_FORMS": sum("id" in each for each in classes),
    }  # fmt: skip
    for number, each in enumerate(classes):
        for name, value in {"hotkey": "", "color": "", **each}.items():
            values[f"choices-{number}-{name}"] = value
    return values


def classes_of(campaign: Campaign) -> list[tuple[str, str]]:
    """Names and keys of a campaign's classes."""
    return list(campaign.choices.values_list("name", "hotkey"))


def test_nobody_but_staff_gets_past_the_log_in(client: Client) -> None:
    campaign = make_campaign()
    pages = [reverse(f"admin:pools_{name}_changelist") for name in LISTS]
    pages.append(reverse("admin:pools_campaign_live", args=[campaign.pk]))
    for user in (None, make_user()):
        if user is not None:
            client.force_login(user)
        for page in pages:
            answer = client.get(page)
            assert answer.status_code == 302, page
            assert "/login/" in answer["Location"], page


def test_staff_who_may_view_see_every_list_and_change_nothing(viewer: Client) -> None:
    campaign = make_campaign()
    stock(campaign, 3)
    for name in LISTS:
        assert viewer.get(reverse(f"admin:pools_{name}_changelist")).status_code == 200, name
        assert viewer.get(reverse(f"admin:pools_{name}_add")).status_code == 403, name
    assert viewer.get(reverse("admin:pools_campaign_live", args=[campaign.pk])).status_code == 200
    refused = viewer.post(
        reverse("admin:pools_campaign_state", args=[campaign.pk]), {"state": "paused"}
    )
    assert refused.status_code == 403


def test_staff_without_the_permission_do_not_see_the_live_page(client: Client) -> None:
    client.force_login(make_user(is_staff=True))
    page = reverse("admin:pools_campaign_live", args=[make_campaign().pk])
    assert client.get(page).status_code == 403


@pytest.mark.parametrize("name", WRITTEN_BY_THE_ENGINE)
def test_not_even_an_owner_changes_what_the_engine_writes(owner: Client, name: str) -> None:
    campaign = make_campaign()
    stock(campaign, 1)
    row = Cell.objects.filter(campaign=campaign).values_list("pk", flat=True)[0]
    pages = [reverse(f"admin:pools_{name}_add")]
    if name == "cell":
        pages.append(reverse("admin:pools_cell_delete", args=[row]))
        pages.append(reverse("admin:pools_cell_change", args=[row]))
    for page in pages:
        assert owner.post(page, {}).status_code == 403, page


def test_an_image_is_shown_with_its_queries(owner: Client) -> None:
    campaign = make_campaign()
    stock(campaign, 1)
    image = campaign.images.get()
    answer = owner.get(reverse("admin:pools_image_change", args=[image.pk]))
    assert answer.status_code == 200
    assert image_url(one_file()) in unescape(answer.content.decode())
    assert "by random" in answer.content.decode()


@pytest.mark.parametrize("slug", ["-cats", "--", "-rf", "--set"])
def test_a_short_name_that_looks_like_an_option_is_refused(owner: Client, slug: str) -> None:
    classes = [{"name": "cat"}, {"name": "dog"}]
    answer = owner.post(reverse("admin:pools_campaign_add"), form(classes, slug=slug))
    assert answer.status_code == 200
    assert "may not begin with a dash" in answer.content.decode()
    assert not Campaign.objects.exists()


def test_an_earlier_campaign_with_such_a_name_can_still_be_set_up(owner: Client) -> None:
    campaign = make_campaign()
    Campaign.objects.update(slug="-cats")
    classes = [{"id": each.pk, "name": each.name} for each in campaign.choices.all()]
    page = reverse("admin:pools_campaign_change", args=[campaign.pk])
    assert owner.post(page, form(classes, title="New")).status_code == 302
    assert Campaign.objects.get().title == "New"


def test_a_new_campaign_has_cells_keys_and_colors(owner: Client) -> None:
    answer = owner.post(
        reverse("admin:pools_campaign_add"),
        form(
            [{"name": "cat"}, {"name": "dog", "hotkey": "d"}, {"name": "fox", "color": "#112233"}]
        ),
    )
    assert answer.status_code == 302, answer.content.decode()
    campaign = Campaign.objects.get(slug="cats")
    assert campaign.state == Campaign.State.RUNNING
    assert campaign.strategies == ["entropy", "margin"]
    assert Cell.objects.filter(campaign=campaign).count() == CELLS
    assert classes_of(campaign) == [("cat", "1"), ("dog", "d"), ("fox", "2")]
    colors = list(campaign.choices.values_list("color", flat=True))
    assert colors[2] == "#112233"
    assert len(set(colors)) == 3


@pytest.mark.parametrize(
    ("classes", "fields", "words"),
    [
        ([{"name": "cat"}], {}, "two classes at least"),
        ([{"name": "cat"}, {"name": "cat"}], {}, "Two classes are called “cat”"),
        (
            [{"name": "cat", "hotkey": "C"}, {"name": "dog", "hotkey": "c"}],
            {},
            "Two classes share the key “c”",
        ),
        ([{"name": "cat"}, {"name": "dog", "color": "red"}], {}, "A color is written #RRGGBB."),
        ([{"name": "cat"}, {"name": "dog"}], {"strategies": "entrpy"}, "no strategy “entrpy”"),
        (
            [{"name": "cat"}, {"name": "dog"}],
            {"answers_per_image": 3, "max_answers": 2},
            "Each image gets 3 answers in any case",
        ),
        (
            [{"name": "cat"}, {"name": "dog"}],
            {"architectures": "resnet19"},
            "no architecture “resnet19”. Did you mean resnet18",
        ),
        (
            [{"name": "cat"}, {"name": "dog"}],
            {"architectures": "auto, probe:vgg16+mean"},
            "no head “mean” in “probe:vgg16+mean”: write one of +means, +kernel",
        ),
        (
            [{"name": "cat"}, {"name": "dog"}],
            {"architectures": "resnet18, auto, resnet18"},
            "resnet18 is named twice",
        ),
        (
            [{"name": "cat"}, {"name": "dog"}],
            {"architectures": ""},
            "Name one architecture at least, for example auto.",
        ),
        (
            [{"name": "cat"}, {"name": "dog"}],
            {"delivery_architecture": "auto"},
            "no architecture “auto”",
        ),
        ([{"name": "cat"}, {"name": "dog"}], {"image_size": 4}, "write 0 to have it chosen"),
    ],
)
def test_a_refused_form_says_what_to_do(
    owner: Client, classes: list[dict[str, Any]], fields: dict[str, Any], words: str
) -> None:
    answer = owner.post(reverse("admin:pools_campaign_add"), form(classes, **fields))
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not Campaign.objects.filter(slug="cats").exists()


def test_any_network_of_timm_may_be_written_and_the_page_says_what_is_trained(
    owner: Client,
) -> None:
    classes = [{"name": "cat"}, {"name": "dog"}]
    name = "frozen:vit_small_patch14_dinov2.lvd142m"
    both = f"{name},{name}+means"
    answer = owner.post(
        reverse("admin:pools_campaign_add"), form(classes, architectures=both, image_size=0)
    )
    assert answer.status_code == 302, answer.content.decode()
    campaign = Campaign.objects.get(slug="cats")
    page = reverse("admin:pools_campaign_change", args=[campaign.pk])
    shown = owner.get(page).content.decode()
    assert "chosen automatically, once there are images" in shown
    assert f'value="{both}"' in shown
    assert '<option value="auto">' in shown
    stock(campaign, 1)
    campaigns.keep_choice(
        campaign_id=campaign.pk, choice=architecture.Choice(name, 224, "images are large.")
    )
    assert f"{name}, {name}+means at 224 px, chosen automatically: images are large." in unescape(
        owner.get(page).content.decode()
    )


def test_two_classes_can_swap_their_names_and_keys(owner: Client) -> None:
    campaign = make_campaign()
    cat, dog = campaign.choices.all()
    swapped = [
        {"id": cat.pk, "name": "dog", "hotkey": "2", "color": cat.color, "campaign": campaign.pk},
        {"id": dog.pk, "name": "cat", "hotkey": "1", "color": dog.color, "campaign": campaign.pk},
    ]
    answer = owner.post(
        reverse("admin:pools_campaign_change", args=[campaign.pk]), form(swapped, slug="other")
    )
    assert answer.status_code == 302, answer.content.decode()
    campaign.refresh_from_db()
    assert classes_of(campaign) == [("dog", "2"), ("cat", "1")]
    assert campaign.slug != "other", "the address of a campaign stays"


def test_classes_can_be_removed_only_before_there_are_images(owner: Client) -> None:
    campaign = make_campaign(classes=("cat", "dog", "fox"))
    page = reverse("admin:pools_campaign_change", args=[campaign.pk])

    def post() -> None:
        rows = [
            {"id": each.pk, "name": each.name, "hotkey": each.hotkey, "color": each.color,
             "campaign": campaign.pk, "DELETE": "on" if each.name in ("fox", "dog") else ""}
            for each in campaign.choices.all()
        ]  # fmt: skip
        rows.append({"name": "owl"})
        assert owner.post(page, form(rows)).status_code == 302

    stock(campaign, 1)
    post()
    assert [name for name, _ in classes_of(campaign)] == ["cat", "dog", "fox", "owl"]
    Choice.objects.filter(campaign=campaign, name="owl").delete()
    empty = make_campaign(classes=("cat", "dog", "fox"))
    page, campaign = reverse("admin:pools_campaign_change", args=[empty.pk]), empty
    post()
    assert [name for name, _ in classes_of(campaign)] == ["cat", "owl"]


def test_a_campaign_is_never_deleted_in_the_admin(owner: Client) -> None:
    campaign = make_campaign()
    page = reverse("admin:pools_campaign_delete", args=[campaign.pk])
    assert owner.post(page, {"post": "yes"}).status_code == 403
    listed = reverse("admin:pools_campaign_changelist")
    owner.post(
        listed, {"action": "delete_selected", "_selected_action": campaign.pk, "post": "yes"}
    )
    assert Campaign.objects.filter(pk=campaign.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_pausing_wakes_those_who_wait_for_the_campaign(owner: Client) -> None:
    by_action, by_button = make_campaign(), make_campaign()
    with psycopg.connect(**signals.connection_info(), autocommit=True) as listening:
        listening.execute(f"LISTEN {signals.CHANNEL}")
        owner.post(
            reverse("admin:pools_campaign_changelist"),
            {"action": "pause", "_selected_action": by_action.pk},
        )
        answer = owner.post(
            reverse("admin:pools_campaign_state", args=[by_button.pk]), {"state": "finished"}
        )
        heard = [note.payload for note in listening.notifies(timeout=10, stop_after=2)]
    assert heard == [
        signals.payload("campaign", by_action.pk),
        signals.payload("campaign", by_button.pk),
    ]
    assert answer.json() == {"state": "finished"}
    by_action.refresh_from_db()
    assert by_action.state == Campaign.State.PAUSED


def test_a_state_that_does_not_exist_is_refused_in_words(owner: Client) -> None:
    page = reverse("admin:pools_campaign_state", args=[make_campaign().pk])
    answer = owner.post(page, {"state": "asleep"})
    assert answer.status_code == 400
    assert "running, paused, finished" in answer.json()["message"]


def test_a_page_of_somebody_else_cannot_pause_a_campaign() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(is_staff=True, is_superuser=True))
    page = reverse("admin:pools_campaign_state", args=[make_campaign().pk])
    assert client.post(page, {"state": "paused"}).status_code == 403
    assert client.get(page).status_code == 405


def test_a_token_is_shown_once_and_works(owner: Client) -> None:
    user = make_user()
    form = {"user": user.pk, "name": "a robot", "scopes": ["label"], "lifetime": "7"}
    answer = owner.post(reverse("admin:accounts_token_add"), form, follow=True)
    text = next(str(each) for each in answer.context["messages"] if "copy it now" in str(each))
    token = text.split(": ")[1].split(" ")[0]
    made = Token.objects.get(digest=token_digest(token))
    assert (made.user, made.name, made.scopes) == (user, "a robot", ["label"])
    assert made.expires_at is not None
    assert made.expires_at - made.created_at < timedelta(days=7, minutes=1)
    again = owner.get(reverse("admin:accounts_token_changelist")).content.decode()
    assert token not in again
    assert Token.objects.get(user=user).digest[:8] in again


def test_filters_that_nobody_offers_are_refused(owner: Client) -> None:
    images = reverse("admin:pools_image_changelist")
    for smuggled in ("name__icontains=a", "campaign__title__regex=(a%2B)%2B", "problem=x"):
        assert owner.get(f"{images}?{smuggled}").status_code == 400, smuggled


def test_the_form_offers_what_the_engine_has() -> None:
    assert engine_names.strategy_names() == strategy_names()
    assert list(engine_names.ARCHITECTURES) == architectures.names()


def test_a_versions_page_says_what_its_numbers_mean(viewer: Client) -> None:
    version = ModelVersion.objects.create(
        campaign=make_campaign(), version=1, architecture="small_cnn", labels_seen=10,
        trained_on=9, train_seconds=0.123456, accuracy=0.61234, accuracy_low=0.51,
        accuracy_high=0.7,
        ece=0.0456789, temperature=1.23456, sha256="0" * 64, size=1,
    )  # fmt: skip
    page = viewer.get(f"/admin/pools/modelversion/{version.pk}/change/").content.decode()
    for words in ("61.2% (51.0% to 70.0%)", "0.046", "1.235", "Calibration error"):
        assert words in page, words
    assert "0.123456" not in page
    assert ">Ece" not in page
