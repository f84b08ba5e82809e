"""People, groups and tokens in the admin."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from al_engine.pools.models import Annotator
from annotator_site.accounts.models import Token, User, new_token_text, token_digest

if TYPE_CHECKING:
    SiteModelAdmin = admin.ModelAdmin[Any]
    SiteTabularInline = admin.TabularInline[Any, Any]
    PlainUserAdmin = UserAdmin[User]
else:
    from unfold.admin import ModelAdmin as SiteModelAdmin
    from unfold.admin import TabularInline as SiteTabularInline

    PlainUserAdmin = UserAdmin


class MembershipInline(SiteTabularInline):
    """Where a person may label. Switched off, never deleted: answers refer to it."""

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
class PersonAdmin(PlainUserAdmin, SiteModelAdmin):
    """People. Deleting one keeps the answers, under a pseudonym that names nobody."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "first_name", "last_name", "is_staff", "is_active", "last_login"]
    list_filter = ["is_staff", "is_active"]
    list_fullwidth = True
    show_full_result_count = False
    inlines = [MembershipInline]

    def get_inlines(self, request: HttpRequest, obj: Model | None) -> list[Any]:
        return list(self.inlines) if obj else []


admin.site.unregister(Group)


@admin.register(Group)
class StaffGroupAdmin(GroupAdmin, SiteModelAdmin):
    """Groups of staff and what they may see and do."""


@admin.register(Token)
class TokenAdmin(SiteModelAdmin):
    """The log-ins of programs. A token is shown once, when it is made; deleting it ends it."""

    list_display = ["user", "created_at", "fingerprint"]
    list_select_related = ["user"]
    list_fullwidth = True
    show_full_result_count = False
    search_fields = ["user__username"]
    search_help_text = "User name"
    autocomplete_fields = ["user"]
    fields = ["user"]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Token, form: "ModelForm[Token]", change: bool
    ) -> None:
        text = new_token_text()
        obj.digest = token_digest(text)
        super().save_model(request, obj, form, change)
        messages.warning(
            request,
            f"The token of {obj.user}: {text} – copy it now, it cannot be shown again. Programs "
            f"send the header “Authorization: Token {text[:4]}…”.",
        )

    @admin.display(description="beginning of its hash")
    def fingerprint(self, token: Token) -> str:
        return token.digest[:8]
