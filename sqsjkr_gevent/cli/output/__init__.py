"""Output of the commands: tables, progress, and text that is safe for a terminal."""
