"""What a section of the configuration is, and the types of its values.

An engine that has a section of its own derives it from `Section`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from batch_converter.config.units import parse_duration_s, parse_size

MOST_SECONDS: Final = 1_000_000_000
"""Thirty years: some of those who are told to wait count nanoseconds, or days, in too few bits."""

Size = Annotated[int, BeforeValidator(parse_size), Field(ge=0)]
Duration = Annotated[float, BeforeValidator(parse_duration_s), Field(gt=0)]
Age = Annotated[float, BeforeValidator(parse_duration_s), Field(ge=0, allow_inf_nan=False)]
Interval = Annotated[float, BeforeValidator(parse_duration_s), Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, le=MOST_SECONDS, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def expand_user(value: object) -> object:
    """Put the home folder in the place of `~` at the beginning of a path.

    Raises:
        ValueError: There is none: no HOME, and no such user.
    """
    if not isinstance(value, str | Path):
        return value
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ValueError(
            "begins with a home folder that nobody knows (~); set HOME, or write the path out"
        ) from None


UserPath = Annotated[Path, BeforeValidator(expand_user)]


def written_like(pattern: str, example: str) -> AfterValidator:
    """Return a check that a text has a form; it shows the example where the text has not.

    Args:
        pattern: Of the whole text.
        example: Of such a text; a pattern tells nobody what to write.
    """
    form = re.compile(pattern)

    def check(value: str) -> str:
        if form.fullmatch(value) is None:
            raise ValueError(f"has to be written like {example}")
        return value

    return AfterValidator(check)


class Section(BaseModel):
    """A table of the file: unknown keys are refused, values are frozen.

    Every field needs a default.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True
    )
