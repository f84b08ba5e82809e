"""Users, groups and tokens in the admin."""

from typing import TYPE_CHECKING, Any, cast

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import ForeignKey, ManyToManyField, Model, QuerySet
from django.forms import BaseInlineFormSet, ModelChoiceField, ModelForm, ModelMultipleChoiceField
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from al_engine.pools import campaigns
from al_engine.pools.models import Annotator
from annotator_site.accounts.campaign_rights import WithinCampaigns, actor
from annotator_site.accounts.forms import TokenForm
from annotator_site.accounts.models import Scope, Token, User, new_token_text, token_digest
from annotator_site.accounts.power import groups_within, is_among, people_within, permissions_of
from annotator_site.accounts.second_factor import remove_second_factor
from annotator_site.accounts.tokens import expiry

if TYPE_CHECKING:
    SiteModelAdmin = admin.ModelAdmin[Any]
    SiteTabularInline = admin.TabularInline[Any, Any]
    PlainUserAdmin = UserAdmin[User]
    BaseAdmin = admin.ModelAdmin[Any]
else:
    from unfold.admin import ModelAdmin as SiteModelAdmin
    from unfold.admin import TabularInline as SiteTabularInline

    PlainUserAdmin = UserAdmin
    BaseAdmin = object


class WithinReach(BaseAdmin):
    """Users and groups: staff change those within their own rights, and grant only own rights."""

    def within(self, by: User) -> "QuerySet[Any]":
        """The rows that `by` may change."""
        raise NotImplementedError

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and is_among(
            obj, self.within(actor(request))
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and is_among(
            obj, self.within(actor(request))
        )

    def formfield_for_manytomany(
        self, db_field: "ManyToManyField[Any, Any]", request: Any = None, **kwargs: Any
    ) -> "ModelMultipleChoiceField[Any] | None":
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        return _limited(field, db_field.name, actor(request))


class MembershipInline(WithinCampaigns, SiteTabularInline):
    """The campaigns in which a user may label; deactivated, never deleted: labels refer to them."""

    model = Annotator
    fields = ["campaign", "active", "pseudonym"]
    readonly_fields = ["pseudonym"]
    autocomplete_fields = ["campaign"]
    extra = 0
    verbose_name = "campaign"
    verbose_name_plural = "campaigns in which this person may label"

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(User)
class PersonAdmin(WithinReach, PlainUserAdmin, SiteModelAdmin):
    """Users. Deleting a user keeps their labels, under a pseudonym."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "first_name", "last_name", "is_staff", "is_active", "last_login"]
    list_filter = ["is_staff", "is_active"]
    list_fullwidth = True
    show_full_result_count = False
    inlines = [MembershipInline]
    actions = ["take_second_factor"]

    @admin.action(description="Take away the second factor", permissions=["change"])
    def take_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Remove the second factor of users who lost their phone and their recovery codes."""
        within = self.within(actor(request))
        taken = [
            user.get_username()
            for user in queryset.filter(pk__in=within.values("pk"))
            if remove_second_factor(user)
        ]
        words = f"No second factor any more: {', '.join(taken)}." if taken else "None was taken."
        messages.info(request, words)

    def get_inlines(self, request: HttpRequest, obj: Model | None) -> list[Any]:
        return list(self.inlines) if obj else []

    def save_formset(
        self,
        request: HttpRequest,
        form: "ModelForm[Any]",
        formset: "BaseInlineFormSet[Annotator, User, Any]",
        change: bool,
    ) -> None:
        for annotator in formset.save(commit=False):
            campaigns.save_annotator(annotator=annotator)

    def within(self, by: User) -> QuerySet[User]:
        """Users with no right that `by` lacks."""
        return people_within(by)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        fields = list(super().get_readonly_fields(request, obj))
        return fields if actor(request).is_superuser else [*fields, "is_superuser"]


# Users manage these on their account page (Group is registered again below); the admin would show
# the secrets.
admin.site.unregister([Authenticator, EmailAddress, Group, UserSession])


@admin.register(Group)
class StaffGroupAdmin(WithinReach, GroupAdmin, SiteModelAdmin):
    """Groups of staff and their permissions."""

    def within(self, by: User) -> QuerySet[Group]:
        """Groups that grant no permission that `by` lacks."""
        return groups_within(by)


@admin.register(Token)
class TokenAdmin(SiteModelAdmin):
    """Log-ins of programs. A token is shown once, when it is created; deleting it revokes it."""

    form = TokenForm
    list_display = ["user", "name", "used_for", "expires_at", "created_at", "fingerprint"]
    list_select_related = ["user"]
    list_fullwidth = True
    show_full_result_count = False
    search_fields = ["user__username"]
    search_help_text = "User name"
    autocomplete_fields = ["user"]
    fields = ["user", "name", "scopes", "lifetime"]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return ["user", "name", "used_for", "expires_at"] if obj else self.fields

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Token | None = None) -> bool:
        return super().has_delete_permission(request, obj) and is_among(
            obj and obj.user, people_within(actor(request))
        )

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> "ModelChoiceField[Any] | None":
        if db_field.name == "user":
            # A token acts as its user.
            kwargs["queryset"] = people_within(actor(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(
        self, request: HttpRequest, obj: Token, form: "ModelForm[Token]", change: bool
    ) -> None:
        text = new_token_text()
        obj.digest = token_digest(text)
        obj.scopes = form.cleaned_data["scopes"]
        obj.expires_at = expiry(cast("TokenForm", form).days)
        super().save_model(request, obj, form, change)
        messages.warning(
            request,
            f"The token of {obj.user}: {text} – copy it now, it cannot be shown again. Programs "
            f"send the header “Authorization: Token {text[:4]}…”.",
        )

    @admin.display(description="for")
    def used_for(self, token: Token) -> str:
        return ", ".join(str(Scope(scope).label) for scope in token.scopes)

    @admin.display(description="beginning of its hash")
    def fingerprint(self, token: Token) -> str:
        return token.digest[:8]


def _limited(
    field: "ModelMultipleChoiceField[Any] | None", name: str, by: User
) -> "ModelMultipleChoiceField[Any] | None":
    """Limit a field of groups or permissions to those that `by` may grant."""
    if field is not None and field.queryset is not None and not by.is_superuser:
        given = groups_within(by) if name == "groups" else permissions_of(by)
        field.queryset = field.queryset.filter(pk__in=given.values("pk"))
    return field
