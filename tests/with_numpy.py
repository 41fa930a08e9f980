"""Imported before NumPy: where this interpreter lacks it, Debian's takes over."""
import os
import sys

try:
    import numpy  # noqa: F401
except ModuleNotFoundError:
    if sys.executable != "/usr/bin/python3":
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
    raise
