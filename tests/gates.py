"""Jobs that run for as long as a test wants."""

from pathlib import Path


class Gate:
    """A job's command, which ends when the gate is opened; named gates of one directory differ."""

    def __init__(self, directory: Path, name: str = "gate") -> None:
        self._file = directory / f"{name}.open"
        self.command = f"while [ ! -e {self._file} ]; do sleep 0.05; done"

    def open(self) -> None:
        """Let the job end."""
        self._file.touch()
