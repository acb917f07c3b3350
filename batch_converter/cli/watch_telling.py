"""Tells those outside of a watch: of each batch, and that somebody watches still."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from batch_converter.cli.telling import Telling
from batch_converter.notifications import Hook

if TYPE_CHECKING:
    from batch_converter.api import RunReport


class WatchTelling(Telling):
    """Told of a watch: when it begins, what each batch did, and with which code it ends.

    The hook follows each batch, and not the end of the process. The switch hears the code of
    each batch, and at each rescan that of the last one again: as long as it hears that, somebody
    watches.
    """

    _hook: Hook | None = None
    _code: int | None = None

    async def batch_ended(self, report: RunReport) -> None:
        """Tell what came of a batch; never an error."""
        self.ran(report)
        code = self._code = int(report.summary.exit_code or 0)
        await self.rescanned()
        if self._on_finish is None:
            return
        run_id = report.summary.run_id
        self._hook = Hook(self._on_finish)
        with structlog.contextvars.bound_contextvars(run_id=run_id):
            await self._hook.run(self._environment(code, run_id=run_id))
        self._hook = None

    async def rescanned(self) -> None:
        """Say once more how the last batch ended, if there was one."""
        if self._ping is not None and self._code is not None:
            await self._ping.send(str(self._code))

    def stop(self) -> None:
        """End a hook that is running; from the event loop."""
        if self._hook is not None:
            self._hook.stop()

    def kill(self) -> None:
        """End it, and all that it has started, at once."""
        if self._hook is not None:
            self._hook.kill()

    def end(self, code: int) -> None:
        """Tell the switch that the process ends with this code; blocking, and never an error."""
        self._on_finish = None
        super().end(code)
