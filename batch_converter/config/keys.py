"""The keys of a configuration, read off the models of the settings."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from types import UnionType
from typing import TYPE_CHECKING, Final, Union, get_args, get_origin

from pydantic import BaseModel

from batch_converter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

_LISTS: Final = frozenset({tuple, list, set, frozenset})
_TABLE_EXAMPLE: Final = '{"language": "English"}'
_LIST_EXAMPLE: Final = '["*.djvu"]'


@dataclass(frozen=True)
class KnownKeys:
    """The dotted key of every setting, in the order of the sections.

    Attributes:
        types: Key to the type of its value, as it is annotated.
    """

    types: dict[str, object]

    @classmethod
    def of(cls, model: type[BaseModel]) -> Self:
        """Read them off a model and the models of its sections."""
        return cls(dict(_fields(model)))

    def __iter__(self) -> Iterator[str]:
        return iter(self.types)

    def __contains__(self, key: str) -> bool:
        return key in self.types

    def checked(self, key: str, *, where: str) -> str:
        """Return a key that is known.

        Raises:
            ConfigError: It is not; the message names the nearest that is.
        """
        if key in self:
            return key
        near = difflib.get_close_matches(key, list(self), n=1, cutoff=0.0)
        msg = f"unknown key {key!r} in {where}; the nearest known key is {near[0]!r}"
        raise ConfigError(msg)

    @property
    def sections(self) -> list[str]:
        """The names of the sections, in their order."""
        return list(dict.fromkeys(key.partition(".")[0] for key in self if "." in key))

    def is_section(self, key: str) -> bool:
        """Whether there are keys below this one."""
        return key in self._prefixes

    def is_table(self, key: str) -> bool:
        """Whether the value of the key is a table of any keys."""
        return key in self and dict in _origins(self.types[key])

    def json_example(self, key: str) -> str | None:
        """Return what a value looks like in an environment variable where it is JSON there.

        None for all but lists and tables, which are plain text.
        """
        if self.is_table(key):
            return _TABLE_EXAMPLE
        return _LIST_EXAMPLE if _origins(self.types[key]) & _LISTS else None

    @cached_property
    def _prefixes(self) -> frozenset[str]:
        return frozenset(key[:end] for key in self for end, char in enumerate(key) if char == ".")


def _origins(annotation: object) -> set[object]:
    """Return the generic types that a value may be of; those of a union are looked into."""
    is_union = get_origin(annotation) in {Union, UnionType}
    return {get_origin(kind) for kind in (get_args(annotation) if is_union else (annotation,))}


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, info in model.model_fields.items():
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _fields(annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, annotation
