"""A whole engine, to be copied: DjVuLibre's `ddjvu`, one process a document.

All that an engine is stands here: its section of the configuration, the converter, and
its row of the registry. A program of its own passes `engines=(*ENGINES, SPEC)`; an engine
of this package adds `SPEC` to `ENGINES`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Self

import anyio
import anyio.to_thread
import pikepdf
from pydantic import Field

from batch_converter.config import Section
from batch_converter.engines.base import Converter, Ready
from batch_converter.engines.spec import EngineSpec, Finding
from batch_converter.errors import ConfigError, EngineError, OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from batch_converter.config import Settings
    from batch_converter.engines.base import PdfTarget, SourceDocument
    from batch_converter.engines.spec import EngineResources
    from batch_converter.redaction import Redactor

NAME: Final = "example"


class ExampleSettings(Section):
    """The `[example]` section.

    Attributes:
        program: What converts; found on PATH.
        quality: Of JPEG pictures in the PDF.
        arguments: What the program is given beside.
        processes: Documents at once.
        timeout_s: Patience for one document.
    """

    program: str = "ddjvu"
    quality: Annotated[int, Field(ge=25, le=150)] = 75
    arguments: tuple[str, ...] = ()
    processes: Annotated[int, Field(ge=1)] = 2
    timeout_s: Annotated[float, Field(gt=0)] = 300


class ExampleEngine(Converter):
    """Converts by a process that runs `ddjvu -format=pdf`."""

    def __init__(self, settings: ExampleSettings) -> None:
        self._settings = settings
        self._running = anyio.CapacityLimiter(settings.processes)

    @property
    def name(self) -> str:
        """`example`."""
        return NAME

    @property
    def capacity(self) -> int:
        """As many documents as there are processes."""
        return self._settings.processes

    @property
    def keeps_damaged(self) -> bool:
        """False: a page that is damaged costs its document."""
        return False

    @property
    def options_digest(self) -> str:
        """Changes with what changes the PDF."""
        told = repr((self._settings.quality, self._settings.arguments))
        return f"{NAME}:{hashlib.sha256(told.encode()).hexdigest()[:16]}"

    async def __aenter__(self) -> Self:
        """Look for the program.

        Raises:
            ConfigError: It is not installed.
        """
        await anyio.to_thread.run_sync(_find_program, self._settings)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave nothing: a process ends with its conversion."""

    async def convert(self, source: SourceDocument, target: PdfTarget) -> Ready:
        """Convert the document; cancelling it kills the process.

        Raises:
            EngineError: The program refused it, or took too long.
            OutputError: The PDF cannot be written.
        """
        async with self._running:
            try:
                with anyio.fail_after(self._settings.timeout_s):
                    done = await self._run(source.path, target.path)
            except TimeoutError:
                msg = f"{source.name}: not converted within {self._settings.timeout_s:g} s"
                raise EngineError(msg) from None
        if done.returncode:
            reason = done.stderr.decode("utf-8", "replace").strip() or f"exit {done.returncode}"
            raise EngineError(f"{source.name}: {reason}")
        try:
            await anyio.to_thread.run_sync(_remove_dates, target.path)
        except OSError as error:
            raise OutputError(f"{source.name}: {error}") from error
        except pikepdf.PdfError as error:
            raise EngineError(f"{source.name}: {error}") from error
        return Ready()

    async def _run(self, source: str, target: Path) -> subprocess.CompletedProcess[bytes]:
        options = ["-format=pdf", f"-quality={self._settings.quality}", *self._settings.arguments]
        command = [self._settings.program, *options, source, os.fspath(target)]
        return await anyio.run_process(command, check=False, stdout=subprocess.DEVNULL)


def _remove_dates(path: Path) -> None:
    """Take out what differs each time, so that the same document becomes the same bytes."""
    whole = Path(f"{path}.whole")  # beside the part file and begun by its name: cleared with it
    with pikepdf.open(path) as pdf:
        del pdf.docinfo
        pdf.save(whole, deterministic_id=True)
    whole.replace(path)


def _find_program(settings: ExampleSettings) -> str:
    found = shutil.which(settings.program)
    if found is None:
        msg = f"example.program = {settings.program!r} is not installed"
        raise ConfigError(msg)
    return found


def _build(settings: Settings, _resources: EngineResources) -> Converter:
    return ExampleEngine(settings.section(ExampleSettings))


def _validate(settings: Settings) -> None:
    if "-page" in "".join(settings.section(ExampleSettings).arguments):
        raise ConfigError("example.arguments: all pages are converted; leave out -page")


async def _diagnose(settings: Settings, _redactor: Redactor) -> Sequence[Finding]:
    look = partial(_find_program, settings.section(ExampleSettings))
    try:
        found = await anyio.to_thread.run_sync(look)
    except ConfigError as error:
        return [Finding(is_good=False, text=str(error), exit_code=error.exit_code)]
    return [Finding(is_good=True, text=f"example engine: {found}")]


SPEC: Final = EngineSpec(
    name=NAME,
    is_configured=lambda settings: settings.section(ExampleSettings) != ExampleSettings(),
    validate=_validate,
    build=_build,
    diagnose=_diagnose,
    section=ExampleSettings,
)
