"""How commands print: tables, progress, and text that is safe for a terminal."""
