"""What the registry knows of an engine without opening it: one value an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_converter.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from batch_converter.clock import Clock
    from batch_converter.config import Section, Settings
    from batch_converter.engines.base import CallRecorder, Engine
    from batch_converter.events import EventStream
    from batch_converter.redaction import Redactor
    from batch_converter.storage import OpenSource
    from batch_converter.threads import DiskThreads


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check of `doctor`, in a line.

    Attributes:
        exit_code: What it makes of the whole, where it is not good.
    """

    is_good: bool
    text: str
    exit_code: ExitCode = ExitCode.SOME_FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineResources:
    """What a run lends to its engine.

    Attributes:
        clock: The time; tests have their own.
        calls: Records requests that belong to no document, such as those for a token.
        events: Told what an engine has to tell beside its answers.
        redactor: Learns secrets and tokens before they are used, and masks them.
        threads: The run's few, for reading what it converts.
        open_source: Opens a document by its `path`, wherever it is, for an engine that sends
            bytes; blocks.
    """

    clock: Clock
    calls: CallRecorder
    events: EventStream
    redactor: Redactor
    threads: DiskThreads
    open_source: OpenSource


def _nothing_to_check(_settings: Settings) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """A row of the registry.

    Attributes:
        name: What `--engine`, the ledger and the report call it.
        is_configured: Whether `auto` may choose it.
        validate: Raises `ConfigError` where its settings cannot be used, once it was
            chosen; the message says what is missing.
        build: Returns the engine, not yet opened. Blocks, and may raise `ConfigError`.
        diagnose: Checks for `doctor` what can be checked without a billed call.
        has_tasks: Whether it is a `TaskService`: tasks of a dead run may still be there.
        section: Its section of the configuration, where `Settings` has none of its own:
            `[name]` in the file, `settings.section(...)` in the engine.
        check: Raises `ConfigError` where its settings are wrong, whether it is chosen or
            not, beyond what the models of the settings see.
        check_means: Raises `ConfigError` where a file or a program that its settings ask for
            cannot be used. Blocks. Opening the engine finds that out, too: it is for a dry
            run, which opens none.
    """

    name: str
    is_configured: Callable[[Settings], bool]
    validate: Callable[[Settings], None]
    build: Callable[[Settings, EngineResources], Engine]
    diagnose: Callable[[Settings, Redactor], Awaitable[Sequence[Finding]]]
    has_tasks: bool = False
    section: type[Section] | None = None
    check: Callable[[Settings], None] = _nothing_to_check
    check_means: Callable[[Settings], None] = _nothing_to_check
