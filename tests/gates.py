"""Jobs that run until a test ends them."""

from pathlib import Path


class Gate:
    """A job's command that ends when the gate is opened. name: one per gate of a directory."""

    def __init__(self, directory: Path, name: str = "gate") -> None:
        self._file = directory / f"{name}.open"
        self.command = f"while [ ! -e {self._file} ]; do sleep 0.05; done"

    def open(self) -> None:
        """Let the job end."""
        self._file.touch()
