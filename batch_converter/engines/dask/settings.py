"""The `[dask]` section."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from batch_converter.config import Section, written_like

_ADDRESS: Final = r"(tcp|tls|ws|wss|ucx)://[^\s/@]+:\d{1,5}/?"


class DaskSettings(Section):
    """The cluster of `--engine dask`.

    Attributes:
        scheduler: Address of a cluster's scheduler; absent, a cluster on this machine is
            started for the run.
        workers: Processes of the cluster on this machine; 0 is one for each processor that
            may be used.
    """

    scheduler: Annotated[str, written_like(_ADDRESS, "tcp://host:8786")] | None = None
    workers: Annotated[int, Field(ge=0)] = 0
