"""Exit codes of sanitizers that no command of ours has: theirs by default is 1, which is that of a rejected program. What was freed is
kept from reuse up to 8 MB of it, not 256: fresh pages for all that LLVM takes and gives back cost a fifth of the time of a short run."""
import os

OPTIONS = {"ASAN_OPTIONS": "exitcode=99:quarantine_size_mb=8", "UBSAN_OPTIONS": "exitcode=98:halt_on_error=1:print_stacktrace=1", "LSAN_OPTIONS": "exitcode=97",
           "TSAN_OPTIONS": "exitcode=96:halt_on_error=1"}
CODES = {96, 97, 98, 99}


def environment(**more):
    """The caller's environment, with these options before its own, and what is given."""
    joined = {k: ":".join(filter(None, [v, os.environ.get(k)])) for k, v in OPTIONS.items()}
    return {**os.environ, **joined, **more}
