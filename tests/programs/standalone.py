"""Standalone binaries: the same bits as `regc run`, predictions with the learned preprocessing, what may be changed and what may
not, models for embedding."""
import csv
import json
import math
import os
import random
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

from programs.cases import DIGITS, demand, folder, long_program
from run import ROOT

DATA = ROOT / "examples" / "data" / "digits.csv"
# A layer with state, a learned transformation of the data, and numbers that may be changed, or not.
PROGRAM = f"""## Numbers to change.

let strength = 1e-3
let width = 16
## How much of the hidden layer is left out.
let rate = 10%
let low = strength / 100
data digits = csv("{DATA}", target: label) |> standardize |> split(train: 70%, valid: 15%, test: 15%, seed: 1)
model net(x: [64]) -> [10] {{ x |> dense(width) as hidden |> batch_norm |> relu |> dropout(rate) |> dense(10) }}
train net on digits {{
  loss     cross_entropy(net(x), label)
  penalize w in net.*.weight : ramp(low -> strength, over: 50%) * l1(w)
  optimize adam(lr: cosine(1e-2 -> 1e-4))
  batch    64
  epochs   4
}}
evaluate net on digits.test {{ accuracy, ece }}
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def program(where, text=PROGRAM, name="small.reg"):
    path = where / name
    path.write_text(text)
    return path


def build(regc, source, *options, name="program"):
    """The binary as something to call like the compiler."""
    path = folder(regc) / name
    regc.ok("build", "-q", source, "-o", path, *options)
    return type(regc)(path, regc.scratch)


def weights(binary, *arguments):
    out = folder(binary)
    binary.ok(*arguments, "-q", "--out", out)
    return (out / "weights.safetensors").read_bytes()


def sanitizers(regc):
    """The compiler and its options that link with the libraries beside regc where these are built with sanitizers; else nothing."""
    library = (Path(regc.path).parent / "libregrt.a").read_bytes()
    if b"__asan_init" not in library:
        return []
    return ["clang-19" if b"clang" in library else "cc", "-fsanitize=address,undefined",
            *(["-fprofile-instr-generate"] if b"__llvm_prf" in library else [])]


def link(regc, *arguments):
    """Links with the runtime as a person would."""
    made = subprocess.run([*(sanitizers(regc) or ["cc"]), *arguments, f"-L{Path(regc.path).parent}", "-lregmain", "-lregrt", "-lz", "-lzstd",
                           "-lopenblas", "-lm", "-lpthread"], capture_output=True, text=True)
    demand(made.returncode == 0, made.stderr)


def refused(binary, part, *arguments, code=2):
    done = binary(*arguments)
    demand(done.returncode == code and part in done.stderr,
           f"{arguments}: exit code {done.returncode}, `{part}` expected in\n{done.stderr}")


def table(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def case_binary_trains_to_the_bits_of_run(regc):
    source = program(folder(regc))
    expected = weights(regc, "run", source)
    demand(weights(build(regc, source)) == expected, "the binary's weights differ from those of `regc run`")
    demand(weights(build(regc, source, "--cpu=native")) == expected, "--cpu=native gives other weights")
    demand(weights(build(regc, source), "--threads", "2") == expected, "two threads give other weights")
    demand(weights(build(regc, source), "--seed", "5") == weights(regc, "run", source, "--seed", "5"), "other weights for --seed")


def case_static_binary_needs_no_library(regc):
    if sanitizers(regc):  # they cannot be linked statically: this is a test of the release build
        return
    binary = build(regc, DIGITS, "--static")
    needed = subprocess.run(["ldd", binary.path], capture_output=True, text=True)
    demand("not a dynamic executable" in needed.stdout + needed.stderr, needed.stdout)
    short = ("--seed", "1", "--steps", "40")
    demand(weights(binary, *short) == weights(regc, "run", DIGITS, *short), "the static binary's weights differ")


def case_binary_needs_neither_llvm_nor_regc(regc):
    binary = build(regc, DIGITS)
    needed = subprocess.run(["ldd", binary.path], capture_output=True, text=True).stdout
    demand("LLVM" not in needed and "libopenblas" in needed, needed)
    alone = folder(regc)
    shutil.copy(binary.path, alone / "digits")
    shutil.copy(DATA, alone / "d.csv")
    done = subprocess.run(["./digits", "--data", "digits=d.csv", "--steps", "3"], cwd=alone, env={}, capture_output=True, text=True)
    demand(done.returncode == 0 and "accuracy" in done.stdout, done.stderr)
    demand((alone / "runs" / "digits-1" / "weights.safetensors").exists(), "no run folder beside the binary")


def case_numbers_may_be_changed(regc):
    source = program(folder(regc))
    binary = build(regc, source)
    changes = ("--set", "strength=0.01", "--set", "rate=30%", "--epochs", "6")
    changed = weights(binary, *changes)
    demand(changed == weights(regc, "run", source, *changes), "changed in the binary and in `regc run`: other weights")
    demand(changed == weights(build(regc, source, *changes[2:]), *changes[:2]), "changed in part by `regc build`: other weights")
    for change in (changes[:2], changes[2:4], changes[4:]):
        demand(weights(binary, *change) != weights(binary), f"{change} changes nothing")
    refused(binary, "`width` is compiled in", "--set", "width=3")
    refused(binary, "small.reg:9:", "--set", "width=3")  # the place that needs it
    refused(binary, "must lie from 0 to 1", "--set", "rate=2")
    refused(binary, "`x` is no number", "--set", "rate=x")
    refused(binary, "`low` is no number that may be changed", "--set", "low=1")
    refused(binary, "batches of 64 are compiled in", "--batch", "32")
    demand(weights(build(regc, source, "--batch", "32")) == weights(regc, "run", source, "--batch", "32"), "other weights for --batch")


def case_a_number_may_stand_for_a_schedule(regc):
    binary, set_ = build(regc, DIGITS), ("--seed", "1", "--steps", "450", "--set", "rate=0.2")
    demand(weights(binary, *set_) == weights(regc, "run", DIGITS, *set_), "`rate` as a number: other weights than `regc run`")
    demand(weights(binary, *set_[:4]) == weights(regc, "run", DIGITS, *set_[:4]), "`rate` as it is: other weights than `regc run`")
    demand(weights(binary, *set_) != weights(binary, *set_[:4]), "--set rate changes nothing")
    refused(binary, "must lie from 0 to 1", "--set", "rate=1.5")
    demand("rate, a schedule" in binary.ok("--help"), "--help does not offer the schedule")


def case_several_batches_are_compiled_in(regc):
    source = program(folder(regc))
    binary = build(regc, source, "--batch", "64,32,100")
    for size in ("64", "32", "100"):
        chosen = ("--set", "rate=0.2", "--batch", size)
        demand(weights(binary, *chosen) == weights(regc, "run", source, *chosen), f"batches of {size}: other weights than `regc run`")
    demand(weights(binary) == weights(binary, "--batch=64"), "the first size is not the one that runs")
    refused(binary, "64, 32, 100 are compiled in", "--batch", "33")
    refused(regc, "one size here", "run", source, "--batch", "64,32")
    refused(regc, "is no N", "build", source, "--batch", "64,", "-o", "x")


def case_binary_tells_what_it_is(regc):
    source = program(folder(regc))
    binary, out = build(regc, source, name="small"), folder(regc)
    text = binary.ok("--help")
    for part in ("Numbers to change.", "rate = 0.1\n      How much of the hidden layer is left out.", "accuracy, ece", str(DATA), "target `label`", "--resume"):
        demand(part in text, f"--help lacks `{part}`\n{text}")
    demand("width =" not in text, "--help offers a number that is compiled in")
    binary.ok("-q", "--out", out)
    info = json.loads((out / "run.json").read_text())
    demand(info["program_checksum"] in binary.ok("--version"), "--version lacks the program's hash")
    demand(info["standalone"] and abs(info["settings"]["rate"] - 0.1) < 1e-6, f"run.json: {info}")
    demand((out / "program.reg").read_text() == PROGRAM, "the run's program.reg is another text")
    refused(binary, "no command `trian`", "trian")
    refused(binary, "unknown option `--sed`", "--sed", "1")
    refused(binary, "has no option `--in`", "--in", "x.csv")


def case_predict_repeats_the_preprocessing(regc):
    source = program(folder(regc))
    binary, where = build(regc, source), folder(regc)
    binary.ok("-q", "--out", where / "run", "--tensorboard")
    demand((where / "run/events.out.tfevents.regc").stat().st_size > 200, "no event file")
    known = {r["id"]: r for r in table(where / "run" / "predictions.csv")}
    everything = table(DATA)
    # Other columns besides, in another order, the target as text, and only the rows of the test part.
    columns = list(everything[0])
    random.Random(1).shuffle(columns)
    ids = sorted(known, key=int)
    with open(where / "in.csv", "w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["note", *columns])
        rows.writerows([["a, b", *(("nine" if c == "label" else everything[int(i)][c]) for c in columns)] for i in ids])
    binary.ok("predict", "--weights", where / "run", "--in", where / "in.csv", "--out", where / "out.csv")
    outputs = [k for k in known[ids[0]] if k.startswith("output_")]
    found = table(where / "out.csv")
    demand(len(found) == len(ids), f"{len(found)} predictions of {len(ids)} rows")
    for i, row in zip(ids, found):
        demand(row["predicted"] == known[i]["predicted"], f"row {i} is predicted to be {row['predicted']}")
        scores = {k: math.exp(float(known[i][k])) for k in outputs}
        far = max(abs(float(row[k.replace("output", "probability")]) - scores[k] / sum(scores.values())) for k in outputs)
        demand(far < 1e-5, f"row {i}: probabilities are {far} away from those of the run")
    demand(binary.ok("predict", "--weights", where / "run" / "weights.safetensors", "--in", where / "in.csv")
           == (where / "out.csv").read_text(), "standard output and --out differ")
    demand(binary.ok("predict", "--weights", where / "run", "--in", "-", stdin=(where / "in.csv").read_text())
           == (where / "out.csv").read_text(), "rows from standard input are predicted differently")


def npy(path, kind="f"):
    """(head, values) of 4 bytes."""
    data = path.read_bytes()
    size = struct.unpack("<H", data[8:10])[0]
    count = (len(data) - 10 - size) // 4
    return data[10:10 + size].decode(), struct.unpack(f"<{count}{kind}", data[10 + size:])


def case_predict_reads_and_writes_npy(regc):
    source = program(folder(regc))
    binary, where = build(regc, source), folder(regc)
    binary.ok("-q", "--out", where / "run")
    rows = [[float(r[c]) for c in r if c != "label"] for r in table(DATA)[:70]]
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({len(rows)}, 64), }}".ljust(117) + "\n"
    (where / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode()
                                  + b"".join(struct.pack("<64d", *r) for r in rows))
    binary.ok("predict", "--weights", where / "run", "--in", where / "x.npy", "--out", where / "y.npy")
    head, values = npy(where / "y.npy")
    demand("(70, 10" in head, head)
    lines = binary.ok("predict", "--weights", where / "run", "--in", where / "x.npy").splitlines()[1:]
    text = [struct.unpack("<f", struct.pack("<f", float(v)))[0] for line in lines for v in line.split(",")[2:]]
    demand(max(abs(a - b) for a, b in zip(text, values)) == 0 and len(text) == len(values), "npy and csv differ")


def case_predict_refuses_what_does_not_fit(regc):
    binary, where = build(regc, program(folder(regc))), folder(regc)
    binary.ok("-q", "--out", where / "run", "--steps", "1")
    (where / "few.csv").write_text("p0_0,p0_1\n1,2\n")
    (where / "bare.csv").write_text("1,2\n3,4\n")
    (where / "text.csv").write_text(DATA.read_text().replace("\n0,", "\nx,", 1))
    (where / "cut.safetensors").write_bytes((where / "run" / "weights.safetensors").read_bytes()[:-9])
    run = ("predict", "--weights", where / "run", "--in")
    refused(binary, "lacks 62 of the 64 columns", *run, where / "few.csv", code=65)
    refused(binary, "no header", *run, where / "bare.csv", code=65)
    refused(binary, "`x` in column `p0_0` is no number", *run, where / "text.csv", code=65)
    refused(binary, "cannot read", *run, where / "none.csv", code=66)
    refused(binary, "weights_bad", "predict", "--weights", where / "cut.safetensors", "--in", DATA, code=65)
    refused(binary, "weights_missing", "predict", "--weights", where / "none", "--in", DATA, code=66)
    refused(binary, "needs `--weights", "predict", "--in", DATA)
    refused(binary, "needs `--in", "predict", "--weights", where / "run")


def case_evaluate_repeats_the_metrics(regc):
    binary, where = build(regc, program(folder(regc))), folder(regc)
    trained = json.loads(binary.ok("--json", "--out", where / "run", "--progress", "none").splitlines()[-1])
    again = json.loads(binary.ok("evaluate", "--weights", where / "run", "--json", "--out", where / "again").splitlines()[-1])
    demand(trained["metrics"] == again["metrics"], f"{trained} and {again}")
    demand((where / "run" / "predictions.csv").read_text() == (where / "again" / "predictions.csv").read_text(),
           "evaluate writes other predictions")


def case_binary_refuses_other_data(regc):
    binary, where = build(regc, program(folder(regc))), folder(regc)
    lines = DATA.read_text().splitlines(keepends=True)
    (where / "short.csv").write_text("".join(lines[:500]))
    (where / "named.csv").write_text("".join([lines[0].replace("p0_1", "q"), *lines[1:]]))
    refused(binary, "rows instead of", "--data", f"digits={where}/short.csv", code=65)
    refused(binary, "`q` instead of `p0_1`", "--data", f"digits={where}/named.csv", code=65)
    refused(binary, "--data digits=PATH", "--data", f"digits={where}/none.csv", code=66)
    refused(binary, "no data `digit`", "--data", "digit=x")
    stream = binary("--json", "--data", f"digits={where}/none.csv").stdout.splitlines()
    demand(json.loads(stream[-1])["event"] == "error", f"the stream ends with {stream[-1]}")
    stream = binary("--json", "--data", f"digits={where}/named.csv").stdout.splitlines()
    demand(json.loads(stream[-1])["event"] == "error", f"with data of another form the stream ends with {stream[-1]}")


def case_killed_binary_resumes_in_the_same_bits(regc):
    binary, where = build(regc, long_program(regc, 400)), folder(regc)
    expected = weights(binary, "--seed", "2")
    delays = random.Random(3)
    for _ in range(3):
        running = binary.start("--seed", "2", "-q", "--out", where, "--resume", "--checkpoint", "0")
        time.sleep(delays.uniform(0.01, 0.3))
        running.send_signal(signal.SIGKILL)
        running.wait()
    binary.ok("--seed", "2", "-q", "--out", where, "--resume", "--checkpoint", "0")
    demand((where / "weights.safetensors").read_bytes() == expected, "killed and resumed: other weights")
    refused(binary, "the seed (2 then, 3 now)", "--seed", "3", "--out", where, "--resume", code=65)
    refused(binary, "behind epoch 400, this training is for 300", "--seed", "2", "--epochs", "300", "--out", where, "--resume", code=65)


def case_divergence_in_a_binary_names_its_place(regc):
    text = PROGRAM.replace("adam(lr: cosine(1e-2 -> 1e-4))", "sgd(lr: 1e30)")
    binary = build(regc, program(folder(regc), text))
    done = binary("-q", "--out", folder(regc))
    demand(done.returncode == 3 and "diverged" in done.stderr and ".reg:" in done.stderr, f"{done.returncode}\n{done.stderr}")


def case_model_is_embedded_in_c(regc):
    where = folder(regc)
    regc.ok("run", DIGITS, "-q", "--seed", "1", "--out", where / "run")
    regc.ok("build", DIGITS, "--model-only", "--weights", where / "run", "-q", "-o", where / "net.o")
    link(regc, "-I", where, ROOT / "examples/embed/predict.c", where / "net.o", "-o", where / "predict")
    rows = table(DATA)[:90]
    text = "".join(",".join(r[c] for c in r if c != "label") + "\n" for r in rows)
    found = subprocess.run([where / "predict"], input=text, capture_output=True, text=True, env={}).stdout.splitlines()
    binary = build(regc, DIGITS)
    expected = binary.ok("predict", "--weights", where / "run", "--in", DATA).splitlines()[1:91]
    demand([line.split()[0] for line in found] == [line.split(",")[1] for line in expected], f"other digits: {found}")
    header = (where / "net.h").read_text()
    demand("NET_INPUTS = 64, NET_OUTPUTS = 10" in header, header)


def case_two_models_are_linked_together(regc):
    where = folder(regc)
    regc.ok("run", DIGITS, "-q", "--steps", "2", "--out", where / "run")
    second = program(where, DIGITS.read_text().replace("net", "other").replace("data/digits.csv", str(DATA)), "other.reg")
    regc.ok("run", second, "-q", "--steps", "2", "--out", where / "run2")
    for name, source, run in (("net", DIGITS, "run"), ("other", second, "run2")):
        regc.ok("build", source, "--model-only", "--weights", where / run, "-q", "-o", where / f"{name}.o")
    (where / "main.c").write_text('#include "net.h"\n#include "other.h"\nint main(void) { float x[64] = {1}, y[10], z[10];\n'
                                  "return net_predict(x, 1, y) || other_predict(x, 1, z) || y[0] != z[0]; }\n")
    link(regc, where / "main.c", where / "net.o", where / "other.o", "-o", where / "two")
    demand(subprocess.run([where / "two"]).returncode == 0, "two models of the same weights predict differently")


def case_build_refuses_what_it_cannot_make(regc):
    where = folder(regc)
    refused(regc, "needs `-o PATH`", "build", DIGITS)
    refused(regc, "did you mean `znver3`", "build", DIGITS, "-o", where / "x", "--cpu", "zenver3")
    refused(regc, "lacks AVX2", "build", DIGITS, "-o", where / "x", "--cpu", "x86-64")
    refused(regc, "needs `--weights`", "build", DIGITS, "-o", where / "x.o", "--model-only")
    refused(regc, "belong to `--model-only`", "build", DIGITS, "-o", where / "x", "--weights", "w")
    own = program(where)
    refused(regc, "is the program itself", "build", own, "-o", own)
    demand(own.read_text() == PROGRAM, "the program was written over")
    refused(regc, "does nothing", "build", program(where, "let a = 1\n"), "-o", where / "x")
    refused(regc, "cannot", "build", DIGITS, "-o", where / "none" / "x", "-q", code=73)
    refused(regc, "weights_missing", "build", DIGITS, "-o", where / "x.o", "--model-only", "--weights", where / "w", code=66)
    demand(not [f for f in os.listdir(where) if f != "small.reg"], f"left behind: {os.listdir(where)}")


def case_object_links_with_the_runtime(regc):
    where = folder(regc)
    regc.ok("build", DIGITS, "--emit=obj", "-q", "-o", where / "digits.o")
    link(regc, where / "digits.o", "-o", where / "digits")
    short = ("--seed", "1", "--steps", "20")
    binary = type(regc)(where / "digits", regc.scratch)
    demand(weights(binary, *short) == weights(regc, "run", DIGITS, *short), "other weights")


def case_installed_copy_builds(regc):
    where = folder(regc)
    done = subprocess.run(["cmake", "--install", Path(regc.path).parent, "--prefix", where / "usr", "--strip"],
                          capture_output=True, text=True)
    demand(done.returncode == 0, done.stderr)
    installed = type(regc)(where / "usr/bin/regc", regc.scratch)
    short = ("--seed", "1", "--steps", "20")
    demand(weights(build(installed, DIGITS), *short) == weights(regc, "run", DIGITS, *short), "other weights")
    for path in ("lib/reg/libregrt.a", "include/reg/train.h", "share/reg/stdlib/layers/dense.reg", "share/man/man1/regc.1.gz",
                 "share/man/man1/regc-build.1.gz", "share/bash-completion/completions/regc", "share/zsh/vendor-completions/_regc",
                 "share/fish/vendor_completions.d/regc.fish", "share/doc/regc/examples/digits.reg"):
        demand((where / "usr" / path).exists(), f"{path} is not installed")


def case_bash_completes(regc):
    script = folder(regc) / "regc.bash"
    script.write_text(regc.ok("completion", "bash"))

    def completed(*words):
        text = f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _regc 2>&-; echo ${{COMPREPLY[@]}}"
        return subprocess.run(["bash", "-c", text], cwd=ROOT / "examples", capture_output=True, text=True).stdout.split()

    demand(completed("regc", "gradc") == ["gradcheck"], completed("regc", "gradc"))
    demand(completed("regc", "build", "--mod") == ["--model-only", "--model="], completed("regc", "build", "--mod"))
    demand(completed("regc", "run", "--color", "=", "al") == ["always"], completed("regc", "run", "--color", "=", "al"))
    demand(completed("regc", "run", "dig") == ["digits.reg"], completed("regc", "run", "dig"))
    demand("--static" not in completed("regc", "run", "--s"), "`run` is given an option of `build`")


def case_binary_holds_the_loaded_teacher(regc):
    where = folder(regc)
    text = PROGRAM.replace("\ntrain net", "\nlet teacher = load(\"run/weights.safetensors\", as: net)\ntrain net")
    regc.ok("run", program(where), "-q", "--out", where / "run")
    source = program(where, text.replace("cross_entropy(net(x), label)", "cross_entropy(net(x), label) + mean((net(x) - teacher(x))^2)"))
    expected = weights(regc, "run", source)
    binary = build(regc, source)
    shutil.rmtree(where / "run")
    demand(weights(binary) == expected, "with the teacher inside the binary: other weights")


def case_weights_of_several_trainings_come_from_a_folder(regc):
    where = folder(regc)
    text = PROGRAM.replace("evaluate net", PROGRAM[PROGRAM.index("train net"):PROGRAM.index("evaluate net")]
                           .replace("on digits", "on digits as again").replace("adam(lr: cosine(1e-2 -> 1e-4))", "sgd(lr: 0.1)")
                        + "evaluate net")
    binary = build(regc, program(where, text))
    binary.ok("-q", "--out", where / "run")
    refused(binary, "which model?", "predict", "--weights", where / "run", "--in", DATA)
    first, second = (binary.ok("predict", "--model", m, "--weights", where / "run", "--in", DATA) for m in ("net", "again"))
    demand(first != second, "both models predict the same")
    demand(first == binary.ok("predict", "--model", "net", "--weights", where / "run" / "weights-net.safetensors", "--in", DATA),
           "the folder's weights are not those of its file")
    demand(binary.ok("evaluate", "--weights", where / "run") != "", "evaluate prints nothing")
    two = PROGRAM.replace("model net", "model other(x: [64]) -> [10] = x |> dense(10)\nmodel net")
    two += PROGRAM[PROGRAM.index("train net"):PROGRAM.index("evaluate net")].replace("net", "other")
    binary = build(regc, program(where, two))
    refused(binary, "no folder of a run", "evaluate", "--weights", where / "run" / "weights-net.safetensors", code=65)


def case_resume_with_other_definitions_is_refused(regc):
    where = folder(regc)
    used = program(where, "let rate = 0.2\n", "used.reg")
    source = program(where, PROGRAM.replace("let rate = 10%", 'use "used.reg"'))
    regc.ok("run", source, "-q", "--steps", "3", "--out", where / "run")
    refused(regc, "differs in `width` (16 then, 8 now)", "run", source, "--set", "width=8", "--resume", "--out", where / "run", code=65)
    used.write_text("let rate = 0.3\n")
    refused(regc, "differs in definitions", "run", source, "--resume", "--out", where / "run", code=65)
    used.write_text("let rate = 0.2\n")
    regc.ok("run", source, "-q", "--resume", "--out", where / "run")
