"""`python -m batch_converter`."""

from __future__ import annotations

from batch_converter.cli import main

if __name__ == "__main__":
    main()
