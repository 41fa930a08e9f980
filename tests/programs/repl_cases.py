"""`regc repl`: in a pipe, and typed into through a pseudo-terminal as a person would. Each `case_*` function takes the
compiler and raises Failure. Nothing depends on speed: what is typed next waits for what was expected before."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

from run import ROOT, Failure

DIGITS = ROOT / "examples" / "digits.reg"
PATIENCE = 60  # seconds; only a failure takes as long
ENTER, TAB, CTRL_C, CTRL_D, UP, CTRL_U = "\r", "\t", "\x03", "\x04", "\x1b[A", "\x15"

DATA = f"""data digits = csv("{ROOT}/examples/data/digits.csv", target: label)
  |> scale(1/16)
  |> split(train: 70%, valid: 15%, test: 15%, stratify: label, seed: 1)
"""
MODEL = """model net(x: [64]) -> [10] {
  x |> dense(16) as hidden |> relu |> dense(10)
}
"""
TRAIN = """train net on digits {
  loss cross_entropy(net(x), label)
  optimize adam(lr: cosine(1e-2 -> 0))
  batch 64
  epochs EPOCHS
}
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def demand(condition, text):
    if not condition:
        raise Failure(text)


def folder(regc):
    return Path(tempfile.mkdtemp(dir=regc.scratch))


def piped(regc, text, *arguments, code=0, cwd=ROOT):
    done = regc("repl", *arguments, stdin=text, cwd=cwd)
    demand(done.returncode == code, f"exit code {done.returncode}, expected {code}\n{done.stdout}{done.stderr}")
    return done


class Terminal:
    """A session in a terminal of its own. What it writes is kept without escape sequences."""

    def __init__(self, regc, *arguments, state=None, **environment):
        self.text, self.at, self.raw = "", 0, b""
        self.state = state or folder(regc)
        variables = regc.environment | {"TERM": "xterm", "XDG_STATE_HOME": str(self.state)} | environment
        variables.pop("NO_COLOR", None)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.closerange(3, 4096)  # other tests' pipes must not stay open here
            os.chdir(ROOT)
            os.execve(regc.path, ["regc", "repl", "--color=never", *map(str, arguments)], variables)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.status = None

    def __enter__(self):
        self.expect(r"reg> ")
        return self

    def __exit__(self, kind, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            self.raw += os.read(self.fd, 65536)
        except OSError:  # the other end is closed
            return False
        whole, partial = re.match(rb"(?s)(.*?)(\r|\r?\x1b(?:\[[0-9;?]*)?)?\Z", self.raw).groups()
        self.raw = partial or b""
        for k, part in enumerate(whole.decode(errors="replace").split("\r\x1b[K")):
            if k:  # the line is drawn anew
                self.text = self.text[:self.text.rfind("\n") + 1]
                self.at = min(self.at, len(self.text))
            self.text += re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>])", "", part).replace("\r", "")
        return True

    def expect(self, pattern):
        """Waits until the pattern is found behind what was found before; returns the match."""
        end = time.monotonic() + PATIENCE
        while True:
            found = re.compile(pattern, re.M).search(self.text, self.at)
            if found:
                self.at = found.end()
                return found
            if time.monotonic() > end or not self.read(max(0.01, end - time.monotonic())):
                raise Failure(f"expected /{pattern}/, found\n{self.text[self.at:][-3000:]}\n--- all of it\n{self.text[-6000:]}")

    def type(self, text):
        os.write(self.fd, text.encode())

    def enter(self, line, pattern, prompt=r"^reg> "):
        """Types a line, expects the pattern in its answer and then a prompt."""
        self.type(line + ENTER)
        found = self.expect(pattern)
        if prompt:
            self.expect(prompt)
        return found

    def define(self, text):
        """Types lines one by one, each when the prompt for it is there."""
        lines = text.strip().split("\n")
        for line in lines[:-1]:
            self.enter(line, r"^\.\.\.> ", prompt=None)
        self.type(lines[-1] + ENTER)

    def end(self, code=0):
        self.type(CTRL_D)
        while self.read(PATIENCE):
            pass
        left, patience = 0, time.monotonic() + 5
        while not left:
            left, status = os.waitpid(self.pid, os.WNOHANG)
            if not left and time.monotonic() > patience:
                raise Failure(f"the session does not end\n{self.text[-2000:]}")
        self.status = os.waitstatus_to_exitcode(status)
        demand("Sanitizer" not in self.text and "runtime error:" not in self.text, self.text[-4000:])
        demand(self.status == code, f"exit code {self.status}, expected {code}\n{self.text[-2000:]}")


# -- in a pipe

def case_a_pipe_gets_values_only(regc):
    done = piped(regc, "l2([1,2])")
    demand(done.stdout == "2.5\n" and done.stderr == "", f"{done.stdout!r} {done.stderr!r}")
    done = piped(regc, "let a = 3\na * 2\n\n# nothing\n[[1, 2], [3, 4]]\n1 < 2\n[true, 1 > 2]\n")
    demand(done.stdout == "6\n1  2\n3  4\ntrue\n true  false\n", done.stdout)


def case_an_error_goes_on_and_tells_at_the_end(regc):
    done = piped(regc, "1 + foo\n2 * 3\nlet a = b\na\n4\n", code=1)
    demand(done.stdout == "6\n4\n", done.stdout)
    for place in (r"^\[1\]:1:5: error: unknown name `foo`", r"^\[3\]:1:9: error: unknown name `b`", r"^\[4\]:1:1: error: unknown name `a`"):
        demand(re.search(place, done.stderr, re.M), f"no {place} in\n{done.stderr}")


def case_trainings_of_several_models_and_their_folder(regc):
    """Each model of a head goes on from its own training; `--out` takes what statements with trainings leave."""
    where = Path(tempfile.mkdtemp(dir=regc.scratch))
    (where / "two.reg").write_text(f"""data digits = csv("{ROOT}/examples/data/digits.csv", target: label) |> scale(1/16) |> split(train: 70%, valid: 30%, seed: 1)
model one(x: [64]) -> [10] = x |> dense(4) |> relu |> dense(10)
model two = new one
recipe plain(m) {{
  loss cross_entropy(m(x), label)
  optimize adam(lr: 1e-3)
  epochs 1
}}
""")
    typed = ("train two on digits with plain\ntrain one on digits with plain\nkept = norm(two.*)\n"
             "train one, two on digits as both {\n  loss cross_entropy(one(x), label) + cross_entropy(two(x), label)\n  optimize sgd(lr: 0)\n  epochs 1\n}\n"
             "assert norm(two.*) == kept\nrepeat 2 {\n  train one on digits with plain as again\n}\n")
    done = regc("repl", "--out", where / "out", where / "two.reg", stdin=typed)
    demand(done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}{done.stderr}")
    demand(any((where / "out").rglob("weights*")), f"no weights in {list((where / 'out').rglob('*'))}")


def case_commands_of_other_prompts_are_answered(regc):
    done = piped(regc, "exit\nhelp()\nload x.reg\nwho\nlet run = 3\nrun\n", code=1)
    demand(done.stdout == "3\n", done.stdout)
    for here in ("`exit` is written `:quit`", "`help` is written `:help`", "`load` is written `:load`", "`who` is written `:list`"):
        demand(here in done.stderr, f"no {here} in\n{done.stderr}")


def case_entries_of_several_lines_in_a_pipe(regc):
    done = piped(regc, "sum([1,\n  2,\n\n  3])\n1 +\n  2\n[3, 4]\n  |> sum\nif true\n  then 5\n  else 6\n## Twice.\nfn twice(x) =\n  2 * x\ntwice(21)\n:doc twice\n")
    demand(done.stdout.startswith("6\n3\n7\n5\n42\n"), done.stdout)
    demand("Twice." in done.stdout, done.stdout)


def case_an_empty_line_ends_an_open_line(regc):
    done = piped(regc, "1 +\n\n7\n", code=1)
    demand(done.stdout == "7\n" and "[syntax]" in done.stderr, done.stdout + done.stderr)


def case_a_wrong_replacement_leaves_the_old_definition(regc):
    done = piped(regc, "fn f(x) = 2 * x\nfn f(x) = 3 * y\nf(4)\nfn f(x) = 5 * x\nf(4)\n", code=1)
    demand(done.stdout == "8\n20\n", done.stdout)
    done = piped(regc, "model m(x: [3]) -> [2] = x |> dense(2)\nmodel m(x: [3]) -> [2] = x |> dense(5)\n:shape m(ones([4, 3]))\n", code=1)
    demand(done.stdout == "[4, 2]\n" and "shape_expected" in done.stderr, done.stdout + done.stderr)


def case_large_tensors_are_abridged_with_a_summary(regc):
    out = piped(regc, "reshape(arange(2000), [100, 20])\n").stdout
    demand("[100, 20] f32" in out and "min 0  mean 999.5  max 1999  std 577.4  zeros 0.05 %" in out, out)
    demand("…" in out and "⋮" in out and out.splitlines()[-1].endswith("1999"), out)
    demand(len(out.splitlines()) < 20, f"{len(out.splitlines())} lines")
    plain = regc("repl", stdin="reshape(arange(2000), [100, 20])\n", LC_ALL="C").stdout
    demand(plain.isascii() and "..." in plain, plain)
    out = piped(regc, "log(arange(80) - 1)\n").stdout
    demand("nan 1" in out and "inf 1" in out, out)


def case_commands_answer(regc):
    text = ":type [1, 2]\n:shape ones([3, 4])\n:type relu\n:ty 1\n:help show\n:show graph l2([1, 2])\n:show kernels sum(ones([3]))\n:show asm 1 + 1\n:time sum(ones([10]))\n:doc l2\n"
    out = piped(regc, text).stdout
    for part in ("[2] f32\n", "[3, 4]\n", "the layer `relu`\n", "[] f32\n", ":show graph|kernels|llvm|asm", 'graph "expression"', "median ", "Half the sum of squares"):
        demand(part in out, f"no {part!r} in\n{out}")
    done = piped(regc, ":quux\n:s\n:type\n", code=1)
    demand("no command `:quux`" in done.stderr and ":shape" in done.stderr and "needs an argument" in done.stderr, done.stderr)


def case_what_a_session_holds_is_shown_checked_and_dropped(regc):
    where = folder(regc)
    (where / "half.reg").write_text("fn half(x) = x / 2\n")
    (where / "p.reg").write_text('use "half.reg"\nfn quarter(x) = half(half(x))\n')
    text = DATA + MODEL + f":load {where}/p.reg\nquarter(8)\n" + \
        "check quarter(8) : value == 2\ncheck l2([1, 2]) : value == 2.5\nzeros([2, 2, 3])\nnet\n:plot [1, 2, 2, 3, 3, 3]\n" + \
        TRAIN.replace("EPOCHS", "1") + ":show graph train\n:forget quarter\nquarter(8)\n"
    done = piped(regc, text, code=1)
    for part in ("2\n", "[1, ..]", "net.hidden.weight", "parameters: ", 'graph "net step"'):
        demand(part in done.stdout, f"no {part!r} in\n{done.stdout}{done.stderr}")
    demand("unknown_name" in done.stderr and "check" in done.stdout + done.stderr, done.stderr)


def case_set_replaces_and_persists(regc):
    done = piped(regc, "let a = 1\n:set a=7\na\na + 1\n:set threads=2\n:set\n:set nothing=1\n", code=1)
    demand(done.stdout.startswith("7\n8\n") and "a=7" in done.stdout and "threads=2" in done.stdout, done.stdout)
    one, two = (piped(regc, f":set seed={s}\nnormal([3])\n").stdout for s in (1, 2))
    demand(one != two, "the seed changes nothing")


def case_a_saved_program_means_the_same(regc):
    out = folder(regc)
    program, weights = out / "deep" / "p.reg", out / "w.safetensors"
    program.parent.mkdir()
    piped(regc, DATA + MODEL + f"let a = 3\n## Doc.\nfn f(x) = a * x\n:save {program}\n")
    demand("## Doc." in program.read_text(), program.read_text())
    first = piped(regc, f":load {program}\nf(2)\n:shape net(digits.test.x)\n" + TRAIN.replace("EPOCHS", "1") + f":save {weights}\nsum(net.hidden.weight)\n")
    again = piped(regc, f"sum(net.hidden.weight)\n:load {weights}\nsum(net.hidden.weight)\n", program)
    demand(first.stdout.startswith("6\n[269, 10]\n"), first.stdout)
    values = again.stdout.split()
    demand(values[1] == first.stdout.split()[-1] and values[0] != values[1], first.stdout + again.stdout)
    other = piped(regc, MODEL.replace("16", "8") + f":load {weights}\n")
    demand("other shape: net.hidden.weight is [64, 16], the model has [64, 8]" in other.stderr, other.stderr)
    demand(piped(regc, f":save {out}/nowhere/p.reg\n", code=1).stderr.count("cannot write"), "no word about a missing folder")


# -- training

def saved(regc, text, *arguments):
    path = folder(regc) / "w.safetensors"
    done = piped(regc, text + f":save {path}\n", *arguments)
    return path.read_bytes(), done


def case_weights_are_those_of_a_run(regc):
    out = folder(regc)
    regc.ok("run", "--progress", "none", "--out", out, DIGITS)
    kept, done = saved(regc, ":run\n", DIGITS)
    demand(kept == (out / "weights.safetensors").read_bytes(), "the prompt's weights are not those of `regc run`")
    accuracy = re.search(r"accuracy +(\S+)", done.stdout)[1]
    shown = piped(regc, ":run net\naccuracy(net(digits.test.x), digits.test.label)\n", DIGITS).stdout.split()[-1]
    demand(abs(float(accuracy) - float(shown)) < 1e-4, f"evaluate says {accuracy}, the expression {shown}")


def case_a_loaded_teacher_trains(regc):
    where = folder(regc)
    head, tail = DATA + MODEL, TRAIN.replace("EPOCHS", "3")
    (where / "teacher.reg").write_text(head + tail)
    regc.ok("run", "-q", "--out", where / "run", where / "teacher.reg")
    taught = tail.replace("label)", "label) + mean((net(x) - teacher(x))^2)")
    text = head + f'let teacher = load("{where}/run/weights.safetensors", as: net)\n' + taught
    (where / "taught.reg").write_text(text)
    regc.ok("run", "-q", "--out", where / "whole", where / "taught.reg")
    piped(regc, text + f"\n:save {where}/typed.safetensors\n")
    demand((where / "typed.safetensors").read_bytes() == (where / "whole" / "weights.safetensors").read_bytes(),
           "typed into the prompt the program ends in other weights than run")


def case_a_stopped_training_goes_on_in_the_same_bits(regc):
    program = DATA + MODEL
    whole, _ = saved(regc, program + TRAIN.replace("EPOCHS", "4"))
    parts, done = saved(regc, program + ":set steps=27\n" + TRAIN.replace("EPOCHS", "4") + ":set steps=50\ntrain net\n:set steps=0\ntrain\n")
    demand(whole == parts, "interrupted within an epoch and gone on with, the weights differ")
    demand("goes on after step 27, epoch 1 of 4" in done.stderr and "goes on after step 50" in done.stderr, done.stderr)


def case_a_stopped_training_keeps_the_best_so_far(regc):
    text = TRAIN.replace("EPOCHS", "8\n  stop when valid.loss stalls for 3 epochs, keep best").replace("1e-2 -> 0", "2e-1 -> 1e-3")
    whole, _ = saved(regc, DATA + MODEL + text)
    parts, done = saved(regc, DATA + MODEL + ":set steps=27\n" + text + ":set steps=70\ntrain net\n:set steps=0\ntrain\n")
    demand(whole == parts and "goes on after step 27" in done.stderr, f"gone on with, the weights differ\n{done.stderr}")


def case_a_finished_training_starts_from_its_weights(regc):
    text = DATA + MODEL + TRAIN.replace("EPOCHS", "3")
    once = piped(regc, text + "cross_entropy(net(digits.train.x), digits.train.label)\n")
    twice = piped(regc, text + "train net\ncross_entropy(net(digits.train.x), digits.train.label)\n")
    fresh = piped(regc, text + ":reset\ntrain net\ncross_entropy(net(digits.train.x), digits.train.label)\n")
    demand("starts from the kept weights" in twice.stderr, twice.stderr)
    demand(float(twice.stdout) < 0.8 * float(once.stdout), f"{once.stdout} after one training, {twice.stdout} after two")
    demand(fresh.stdout == once.stdout and "starts from" not in fresh.stderr, "`:reset` does not start anew")


def case_initial_values_are_told(regc):
    done = piped(regc, DATA + MODEL + "sum(net.hidden.weight)\nevaluate net on digits.test { accuracy }\naccuracy(net(digits.test.x), digits.test.label)\n")
    demand("initial values" in done.stderr, done.stderr)
    told, computed = (float(line.split()[-1]) for line in done.stdout.splitlines()[-2:])
    demand(abs(told - computed) < 1e-4, f"accuracy {told} of the evaluation, {computed} of the expression")
    done = piped(regc, ":set steps=1\n:run net\nsum(net.hidden.bias^2)\n", DIGITS)
    demand("initial values" not in done.stderr and float(done.stdout.split()[-1]) > 0, done.stdout + done.stderr)


def case_a_named_value_is_of_the_last_call(regc):
    text = DATA + MODEL + "net(digits.test.x[..5])\n:shape net.hidden\nnet(digits.test.x[..7])\n:shape net.hidden\n:shape net.hidden.weight\n"
    out = piped(regc, text).stdout
    demand(out.endswith("[64, 16]\n") and "[5, 16]\n" in out and "[7, 16]\n" in out, out)


def case_memory_does_not_grow_with_entries(regc):
    script = "import resource, subprocess, sys\np = subprocess.run([sys.argv[1], 'repl', sys.argv[2]], input='net(digits.test.x)[0]\\n' * int(sys.argv[3]), text=True, capture_output=True)\nprint(p.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    environment = regc.environment | {"ASAN_OPTIONS": "exitcode=99:quarantine_size_mb=1"}  # freed memory is not held back
    peak = []
    for n in (5, 105):
        done = subprocess.run([sys.executable, "-c", script, regc.path, str(DIGITS), str(n)], capture_output=True, text=True, env=environment)
        code, kilobytes = map(int, done.stdout.split())
        demand(code == 0, done.stdout)
        peak.append(kilobytes)
    demand(peak[1] - peak[0] < 30000, f"5 entries take {peak[0]} kB, 105 take {peak[1]} kB")


# -- statements

STATEMENTS = """start = net.*
noise = normal([64, 16])
more = normal([64, 16])
mask = start.hidden.weight > median(start.hidden.weight)
train net on digits as first {
  loss cross_entropy(net(x), label)
  penalize w in net.hidden.weight : 1e-2 * sum((w * mask + 0.01 * noise * more)^2)
  optimize adam(lr: 1e-2)
  batch 64
  epochs 2
}
e = evaluate net on digits.test { accuracy }
repeat 2 as r {
  net.* <- start
  train net on digits {
    loss (1 + first.loss) * cross_entropy(net(x), label)
    optimize sgd(lr: 1e-1)
    epochs 1
  }
  net.hidden.bias <- net.hidden.bias + e.accuracy * normal([16])
  report sum(net.hidden.bias) as "round {r}"
}
for i in 0..3 { net.hidden.bias <- net.hidden.bias + i * noise[0] }
if first.loss < 0 { scale = [1, 1] } else { scale = [1, 2] }
values = scale[1] * more
"""


def case_statements_act_one_at_a_time(regc):
    done = piped(regc, "x = 3\nx + 1\ny = x * [1, 2]\ny\n:type y\nfn f(a) = a + x\nx = x + 1\nf(1)\n"
                 "repeat 3 {\n  x = x + 2\n}\nx\nwhile x < 100, up to 50 { x = 2 * x }\nx\n"
                 "if x > 100 {\n  z = 1\n}\nelse {\n  z = 2\n}\nz\nfn both(a) = (a, [a, a])\na, b = both(x)\nb\nd = y > 4\nd\nreport b as \"b is {a}\"\n")
    demand(done.stdout == "4\n3  6\n[2] f32\n5\n10\n160\n1\n160  160\nfalse   true\nb is 160 [2] 160 160\n", done.stdout + done.stderr)


def case_a_typed_program_is_the_program(regc):
    where = folder(regc)
    saves = 'save net to "{0}/net-{1}.safetensors"\nsave values to "{0}/values-{1}.safetensors"\n'
    program = DATA + MODEL + STATEMENTS
    (where / "p.reg").write_text(program + saves.format(where, "run"))
    regc.ok("run", "--progress", "none", "--out", where / "run", where / "p.reg")
    done = piped(regc, program + saves.format(where, "typed") + f":save {where}/typed.reg\n")
    demand(re.search(r"^round 1 \S+$", done.stdout, re.M), done.stdout + done.stderr)
    (where / "again.reg").write_text((where / "typed.reg").read_text().replace("-typed", "-again"))
    regc.ok("run", "--progress", "none", "--out", where / "again", where / "again.reg")
    piped(regc, ":run\n" + saves.format(where, "loaded"), where / "p.reg")
    for what in ("net", "values"):
        whole = (where / f"{what}-run.safetensors").read_bytes()
        for way in ("typed", "again", "loaded"):
            demand((where / f"{what}-{way}.safetensors").read_bytes() == whole, f"`{what}`: {way} and `regc run` differ")


def case_statements_change_the_kept_weights(regc):
    text = DATA + MODEL + "start = net.*\n" + TRAIN.replace("EPOCHS", "2") + "trained = net.*\nsum((net.hidden.weight - trained.hidden.weight)^2)\n" + \
        "sum((net.hidden.weight - start.hidden.weight)^2) > 0.1\nnet.* <- start\nsum((net.hidden.weight - start.hidden.weight)^2)\n" + \
        "net.*.bias <- 7\nmean(net.hidden.bias)\nnet.* <- trained\nquality = evaluate net on digits.test { accuracy }\n" + \
        "quality.accuracy == accuracy(net(digits.test.x), digits.test.label)\n:list\n"
    done = piped(regc, text)
    shown = done.stdout.split("\n")
    demand(shown[:4] == ["0", "true", "0", "7"] and "true" in shown[4:8], done.stdout + done.stderr)
    for part in ("value    quality: accuracy", "value    start: a tree; tensors: 4", "weights  net: 1210 parameters"):
        demand(part in done.stdout, f"no {part!r} in\n{done.stdout}")


def case_a_stopped_training_ends_where_a_statement_changes_its_model(regc):
    text = DATA + MODEL + ":set steps=27\n" + TRAIN.replace("EPOCHS", "4")
    done = piped(regc, text + "copy = net.*\ntrain net\n")
    demand("goes on after step 27" in done.stderr, done.stderr)
    done = piped(regc, text + "net.head.bias <- 1\nnet.*.bias <- 1\ntrain net\n", code=1)
    demand("starts from the kept weights" in done.stderr and "goes on" not in done.stderr, done.stderr)


def case_a_name_bound_anew_may_have_another_shape(regc):
    done = piped(regc, "x = 3\ny = x + 1\nz = 5\nreport y\nx = [1, 2]\nx\ny\n:run y\ny\n:list\n", code=1)
    demand("`y` was made of what is bound anew; `:run y` makes it again" in done.stderr, done.stderr)
    demand(done.stdout.startswith("y 4\n1  2\n2  3\n") and "`y` has no value" in done.stderr and "x = 3" not in done.stdout, done.stdout)
    done = piped(regc, "x = [1, 2]\nk = [3, 4]\ny = sum(x * k)\nreport y\nx = [k[0], 2, 3]\nx\ny\n:list\n", code=1)
    demand("`y` is kept no more" in done.stderr and "`report` is kept no more" in done.stderr, done.stderr)
    demand(done.stdout.startswith("y 11\n3  2  3\n") and "y =" not in done.stdout, done.stdout)
    demand("unknown name `y`" in done.stderr, done.stderr)
    done = piped(regc, "x = 3\nx = [x, x]\nx\n", code=1)
    demand("keeps its kind and its shape" in done.stderr and done.stdout == "3\n", done.stdout + done.stderr)


def case_a_statement_that_fails_is_not_kept(regc):
    done = piped(regc, "x = 3\nassert x > 5\nassert x > 2\nrepeat 2.5 { x = 4 }\nx = nothing\nx\n:list\n", code=1)
    demand("`x > 5` does not hold: `x` is 3" in done.stderr and "`repeat` makes 2.5 turns" in done.stderr, done.stderr)
    demand(done.stdout.startswith("3\n") and "x > 2" in done.stdout and "x > 5" not in done.stdout and "2.5" not in done.stdout, done.stdout)


def case_loaded_statements_have_no_values_until_they_run(regc):
    where = folder(regc)
    (where / "p.reg").write_text("x = 3\ny = x + 1\nreport y\nlet n = 2\no = ones([n])\n")
    text = "y\nz = y\nreport x\nsave x to \"x.safetensors\"\n:run x\ny\n:run\ny\nz = y\nz\n:set n=3\no\n:run o\no\n:run nothing\n"
    done = piped(regc, text, where / "p.reg", code=1)
    demand(done.stdout == "y 4\n4\n4\n1  1  1\n", done.stdout + done.stderr)
    demand(done.stderr.count("has no value: no statement that gives it one has run [no_value]") == 6 and "`:run NAME`" in done.stderr, done.stderr)
    done = piped(regc, ":run\n:forget y\n:forget z\nx\n:forget nothing\n", where / "p.reg", code=1)
    demand("unknown name `y`" in done.stderr and "3\n" in done.stdout, done.stderr)
    done = piped(regc, ":run\n:forget report\n:forget y\nx\n:reset\nx\n:reset all\nx\n", where / "p.reg", code=1)
    demand(done.stdout == "y 4\n3\n3\n" and "unknown name `x`" in done.stderr, done.stdout + done.stderr)


def case_values_follow_the_precision(regc):
    done = piped(regc, "x = [1, 2]\nk = sum(x) > 1\nprecision f64\n:type x\ny = x / 3\ny\nk\nprecision f32\n:type y\n")
    demand(done.stdout == "[2] f64\n0.3333  0.6667\ntrue\n[2] f32\n", done.stdout + done.stderr)


# -- in a terminal

def case_typed_lines_are_answered(regc):
    with Terminal(regc) as t:
        t.enter("l2([1, 2])", r"^2\.5$")
        t.define("fn twice(x) {\n  2 * x\n}\n")
        t.expect(r"^fn twice\n")
        t.expect(r"^reg> ")
        t.enter("twice(21)", r"^42$")
        t.enter("twice(nothing)", r"error: unknown name `nothing`")
        t.enter("[1, 2, 3]", r"^1  2  3$")
        t.enter("  |> sum", r"^6$")
        t.enter(":q", r"", prompt=None)
        while t.read(PATIENCE):
            pass
        t.status = os.waitstatus_to_exitcode(os.waitpid(t.pid, 0)[1])
        demand(t.status == 0, f"`:q` ended with {t.status}")


def case_ctrl_c_clears_what_is_typed(regc):
    with Terminal(regc) as t:
        t.type("1 + 1000 + (")
        t.expect(r"1000 \+ \(")
        t.type(CTRL_C)
        t.expect(r"^reg> ")
        t.enter("3 * 14", r"^42$")
        t.enter("[1,", r"^\.\.\.> ", prompt=None)
        t.enter("2,", r"^\.\.\.> ", prompt=None)
        t.type(CTRL_C)
        t.expect(r"^reg> ")
        t.enter("5 * 5", r"^25$")
        t.end()


def case_tab_completes(regc):
    with Terminal(regc, DIGITS) as t:
        t.type("gaussian_dr" + TAB)
        t.expect(r"gaussian_dropout")
        t.type("(" + TAB)
        t.expect(r"^p: +x: \n")
        t.type("[1], p: 0)" + ENTER)
        t.expect(r"^1$")
        t.expect(r"^reg> ")
        t.type("net.hid" + TAB + ".b" + TAB + ENTER)
        t.expect(r"^\[128\] f32$")
        t.expect(r"^reg> ")
        t.type("digits.tes" + TAB + "." + TAB)
        t.expect(r"digits\.test\.id +digits\.test\.label +digits\.test\.x\n")
        t.type(CTRL_U + ":se" + TAB + " thr" + TAB + "2" + ENTER)
        t.expect(r"^reg> ")
        t.enter(":set", r"^  threads=2$")
        t.type(f":load {ROOT}/examples/lin" + TAB)
        t.expect(r"linear\.reg")
        t.type(CTRL_U + ":s" + TAB)
        t.expect(r"^save +set +shape +show\n")
        os.kill(t.pid, signal.SIGWINCH)
        t.type(CTRL_U + ":forget dig" + TAB)
        t.expect(r"digits")
        t.type(CTRL_U)
        t.end()


def case_history_is_kept_whole(regc):
    with Terminal(regc) as t:
        t.define("fn thrice(x) {\n  3 * x\n}\n")
        t.expect(r"^fn thrice\n")
        t.expect(r"^reg> ")
        t.enter("6 * 7 + 0 * 8", r"^42$")
        t.end()
    path = t.state / "regc" / "history"
    demand(path.stat().st_mode & 0o777 == 0o600, f"mode {path.stat().st_mode:o}")
    with Terminal(regc, state=t.state) as again:
        again.type(UP + ENTER)
        again.expect(r"^42$")
        again.expect(r"^reg> ")
        again.type(UP)
        again.type(UP + ENTER)  # the whole definition, of three lines
        again.expect(r"^fn thrice\n")
        again.expect(r"^reg> ")
        again.enter("thrice(5)", r"^15$")
        again.end()


def case_ctrl_c_stops_a_training_that_goes_on_later(regc):
    with Terminal(regc) as t:
        for line in DATA.strip().split("\n"):
            t.enter(line, r"^data digits")
        t.define(MODEL)
        t.expect(r"^model net\n")
        t.expect(r"^reg> ")
        t.define(TRAIN.replace("EPOCHS", "1000000"))
        t.expect(r"^ +3 +\S+")  # the third epoch's row
        t.type(CTRL_C)
        stopped = int(t.expect(r"interrupted after \d+ epochs, (\d+) steps")[1])
        t.expect(r"^reg> ")
        t.enter("accuracy(net(digits.test.x), digits.test.label)", r"^0\.\d+$")
        t.type("train net" + ENTER)
        step = int(t.expect(r"^goes on after step (\d+), epoch \d+ of 1000000")[1])
        demand(step == stopped, f"stopped after step {stopped}, goes on after {step}")
        t.expect(r"^ +\d+ +\S+ +\S+ +\S+ s")
        t.type(CTRL_C)
        later = int(t.expect(r"interrupted after \d+ epochs, (\d+) steps")[1])
        demand(later > stopped, f"step {later} is not behind {stopped}")
        t.expect(r"^reg> ")
        t.enter(":list", r"stopped after (\d+) steps")
        t.enter(":plot", r"epochs of `net`")
        t.enter(":reset", r"")
        t.enter("net.hidden.bias", r"initial values")
        t.end()


def case_ctrl_c_stops_a_loop_and_not_the_session(regc):
    with Terminal(regc) as t:
        t.enter("x = 1", r"^x: \[\] f64$")
        t.enter("while x > 0, up to 1000000000 {", r"^\.\.\.> ", prompt=None)
        t.enter("  x = x + 1", r"^\.\.\.> ", prompt=None)
        t.type("}" + ENTER)
        time.sleep(0.5)  # in the loop, on any machine that compiles at all; else Ctrl-C ends the compilation's run
        t.type(CTRL_C)
        t.expect(r"interrupted")
        t.expect(r"^reg> ")
        t.enter("x > 1", r"^true$")
        t.enter("x = 5", r"^x: \[\] f64$")
        t.enter("x", r"^5$")
        for line in DATA.strip().split("\n"):
            t.enter(line, r"^data digits")
        t.define(MODEL)
        t.expect(r"^model net\n")
        t.expect(r"^reg> ")
        t.define("repeat 1000000 {\n" + TRAIN.replace("EPOCHS", "2").replace("train", "  train") + "}\n")
        t.expect(r"^ +2 +\S+")
        t.type(CTRL_C)
        t.expect(r"interrupted")
        t.expect(r"^reg> ")
        t.enter("accuracy(net(digits.test.x), digits.test.label)", r"^0\.\d+$")
        t.type("quality = evaluate net on digits.test { accuracy }" + ENTER)
        t.expect(r"accuracy +0\.\d+")
        t.expect(r"^reg> ")
        t.type("quali" + TAB + "." + TAB + ENTER)
        t.expect(r"^0\.\d+$")
        t.type(":run qual" + TAB + ENTER)
        t.expect(r"accuracy +0\.\d+")
        t.expect(r"^reg> ")
        t.end()
