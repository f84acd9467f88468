"""`sqsjkr-gevent --processes N`: executes gunicorn."""

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
    """Become a gunicorn that supervises this many kickers. Raises ConfigError."""
    load(settings)  # Reports a wrong config in the same way as a single kicker.
    overrides = {name: value for name, value in settings.overrides.items() if value is not None}
    environ = {
        **os.environ,
        CONF: str(Path(settings.file).absolute()),
        PROCESSES: str(processes),
        OVERRIDES: json.dumps(overrides),
    }
    # gunicorn's process must not be patched by gevent, and a parent would have to forward signals.
    os.execve(  # noqa: S606
        sys.executable, [sys.executable, "-m", "gunicorn", "-c", str(CONF_FILE)], environ
    )
