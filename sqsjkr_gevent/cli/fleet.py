"""`sqsjkr-gevent --processes N`: hands over to gunicorn."""

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

from ..fleet.fleet import CONF, OVERRIDES, PROCESSES
from ..fleet.settings import CONF_FILE
from .loading import load
from .settings import Settings


def run(settings: Settings, processes: int) -> NoReturn:
    """Become a gunicorn that supervises so many kickers. Raises ConfigError."""
    load(settings)  # What is wrong is told here, as a kicker tells it.
    overrides = {name: value for name, value in settings.overrides.items() if value is not None}
    environ = {
        **os.environ,
        CONF: str(Path(settings.file).absolute()),
        PROCESSES: str(processes),
        OVERRIDES: json.dumps(overrides),
    }
    # A process of its own would have to pass on signals; and gunicorn's must not be patched.
    os.execve(  # noqa: S606
        sys.executable, [sys.executable, "-m", "gunicorn", "-c", str(CONF_FILE)], environ
    )
