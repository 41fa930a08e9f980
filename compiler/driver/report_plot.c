// Plots as SVG: lines and points, bars, matrices. Text is not measured, so room is left for it: ticks are
// five or so, with few digits; what series are called stands under the plot, in the page.
#include "report.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  WIDTH = 560,
  HEIGHT = 290,
  LEFT = 74,
  RIGHT = 26,
  TOP = 14,
  BOTTOM = 62,
  COLORS = 6,
  LINES = 3,
  CELLS = 400
};

typedef struct Scale {
  double low, high;
  bool log;
  int from, to;        // pixels
  double step;         // between ticks; 0: these are powers of ten
  double offset, unit; // a tick at v says (v - offset) / unit
} Scale;

static double place(const Scale *s, double v) {
  const double share = s->log ? (log(v) - log(s->low)) / (log(s->high) - log(s->low))
                              : (v / 2 - s->low / 2) / (s->high / 2 - s->low / 2);
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

static double first_tick(const Scale *s) { return ceil(s->low / s->step - 1e-9) * s->step; }

static bool is_tick(const Scale *s, int i) {
  return i < 12 && first_tick(s) + i * s->step <= s->high + 1e-9 * s->step;
}

static double tick_says(const Scale *s, double v) {
  const double steps = round((v - s->offset) / s->step); // without what rounding has left
  return steps == 0 ? 0 : steps * (s->step / s->unit);
}

// There is room for six characters, powers of ten stand at the axis, and neighbours say something else.
static bool ticks_fit(const Scale *s) {
  char text[40];
  double most = 0;
  bool fit = true;
  for (int i = 0; is_tick(s, i); i++) {
    const double said = tick_says(s, first_tick(s) + i * s->step);
    most = fmax(most, fabs(said));
    fit &= snprintf(text, sizeof text, "%.6g", said) <= 6 && !strchr(text, 'e');
  }
  return fit && most < 1e5 * s->step / s->unit;
}

static double power_below(double v) { return v > 0 ? pow(10, floor(log10(v) + 1e-9)) : 1; }

// Where numbers are long, their power of ten stands at the axis; where they differ in late digits alone, what
// they have in common does.
static void choose_ticks(Scale *s) {
  const double first = s->log ? ceil(log10(s->low) - 1e-9) : 0,
               last = s->log ? floor(log10(s->high) + 1e-9) : 0;
  s->offset = 0, s->unit = 1, s->step = 0;
  if (s->log && last > first) return;
  const double span = s->high - s->low;
  s->step = isfinite(span) ? step_of(span) : 2 * step_of(s->high / 2 - s->low / 2);
  if (ticks_fit(s)) return;
  s->unit = power_below(fmax(fabs(s->low), fabs(s->high)));
  if (ticks_fit(s)) return;
  const double round = power_below(s->high - s->low) * 10;
  s->offset = floor(s->low / round) * round, s->unit = 1;
  if (!ticks_fit(s)) s->unit = power_below(s->high - s->offset);
}

// "×1e+04 + 2.13e+07"; nothing where ticks say what they are.
static void put_unit(StrBuf *o, const Scale *s, const char *before) {
  if (s->unit == 1 && s->offset == 0) return;
  strbuf_add(o, before);
  if (s->unit != 1) strbuf_addf(o, "×%.6g", s->unit);
  if (s->offset != 0)
    strbuf_addf(o, "%s%c %.12g", s->unit != 1 ? " " : "", s->offset < 0 ? '-' : '+', fabs(s->offset));
}

static void tick(StrBuf *o, const Scale *s, double v, bool y) {
  const double at = place(s, v), said = s->step > 0 ? tick_says(s, v) : v;
  if (y)
    strbuf_addf(o,
                "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" "
                "text-anchor=\"end\">%.6g</text>",
                LEFT, at, WIDTH - RIGHT, LEFT - 8, at + 5, said);
  else
    strbuf_addf(
        o,
        "<path class=\"axis\" d=\"M%.1f %dv5\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.6g</text>",
        at, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 22, said);
}

static void ticks(StrBuf *o, const Scale *s, bool y) {
  const double first = s->log ? ceil(log10(s->low) - 1e-9) : 0,
               last = s->log ? floor(log10(s->high) + 1e-9) : 0;
  if (s->step <= 0) {
    const double each = fmax(1, ceil((last - first) / 5));
    for (double p = first; p <= last; p += each) tick(o, s, pow(10, p), y);
    return;
  }
  for (int i = 0; is_tick(s, i); i++) tick(o, s, first_tick(s) + i * s->step, y);
}

// Six colours and three kinds of line; of more series each has a colour between its neighbours'.
void report_mark(StrBuf *o, int i, int n, bool dots) {
  if (n <= COLORS * LINES)
    strbuf_addf(o, dots ? " class=\"s%d\"" : " class=\"s%d d%d\"", i % COLORS, i / COLORS);
  else
    strbuf_addf(o, " class=\"d%d\" style=\"stroke:hsl(%d 65%% var(--l))%s\"", i % LINES,
                (int)lround(250.0 * (n - 1 - i) / (n - 1)), dots ? ";fill:none" : "");
}

static void put_line(StrBuf *o, const Series *s, int number, int n, const Scale *x, const Scale *y) {
  bool open = false;
  for (int i = 0; i < s->y.len; i++) {
    const bool there = isfinite(s->y.data[i]) && isfinite(s->x.data[i]);
    if (there && !open) {
      strbuf_add(o, "<polyline");
      report_mark(o, number, n, false);
      strbuf_add(o, " points=\"");
    }
    if (there) strbuf_addf(o, "%.1f,%.1f ", place(x, s->x.data[i]), place(y, s->y.data[i]));
    if (!there && open) strbuf_add(o, "\"/>");
    open = there;
  }
  if (open) strbuf_add(o, "\"/>");
}

static void put_dots(StrBuf *o, const Series *s, int number, int n, const Scale *x, const Scale *y) {
  for (int i = 0; i < s->y.len; i++)
    if (isfinite(s->y.data[i]) && isfinite(s->x.data[i])) {
      strbuf_addf(o, "<circle r=\"%s\" cx=\"%.1f\" cy=\"%.1f\"", s->dots ? "2.4" : "3.2",
                  place(x, s->x.data[i]), place(y, s->y.data[i]));
      report_mark(o, number, n, true);
      strbuf_add(o, "/>");
    }
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

static void put_axis_names(StrBuf *o, const Section *s, const Scale *x, const Scale *y) {
  strbuf_addf(o, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10);
  report_escaped(o, s->x);
  put_unit(o, x, " ");
  strbuf_add(o, "</text>");
  if (y->unit != 1 || y->offset != 0) {
    strbuf_addf(o, "<text x=\"%d\" y=\"16\">", LEFT);
    put_unit(o, y, "");
    strbuf_add(o, "</text>");
  }
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
  Scale x = scale_of(s, false, LEFT + 8, WIDTH - RIGHT),
        y = scale_of(s, true, HEIGHT - BOTTOM - (s->plot == PLOT_LINES && !s->shares ? 6 : 0), TOP);
  choose_ticks(&x);
  choose_ticks(&y);
  const int top = y.unit != 1 || y.offset != 0 ? TOP + 14 : TOP;
  y.to = top;
  put_open(o, s, HEIGHT);
  ticks(o, &y, true);
  strbuf_addf(o, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>", LEFT, top, HEIGHT - BOTTOM, WIDTH - RIGHT);
  ticks(o, &x, false);
  put_axis_names(o, s, &x, &y);
  if (s->shares) strbuf_addf(o, "<path class=\"axis\" d=\"M%d %dL%d %d\"/>", x.from, y.from, x.to, y.to);
  for (int i = 0; i < s->series.len; i++) {
    const Series *one = s->series.data[i];
    if (s->plot == PLOT_BARS)
      put_bars(o, one, &x, &y);
    else if (!one->dots)
      put_line(o, one, i, s->series.len, &x, &y);
    if (one->dots || (s->plot == PLOT_LINES && (one->y.len == 1 || s->shares)))
      put_dots(o, one, i, s->series.len, &x, &y);
  }
  strbuf_add(o, "</svg>\n");
}

// -- matrices

// How many bytes all names begin with, which tell none of them from the others: whole words.
static size_t common_start(const char *const *names, int n, int each) {
  size_t length = n > 1 ? strlen(names[0]) : 0;
  for (int i = 1; i < n; i++)
    for (size_t k = 0; k < length; k++)
      if (names[(size_t)i * each][k] != names[0][k]) length = k;
  while (length && names[0][length - 1] != ' ') length--;
  return length;
}

// At most n characters of a name behind `skip` bytes; the whole of it is shown when the reader points at it.
static void put_short(StrBuf *o, const char *whole, size_t skip, int n) {
  const char *name = whole + skip;
  size_t at = 0;
  int taken = 0;
  for (; name[at] && taken < n; taken++) {
    at++;
    while (((unsigned char)name[at] & 0xC0) == 0x80) at++;
  }
  report_escaped(o, arena_strndup(o->arena, name, at));
  if (name[at]) strbuf_add(o, "…");
  if (!name[at] && !skip) return;
  strbuf_add(o, "<title>");
  report_escaped(o, whole);
  strbuf_add(o, "</title>");
}

// Cells darker by their share of the row; numbers and names only where there is room for them.
static void put_matrix(StrBuf *o, const Section *s) {
  const int rows = s->cells.len / s->columns - 1, columns = s->columns - 1, left = 124, top = 70;
  const double side = fmin((double)(WIDTH - left - 10) / columns, 64);
  // a name of n characters and `…` takes 11 n + 17
  const int every = 1 + (int)(26 / side), every_column = 1 + (int)(40 / side),
            names = side > 61   ? 4
                    : side > 50 ? 3
                                : 2,
            height = top + (int)ceil(side * rows) + 10;
  const size_t skip_column = common_start(&s->cells.data[1], columns, 1),
               skip_row = common_start(&s->cells.data[s->columns], rows, s->columns);
  put_open(o, s, height);
  strbuf_addf(o, "<text x=\"%d\" y=\"20\">", left);
  report_escaped(o, s->x);
  strbuf_addf(o, "</text><text x=\"4\" y=\"%d\">", top - 12);
  report_escaped(o, s->y);
  strbuf_add(o, "</text>");
  for (int k = 0; k < columns; k += every_column) {
    strbuf_addf(o, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", left + (k + 0.5) * side, top - 12);
    put_short(o, s->cells.data[k + 1], skip_column, names);
    strbuf_add(o, "</text>");
  }
  for (int i = 0; i < rows; i++) {
    const char *const *row = &s->cells.data[(i + 1) * s->columns];
    double sum = 0;
    for (int k = 1; k <= columns; k++) sum += fabs(atof(row[k]));
    if (i % every == 0) {
      strbuf_addf(o, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", left - 8, top + (i + 0.5) * side + 5);
      put_short(o, row[0], skip_row, 8);
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

bool report_drawn(const Section *s) {
  bool any = s->plot == PLOT_MATRIX;
  for (int i = 0; i < s->series.len && !any; i++)
    for (int k = 0; k < s->series.data[i]->y.len && !any; k++) any = isfinite(s->series.data[i]->y.data[k]);
  return any;
}

void report_plot(StrBuf *o, const Section *s) {
  if (s->plot == PLOT_MATRIX)
    put_matrix(o, s);
  else
    put_lines(o, s);
}
