"""Aspose.OCR Cloud as a row of the registry; the client is imported when it is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.engines import aspose
from batch_converter.engines.spec import EngineResources, EngineSpec, Finding
from batch_converter.errors import AccountRefusedError, BatchConverterError, ConfigError
from batch_converter.wire import checked_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.config import AsposeSettings, Settings
    from batch_converter.engines.base import TaskService
    from batch_converter.models import CallKind, CallOutcome
    from batch_converter.redaction import Redactor


def _is_configured(settings: Settings) -> bool:
    """Half an account means the service, too: `validate` says what is missing."""
    return settings.aspose.has_credentials or settings.aspose.missing_half is not None


def _validate(settings: Settings) -> None:
    if fault := settings.account_fault:
        raise ConfigError(fault)
    if not settings.aspose.has_credentials:
        raise ConfigError(
            "the aspose engine needs credentials: set ASPOSE_CLIENT_ID and ASPOSE_CLIENT_SECRET,"
            " or use --engine local"
        )


def _check(settings: Settings) -> None:
    checked_settings(settings.aspose.settings)


def _check_means(settings: Settings) -> None:
    from batch_converter.engines.aspose.session import find_proxy  # noqa: PLC0415  # loads aiohttp
    from batch_converter.engines.aspose.tls import tls_context  # noqa: PLC0415  # loads OpenSSL

    tls_context(settings.aspose)
    find_proxy(settings.aspose)


def _build(settings: Settings, resources: EngineResources) -> TaskService:
    return aspose.AsposeEngine(
        settings.aspose,
        settings.retry,
        calls=resources.calls,
        max_submissions=settings.concurrency.max_submissions,
        clock=resources.clock,
        events=resources.events,
        redactor=resources.redactor,
        threads=resources.threads,
        open_source=resources.open_source,
    )


class _Uncounted:
    """Records nothing: the requests that it is given cost nothing and belong to no run."""

    async def begin(self, kind: CallKind) -> int:  # noqa: ARG002  # the Protocol's
        return 0

    def end(self, call_id: int, outcome: CallOutcome, *, http_status: int | None = None) -> None:
        pass


async def _diagnose(settings: Settings, redactor: Redactor) -> Sequence[Finding]:
    """Ask for a token, once: that proves the address, the way to it and the credentials."""
    where = settings.aspose.base_url
    once = settings.retry.model_copy(update={"request_attempts": 1})
    engine = aspose.AsposeEngine(
        settings.aspose, once, calls=_Uncounted(), max_submissions=1, redactor=redactor
    )
    try:
        async with engine:
            await engine.authorize()
    except AccountRefusedError as error:
        return [
            Finding(is_good=False, text=f"credentials: {error}"),
            *_reached(settings.aspose),
        ]
    except BatchConverterError as error:
        return [
            Finding(is_good=False, text="credentials: could not be tried"),
            Finding(is_good=False, text=f"service {where}: {error}"),
        ]
    return [
        Finding(is_good=True, text="credentials: accepted"),
        *_reached(settings.aspose),
    ]


def _reached(settings: AsposeSettings) -> list[Finding]:
    found = [Finding(is_good=True, text=f"service {settings.base_url}: reached")]
    if settings.client_cert_file is not None:
        text = f"client certificate {settings.client_cert_file}: with its key, as the service asks"
        found.append(Finding(is_good=True, text=text))
    return found


SPEC: Final = EngineSpec(
    name=aspose.NAME,
    is_configured=_is_configured,
    validate=_validate,
    build=_build,
    diagnose=_diagnose,
    has_tasks=True,
    check=_check,
    check_means=_check_means,
)
