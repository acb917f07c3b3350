"""Environment variables that tell `--on-finish` of a run, and that look like settings.

A `batch-converter` that the hook calls finds them in its environment. They are passed over
where all of them are there, as the hook has them: one alone is a setting misspelt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN_VARIABLES: Final = (
    "BATCH_CONVERTER_EXIT_CODE",
    "BATCH_CONVERTER_RUN_ID",
    "BATCH_CONVERTER_REPORT",
    "BATCH_CONVERTER_CONVERTED",
    "BATCH_CONVERTER_FAILED",
    "BATCH_CONVERTER_REMAINING",
)


def without_run_variables(env: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment without what a hook is told, if it is a hook's."""
    if not all(name in env for name in RUN_VARIABLES):
        return env
    return {name: value for name, value in env.items() if name not in RUN_VARIABLES}
