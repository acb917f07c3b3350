"""Where the command is installed, and how it is started so that signals reach it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

COMMAND: Final = Path(sys.executable).with_name("batch-converter")
HEEDFUL: Final = ("env", "--default-signal=HUP,INT,TERM")
"""In front of a command: signals that a job runner or `nohup` has silenced for us reach it."""
