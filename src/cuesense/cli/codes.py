"""What the verbs end with, and share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130

DEMO_FOLDER: Final = Path("cuesense-demo")
PASSPHRASE: Final = "CUESENSE_PASSPHRASE"
"""Environment variable that a passphrase is taken from: arguments can be seen by others."""
