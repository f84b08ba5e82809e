"""Fields that take the types of JSON as they are: the number 5 is no text, and "5" no number."""

from typing import Any, ClassVar

from rest_framework import serializers


class _OfType:
    """Refuses values of other types than `types`."""

    types: ClassVar[tuple[type, ...]]
    called: ClassVar[str]

    def to_internal_value(self, data: Any) -> Any:
        """The checked value. Raises ValidationError."""
        if not isinstance(data, self.types) or (isinstance(data, bool) and bool not in self.types):
            raise serializers.ValidationError(f"This must be {self.called}.")
        return super().to_internal_value(data)  # type: ignore[misc]  # of the field beside it


class Text(_OfType, serializers.CharField):
    """A text."""

    types = (str,)
    called = "a text"


class Whole(_OfType, serializers.IntegerField):
    """A whole number."""

    types = (int,)
    called = "a whole number"


class Number(_OfType, serializers.FloatField):
    """A number."""

    types = (int, float)
    called = "a number"


class YesNo(_OfType, serializers.BooleanField):
    """True or false."""

    types = (bool,)
    called = "true or false"


class Id(_OfType, serializers.UUIDField):
    """A UUID, as text."""

    types = (str,)
    called = "a UUID"


PLAIN = {
    serializers.CharField: Text,
    serializers.IntegerField: Whole,
    serializers.FloatField: Number,
    serializers.BooleanField: YesNo,
}
"""For each of the framework's fields the one that is used here."""
