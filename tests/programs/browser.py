"""`regc report -o` looked at in a browser (Debian's chromium, headless), light and dark, at three widths: in one page with a
frame of each width, whose script measures texts and plots, and whose picture is looked at plot by plot."""
import html
import json
import re
import shutil
import subprocess

from programs.cases import demand, placed

WIDTHS = (360, 800, 1400)
HEIGHT = 13000

PROGRAM = """data rows = csv("t.csv", target: kind) |> split(train: 60%, valid: 20%, test: 20%, stratify: kind, seed: 1)
let strength = 1e-3
schedule rate = ramp(0.1 -> 0.01, over: 4 epochs)
model net(x: [2]) -> [3] = x |> dense(16) as a_layer_with_a_long_name |> tanh |> dense(3)
train net on rows {
  loss     cross_entropy(net(x), kind)
  penalize w in net.*.weight : strength * l2(w)
  penalize w in net.a_layer_with_a_long_name.weight : 1e-4 * l1(w)
  optimize adam(lr: rate)
  epochs   12
}
evaluate net on rows.test { accuracy, confusion, reliability }
sweep lambda in log(1e-4 .. 1, 5), seed in 1..2 as path {
  train net on rows {
    loss     cross_entropy(net(x), kind)
    penalize w in net.*.weight : lambda * l1(w)
    optimize adam(lr: 0.05)
    epochs   3
  }
  e = evaluate net on rows.test { accuracy, nll }
}
report best(path, by: e.nll, rule: one_se)
report compare(path, by: e.nll, against: 1e-4, along: lambda)
report plot(path, net.a_layer_with_a_long_name.weight, over: lambda)
"""
TABLE = "a,b,kind\n" + "".join(f"{i % 7},{i % 5},{['iris', 'a class with a rather long name', 'wide'][(i % 7 + i % 4) % 3]}\n" for i in range(150))

# Of a page: what is wrong with its texts and plots, and where its plots are.
MEASURE = r"""
function measure(page) {
  const d = page.contentDocument, wrong = [], plots = [], box = e => e.getBoundingClientRect();
  const told = e => e.textContent.slice(0, 40);
  if (d.documentElement.scrollWidth > page.clientWidth) wrong.push("the page is wider than its window: " + d.documentElement.scrollWidth);
  for (const svg of d.querySelectorAll("section > svg")) {
    const own = box(svg), texts = [...svg.querySelectorAll("text")].map(t => [told(t), box(t)]);
    const name = svg.getAttribute("aria-label");
    plots.push([name, own.x + page.offsetLeft, own.y + page.offsetTop, own.width, own.height]);
    if (texts.length < 3) wrong.push(name + ": " + texts.length + " texts");
    for (const [text, r] of texts) {
      if (!text.trim() || r.width < 1) wrong.push(name + ": a text without characters");
      if (r.height < 9) wrong.push(name + ": `" + text + "` is " + r.height + " pixels high");
      if (r.left < own.left - 1 || r.right > own.right + 1 || r.top < own.top - 1 || r.bottom > own.bottom + 1) wrong.push(name + ": `" + text + "` is cut off");
    }
    texts.forEach(([text, r], i) => texts.slice(i + 1).forEach(([other, s]) => {
      if (Math.min(r.right, s.right) - Math.max(r.left, s.left) > 1 && Math.min(r.bottom, s.bottom) - Math.max(r.top, s.top) > 3)
        wrong.push(name + ": `" + text + "` lies over `" + other + "`");
    }));
    const shapes = [...svg.querySelectorAll("polyline, circle, rect")].map(box);
    if (!shapes.length) wrong.push(name + ": nothing is drawn");
    for (const r of shapes) if (r.left < own.left - 1 || r.right > own.right + 1 || r.top < own.top - 1 || r.bottom > own.bottom + 1) wrong.push(name + ": drawn outside of it");
  }
  for (const e of d.querySelectorAll("h1, h2, p, li, td, th, summary"))
    if (e.checkVisibility() && (e.scrollWidth > e.clientWidth + 1 && e.clientWidth || !e.textContent.trim() && e.tagName != "TD" && e.tagName != "TH")) wrong.push("cut off: " + e.tagName + " " + told(e));
  return {width: page.clientWidth, height: d.documentElement.scrollHeight, wrong, plots};
}
addEventListener("load", () => {
  for (const page of document.querySelectorAll("iframe")) page.style.height = page.contentDocument.documentElement.scrollHeight + "px";
  document.querySelector("#out").textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(measure));
});
"""


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def looked_at(where, page, dark, widths=WIDTHS):
    """What the script measured in frames of each width, and the picture of them."""
    frames = "".join(f'<iframe width="{w}" height="100" srcdoc="{html.escape(page)}"></iframe>' for w in widths)
    (where / "frames.html").write_text(f"<!DOCTYPE html><meta charset=utf-8><style>:root{{color-scheme:light dark}}body{{margin:0;display:flex;align-items:flex-start}}iframe{{border:0;flex:none}}"
                                       f"#out{{display:none}}</style>{frames}<pre id=out></pre><script>{MEASURE}</script>")
    picture = where / ("dark.png" if dark else "light.png")
    demand(shutil.which("chromium"), "chromium is missing: ./bootstrap deps test")
    done = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={where / 'profile'}",
                           f"--blink-settings=preferredColorScheme={0 if dark else 1}", f"--window-size={sum(widths)},{HEIGHT}",
                           f"--screenshot={picture}", "--dump-dom", (where / "frames.html").as_uri()], capture_output=True, text=True, timeout=120)
    found = re.search(r"<pre id=\"out\">(.*)</pre>", done.stdout, re.S)
    demand(found and picture.exists(), f"chromium: {done.stderr[-2000:]}")
    return json.loads(html.unescape(found[1])), picture


def case_reports_in_a_browser(regc):
    from PIL import Image
    where = placed(regc, PROGRAM, TABLE)
    regc.ok("run", "-q", "p.reg", "--out", "here", cwd=where)
    regc.ok("report", "here", "-o", "r.html", cwd=where)
    page = (where / "r.html").read_text()
    for dark in (False, True):
        frames, picture = looked_at(where, page, dark)
        image = Image.open(picture).convert("L")
        demand([f["width"] for f in frames] == list(WIDTHS) and all(f["height"] <= HEIGHT for f in frames), f"{[(f['width'], f['height']) for f in frames]}")
        for f in frames:
            demand(not f["wrong"], f"{f['width']} pixels wide: {f['wrong']}")
            demand(len(f["plots"]) >= 10, f"{f['plots']}")
            for name, x, y, width, height in f["plots"]:
                plot = image.crop((int(x), int(y), int(x + width), int(y + height)))
                counts = plot.histogram()
                paper = max(range(256), key=counts.__getitem__)
                demand((paper < 80) == dark, f"{name}, {f['width']} pixels wide: the paper is {paper}")
                drawn = sum(n for v, n in enumerate(counts) if abs(v - paper) > 60) / sum(counts)
                demand(0.004 < drawn < 0.9, f"{name}, {f['width']} pixels wide: {drawn:.4f} of it is drawn")


# Numbers that are large and differ in late digits, 50 classes of one beginning, a run that fails, tables wider than paper.
DIFFICULT = """data rows = csv("t.csv", target: kind) |> split(train: 60%, valid: 20%, test: 20%, stratify: kind, seed: 1)
model net(x: [2]) -> [50] = x |> dense(12) |> relu |> dense(50)
sweep rate in [0.01, 0.011, 0.0111111, 1e30], seed in 1..2, a_setting_with_a_name_that_is_really_quite_long in [1, 2, 3] as path {
  train net on rows {
    loss     cross_entropy(net(x), kind)
    optimize sgd(lr: rate)
    epochs   2
  }
  large = 2.37743e7 + 1e4 * rate + a_setting_with_a_name_that_is_really_quite_long
  close = 0.98765 + rate / 1e5
  negative = -1234567 * rate
  tiny = 1e-9 * rate
}
report plot(path, net.dense1.weight, over: rate)
report plot(path, large, over: rate)
report plot(path, tiny, over: rate)
report best(path, by: close)
sweep k in 1..4 as odd {
  nothing = k * (0.0 / 0.0)
  vast = (k - 2.5) * 2e38
  late = -1 - 1e-6 * k
}
report plot(odd, nothing, over: k)
train net on rows {
  loss     1e8 * cross_entropy(net(x), kind)
  optimize sgd(lr: 1e-12)
  epochs   3
}
evaluate net on rows.test { accuracy, confusion }
"""
PAPER = 717  # pixels: A4 without the margins that a browser leaves


def case_reports_of_difficult_numbers_and_names(regc):
    """Ticks that neighbours differ in, names that tell classes apart; and as it is printed: nothing reaches over the paper's edge."""
    where = placed(regc, DIFFICULT, "a,b,kind\n" + "".join(f"{i % 17},{i * i % 23},class number {i % 50} of many\n" for i in range(400)))
    demand(regc("run", "-q", "p.reg", "--out", "here", cwd=where).returncode == 3, "no run fails")
    regc.ok("report", "here", "-o", "r.html", cwd=where)
    page = (where / "r.html").read_text()
    demand("@media print" in page and "<thead>" in page, "nothing is said of print")
    for one, widths in ((page, WIDTHS), (page.replace("@media print", "@media screen"), (PAPER,))):
        for f in looked_at(where, one, False, widths)[0]:
            demand(f["plots"] and not f["wrong"], f"{f['width']} pixels wide: {f['wrong']}")
    for title, plot in re.findall(r'aria-label="([^"]*)">(.*?)</svg>', page, re.S):
        said = re.findall(r'text-anchor="end">([^<]*)</text>', plot)
        demand("confusion" in title or 2 <= len(said) == len(set(said)), f"{title}: ticks say {said}")
    lines = re.findall("<polyline ([^>]*?) points", re.search(r'aria-label="plot.path, net.dense1[^"]*">(.*?)</svg>', page, re.S)[1])
    demand(len(lines) == 24 == len(set(lines)), f"lines that look the same: {lines}")
    names = re.findall(r'text-anchor="end">([^<]*)<title>', re.search(r'aria-label="[^"]*confusion">(.*?)</svg>', page, re.S)[1])
    demand(len(names) > 8 and len(set(names)) == len(names), f"rows of the confusion are called {names}")


LONG = """sweep strength in log(1e-4 .. 1, 80), seed in 1..5 as s {
  v = log(strength)^2 + normal([1])[0]
  other = strength * v
}
report best(s, by: v)
report plot(s, v, over: strength)
"""


def case_long_tables_stay_on_the_screen(regc):
    """Of four hundred runs paper has the plots and the first rows of tables; `--tables` prints all of them."""
    where = placed(regc, LONG, TABLE)
    regc.ok("run", "-q", "--progress=none", "p.reg", "--out", "here", cwd=where)
    sheets = []
    for more in [], ["--tables"]:
        regc.ok("report", "here", "-o", "r.html", *more, cwd=where)
        page = (where / "r.html").read_text()
        for f in looked_at(where, page.replace("@media print", "@media screen"), False, (PAPER,))[0]:
            demand(f["plots"] and not f["wrong"], f"{more}: {f['wrong']}")
        demand(len(re.findall("<tr>", page)) > 480, "rows are missing on the screen")
        done = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={where / 'profile'}", "--no-pdf-header-footer",
                               f"--print-to-pdf={where / 'r.pdf'}", (where / "r.html").as_uri()], capture_output=True, text=True, timeout=120)
        demand((where / "r.pdf").exists(), done.stderr[-2000:])
        sheets.append(len(re.findall(rb"/Type\s*/Page\b", (where / "r.pdf").read_bytes())))
    demand("rows more on the screen" not in page and 2 <= sheets[0] and 2 * sheets[0] <= sheets[1], f"{sheets} sheets")
