"""The forms of a campaign: help texts with examples, and errors that say what to do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import ValidationError
from django.forms.renderers import BaseRenderer
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from al_engine.decisions.architecture import AUTO, problem_of_list
from al_engine.pools.class_names import MAX_CLASSES, problem_of_name, problem_of_names
from al_engine.pools.models import Campaign, Choice
from al_engine.pools.models.campaign import default_architectures, default_strategies
from annotator_site.campaigns.engine_names import (
    ARCHITECTURES,
    problem_of_architecture,
    problem_of_architectures,
    strategy_names,
)

if TYPE_CHECKING:
    CampaignModelForm = forms.ModelForm[Campaign]
    ChoiceModelForm = forms.ModelForm[Choice]
    ChoiceFormSet = forms.BaseInlineFormSet[Choice, Campaign, forms.ModelForm[Choice]]
else:
    from unfold.forms import PaginationInlineFormSet as ChoiceFormSet

    CampaignModelForm = ChoiceModelForm = forms.ModelForm

LONGEST_ARCHITECTURE: Final = Campaign._meta.get_field("delivery_architecture").max_length
HELP: Final = {
    "title": "What people read on top of the page, for example “Cats and dogs of Lisbon”.",
    "slug": "Short name for addresses and commands, for example cats-and-dogs. It stays.",
    "instructions": "What people can open beside the image, in Markdown. Say what decides between "
    "two classes that look alike: “A puma without spots is *cat*, with spots *leopard*.”",
    "answers_per_image": "1: one person decides. 3: three different people see each image.",
    "max_answers": "While the answers disagree, ask more people, up to this many. Example: 2 "
    "answers per image, at most 5. Empty: never more.",
    "confidence": "The leading class needs this share of the answers, or the maximum is asked. "
    "Example: 0.7 accepts 3 of 4, not 2 of 3.",
    "audit_rate": "Share of questions drawn at random, 0 to 1. Only these tell honestly how "
    "accurate the models are: 0.05 spends one answer in twenty on it.",
    "budget": "Stop after so many answers, for example 5000. 0: no limit.",
    "owners": "Staff who run it, each within their permissions. Whoever makes a campaign is one of "
    "them; superusers, and staff whose permissions hold in all campaigns, need not be.",
    "examples_per_class": "Gold images of each class that the instructions show beside its name; "
    "0: none. Import them with --split gold and known labels.",
    "practice_images": "Gold images that each person labels for practice before the first one that "
    "counts, evenly over the classes, for example 10. They are told at once what was right. 0: no "
    "practice.",
    "lease_seconds": "How long an image waits for one person, in seconds, before somebody else "
    "may get it. 120 suits quick judgements; give 600 where people look things up.",
    "resume_seconds": "After a dropped connection the same images come back within this time, "
    "in seconds.",
    "messages_per_second": "Limit for each annotator; 20 is more than fingers can do. "
    "0: no limit, for programs.",
    "architectures": "auto: chosen by the images, once there are some. small_cnn learns small "
    "drawings on a processor in seconds. frozen:tf_efficientnet_lite0 knows much of photographs "
    "already and needs few labels; frozen: takes any model of timm, and +means or +kernel behind "
    "it another head. Several, separated by commas, are dealt out among the servers; the first "
    "decides how images are seen. The others want a GPU.",
    "delivery_architecture": "A larger network that one more server trains beside, so that a "
    "quick one can choose the questions while the better one is what you take home. "
    "Empty: the models that choose are what you take home.",
    "image_size": "0: chosen by the images and the network. Else the side of the square that the "
    "models see, in pixels: 8 to 512. People see it at its own size.",
    "servers": "How many models are trained side by side. 1 is right on one machine without "
    "several GPUs.",
    "workers": "How many workers look for the next questions; each deals with its own part of "
    "the images.",
    "min_new_labels": "Train again after so many new labels: 1 is as often as possible.",
    "warm_start": "Scratch is the paper's way; shrink and perturb is quicker on large models.",
    "model_choice": "Which published model picks the next questions.",
    "strategies": f"{AUTO}: what suits the network. Else names separated by commas, which are "
    "dealt out at random among the workers. Known: "
    f"{', '.join(strategy_names())}. The paper's mixture: entropy, least_confidence, margin.",
    "partition": "Random: each worker has a fair sample of the images. By what images show: each "
    "looks for questions among images that look alike.",
    "batch_size": "0: as many open questions as people need, measured all the time. "
    "Else a fixed number, for example 1000, as in the paper's experiments.",
    "refresh": "On: a newer model replaces open questions that it would not ask. "
    "Off: as in the paper.",
}
"""Help texts of the form's fields."""


class ArchitectureWidget(UnfoldAdminTextInputWidget):  # type: ignore[misc]
    """Names to write, with the usual ones to choose from: `frozen:` takes hundreds of others."""

    def __init__(self, known: Sequence[str]) -> None:
        super().__init__()
        self.known = known

    def render(
        self,
        name: str,
        value: Any,
        attrs: dict[str, Any] | None = None,
        renderer: BaseRenderer | None = None,
    ) -> SafeString:
        known = format_html_join(
            "", '<option value="{}"></option>', ((each,) for each in self.known)
        )
        written = super().render(
            name, value, {**(attrs or {}), "list": f"{name}_known", "spellcheck": "false"}, renderer
        )
        return format_html('{}<datalist id="{}_known">{}</datalist>', written, name, known)


class ArchitectureField(forms.CharField):
    """The name of an architecture, as far as it can be checked without the engine."""

    def __init__(self, *, known: Sequence[str], **settings: Any) -> None:
        super().__init__(
            max_length=LONGEST_ARCHITECTURE, widget=ArchitectureWidget(known), **settings
        )
        self.known = known

    def clean(self, value: Any) -> str:
        name: str = super().clean(value)
        if name and (problem := problem_of_architecture(name, known=self.known)):
            raise ValidationError(problem)
        return name


class CampaignForm(CampaignModelForm):
    """A campaign's settings."""

    strategies = SimpleArrayField(
        forms.CharField(max_length=60),
        initial=default_strategies,
        help_text=HELP["strategies"],
        widget=UnfoldAdminTextInputWidget(),
    )
    delivery_architecture = ArchitectureField(
        known=ARCHITECTURES, required=False, help_text=HELP["delivery_architecture"]
    )
    architectures = SimpleArrayField(
        forms.CharField(max_length=LONGEST_ARCHITECTURE),
        initial=default_architectures,
        help_text=HELP["architectures"],
        error_messages={"required": problem_of_list([])},
        widget=ArchitectureWidget((AUTO, *ARCHITECTURES)),
    )

    class Meta:
        model = Campaign
        exclude = ["state", "gold_rate"]
        help_texts = HELP
        error_messages = {
            "title": {"required": "Write what people read on top of the page."},
            "slug": {
                "required": "Write a short name, for example cats-and-dogs.",
                "unique": "There is a campaign with this short name already: take another one.",
            },
        }

    def clean_architectures(self) -> list[str]:
        names = [name.strip() for name in self.cleaned_data["architectures"] if name.strip()]
        if problem := problem_of_architectures(names):
            raise ValidationError(problem)
        return names

    def clean_strategies(self) -> list[str]:
        names = [name.strip() for name in self.cleaned_data["strategies"] if name.strip()]
        known = [AUTO, *strategy_names()]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValidationError(
                f"There is no strategy “{unknown[0]}”. Write some of: {', '.join(known)}."
            )
        if not names:
            raise ValidationError("Name one strategy at least, for example entropy.")
        return names

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        least, most = values.get("answers_per_image"), values.get("max_answers")
        if least and most and most < least:
            self.add_error(
                "max_answers",
                f"Each image gets {least} answers in any case: write {least} or more, or "
                "leave it empty.",
            )
        return values


class ChoiceForm(ChoiceModelForm):
    """A class; an empty key or color is chosen automatically."""

    color = forms.CharField(
        required=False,
        label="Color",
        max_length=7,
        validators=Choice._meta.get_field("color").validators,
        widget=UnfoldAdminTextInputWidget({"placeholder": "automatic"}),
    )

    class Meta:
        model = Choice
        fields = ["name", "hotkey", "color"]
        labels = {"hotkey": "Key"}
        widgets = {
            "name": UnfoldAdminTextInputWidget({"placeholder": "for example cat"}),
            "hotkey": UnfoldAdminTextInputWidget({"placeholder": "automatic"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name = self.fields["name"]
        assert isinstance(name, forms.CharField)  # noqa: S101 - the model's column
        # `clean_name` strips spaces and tabs only; other characters are checked, not dropped.
        name.strip = False
        name.error_messages["required"] = "Write the name of the class, or remove this row."
        if self.instance._state.adding:
            # Not the model's default: an empty color becomes the next color of the palette.
            self.initial["color"] = ""
        else:
            swatch = f"border-inline-start: 1rem solid {self.instance.color}"
            self.fields["color"].widget.attrs["style"] = swatch

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip(" \t")
        if problem := problem_of_name(name):
            raise ValidationError(problem)
        return name


class ChoicesFormSet(ChoiceFormSet):
    """The classes of a campaign, checked together."""

    default_error_messages = {
        **ChoiceFormSet.default_error_messages,
        "too_many_forms": f"A campaign has at most {MAX_CLASSES:,} classes: remove some.",
    }

    def clean(self) -> None:
        # Replaces the formset's own uniqueness check, whose message names no class.
        kept = [
            form.cleaned_data
            for form in self.forms
            if form.is_valid()
            and form.cleaned_data.get("name")
            and not form.cleaned_data.get("DELETE")
        ]  # fmt: skip
        if any(self.errors):
            return
        if problem := problem_of_names([row["name"] for row in kept]):
            raise ValidationError(problem)
        seen: set[str] = set()
        for row in kept:
            key = row["hotkey"].lower()
            if key and key in seen:
                raise ValidationError(f"Two classes share the key “{row['hotkey']}”: change one.")
            seen.add(key)
