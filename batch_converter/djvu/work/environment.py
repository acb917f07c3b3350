"""The environment of worker processes: what they need, by name, and nothing else.

Decoders of hostile files must not find there what the parent was given for itself: the
account, the service's secret, proxies with passwords, tokens of whatever started it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.work.kernel_folder import FOLDER_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

_IMPORT_ROOT: Final = Path(__file__).resolve().parents[3]

_NEEDED: Final = re.compile(
    r"PATH|HOME|TZ|TMPDIR|TEMP|TMP"
    # What names are decoded by, here and there alike: the locale, and where glibc finds it.
    r"|LANG|LANGUAGE|LC_[A-Z]+|LOCPATH|LOCALE_ARCHIVE"
    r"|TESSDATA_PREFIX"
    # How Python and its extension modules are found.
    r"|PYTHON(PATH|HOME|PLATLIBDIR|USERBASE|NOUSERSITE|SAFEPATH|PYCACHEPREFIX|DONTWRITEBYTECODE)"
    r"|PYTHON(UTF8|IOENCODING|COERCECLOCALE|HASHSEED|WARNINGS|MALLOC)|__PYVENV_LAUNCHER__"
    r"|LD_LIBRARY_PATH|DYLD_(FALLBACK_)?(LIBRARY|FRAMEWORK)_PATH|NUMBA_DISABLE_JIT"
    # How coverage measures a process that a test has started.
    r"|COVERAGE_PROCESS_(START|CONFIG)"
)

# A page's bitmap is freed and wanted again for each page: glibc is told to keep it.
# numpy's linear algebra, which nobody wants here, starts no threads.
_OURS: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(512 << 20),
    "MALLOC_TOP_PAD_": str(32 << 20),
}


def worker_environment(
    given: Mapping[str, str], kernel_folder: Path | None = None
) -> dict[str, str]:
    """Pick what a worker needs, and add what makes it small and lets it find this package.

    Args:
        given: The parent's own, `os.environ`.
        kernel_folder: Where it keeps compiled kernels; None: it compiles none.
    """
    needed = {name: value for name, value in given.items() if _NEEDED.fullmatch(name)}
    paths = [path for path in (needed.get("PYTHONPATH"), os.fspath(_IMPORT_ROOT)) if path]
    kept = {FOLDER_VARIABLE: os.fspath(kernel_folder)} if kernel_folder else {}
    return {**needed, **_OURS, **kept, "PYTHONPATH": os.pathsep.join(paths)}
