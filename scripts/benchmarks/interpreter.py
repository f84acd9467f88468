"""Whether a Python is built with profile-guided optimization, which saves a tenth of its time.

python interpreter.py

Exits with 0 if so. The result of a benchmark says which Python it was.
"""

import platform
import sys
import sysconfig


def is_optimized() -> bool:
    """Whether this Python is built with PGO.

    Debian and Ubuntu build theirs with it, but remove it from the arguments that Python remembers.
    """
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    is_debians = "--with-wheel-pkg-dir=/usr/share/python-wheels/" in arguments
    return "--enable-optimizations" in arguments or is_debians


def described() -> str:
    """This Python, in words."""
    # The environment of the benchmarks links to it.
    path = f"{sys.base_prefix}/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    how = "with PGO" if is_optimized() else "without PGO"
    return f"{platform.python_implementation()} {platform.python_version()}, {path}, built {how}"


if __name__ == "__main__":
    sys.exit(not is_optimized())
