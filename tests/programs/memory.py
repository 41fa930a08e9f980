"""Memory, address space and disks that run out: every allocation and every write of small runs is made to fail. What says that all
is well has the right files, anything else says what failed and leaves whole files."""
import random
import resource
import subprocess
from concurrent.futures import ThreadPoolExecutor

from programs.cases import demand, folder
from programs.standalone import build, sanitizers
from programs.system import differences, files, limited, small
from run import ROOT, Failure, Skip


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


class Failing:
    """Runs commands in which one allocation, or one system call that needs a disk, fails."""

    def __init__(self, regc):
        if sanitizers(regc):
            raise Skip("the sanitizers have an allocator of their own")
        self.environment = regc.environment | {"OPENBLAS_NUM_THREADS": "1"}
        self.library = folder(regc) / "failing.so"
        made = subprocess.run(["cc", "-O1", "-shared", "-fPIC", ROOT / "tests/programs/failing.c", "-o", self.library],
                              capture_output=True, text=True)
        demand(made.returncode == 0, made.stderr)

    def __call__(self, command, cwd, **fails):
        environment = self.environment | {"LD_PRELOAD": str(self.library)} | {k: str(v) for k, v in fails.items()}
        return subprocess.run([str(c) for c in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)

    def counts(self, command, cwd):
        """How many allocations and calls there are."""
        report = ["sh", "-c", 'exec "$@" 3>&1 >/dev/null 2>&1', "sh", *command]
        return [int(n) for n in self(report, cwd, FAIL_REPORT=3).stdout.split()[-2:]]


def judge(done, expected_output, what):
    if done.returncode not in (0, 70, 73):
        raise Failure(f"{what}: exit code {done.returncode}\n{done.stderr[-600:]}")
    if done.returncode and not done.stderr.strip():
        raise Failure(f"{what}: exit code {done.returncode} without a word")
    if not done.returncode and expected_output is not None and done.stdout != expected_output:
        raise Failure(f"{what}: the output differs\n{done.stdout}")


def points(total, most):
    """All of range(total), or a fixed choice of them."""
    return range(total) if total <= most else sorted(random.Random(total).sample(range(total), most))


def fail_everywhere(regc, failing, command, kind, most=400, prepare=None, after=None):
    """`command(folder)`: fails at each point; a run that says it is well has the right files, another one whole ones."""
    source = small(regc)
    first = source.parent / "first"

    def once(where, **fails):
        if prepare:
            prepare(where)
        done = failing(command(where), source.parent, **fails)
        return done, files(where)

    whole, expected = once(first)
    demand(whole.returncode == 0, whole.stderr)
    if prepare:
        prepare(source.parent / "counted")
    total = failing.counts(command(source.parent / "counted"), source.parent)[kind == "FAIL_DISK"]

    def one(n):
        where, what = source.parent / f"{kind}-{n}", f"{command('DIR')}: {kind}={n}"
        done, found = once(where, **{kind: n})
        judge(done, whole.stdout, what)
        wrong = list(differences(found, expected, done.returncode == 0))
        if wrong:
            raise Failure(f"{what}: exit code {done.returncode}, {wrong}")
        if after and done.returncode:
            after(where, what)
        return done.returncode

    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(one, points(total, most)))
    demand(any(codes), f"{kind}: nothing failed")
    return total


def case_memory_that_runs_out_is_told_or_harmless(regc):
    failing, binary = Failing(regc), build(regc, small(regc))
    def train(where):
        return [binary.path, "-q", "--threads", "1", "--out", where]

    demand(fail_everywhere(regc, failing, train, "FAIL_MEMORY") > 100, "hardly anything was allocated")
    run = small(regc).parent / "run"
    binary.ok("-q", "--out", run)
    fail_everywhere(regc, failing, lambda _: [binary.path, "predict", "--weights", run, "--in", "k.csv"], "FAIL_MEMORY", 60)
    fail_everywhere(regc, failing, lambda _: [binary.path, "evaluate", "--threads", "1", "--weights", run], "FAIL_MEMORY", 60)


def case_resuming_where_memory_or_disk_runs_out_loses_nothing(regc):
    failing, binary = Failing(regc), build(regc, small(regc))
    resume = ["-q", "--threads", "1", "--resume", "--out"]
    whole = folder(regc)
    binary.ok("-q", "--threads", "1", "--out", whole, cwd=small(regc).parent)

    def prepare(where):
        binary.ok("-q", "--threads", "1", "--steps", "5", "--out", where)

    def after(where, what):
        binary.ok(*resume, where)
        for name in ("weights.safetensors", "predictions.csv"):
            demand((where / name).read_bytes() == (whole / name).read_bytes(), f"{what}, then resumed: {name} differs")

    for kind, most in (("FAIL_MEMORY", 40), ("FAIL_DISK", 100)):
        fail_everywhere(regc, failing, lambda where: [binary.path, *resume, where], kind, most, prepare, after)


def case_a_full_disk_is_told_and_leaves_whole_files(regc):
    failing, binary = Failing(regc), build(regc, small(regc))
    total = fail_everywhere(regc, failing, lambda where: [binary.path, "-q", "--threads", "1", "--out", where], "FAIL_DISK")
    demand(total > 20, f"{total} calls")
    source = small(regc)
    for n in range(0, total - 3, 3):  # from there on full
        done = failing([binary.path, "-q", "--out", source.parent / f"o{n}"], source.parent, FAIL_DISK=n, FAIL_ON=1)
        demand(done.returncode == 73 and "No space left" in done.stderr, f"full from {n} on: {done.returncode}\n{done.stderr}")
        demand(not list(source.parent.glob(f"o{n}/*.tmp")), "temporary files are left")


def case_the_compiler_ends_with_a_word_where_memory_runs_out(regc):
    failing, source = Failing(regc), small(regc)
    command = [regc.path, "run", "-q", "--out=", "--threads", "1", "p.reg"]
    expected = regc.ok(*command[1:], cwd=source.parent)
    total = failing.counts(command, source.parent)[0]
    for n in points(total, 40):
        judge(failing(command, source.parent, FAIL_MEMORY=n), expected, f"allocation {n}")


def case_too_little_address_space_is_told_at_once(regc):
    if sanitizers(regc):
        raise Skip("the sanitizers need the address space")
    source = small(regc)
    binary = build(regc, source)
    regc.ok("run", "-q", "--out=", source)
    codes = set()
    for megabytes in (100, 150, 200, 250, 300, 600):
        for command in ([regc.path, "run", "-q", "--out=", "p.reg"], [binary.path, "-q", "--out="]):
            done = limited(regc, command, source.parent, resource.RLIMIT_AS, megabytes << 20)
            demand(done.returncode == 0 or (done.returncode == 70 and "memory" in done.stderr),
                   f"{command} in {megabytes} MB: {done.returncode}\n{done.stderr}")
            codes.add(done.returncode)
    demand(codes == {0, 70}, f"exit codes {codes}")


def case_a_file_size_limit_is_told(regc):
    source = small(regc)
    done = limited(regc, [regc.path, "run", "-q", "--out", "o", "p.reg"], source.parent, resource.RLIMIT_FSIZE, 1024)
    demand(done.returncode == 73 and "File too large" in done.stderr, f"{done.returncode}\n{done.stderr}")
    demand(not list(source.parent.glob("o/*.tmp")), "a temporary file is left")
