"""The embedded engine on a Dask cluster.

The registry imports `spec`, which loads no Dask: that is an extra.
"""

from __future__ import annotations

from typing import Final

NAME: Final = "dask"
"""What `--engine`, the ledger and the report call it."""
