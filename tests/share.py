"""A part of the tests: those that one run takes of many, so that runs of other commits take the others."""
import subprocess
from pathlib import Path

HELP = "K/N: each N-th from the K-th on; K a number, or `commit`: by the hash of HEAD"


def share(items, text):
    """`items` whole where `text` is empty."""
    if not text:
        return list(items)
    k, n = text.split("/")
    return list(items)[(commit() if k == "commit" else int(k)) % int(n)::int(n)]


def commit():
    """The hash of HEAD as a number; 0 outside of a repository."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True)
    return int(done.stdout, 16) if done.returncode == 0 else 0
