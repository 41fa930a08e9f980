// Plots as SVG: lines and points, bars, matrices. Text is not measured, so room is left for it: ticks are
// five or so, with few digits; what series are called stands under the plot, in the page.
#include "report.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 560, HEIGHT = 290, LEFT = 74, RIGHT = 26, TOP = 14, BOTTOM = 62, COLORS = 6, CELLS = 400 };

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
  Scale out = {.low = INFINITY, .high = -INFINITY, .log = y ? s->log_y : s->log_x, .from = from, .to = to};
  for (int i = 0; i < s->series.len; i++) {
    const Series *one = s->series.data[i];
    for (int k = 0; k < (y ? one->y.len : one->x.len); k++) {
      const double v = y ? one->y.data[k] : one->x.data[k];
      if (!isfinite(v)) continue;
      out.low = fmin(out.low, v);
      out.high = fmax(out.high, v);
    }
  }
  if (s->shares || out.low > out.high) out.low = 0, out.high = 1;
  if (y && s->plot == PLOT_BARS) out.low = 0;
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
  if (!s->log && fabs(v) < 1e-12 * (fabs(s->low) + fabs(s->high))) v = 0;
  if (y)
    strbuf_addf(o,
                "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" "
                "text-anchor=\"end\">%.4g</text>",
                LEFT, at, WIDTH - RIGHT, LEFT - 8, at + 5, v);
  else
    strbuf_addf(
        o,
        "<path class=\"axis\" d=\"M%.1f %dv5\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.4g</text>",
        at, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 22, v);
}

static void ticks(StrBuf *o, const Scale *s, bool y) {
  const double first = s->log ? ceil(log10(s->low) - 1e-9) : 0,
               last = s->log ? floor(log10(s->high) + 1e-9) : 0;
  if (s->log && last > first) {
    const double each = fmax(1, ceil((last - first) / 5));
    for (double p = first; p <= last; p += each) tick(o, s, pow(10, p), y);
    return;
  }
  const double step = step_of(s->high - s->low), start = ceil(s->low / step - 1e-9) * step;
  for (int i = 0; i < 12 && start + i * step <= s->high + 1e-9 * step; i++) tick(o, s, start + i * step, y);
}

static void put_line(StrBuf *o, const Series *s, int number, const Scale *x, const Scale *y) {
  bool open = false;
  for (int i = 0; i < s->y.len; i++) {
    const bool there = isfinite(s->y.data[i]) && isfinite(s->x.data[i]);
    if (there && !open)
      strbuf_addf(o, "<polyline class=\"s%d d%d\" points=\"", number % COLORS, number / COLORS % 3);
    if (there) strbuf_addf(o, "%.1f,%.1f ", place(x, s->x.data[i]), place(y, s->y.data[i]));
    if (!there && open) strbuf_add(o, "\"/>");
    open = there;
  }
  if (open) strbuf_add(o, "\"/>");
}

static void put_dots(StrBuf *o, const Series *s, int number, const Scale *x, const Scale *y) {
  for (int i = 0; i < s->y.len; i++)
    if (isfinite(s->y.data[i]) && isfinite(s->x.data[i]))
      strbuf_addf(o, "<circle class=\"s%d\" r=\"%s\" cx=\"%.1f\" cy=\"%.1f\"/>", number % COLORS,
                  s->dots ? "2.4" : "3.2", place(x, s->x.data[i]), place(y, s->y.data[i]));
}

static void put_bars(StrBuf *o, const Series *s, const Scale *x, const Scale *y) {
  for (int i = 0; i < s->y.len; i++) {
    const double left = place(x, s->x.data[i]), right = place(x, s->x.data[i + 1]),
                 top = place(y, s->y.data[i]);
    if (s->y.data[i] > 0)
      strbuf_addf(o, "<rect class=\"s0\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", left, top,
                  fmax(right - left - 1, 1), fmax(y->from - top, 1));
  }
}

static void put_axis_names(StrBuf *o, const Section *s) {
  strbuf_addf(o, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10);
  report_escaped(o, s->x);
  strbuf_add(o, "</text>");
  if (!s->y) return;
  strbuf_addf(o, "<text transform=\"translate(15 %d) rotate(-90)\" text-anchor=\"middle\">",
              (TOP + HEIGHT - BOTTOM) / 2);
  report_escaped(o, s->y);
  strbuf_add(o, "</text>");
}

static void put_open(StrBuf *o, const Section *s, int height) {
  strbuf_addf(o, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, height);
  report_escaped(o, s->title);
  strbuf_add(o, "\">");
}

static void put_lines(StrBuf *o, const Section *s) {
  const Scale x = scale_of(s, false, LEFT + 8, WIDTH - RIGHT),
              y = scale_of(s, true, HEIGHT - BOTTOM - (s->plot == PLOT_LINES && !s->shares ? 6 : 0), TOP);
  put_open(o, s, HEIGHT);
  ticks(o, &y, true);
  strbuf_addf(o, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>", LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT);
  ticks(o, &x, false);
  put_axis_names(o, s);
  if (s->shares) strbuf_addf(o, "<path class=\"axis\" d=\"M%d %dL%d %d\"/>", x.from, y.from, x.to, y.to);
  for (int i = 0; i < s->series.len; i++) {
    const Series *one = s->series.data[i];
    if (s->plot == PLOT_BARS)
      put_bars(o, one, &x, &y);
    else if (!one->dots)
      put_line(o, one, i, &x, &y);
    if (one->dots || (s->plot == PLOT_LINES && (one->y.len == 1 || s->shares))) put_dots(o, one, i, &x, &y);
  }
  strbuf_add(o, "</svg>\n");
}

// -- matrices

// At most n characters of a name; the whole of it is shown when the reader points at it.
static void put_short(StrBuf *o, const char *name, int n) {
  size_t at = 0;
  int taken = 0;
  for (; name[at] && taken < n; taken++) {
    at++;
    while (((unsigned char)name[at] & 0xC0) == 0x80) at++;
  }
  report_escaped(o, arena_strndup(o->arena, name, at));
  if (name[at]) strbuf_add(o, "…");
  if (!name[at]) return;
  strbuf_add(o, "<title>");
  report_escaped(o, name);
  strbuf_add(o, "</title>");
}

// Cells darker by their share of the row; numbers and names only where there is room for them.
static void put_matrix(StrBuf *o, const Section *s) {
  const int rows = s->cells.len / s->columns - 1, columns = s->columns - 1, left = 104, top = 70;
  const double side = fmin((double)(WIDTH - left - 10) / columns, 64);
  const int every = 1 + (int)(26 / side),
            names = side > 44   ? 5
                    : side > 30 ? 3
                                : 2,
            height = top + (int)ceil(side * rows) + 10;
  put_open(o, s, height);
  strbuf_addf(o, "<text x=\"%d\" y=\"20\">", left);
  report_escaped(o, s->x);
  strbuf_addf(o, "</text><text x=\"4\" y=\"%d\">", top - 12);
  report_escaped(o, s->y);
  strbuf_add(o, "</text>");
  for (int k = 0; k < columns; k += every) {
    strbuf_addf(o, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", left + (k + 0.5) * side, top - 12);
    put_short(o, s->cells.data[k + 1], every > 1 ? 2 : names);
    strbuf_add(o, "</text>");
  }
  for (int i = 0; i < rows; i++) {
    const char *const *row = &s->cells.data[(i + 1) * s->columns];
    double sum = 0;
    for (int k = 1; k <= columns; k++) sum += fabs(atof(row[k]));
    if (i % every == 0) {
      strbuf_addf(o, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", left - 8, top + (i + 0.5) * side + 5);
      put_short(o, row[0], 9);
      strbuf_add(o, "</text>");
    }
    for (int k = 0; k < columns; k++) {
      const double share = sum > 0 ? fabs(atof(row[k + 1])) / sum : 0;
      strbuf_addf(o,
                  "<rect class=\"cell\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                  "fill-opacity=\"%.3f\"/>",
                  left + k * side, top + i * side, side, side, 0.7 * share);
      if (side > 33 && columns * rows <= CELLS && share > 0)
        strbuf_addf(o, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.4g</text>",
                    left + (k + 0.5) * side, top + (i + 0.5) * side + 5, atof(row[k + 1]));
    }
  }
  strbuf_add(o, "</svg>\n");
}

void report_plot(StrBuf *o, const Section *s) {
  if (s->plot == PLOT_MATRIX)
    put_matrix(o, s);
  else
    put_lines(o, s);
}
