"""Folders of PNG and JPEG files: classes, parts, colours, sizes, predictions in `regc` and in a binary, and what is wrong with folders and
files. Each `case_*` function takes the compiler and raises Failure."""
import csv
import io
import json
import math
import os
import shutil
import struct
import subprocess
import zlib

from programs.cases import demand, events, folder, of_kind

GREY, RGB, PALETTE, RGBA = 0, 2, 3, 6
PROGRAM = """data d = images("train", size: [4, 5]) |> scale(1/255) with test = images("test")
model net(x: [4, 5, 3]) -> [2] = x |> conv(2) |> relu |> global_pool |> dense(2)
train net on d {
  loss     cross_entropy(net(x), label)
  optimize adam(lr: 1e-2)
  batch    4
  epochs   2
}
evaluate net on d.test { accuracy }
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(height, width, rows, colours=RGB, bits=8, extra=b"", size=None):
    """Of rows of bytes as they lie in the file, unfiltered. size: what the header says instead."""
    head = struct.pack(">IIBBBBB", *(size or (width, height)), bits, colours, 0, 0, 0)
    body = b"".join(b"\0" + rows[y * len(rows) // height:(y + 1) * len(rows) // height] for y in range(height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def pixels(height, width, seed, channels=3):
    return bytes((seed * 37 + i * i * 11 + i * 5) % 256 for i in range(height * width * channels))


def grey_of(rgb):
    return [(19595 * rgb[i] + 38470 * rgb[i + 1] + 7471 * rgb[i + 2] + 32768) >> 16 for i in range(0, len(rgb), 3)]


def values(regc, where, expression):
    found = json.loads(regc.ok("eval", expression, "-f", "p.reg", "--out", "o", cwd=where))
    if "file" in found:
        data = (where / found["file"]).read_bytes()
        head = struct.unpack("<H", data[8:10])[0] + 10
        found["values"] = list(struct.unpack(f"<{(len(data) - head) // 4}{'i' if b'<i4' in data[:head] else 'f'}", data[head:]))
    return found


def placed(regc):
    """Two classes of four and three images, a test folder of one each, and the program."""
    where = folder(regc)
    for part, name, seed in (("train", "cat/b.png", 1), ("train", "cat/a.PNG", 2), ("train", "cat/more/c.png", 3), ("train", "cat/d", 4),
                             ("train", "dog/a.png", 5), ("train", "dog/é.png", 6), ("train", "dog/z.png", 7), ("test", "cat/q.png", 8), ("test", "dog/q.png", 9)):
        path = where / part / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(4, 5, pixels(4, 5, seed)))
    (where / "train/.hidden").write_text("no image")
    (where / "train/cat/.DS_Store").write_text("no image")
    (where / "p.reg").write_text(PROGRAM)
    return where


def case_images_in_folders(regc):
    """Rows in the order of names; the same bits in a binary, also where it predicts a folder."""
    where = placed(regc)
    found = values(regc, where, "255 * d.x")
    order = (2, 1, 4, 3, 5, 7, 6, 8, 9)
    demand(found["shape"] == [9, 4, 5, 3] and [round(v) for v in found["values"]] == [b for s in order for b in pixels(4, 5, s)], found)
    demand(values(regc, where, "d.label")["values"] == [0] * 4 + [1] * 3 + [0, 1], "labels")
    shown = json.loads(regc.ok("data", "--json", "p.reg", cwd=where))
    demand("cat/more/c.png" in json.dumps(shown, ensure_ascii=False) or shown["rows"] == 9, shown)
    run = of_kind(events(regc, "p.reg", "--out", "one", cwd=where), "evaluate")
    regc.ok("build", "p.reg", "-o", "p", cwd=where)
    binary = subprocess.run([where / "p", "--json", "--out", "two"], capture_output=True, text=True, cwd=where)
    demand(binary.returncode == 0, binary.stderr)
    again = [json.loads(line) for line in binary.stdout.splitlines()]
    demand([e["metrics"] for e in of_kind(again, "evaluate")] == [e["metrics"] for e in run], binary.stdout + binary.stderr)
    demand((where / "one/weights.safetensors").read_bytes() == (where / "two/weights.safetensors").read_bytes(), "the binary has other weights")
    with (where / "one/predictions.csv").open(encoding="utf-8") as f:
        kept = list(csv.reader(f))
    demand([r[0] for r in kept] == ["file", "cat/q.png", "dog/q.png"], kept)
    regc.ok("predict", "p.reg", "--weights", "one", "--in", "test", "--out", "a.csv", cwd=where)
    subprocess.run([where / "p", "predict", "--weights", "two", "--in", "test", "--out", "b.csv"], check=True, cwd=where, stdout=subprocess.DEVNULL)
    demand((where / "a.csv").read_bytes() == (where / "b.csv").read_bytes(), "the binary predicts otherwise")
    with (where / "a.csv").open(encoding="utf-8") as f:
        told = list(csv.DictReader(f))
    demand([r["file"] for r in told] == ["cat/q.png", "dog/q.png"] and {r["predicted"] for r in told} <= {"cat", "dog"}, told)
    one = regc.ok("predict", "p.reg", "--weights", "one", "--in", "test/dog/q.png", cwd=where).splitlines()
    demand(one[1].split(",")[1:] == list(told[1].values())[1:] and one[1].startswith("q.png,"), one)
    shutil.copytree(where / "test", where / "new")
    (where / "new/cat/r.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    done = regc("predict", "p.reg", "--weights", "one", "--in", "new", cwd=where)
    demand(done.returncode == 65 and "new/cat/r.png" in done.stderr, done.stderr)
    skipped = regc("predict", "p.reg", "--weights", "one", "--in", "new", "--bad-rows=skip", cwd=where)
    demand(skipped.returncode == 0 and skipped.stdout == (where / "a.csv").read_text() and "1 row left out" in skipped.stderr, skipped.stderr)
    static = regc("build", "--static", "p.reg", "-o", "s", cwd=where)
    demand(static.returncode == 2 and "libspng" in static.stderr, static.stderr)


def case_image_colours(regc):
    """What PNG has of them; brightness where one channel is wanted; folders whose names are numbers."""
    where, rgb = folder(regc), pixels(2, 4, 1)
    palette = bytes(range(0, 240, 20))
    files = {"10/a.png": (png(2, 4, rgb), rgb),
             "10/b.png": (png(2, 4, bytes(range(8)), GREY), [v for v in range(8) for _ in range(3)]),
             "10/c.png": (png(2, 4, b"\x5a\x0f", GREY, 1), [255 * int(b) for row in ("0101", "0000") for b in row for _ in range(3)]),
             "10/d.png": (png(2, 4, bytes((0, 1, 2, 3, 3, 2, 1, 0)), PALETTE, extra=chunk(b"PLTE", palette)), [palette[3 * k + c] for k in (0, 1, 2, 3, 3, 2, 1, 0) for c in range(3)]),
             "9/e.png": (png(2, 4, b"".join(bytes((v, 77)) for v in rgb), RGB, 16), rgb),
             "9/f.png": (png(2, 4, b"".join(rgb[3 * i:3 * i + 3] + bytes((i,)) for i in range(8)), RGBA), rgb)}
    for name, (data, _) in files.items():
        (where / name).parent.mkdir(exist_ok=True, parents=True)
        (where / name).write_bytes(data)
    wanted = [v for name in sorted(files) for v in files[name][1]]
    inside = folder(regc)
    (inside / "p.reg").write_text(f'data d = images("{where}")\ndata g = images("{where}", grey: true)\n')
    found = values(regc, inside, "d.x")
    demand(found["shape"] == [6, 2, 4, 3] and found["values"] == wanted, f"{found}")
    demand(values(regc, inside, "g.x")["values"] == grey_of(wanted), "brightness")
    demand(values(regc, inside, "d.label")["values"] == [10] * 4 + [9] * 2, "numbers are classes by their value")


def resized(rgb, height, width, to_height, to_width):
    """By a triangle around each place of the result, in Python's doubles."""
    def weights(n, m):
        ratio = n / m
        half = max(ratio, 1.0)
        for k in range(m):
            middle = (k + 0.5) * ratio
            w = [max(0.0, 1 - abs((i + 0.5 - middle) / half)) for i in range(n)]
            yield [v / math.fsum(w) for v in w]
    across = list(weights(width, to_width))
    out = []
    for down in weights(height, to_height):
        for right in across:
            out += [math.fsum(down[y] * right[x] * rgb[(y * width + x) * 3 + c] for y in range(height) for x in range(width) if down[y] and right[x]) for c in range(3)]
    return out


def case_image_sizes(regc):
    """Shrunk, stretched, both; without a size all are alike."""
    where = folder(regc)
    sizes = [(7, 9), (3, 2), (2, 11), (5, 4), (1, 1), (13, 4)]
    (where / "i").mkdir()
    for k, (h, w) in enumerate(sizes):
        (where / f"i/{k}.png").write_bytes(png(h, w, pixels(h, w, k)))
    (where / "p.reg").write_text('data d = images("i", size: [5, 4])\n')
    found = values(regc, where, "d.x")
    want = [v for k, (h, w) in enumerate(sizes) for v in resized(pixels(h, w, k), h, w, 5, 4)]
    demand(found["shape"] == [6, 5, 4, 3] and all(abs(v - w) < 0.5 + 1e-9 and v == int(v) for v, w in zip(found["values"], want)), found)
    (where / "p.reg").write_text('data d = images("i", size: 2, grey: true)\n')
    demand(values(regc, where, "d.x")["shape"] == [6, 2, 2, 1], "one number is both")
    (where / "p.reg").write_text('data d = images("i")\n')
    done = regc("check", "p.reg", cwd=where)
    demand(done.returncode == 65 and "i/1.png` has 3 x 2 pixels, not 7 x 9" in done.stderr and "size: [7, 9]" in done.stderr, done.stderr)


def case_images_of_jpeg(regc):
    """As Pillow reads them, whose decoder is the same; every file that is cut short is refused."""
    from PIL import Image
    where, want = folder(regc), []
    (where / "i").mkdir()
    for name, mode, options in (("a.jpg", "RGB", {"quality": 90}), ("b.jpeg", "L", {}), ("c.JPG", "RGB", {"progressive": True, "subsampling": 0})):
        made = io.BytesIO()
        Image.frombytes("RGB", (17, 10), pixels(10, 17, 3)).convert(mode).save(made, "JPEG", **options)
        (where / "i" / name).write_bytes(made.getvalue())
        want += Image.open(made).convert("RGB").tobytes()
    (where / "p.reg").write_text('data d = images("i")\n')
    demand(values(regc, where, "d.x")["values"] == want, "other pixels than Pillow's")
    whole = (where / "i/c.JPG").read_bytes()
    for at in (2, 20, len(whole) // 3, len(whole) // 2, len(whole) - 40, len(whole) - 2):
        (where / "i/c.JPG").write_bytes(whole[:at])
        done = regc("check", "p.reg", cwd=where)
        demand(done.returncode == 65 and "i/c.JPG" in done.stderr, f"{at} bytes: {done.stderr}")
    made = io.BytesIO()
    Image.new("CMYK", (17, 10)).save(made, "JPEG")
    (where / "i/c.JPG").write_bytes(made.getvalue())
    done = regc("check", "p.reg", cwd=where)
    demand(done.returncode == 65 and "CMYK" in done.stderr, done.stderr)


def case_damaged_images(regc):
    whole = png(4, 5, pixels(4, 5, 1))
    bomb = (100000, 100000)
    for data, told in ((b"", "is empty"), (b"a,b\n1,2\n", "neither PNG nor JPEG"), (b"GIF89a", "is a GIF"), (b"RIFF\0\0\0\0WEBPVP8 ", "is a WebP"), (whole[:8], "damaged"),
                       (whole[:30], "damaged"), (whole[:60], "damaged"), (whole[:-5], "damaged"), (whole[:-12], "damaged"), (whole[:45] + b"\xff" + whole[46:], "damaged"),
                       (png(1, 1, b"abc", size=bomb), "more than a picture may have"), (png(1, 1, b"abc", size=(1 << 30, 1)), "more than a picture may have"),
                       (png(1, 1, b"abc", size=(0, 5)), "damaged"), (b"\xff\xd8\xff" + bytes(40), "no pixels"), (png(4, 4, pixels(4, 4, 1), size=(5, 4)), "damaged"),
                       (b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\3\1\x11\0\2\x11\0\3\x11\0\xff\xd9", "damaged"), (bytes(1000), "neither")):
        where = placed(regc)
        (where / "train/dog/a.png").write_bytes(data)
        done = regc("check", "p.reg", cwd=where)
        demand(done.returncode == 65 and told in done.stderr and "train/dog/a.png" in done.stderr, f"{told}, {data[:40]}: {done.returncode}\n{done.stderr}")


def case_images_that_are_damaged_behind_their_headers(regc):
    """Found when they are needed: a run keeps its checkpoint and names them; a run that does not get there is well."""
    where, whole = placed(regc), png(4, 5, pixels(4, 5, 9))
    (where / "test/dog/q.png").write_bytes(whole[:45] + b"\xff" + whole[46:])
    (where / "trains.reg").write_text(PROGRAM[:PROGRAM.index("evaluate")])
    regc.ok("run", "-q", "trains.reg", "--out=", cwd=where)
    for more in ((), ("--resume",)):
        done = regc("run", "-q", "p.reg", *more, "--out", "o", cwd=where)
        demand(done.returncode == 65 and "`test/dog/q.png` is damaged" in done.stderr, f"{done.returncode}\n{done.stderr}")
        demand((where / "o/checkpoint.safetensors").exists() and (where / "o/weights.safetensors").exists(), "weights are lost")
    for command in (["eval", "d.x", "-f", "p.reg"], ["data", "p.reg"], ["check", "p.reg"]):
        done = regc(*command, cwd=where)
        demand(done.returncode == 65 and "`test/dog/q.png` is damaged" in done.stderr, f"{command}: {done.returncode}\n{done.stderr}")
    done = regc("repl", "p.reg", cwd=where, stdin="size(d.x, 0)\nmean(d.test.x)\n1 + 1\n")
    demand("9" in done.stdout and "is damaged" in done.stdout + done.stderr and done.stdout.rstrip().endswith("2"), done.stdout + done.stderr)


def case_same_bits_of_images_that_are_decoded_ahead(regc):
    """For any number of threads, resumed, in a sweep, and as where all are decoded before the first step: data made of data."""
    where, n = folder(regc), 90
    for i in range(n):
        path = where / f"train/{'ab'[i % 2]}/{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(4, 5, pixels(4, 5, i)))
    text = PROGRAM.replace(" with test = images(\"test\")", " |> split(train: 70%, test: 30%, seed: 2)")
    (where / "p.reg").write_text(text)
    made = text.replace("data d = images(\"train\", size: [4, 5]) |>", "data raw = images(\"train\", size: [4, 5])\ndata d = raw |>")
    demand(made != text, "the program is the same")
    (where / "made.reg").write_text(made)
    head, block = text.split("train net", 1)
    block = ("train net" + block).replace("1e-2", "rate").replace("\n", "\n  ").rstrip()
    (where / "sweep.reg").write_text(f"{head}sweep rate in [1e-2, 2e-2] as s {{\n  {block}\n}}\n")
    regc.ok("run", "-q", "made.reg", "--out", "made", cwd=where)
    for name, threads in (("one", 1), ("three", 3)):
        regc.ok("run", "-q", "p.reg", "--threads", str(threads), "--out", name, cwd=where)
    regc.ok("run", "-q", "p.reg", "--steps", "5", "--out", "resumed", cwd=where)
    regc.ok("run", "-q", "p.reg", "--resume", "--out", "resumed", cwd=where)
    for name in ("one", "three", "resumed"):
        for file in ("weights.safetensors", "predictions.csv"):
            demand((where / name / file).read_bytes() == (where / "made" / file).read_bytes(), f"{name}: other {file}")
    alone = of_kind(events(regc, "p.reg", "--out=", cwd=where), "epoch")[-1]["loss"]
    swept = of_kind(events(regc, "sweep.reg", "--threads", "2", "--out=", cwd=where), "run")
    of = {e["run"]: e["values"]["net.loss"] for e in swept}
    demand(math.isclose(of[0], alone, rel_tol=1e-6) and not math.isclose(of[1], alone, rel_tol=1e-6), f"{alone}: {swept}")


def case_image_folders_that_are_wrong(regc):
    def no_folder(where):
        (where / "train").rename(where / "else")

    def a_file(where):
        no_folder(where)
        (where / "train").write_text("")

    def empty(where):
        no_folder(where)
        (where / "train").mkdir()

    def one_class(where):
        (where / "train/dog").rename(where / "train/cat/dog")

    def loose(where):
        (where / "train/q.png").write_bytes(png(4, 5, pixels(4, 5, 1)))

    def in_itself(where):
        (where / "train/cat/up").symlink_to("..")

    def dangling(where):
        (where / "train/cat/gone").symlink_to("nowhere")

    def pipe(where):
        os.mkfifo(where / "train/cat/pipe")

    def no_text(where):
        os.rename(os.fsencode(where / "train/cat/b.png"), os.fsencode(where / "train/cat/b") + b"\xff.png")

    def stranger(where):
        (where / "test/dog").rename(where / "test/cow")

    def no_classes(where):
        (where / "test/dog/q.png").rename(where / "test/p.png")
        (where / "test/cat/q.png").rename(where / "test/q.png")
        (where / "test/dog").rmdir()
        (where / "test/cat").rmdir()

    for change, code, told in ((no_folder, 66, "No such file"), (a_file, 65, "is no folder"), (empty, 65, "holds no picture"),
                               (lambda w: (w / "train/cow").mkdir(), 65, "train/cow` holds no picture"), (one_class, 65, "one class"),
                               (loose, 65, "lies beside folders"), (in_itself, 65, "link to a folder that it lies in"), (dangling, 66, "train/cat/gone"),
                               (pipe, 65, "neither a file nor a folder"), (no_text, 65, "no UTF-8"), (stranger, 65, "folder `cow`"), (no_classes, 65, "no folders")):
        where = placed(regc)
        change(where)
        done = regc("check", "p.reg", cwd=where)
        demand(done.returncode == code and told in done.stderr, f"{told}: {done.returncode}\n{done.stderr}")
    where = placed(regc)
    (where / "train/cat/link.png").symlink_to("../dog/a.png")
    (where / "train/mouse").symlink_to("../test/cat")
    (where / "p.reg").write_text('data d = images("train")\n')
    demand(values(regc, where, "d.label")["values"] == [0] * 5 + [1] * 3 + [2], "links are what they lead to")


def case_images_at_the_prompt(regc):
    where = placed(regc)
    (where / "sub").mkdir()
    done = regc("repl", cwd=where, stdin='data d = images("train")\nsize(d.x, 1)\n:save sub/q.reg\n')
    demand(done.returncode == 0 and "4" in done.stdout, done.stdout + done.stderr)
    demand(f'images("{where}/train")' in (where / "sub/q.reg").read_text(), (where / "sub/q.reg").read_text())
