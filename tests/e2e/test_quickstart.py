"""scripts/quickstart, without the installation that comes first in it."""

import os
import subprocess
import sys
from pathlib import Path

from servers import ROOT

#: Seconds for all of it on a loaded machine; it takes ten.
DEADLINE = 120.0


def test_every_sample_job_ends_as_it_should(tmp_path: Path) -> None:
    """The first thing that anybody sees of this package."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "quickstart.py")],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "WRONG" not in done.stdout
    for outcome in ("succeeded", "errored", "failed", "invalid"):
        assert outcome in done.stdout
    assert [] == list(tmp_path.iterdir())
