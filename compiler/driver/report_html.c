// A report as one page of HTML, which opens without a server and a network: plots are SVG in it, a table of
// the numbers behind each; light and dark as the reader has it, and black on white in print.
#include "report.h"
#include <math.h>
#include <string.h>

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b1b1b;--paper:#fff;--line:#bbb;--soft:#f3f3f3;"
    "--c0:#1f6fb4;--c1:#c2571a;--c2:#2c8c3c;--c3:#8a4fb0;--c4:#a08000;--c5:#b03060}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#181818;--line:#555;--soft:#242424;"
    "--c0:#6cb2f0;--c1:#f0975a;--c2:#74cc84;--c3:#c796ea;--c4:#dcc04a;--c5:#ee7fa6}}"
    "@media "
    "print{:root{--ink:#000;--paper:#fff;--line:#999;--soft:#fff}details>*{display:block}section{break-"
    "inside:avoid}}"
    "body{font:15px/1.45 "
    "system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:1rem "
    "auto;padding:0 1rem}"
    "h1{font-size:1.4rem}h2{font-size:1.05rem;margin:1.8rem 0 "
    ".4rem}svg{width:100%;max-width:46rem;height:auto;display:block}"
    "svg text{fill:var(--ink);font-size:12px}.axis{stroke:var(--line);fill:none}.wide{overflow-x:auto}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.1rem .7rem .1rem "
    "0;text-align:left;"
    "border-bottom:1px solid "
    "var(--soft);vertical-align:top;overflow-wrap:anywhere}pre{background:var(--soft);padding:.7rem;overflow-"
    "x:auto}"
    ".s0{stroke:var(--c0);fill:var(--c0)}.s1{stroke:var(--c1);fill:var(--c1)}.s2{stroke:var(--c2);fill:var(--"
    "c2)}"
    ".s3{stroke:var(--c3);fill:var(--c3)}.s4{stroke:var(--c4);fill:var(--c4)}.s5{stroke:var(--c5);fill:var(--"
    "c5)}"
    "polyline{fill:none!important;stroke-width:1.8}summary{cursor:pointer}";

enum { WIDTH = 720, HEIGHT = 300, LEFT = 64, RIGHT = 150, TOP = 12, BOTTOM = 40, COLORS = 6 };

static void put_escaped(StrBuf *o, const char *s) {
  for (; *s; s++) switch (*s) {
    case '<': strbuf_add(o, "&lt;"); break;
    case '>': strbuf_add(o, "&gt;"); break;
    case '&': strbuf_add(o, "&amp;"); break;
    case '"': strbuf_add(o, "&quot;"); break;
    default: strbuf_addn(o, s, 1);
    }
}

// -- plots

typedef struct Scale {
  double low, high;
  bool log;
  int from, to; // pixels
} Scale;

static double place(const Scale *s, double v) {
  const double share =
      s->log ? (log(v) - log(s->low)) / (log(s->high) - log(s->low)) : (v - s->low) / (s->high - s->low);
  return s->from + share * (s->to - s->from);
}

static Scale scale_of(const Section *s, bool y, int from, int to) {
  Scale out = {.low = INFINITY, .high = -INFINITY, .log = !y && s->log_x, .from = from, .to = to};
  for (int i = 0; i < s->series.len; i++)
    for (int k = 0; k < s->series.data[i]->y.len; k++) {
      const double v = y ? s->series.data[i]->y.data[k] : s->series.data[i]->x.data[k];
      if (!isfinite(v)) continue;
      out.low = fmin(out.low, v);
      out.high = fmax(out.high, v);
    }
  if (out.low > out.high) out.low = 0, out.high = 1;
  if (out.low == out.high) { // one value
    const double room = out.low != 0 ? fabs(out.low) / 2 : 1;
    out.low -= room, out.high += room;
    out.log = false;
  }
  return out;
}

// Steps of 1, 2 or 5 times a power of ten, about five of them.
static double step_of(double span) {
  const double power = pow(10, floor(log10(span / 5))), share = span / 5 / power;
  return power * (share > 5 ? 10 : share > 2 ? 5 : share > 1 ? 2 : 1);
}

static void tick(StrBuf *o, const Scale *s, double v, bool y) {
  const double at = place(s, v);
  if (fabs(v) < 1e-12 * (fabs(s->low) + fabs(s->high))) v = 0;
  if (y)
    strbuf_addf(
        o,
        "<path class=\"axis\" d=\"M%d %.1fh-5\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>",
        LEFT, at, LEFT - 8, at + 4, v);
  else
    strbuf_addf(
        o,
        "<path class=\"axis\" d=\"M%.1f %dv5\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.4g</text>",
        at, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 18, v);
}

static void ticks(StrBuf *o, const Scale *s, bool y) {
  if (s->log) {
    const double first = ceil(log10(s->low) - 1e-9), last = floor(log10(s->high) + 1e-9);
    const double each = fmax(1, ceil((last - first) / 6));
    for (double p = first; p <= last; p += each) tick(o, s, pow(10, p), y);
    return;
  }
  const double step = step_of(s->high - s->low);
  for (double v = ceil(s->low / step - 1e-9) * step; v <= s->high + 1e-9 * step; v += step) tick(o, s, v, y);
}

static void put_line(StrBuf *o, const Series *s, int color, const Scale *x, const Scale *y) {
  bool open = false;
  for (int i = 0; i < s->y.len; i++) {
    const bool there = isfinite(s->y.data[i]) && isfinite(s->x.data[i]);
    if (there && !open) strbuf_addf(o, "<polyline class=\"s%d\" points=\"", color);
    if (there) strbuf_addf(o, "%.1f,%.1f ", place(x, s->x.data[i]), place(y, s->y.data[i]));
    if (!there && open) strbuf_add(o, "\"/>");
    open = there;
  }
  if (open) strbuf_add(o, "\"/>");
}

static void put_dots(StrBuf *o, const Series *s, int color, const Scale *x, const Scale *y, double radius) {
  for (int i = 0; i < s->y.len; i++)
    if (isfinite(s->y.data[i]))
      strbuf_addf(o, "<circle class=\"s%d\" r=\"%.1f\" cx=\"%.1f\" cy=\"%.1f\"/>", color, radius,
                  place(x, s->x.data[i]), place(y, s->y.data[i]));
}

static void put_plot(StrBuf *o, const Section *s) {
  const Scale x = scale_of(s, false, LEFT + 6, WIDTH - RIGHT),
              y = scale_of(s, true, HEIGHT - BOTTOM - 6, TOP);
  strbuf_addf(o, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
  put_escaped(o, s->title);
  strbuf_addf(o, "\"><path class=\"axis\" d=\"M%d %dV%dH%d\"/>", LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT);
  ticks(o, &x, false);
  ticks(o, &y, true);
  strbuf_addf(o, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5);
  put_escaped(o, s->x);
  strbuf_add(o, "</text>");
  for (int i = 0; i < s->series.len; i++) {
    const Series *one = s->series.data[i];
    const int color = i % COLORS, at = TOP + 14 + 18 * i;
    if (!one->dots) put_line(o, one, color, &x, &y);
    if (one->dots || one->y.len == 1) put_dots(o, one, color, &x, &y, 2.4);
    if (at > HEIGHT - BOTTOM) continue;
    strbuf_addf(o, "<circle class=\"s%d\" r=\"4\" cx=\"%d\" cy=\"%d\"/><text x=\"%d\" y=\"%d\">", color,
                WIDTH - RIGHT + 14, at - 4, WIDTH - RIGHT + 24, at);
    put_escaped(o, one->name);
    strbuf_add(o, "</text>");
  }
  strbuf_add(o, "</svg>\n");
}

// -- the page

static void put_table(StrBuf *o, const Section *s) {
  const bool heads = s->columns && *s->cells.data[0];
  strbuf_add(o, "<div class=\"wide\"><table>\n");
  for (int i = heads ? 0 : s->columns; i < s->cells.len; i++) {
    const char *tag = i < s->columns ? "th" : "td";
    if (i % s->columns == 0) strbuf_add(o, "<tr>");
    strbuf_addf(o, "<%s>", tag);
    put_escaped(o, s->cells.data[i]);
    strbuf_addf(o, "</%s>%s", tag, (i + 1) % s->columns ? "" : "</tr>\n");
  }
  strbuf_add(o, "</table></div>\n");
}

void report_html(StrBuf *o, const char *title, const Report *r) {
  strbuf_add(o, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                "content=\"width=device-width,initial-scale=1\"><title>");
  put_escaped(o, title);
  strbuf_addf(o, "</title><style>%s</style></head><body>\n<h1>", style);
  put_escaped(o, title);
  strbuf_add(o, "</h1>\n");
  for (int i = 0; i < r->len; i++) {
    const Section *s = r->data[i];
    strbuf_add(o, "<section><h2>");
    put_escaped(o, s->title);
    strbuf_add(o, "</h2>\n");
    if (s->x) put_plot(o, s);
    if (s->x) strbuf_add(o, "<details><summary>numbers</summary>\n");
    if (s->columns) put_table(o, s);
    if (s->x) strbuf_add(o, "</details>\n");
    if (s->code) {
      strbuf_add(o, "<pre>");
      put_escaped(o, s->code);
      strbuf_add(o, "</pre>\n");
    }
    strbuf_add(o, "</section>\n");
  }
  strbuf_add(o, "</body></html>\n");
}
