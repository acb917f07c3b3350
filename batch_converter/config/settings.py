"""Every setting, its type and its default; nothing here reads a file.

One model a section of the TOML file; unknown keys are refused. The models are
frozen and compare by value; secrets are masked in every `repr`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, create_model, field_validator

from batch_converter.config.after import KEEP, AfterAction
from batch_converter.config.aspose import AsposeSettings
from batch_converter.config.places import LocalFolder, OutputPlace  # noqa: TC001  # pydantic's
from batch_converter.config.remote import RemoteSettings
from batch_converter.config.section import (
    Age,
    Count,
    Duration,
    Interval,
    Seconds,
    Section,
    Size,
    UserPath,
    written_like,
)
from batch_converter.config.serving import ServeSettings
from batch_converter.config.units import parse_encoding, parse_size
from batch_converter.models import Price

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STATE_DIR_NAME: Final = ".batch-converter"


SectionT = TypeVar("SectionT", bound=Section)


class InputSettings(Section):
    """What is taken from the sources."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    include_from: tuple[UserPath, ...] = ()
    exclude_from: tuple[UserPath, ...] = ()
    min_size: Size | None = None
    max_size: Size | None = None
    min_age: Age | None = None
    max_age: Age | None = None
    shard: str | None = None
    order: Literal["name", "smallest", "largest", "oldest"] = "name"
    follow_symlinks: bool = False
    hidden: bool = False
    by_content: bool = False
    after: AfterAction = KEEP

    @field_validator("shard")
    @classmethod
    def _check_shard(cls, value: str | None) -> str | None:
        if value is not None:
            parse_shard(value)
        return value


class OutputSettings(Section):
    """Where the PDFs go, and when one counts as done.

    Attributes:
        dir: A folder, or the address of a place in an object store.
    """

    dir: OutputPlace | None = None
    state_dir: LocalFolder | None = None
    overwrite: Literal["if-changed", "always", "never"] = "if-changed"
    verify: Literal["full", "quick"] = "full"
    page_mismatch: Literal["fail", "warn"] = "fail"
    preserve_times: bool = False
    adopt: bool = False


class ConcurrencySettings(Section):
    """How much happens at once."""

    max_submissions: Count = 8
    max_in_flight: Count = 64
    max_pollers: Count = 16


class PollingSettings(Section):
    """When the service is asked for a document."""

    interval: Seconds | None = None
    task_timeout_s: Seconds = 3600


class RetrySettings(Section):
    """How often requests and documents are tried again, and after which waits."""

    request_attempts: Count = 6
    initial_wait_s: Seconds = 0.5
    max_wait_s: Seconds = 60
    max_retry_after_s: Seconds = 900
    unavailable_after_s: Seconds = 300
    max_attempts: Count = 3
    resubmit_on_error: Annotated[int, Field(ge=0)] = 0
    retry_failed: bool = False


class BudgetSettings(Section):
    """Limits at which a run stops: calls, time, failures; and what a call costs."""

    max_api_calls: Annotated[int, Field(ge=0)] | None = None
    monthly_api_calls: Annotated[int, Field(ge=0)] | None = None
    month_starts_on: Annotated[int, Field(ge=1, le=28)] = 1
    price_per_call: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    currency: str | None = None
    deadline: Duration | None = None
    max_errors: Count | None = None
    fail_fast: bool = False

    @property
    def price(self) -> Price:
        """What a billed call costs."""
        return Price(per_call=self.price_per_call, currency=self.currency)


class LoggingSettings(Section):
    """The log, and the live progress.

    Attributes:
        max_bytes: The log file is rotated before it would be longer; 0 and None are never.
        backups: So many rotated log files are kept.
        stats: Seconds between two `run.progress` where no live progress is drawn; 0 is never.
        progress_page: Port of a live page of the run on 127.0.0.1; 0 takes a free one.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    file: UserPath | None = None
    max_bytes: Size | None = None
    backups: Annotated[int, Field(ge=0)] = 5
    progress: bool | None = None
    stats: Interval = 60
    progress_page: Annotated[int, Field(ge=0, le=65_535)] | None = None


class ReportSettings(Section):
    """Files that are written at the end of a run, and what counts for its exit code."""

    file: UserPath | None = None
    html_file: UserPath | None = None
    csv_file: UserPath | None = None
    metrics_file: UserPath | None = None
    manifest: UserPath | None = None
    failed_list: UserPath | None = None
    failed_list_null: bool = False
    ignore_known_failures: bool = False


class LocalSettings(Section):
    """The embedded engine.

    Attributes:
        workers: Processes at once; 0 is one for each processor that may be used.
        preset: Where `color_dpi` and `jpeg_quality` come from where they are not
            given. Masks (text, line art) are lossless in all of them.
        color_dpi: Colour layers with more pixels an inch are reduced to this; 0
            keeps them.
        masks: How black and white is coded, always without loss: `jbig2` codes each shape
            once for many pages, at about the DjVu's own size; `g4` is several times that, and
            every old program reads it; `auto` is `jbig2` where the extra `[fast]` is installed.
        ocr: Languages to recognise text in (`ces+rus`, as tesseract names them), in
            documents that have none; empty for no OCR. Needs the extra `[ocr]`.
        encoding: What titles, facts, notes and text are in that are not UTF-8, as
            Python names it (`cp1251`, `koi8-r`, `shift_jis`); empty where nobody knows.
        pdfa: Whether PDFs are PDF/A-2b, checked before they are published; a document that
            cannot become one fails.
        on_damage: What happens to a document with pages whose picture cannot be decoded.
        max_memory_bytes: Address space of a worker.
        page_timeout_s: Patience for each page of a document, and a minute for all.
    """

    workers: Annotated[int, Field(ge=0)] = 0
    preset: Literal["archive", "balanced", "small"] = "balanced"
    color_dpi: Annotated[int, Field(ge=0, le=6000)] | None = None
    jpeg_quality: Annotated[int, Field(ge=1, le=95)] | None = None
    masks: Literal["auto", "jbig2", "g4"] = "auto"
    ocr: Annotated[str, written_like(r"([A-Za-z_]+(\+[A-Za-z_]+)*)?", "eng or ces+rus")] = ""
    encoding: Annotated[str, BeforeValidator(parse_encoding)] = ""
    pdfa: bool = False
    on_damage: Literal["fail", "keep"] = "fail"
    max_memory_bytes: Annotated[int, BeforeValidator(parse_size), Field(ge=512 << 20)] = 2 << 30
    page_timeout_s: Seconds = 30


class Settings(Section):
    """Everything that a run can be told; `Settings()` is the defaults."""

    engine: str = "auto"
    input: InputSettings = InputSettings()
    output: OutputSettings = OutputSettings()
    aspose: AsposeSettings = AsposeSettings()
    local: LocalSettings = LocalSettings()
    remote: RemoteSettings = RemoteSettings()
    concurrency: ConcurrencySettings = ConcurrencySettings()
    polling: PollingSettings = PollingSettings()
    retry: RetrySettings = RetrySettings()
    budget: BudgetSettings = BudgetSettings()
    logging: LoggingSettings = LoggingSettings()
    report: ReportSettings = ReportSettings()
    serve: ServeSettings = ServeSettings()

    def section(self, kind: type[SectionT]) -> SectionT:
        """Return the section of this kind, such as the one that an engine brought along.

        Settings that were made without it have its defaults.
        """
        sections = (getattr(self, name) for name in type(self).model_fields)
        return next((found for found in sections if type(found) is kind), kind())

    def secrets(self) -> Iterator[str]:
        """Yield every secret of every section, for logs to mask."""
        for name in type(self).model_fields:
            for _, value in getattr(self, name) if name != "engine" else ():
                if isinstance(value, SecretStr):
                    yield value.get_secret_value()

    @property
    def account_fault(self) -> str | None:
        """Which half of an account is missing, where the engine may be the service; else None."""
        half = self.aspose.missing_half if self.engine in {"auto", "aspose"} else None
        return half and f"half an account: {half}, or use --engine local"


def settings_with(sections: Mapping[str, type[Section]]) -> type[Settings]:
    """Return a `Settings` that has these sections too, each by its name in the file.

    Raises:
        ValueError: `Settings` has a key of such a name already.
    """
    return _settings_with(tuple(sections.items())) if sections else Settings


@cache
def _settings_with(sections: tuple[tuple[str, type[Section]], ...]) -> type[Settings]:
    for name, _ in sections:
        if name in Settings.model_fields or hasattr(Settings, name):
            raise ValueError(f"there is a setting {name!r} already")
    fields: dict[str, Any] = {name: (section, section()) for name, section in sections}
    return create_model("Settings", __base__=Settings, **fields)


def parse_shard(value: str) -> tuple[int, int]:
    """Return `(k, n)` of `K/N`, the K-th of N parts, 1-based.

    Raises:
        ValueError: It is not two numbers with 1 <= K <= N.
    """
    k, slash, n = value.partition("/")
    if not (slash and k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        msg = f"{value!r} is not a shard; write K/N with K from 1 to N, such as 2/4"
        raise ValueError(msg)
    return int(k), int(n)
