"""Programs and the system they run in: devices, links, folders in use, signals, closed descriptors, names that try to be more than
names, the object cache."""
import csv
import fcntl
import hashlib
import json
import os
import random
import resource
import signal
import socket
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from programs import tensors
from programs.cases import demand, folder
from programs.standalone import build, refused
from run import Failure

SMALL = """data d = csv("k.csv", target: lab) |> standardize |> split(train: 60%, valid: 20%, test: 20%, seed: 1)
model net(x: [2]) -> [2] = x |> dense(4) |> batch_norm |> tanh |> dense(2)
train net on d {
  loss     cross_entropy(net(x), lab)
  penalize w in net.*.weight : 1e-3 * l2(w)
  optimize sgd(lr: 1e-2)
  batch    8
  epochs   EPOCHS
  stop     when valid.loss stalls for EPOCHS epochs, keep best
}
evaluate net on d.test { accuracy, confusion }
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def small(regc, epochs=3, rows=40):
    """A program of 26 parameters in a folder of its own."""
    where, rng = folder(regc), random.Random(1)
    rows = [(rng.uniform(-1, 1), rng.uniform(-1, 1)) for _ in range(rows)]
    (where / "k.csv").write_text("a,b,lab\n" + "".join(f"{a:.4f},{b:.4f},{'yes' if a + b > 0 else 'no'}\n" for a, b in rows))
    (where / "p.reg").write_text(SMALL.replace("EPOCHS", str(epochs)))
    return where / "p.reg"


def files(path):
    return {f.name: f.read_bytes() for f in Path(path).iterdir()} if Path(path).is_dir() else {}


def events(data):
    """Lines of metrics.jsonl without times; each must be JSON."""
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in data.decode().splitlines()]


def differences(found, expected, whole):
    """What is wrong in a run's folder: a file that is no whole file, with `whole` one that is missing or differs."""
    for name, data in found.items():
        try:
            if name.endswith(".tmp"):
                yield f"{name} was left behind"
            elif name == "run.json":
                if json.loads(data) != json.loads(expected[name]) and whole:
                    yield f"run.json differs: {data.decode()}"
            elif name == "metrics.jsonl":
                if events(data) != events(expected[name]) and whole:
                    yield "metrics.jsonl differs"
            elif name.endswith(".safetensors"):
                tensors.parse(data)
                if data != expected[name] and whole:
                    yield f"{name} differs"
            elif not data.endswith(b"\n") or data != expected[name] and whole:
                yield f"{name} differs"
        except (ValueError, KeyError, IndexError) as e:
            yield f"{name}: {e!r}"
    if whole and set(found) != set(expected):
        yield f"files {sorted(found)}"


def limited(regc, command, cwd, which, amount):
    """Runs under a resource limit, in bytes. Counts of what is executed, which could not be written whole, go elsewhere."""
    return subprocess.run([str(c) for c in command], cwd=cwd, env=regc.environment | {"GCOV_PREFIX": str(regc.scratch)},
                          capture_output=True, text=True, timeout=60, preexec_fn=lambda: resource.setrlimit(which, (amount, amount)))


# -- where output goes

def case_output_goes_through_links_and_to_devices(regc):
    source = small(regc)
    where, binary = source.parent, build(regc, source)
    binary.ok("-q", "--out", where / "run")
    predict = ("predict", "--weights", where / "run", "--in", where / "k.csv", "--out")
    expected = binary.ok(*predict[:-1])
    (where / "elsewhere").mkdir()
    (where / "elsewhere/real.csv").write_text("old\n")
    (where / "elsewhere/real.csv").chmod(0o640)
    (where / "link.csv").symlink_to("elsewhere/real.csv")
    (where / "again.csv").symlink_to(where / "link.csv")
    (where / "new.csv").symlink_to("elsewhere/made.csv")
    for name, target in (("again.csv", "real.csv"), ("new.csv", "made.csv")):
        binary.ok(*predict, where / name)
        demand((where / name).is_symlink() and (where / "elsewhere" / target).read_text() == expected, f"{name} is not followed")
    demand(stat.S_IMODE((where / "elsewhere/real.csv").stat().st_mode) == 0o640, "the file's permissions are others now")
    demand(sorted(os.listdir(where / "elsewhere")) == ["made.csv", "real.csv"], os.listdir(where / "elsewhere"))
    os.mkfifo(where / "pipe")
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit((where / "pipe").read_text)
        binary.ok(*predict, where / "pipe")
        demand(reader.result(60) == expected, "the pipe's reader got something else")
    demand((where / "pipe").is_fifo(), "the pipe is a file now")
    demand(binary.ok(*predict, "/dev/stdout") == expected, "/dev/stdout")
    with open(where / "appended", "w") as out:
        out.write("first\n")
        out.flush()
        subprocess.run([binary.path, *map(str, predict), "/dev/stdout"], env=regc.environment, stdout=out, check=True)
    demand((where / "appended").read_text() == "first\n" + expected, "/dev/stdout in a file loses what was there")
    refused(binary, "Is a directory", *predict, where / "elsewhere", code=73)
    (where / "circle").symlink_to("circle")
    refused(binary, "cannot write", *predict, where / "circle", code=73)
    (where / "fmt.reg").symlink_to("p.reg")
    (where / "p.reg").write_text(source.read_text().replace("loss     ", "loss "))
    regc.ok("fmt", where / "fmt.reg")
    demand((where / "fmt.reg").is_symlink() and "loss     " in (where / "p.reg").read_text(), "fmt does not follow the link")


def case_devices_take_output_and_give_no_input(regc):
    source = small(regc)
    where, binary = source.parent, build(regc, source)
    binary.ok("-q", "--out", where / "run")
    null = where / "null"
    try:
        os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        with open(null, "w"):
            pass
    except OSError:
        null = None
    for arguments in (("run", "--emit=obj"), ("build", "-q"), ("build", "-q", "--emit=obj")):
        if null:
            regc.ok(*arguments, source, "-o", null)
            demand(null.is_char_device(), f"{arguments} replaces a device")
    if null:
        binary.ok("predict", "--weights", where / "run", "--in", where / "k.csv", "--out", null)
        demand(null.is_char_device(), "predict replaces a device")
    full = ("predict", "--weights", where / "run", "--in", where / "k.csv", "--out", "/dev/full")
    refused(binary, "No space left", *full, code=73)
    zero = where / "zero.reg"
    zero.write_text(source.read_text().replace("k.csv", "/dev/zero"))
    refused(regc, "is a device", "check", "/dev/zero", code=66)
    refused(regc, "is a device", "check", zero, code=65)
    refused(regc, "is a device", "eval", "x", "--in", "x=/dev/zero", code=65)
    refused(regc, "not a regular file", "run", "--weights", "/dev/zero", "--out=", source, code=65)
    refused(binary, "is a device", *full[:4], "/dev/zero", code=65)
    with open("/dev/zero", "rb") as endless:
        done = subprocess.run([regc.path, "check", "-"], stdin=endless, capture_output=True, text=True, timeout=60)
    demand(done.returncode == 66 and "longer than" in done.stderr, f"{done.returncode}\n{done.stderr}")


def case_a_socket_may_be_the_standard_input(regc):
    binary = build(regc, small(regc))
    where = folder(regc)
    binary.ok("--out", where)
    for program, arguments, text in ((regc, ("check", "-"), "let a = 1\n"), (binary, ("predict", "--weights", where, "--in", "-"), "a,b\n1,2\n")):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(text.encode())
            ours.shutdown(socket.SHUT_WR)
            done = subprocess.run([program.path, *map(str, arguments)], stdin=theirs, capture_output=True, text=True, timeout=60)
        demand(done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stderr}")


def case_closed_descriptors_are_not_given_to_files(regc):
    source = small(regc)
    binary = build(regc, source)
    for command in (" ".join(regc.line("run", source)), str(binary.path)):
        for closed, code in ((">&-", 73), ("2>&-", 0), ("<&-", 0), ("<&- >&- 2>&-", 73)):
            out = folder(regc)
            done = subprocess.run(["sh", "-c", f"exec {command} --progress=plain --out {out} {closed}"], env=regc.environment,
                                  capture_output=True, text=True)
            demand(done.returncode == code, f"{command} {closed}: {done.returncode}\n{done.stderr}")
            wrong = list(differences(files(out), files(out), False))
            demand(not wrong and len(events((out / "metrics.jsonl").read_bytes())) == 7, f"{command} {closed}: {wrong}")


# -- folders

def start(regc, program, out, *arguments, **how):
    return subprocess.Popen(regc.line("run", "-q", "--out", out, *arguments, program), env=regc.environment,
                            stdin=subprocess.DEVNULL, stdout=how.get("stdout", subprocess.DEVNULL), stderr=subprocess.PIPE, text=True,
                            preexec_fn=how.get("before"))


def ends_with(run, code, what=""):
    found = run.wait(60)
    if found != code:
        raise Failure(f"{what} exit code {found}, expected {code}\n{run.stderr.read()}")


def wait_for(ready, run, what):
    end = time.monotonic() + 60
    while not ready():
        if run.poll() is not None or time.monotonic() > end:
            run.kill()
            raise Failure(f"the run ended before {what}, or took a minute: {run.stderr.read()}")
        time.sleep(0.005)


def at_work(regc, out, *arguments, **how):
    """A long run that has begun to train."""
    run = start(regc, small(regc, epochs=100000, rows=50000), out, *arguments, **how)
    wait_for(lambda: (out / "metrics.jsonl").exists() and b"epoch\"" in (out / "metrics.jsonl").read_bytes(), run, "an epoch")
    return run


def case_a_folder_in_use_is_refused(regc):
    out, source = folder(regc), small(regc)
    run = at_work(regc, out, "--checkpoint", "0.05")
    for more in ([], ["--resume"]):
        refused(regc, "folder_in_use", "run", "-q", *more, "--out", out, source, code=73)
    wait_for(lambda: (out / "checkpoint.safetensors").exists(), run, "a checkpoint")
    for _ in range(5):  # nor does it disturb what is being written
        refused(regc, "folder_in_use", "run", "-q", "--resume", "--out", out, source, code=73)
    run.terminate()
    ends_with(run, 143)
    demand(not list(differences(files(out), files(out), False)), "the first run's files are damaged")
    regc.ok("run", "-q", "--out", out, source)


def case_a_refused_resume_changes_nothing(regc):
    regc = regc.plain()
    source = small(regc)
    out = source.parent / "out"
    regc.ok("run", "-q", "--out", out, "--steps", "5", source)
    before, times = files(out), {f.name: f.stat().st_mtime_ns for f in out.iterdir()}
    for part, *arguments in (("the seed (0 then, 7 now)", "--seed", "7"), ("the batch (8 rows then, 4 now)", "--batch", "4"),
                             ("the optimization (-O2 then, -O0 now)", "-O0")):
        refused(regc, part, "run", "-q", "--resume", "--out", out, *arguments, source, code=65)
        demand(files(out) == before, f"{arguments}: the refused resume changed the folder")
    demand(times == {f.name: f.stat().st_mtime_ns for f in out.iterdir()}, "files were written again")
    regc.ok("run", "-q", "--resume", "--out", out, source)


def case_what_killed_runs_leave_is_removed_what_others_write_is_not(regc):
    source = small(regc)
    out = source.parent / "out"
    regc.ok("run", "-q", "--out", out, "--steps", "5", source)
    dead, living = out / "weights.safetensors.0123456789abcdef.tmp", out / "p.npy.fedcba9876543210.tmp"
    others = [out / "notes.tmp", out / "a.0123.tmp"]
    for path in (dead, living, *others):
        path.write_text("part")
    with open(living) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        regc.ok("run", "-q", "--out", out, "--resume", source)
    demand(not dead.exists(), "a temporary file that nobody writes is left")
    demand(living.exists() and all(p.exists() for p in others), f"gone: {sorted(os.listdir(out))}")


# -- ends from outside

def case_signals_save_the_run(regc):
    for number, code in ((signal.SIGHUP, 129), (signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGXCPU, 152)):
        out = folder(regc)
        run = at_work(regc, out)
        run.send_signal(number)
        ends_with(run, code, f"{number!r}:")
        demand(json.loads((out / "run.json").read_bytes())["outcome"] == "interrupted", f"{number!r}: run.json says another end")
        for name in ("weights.safetensors", "checkpoint.safetensors"):
            tensors.parse((out / name).read_bytes())


def case_nohup_is_respected(regc):
    out = folder(regc)
    run = at_work(regc, out, before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    run.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    demand(run.poll() is None, "a run under nohup ended")
    run.terminate()
    ends_with(run, 143)


def case_a_reader_that_leaves_ends_the_run_in_order(regc):
    out = folder(regc)
    run = start(regc, small(regc, epochs=100000, rows=50000), out, "--json", stdout=subprocess.PIPE)
    demand(json.loads(run.stdout.readline())["event"] == "schema", "the stream does not begin with its schema")
    run.stdout.close()
    ends_with(run, 73)
    demand(json.loads((out / "run.json").read_bytes())["outcome"] == "interrupted", "run.json says another end")
    tensors.parse((out / "weights.safetensors").read_bytes())


def case_an_interrupted_build_leaves_nothing(regc):
    where, source = folder(regc), small(regc)
    slow = where / "cc"
    slow.write_text("#!/bin/sh\nsleep 1\nexit 1\n")
    slow.chmod(0o755)
    (where / "tmp").mkdir()
    environment = regc.environment | {"TMPDIR": str(where / "tmp"), "CC": str(slow)}
    run = subprocess.Popen([regc.path, "build", "-q", source, "-o", where / "p"], env=environment, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list(where.glob("tmp/regc-*/*.o")), run, "an object")
    run.terminate()
    ends_with(run, 143)
    demand(not os.listdir(where / "tmp") and not (where / "p").exists(), f"left behind: {os.listdir(where / 'tmp')}")


def case_a_full_temporary_folder_is_told(regc):
    source = small(regc)
    done = limited(regc, [regc.path, "build", "-q", "p.reg", "-o", "p"], source.parent, resource.RLIMIT_FSIZE, 60000)
    demand(done.returncode == 73 and "File too large" in done.stderr, f"{done.returncode}\n{done.stderr}")
    demand(not (source.parent / "p").exists(), "there is a binary")


# -- the command line

def case_seeds_have_64_bits_and_numbers_are_digits(regc):
    source = small(regc)
    binary = build(regc, source)
    for command in ((regc, "run", source), (binary,)):
        for seed in (0, 5, 2 ** 63 - 1, 2 ** 64 - 1):
            out = folder(regc)
            command[0].ok(*command[1:], "-q", "--steps", "1", "--seed", seed, "--out", out)
            demand(json.loads((out / "run.json").read_bytes())["seeds"] == {"net": seed}, f"seed {seed}: {(out / 'run.json').read_text()}")
            demand(events((out / "metrics.jsonl").read_bytes())[1]["seed"] == seed, "the event tells another seed")
        for option, value in (("seed", 2 ** 64), ("seed", " 5"), ("seed", "+5"), ("seed", "5 "), ("seed", "0x10"), ("seed", ""),
                              ("steps", " 5"), ("steps", "1e3"), ("steps", 2 ** 63), ("epochs", "2 "), ("epochs", 2 ** 63 - 1),
                              ("threads", "1.0"), ("batch", " 8"), ("checkpoint", " 1"), ("checkpoint", "0x1"), ("checkpoint", "inf")):
            refused(command[0], f"is no ", *command[1:], f"--{option}={value}", "--out=", code=2)


# -- names that try to be more than names

ESCAPES = "\x1b[2J\x1b]0;title\x07"


def case_control_characters_of_data_reach_no_terminal(regc):
    where = folder(regc)
    names = [f"red{ESCAPES}", "line\nend", "\x9bC1", "‮right to left", "plain"]
    with open(where / "k.csv", "w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["a", f"b{ESCAPES}", "lab"])
        rows.writerows([[i % 7, i % 5, names[i % 5]] for i in range(60)])
    source = where / f"p{ESCAPES}.reg"
    source.write_text(f"## A model {ESCAPES}\n" + SMALL.replace("EPOCHS", "2").replace("-> [2]", "-> [5]").replace("dense(2)\n", "dense(5)\n"))
    binary = build(regc, source)
    wrong = where / "w.safetensors"
    wrong.write_bytes(tensors.build([(f"net{ESCAPES}", "F32", [1], [0])]))
    binary.ok("-q", "--out", where / "run")
    shown = [regc("run", "--out", where / "o", source), regc("run", "--out=", "--weights", wrong, source), binary("--help"),
             binary("-q", "--out="), binary(ESCAPES), binary("--data", f"d={ESCAPES}"), regc("doc", ESCAPES), regc("run", ESCAPES),
             regc("run", f"{ESCAPES}.reg"), regc("check", source, "--diagnostics=text"), regc("repl", stdin="d\nd.train\n:list\n"),
             regc("repl", source, stdin=f"d\n:list\n:save {where}/none/{ESCAPES}.reg\n"), regc("explain", ESCAPES),
             regc("doc", "-f", source, "net")]
    for k, done in enumerate(shown):
        for text in (done.stdout, done.stderr):
            bad = [c for c in text if (ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0 or c == "‮"]
            demand(not bad, f"{k}: {bad}\n{text!r}")
    demand("red?[2J?]0;title?" in shown[0].stdout, shown[0].stdout)
    with open(where / "run/predictions.csv", newline="") as f:
        demand({r["lab"] for r in csv.DictReader(f)} <= set(names), "predictions.csv changes the names of classes")


def case_names_stay_inside_the_comments_of_a_header(regc):
    where = folder(regc)
    evil = "x\nint planted(void);\n#error planted\n//\\"
    with open(where / "k.csv", "w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["a", evil, "lab"])
        rows.writerows([[i % 7, i % 5, [evil, "*/ \\", "??/"][i % 3]] for i in range(60)])
    source = where / f"{evil.replace('/', '_')}.reg"
    source.write_text(SMALL.replace("EPOCHS", "2").replace("-> [2]", "-> [3]").replace("dense(2)\n", "dense(3)\n"))
    regc.ok("run", "-q", "--out", where / "run", source)
    regc.ok("build", "-q", source, "--model-only", "--weights", where / "run", "-o", where / "net.o")
    (where / "main.c").write_text('#include "net.h"\nint main(void) { return NET_INPUTS; }\n')
    made = subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-trigraphs", "-Wno-trigraphs", "-c", where / "main.c",
                           "-o", where / "main.o"], capture_output=True, text=True)
    demand(made.returncode == 0, made.stderr)
    pure = subprocess.run(["cc", "-E", "-P", where / "main.c"], capture_output=True, text=True).stdout
    demand("planted" not in pure, pure)


def case_weights_of_long_names_are_refused(regc):
    """Three tensors of eight axes, with names of all lengths around what a message holds."""
    source, path = small(regc), folder(regc) / "w.safetensors"
    for length in (*range(30, 80, 7), 60, 61, 500):
        path.write_bytes(tensors.build([("A" * length + c, "F32", [1] * 8, [0]) for c in "xyzu"]))
        refused(regc, "weights_bad", "run", "--out=", "--weights", path, source, code=65)
        refused(regc, "and 1 more", "run", "--out=", "--weights", path, source, code=65)


def case_weights_that_are_no_numbers_are_refused(regc):
    source = small(regc)
    binary, path = build(regc, source), source.parent / "w.safetensors"
    binary.ok("-q", "--out", source.parent / "run")
    good = tensors.parse((source.parent / "run/weights.safetensors").read_bytes())
    for kind, value, part in (("F32", float("nan"), "NaN"), ("F64", 1e39, "too large"), ("F64", -1e300, "too large")):
        listed = [(n, kind, s, [value, *v[1:]]) for n, (s, v) in good.items()]
        path.write_bytes(tensors.build(listed))
        for command in (("evaluate",), ("predict", "--in", source.parent / "k.csv"), ("train", "--out=")):
            refused(binary, part, *command, "--weights", path, code=65)


# -- the object cache

def cached(regc, cache, source):
    """How many of the functions that a run compiles came from the cache."""
    out = regc.ok("run", "-q", "--steps", "1", "--out=", "--json", "--profile", source, XDG_CACHE_HOME=str(cache))
    profile = [e for e in map(json.loads, out.splitlines()) if e["event"] == "profile"][0]
    return profile["cached"], profile["functions"]


def case_the_cache_holds_what_it_says(regc):
    source, cache = small(regc), folder(regc)
    old = os.umask(0)
    try:
        cached(regc, cache, source)
    finally:
        os.umask(old)
    entries = sorted((cache / "regc").iterdir())
    demand(all(stat.S_IMODE(e.stat().st_mode) == 0o600 for e in entries), "entries that others may read or write")
    demand(stat.S_IMODE((cache / "regc").stat().st_mode) == 0o700, "a folder that others may enter")
    hits, functions = cached(regc, cache, source)
    demand(hits == functions == len(entries), f"{hits} of {functions} from the cache")
    good = {e: e.read_bytes() for e in entries}

    def spoiled(what, bad, still=functions - 1):
        demand(cached(regc, cache, source) == (still, functions), f"{what}: it was used")
        demand(cached(regc, cache, source) == (functions, functions), f"{what}: it was not compiled again")
        demand(bad is None or bad.read_bytes() == good[bad], f"{what}: another object")

    first, second = entries[:2]
    first.write_bytes(good[second])
    spoiled("another entry's object", first)
    first.write_bytes(good[first][:-40])
    spoiled("a part", first)
    first.write_bytes(bytes([good[first][0] ^ 1]) + good[first][1:])
    spoiled("a changed bit", first)
    key, junk = first.name.removesuffix(".o").encode(), good[second][:-32]
    for object_ in (junk, b"no object at all"):  # with a sum that fits
        first.write_bytes(object_ + hashlib.sha256(key + object_).digest())
        spoiled("an object of another function", first)
    first.unlink()
    first.symlink_to(second)
    spoiled("a link", None)
    first.unlink(missing_ok=True)
    first.write_bytes(good[first])
    first.chmod(0o666)
    spoiled("an entry that others may write", None)


def case_a_cache_of_others_is_not_read(regc):
    source, cache = small(regc), folder(regc)
    cached(regc, cache, source)
    for mode in (0o777, 0o770, 0o702):
        (cache / "regc").chmod(mode)
        demand(cached(regc, cache, source)[0] == 0, f"a folder of mode {mode:o} was read")
    (cache / "regc").chmod(0o755)
    demand(cached(regc, cache, source)[0] > 0, "the user's own folder is not read")
    other = folder(regc)
    (other / "regc").symlink_to(cache / "regc")
    demand(cached(regc, other, source)[0] > 0, "the user's own link is not followed")
    if os.geteuid() != 0:
        return
    for path, mine in ((cache / "regc", (cache / "regc")), (other / "regc", other / "regc")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
        demand(cached(regc, other, source)[0] == 0, f"{path} of another user was read")
        os.chown(mine, 0, 0, follow_symlinks=False)
    entry = next((cache / "regc").iterdir())
    os.chown(entry, 65534, 65534)
    demand(cached(regc, cache, source)[0] == cached(regc, cache, source)[1] - 1, "another user's entry was read")


def case_the_cache_has_a_limit(regc):
    source, cache = small(regc), folder(regc)
    cached(regc, cache, source)
    entries = sorted((cache / "regc").iterdir())
    for k in range(4):  # 4 x 100 MB that take no room
        big = cache / "regc" / f"{k:064x}.o"
        with open(big, "wb") as f:
            f.truncate(100 << 20)
        os.utime(big, (1e9 + k, 1e9 + k))
    entries[0].unlink()
    demand(cached(regc, cache, source)[0] == len(entries) - 1, "entries in use left")
    left = sorted(p.name for p in (cache / "regc").glob("0000*.o"))
    demand(left == [f"{3:064x}.o"], f"of the old ones are left: {left}")
