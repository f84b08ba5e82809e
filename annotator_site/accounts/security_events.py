"""Logs Django's signals about log-ins, users, groups, tokens and rights to the security log.

Changes of rows are logged once they are committed.
"""

import getpass
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from allauth.mfa.models import Authenticator
from axes.signals import user_locked_out
from django.contrib.auth import signals as auth
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.http import HttpRequest

from al_engine.pools.models import Campaign
from annotator_site.accounts.models import Token, User
from annotator_site.security.log import Actor, note, note_if_rare, note_stranger
from annotator_site.security.refusals import actor_of, asking

WATCHED: Final[Mapping[type[Model], tuple[str, ...]]] = {
    User: ("username", "email", "is_active", "is_staff", "is_superuser", "password"),
    Group: ("name",),
    Token: ("user_id", "scopes", "expires_at"),
    # A second factor; using up its codes changes other columns.
    Authenticator: ("user_id", "type"),
}
"""Models whose creation, deletion and changes of these columns are logged."""
SECRET: Final = frozenset({"password"})

RELATIONS: Final[Mapping[type[Model], str]] = {
    User.groups.through: "groups",
    User.user_permissions.through: "permissions",
    Group.permissions.through: "permissions",
    Campaign.owners.through: "owners",
}
"""Tables of rights that are granted and revoked, and the name of each in the log."""


def listen() -> None:
    """Connect all signals, once the models are loaded."""
    auth.user_logged_in.connect(_logged_in)
    auth.user_logged_out.connect(_logged_out)
    auth.user_login_failed.connect(_log_in_failed)
    user_locked_out.connect(_locked_out)
    for model in WATCHED:
        pre_save.connect(_remember, sender=model)
        post_save.connect(_saved, sender=model)
        post_delete.connect(_deleted, sender=model)
    for through in RELATIONS:
        m2m_changed.connect(_related, sender=through)


def _logged_in(request: HttpRequest | None, user: User, **_: Any) -> None:
    note_if_rare("log_in", Actor(user.get_username(), actor_of(request).address))


def _logged_out(request: HttpRequest | None, user: User | None, **_: Any) -> None:
    if user is not None:
        note_if_rare("log_out", Actor(user.get_username(), actor_of(request).address))


def _log_in_failed(
    credentials: Mapping[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    actor = Actor(None, actor_of(request).address)
    note_stranger("log_in_failed", actor, name=_known(credentials.get("username")))


def _locked_out(request: HttpRequest | None, username: str | None, **_: Any) -> None:
    actor = Actor(None, actor_of(request).address)
    note_stranger("locked_out", actor, name=_known(username))


def _known(name: object) -> str | None:
    """The name if a user has it; an unknown name may be a password in the wrong field."""
    found = User.objects.filter(username=str(name).replace("\0", ""))
    return found.values_list("username", flat=True).first()


def _remember(
    sender: type[Model], instance: Any, update_fields: Iterable[str] | None = None, **_: Any
) -> None:
    """Keep the watched columns as they are before the row is saved."""
    columns = WATCHED[sender]
    if update_fields is not None and not set(columns) & set(update_fields):
        # For example a log-in, which saves `last_login` alone.
        instance._columns_before = None
        return
    before = sender._base_manager.filter(pk=instance.pk).values(*columns).first()
    instance._columns_before = before


def _saved(sender: type[Model], instance: Any, created: bool, **_: Any) -> None:
    if created:
        _after_commit(f"{_kind(sender)}_made", which=_name(instance))
        return
    before = instance.__dict__.pop("_columns_before", None)
    if before is None:
        return
    changed = {
        column: "new" if column in SECRET else [value, getattr(instance, column)]
        for column, value in before.items()
        if value != getattr(instance, column)
    }
    if changed:
        _after_commit(f"{_kind(sender)}_changed", which=_name(instance), **changed)


def _deleted(sender: type[Model], instance: Any, **_: Any) -> None:
    _after_commit(f"{_kind(sender)}_deleted", which=_name(instance))


def _related(
    sender: type[Model],
    instance: Any,
    action: str,
    reverse: bool,
    model: type[Model],
    pk_set: set[int] | None,
    **_: Any,
) -> None:
    when, what = action.split("_")
    # After a clear the former rows are unknown, so log it before.
    if when != ("pre" if what == "clear" else "post") or pk_set == set():
        return
    rows = model._base_manager.filter(pk__in=pk_set or [])
    if what == "clear":
        rows = _all_related(sender, instance, model)
    if names := sorted(_name(row) for row in rows):
        _after_commit(
            "rights_changed",
            of=_kind(type(instance)),
            which=_name(instance),
            what=RELATIONS[sender],
            how=what,
            names=names,
        )


def _all_related(sender: type[Model], instance: Any, model: type[Model]) -> Any:
    fields = {field.related_model: field.name for field in sender._meta.fields if field.is_relation}
    mine = sender._base_manager.filter(**{fields[type(instance)]: instance})
    return model._base_manager.filter(pk__in=mine.values(fields[model]))


def _after_commit(event: str, **details: object) -> None:
    actor = _in_shell() if (request := asking.get()) is None else actor_of(request)
    transaction.on_commit(partial(note, event, actor, **details), robust=True)


def _in_shell() -> Actor:
    with suppress(OSError, KeyError):
        return Actor(getpass.getuser(), "shell")
    return Actor(None, "shell")


def _kind(model: type[Model]) -> str:
    return str(model._meta.model_name)


def _name(row: Any) -> str:
    """The name by which people know a row."""
    match row:
        case User():
            return row.get_username()
        case Token():
            return f"{row.digest[:8]} of {row.user.get_username()}"
        case Authenticator():
            return f"{row.type} of {row.user.get_username()}"
        case Campaign():
            return row.slug
        case Group():
            return row.name
    return f"{row.content_type.app_label}.{row.codename}"
