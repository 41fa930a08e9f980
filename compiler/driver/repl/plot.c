// Curves and histograms in characters. In: numbers. Out: lines; braille dots and block eighths where the
// terminal has them, plain characters elsewhere.
#include "repl.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// -- curves of a training

void curves_free(ReplCurves *c) {
  for (int i = 0; i < c->ncolumns; i++) free(c->names[i]);
  free(c->names);
  free(c->values);
  free(c->title);
  *c = (ReplCurves){0};
}

static void start_curves(ReplCurves *c, const reg_event *e) {
  const reg_train *t = e->train;
  bool goes_on = c->title && !strcmp(c->title, t->name) && e->epoch > 0 && c->nrows > 0 &&
                 c->ncolumns == 2 + t->nterms + t->nmetrics;
  if (goes_on) return;
  curves_free(c);
  c->title = strdup(t->name);
  c->ncolumns = 2 + t->nterms + t->nmetrics;
  c->names = calloc((size_t)c->ncolumns, sizeof *c->names);
  if (!c->names) ice("repl", "out of memory");
  c->names[0] = strdup("loss");
  c->names[1] = strdup("valid loss");
  for (int i = 0; i < t->nterms; i++) c->names[2 + i] = strdup(t->terms[i]);
  for (int i = 0; i < t->nmetrics; i++) {
    c->names[2 + t->nterms + i] = malloc(strlen(t->metrics[i]) + 7);
    if (!c->names[2 + t->nterms + i]) ice("repl", "out of memory");
    sprintf(c->names[2 + t->nterms + i], "valid %s", t->metrics[i]);
  }
}

static void add_row(ReplCurves *c, const reg_event *e) {
  if (c->nrows == c->room) {
    c->room = c->room ? 2 * c->room : 64;
    double *grown = realloc(c->values, (size_t)c->room * (size_t)c->ncolumns * sizeof(double));
    if (!grown) ice("repl", "out of memory");
    c->values = grown;
  }
  double *row = c->values + (size_t)c->nrows++ * (size_t)c->ncolumns;
  const reg_train *t = e->train;
  row[0] = e->loss;
  row[1] = e->has_valid ? e->valid_loss : NAN;
  for (int i = 0; i < t->nterms; i++) row[2 + i] = e->terms[i];
  for (int i = 0; i < t->nmetrics; i++) row[2 + t->nterms + i] = e->has_valid ? e->valid_metrics[i] : NAN;
}

void curves_event(ReplCurves *c, const reg_event *e) {
  if (e->kind == REG_EVENT_TRAIN_START) start_curves(c, e);
  if (e->kind == REG_EVENT_EPOCH && c->title) add_row(c, e);
}

// -- drawing

enum { HEIGHT = 8, MOST_WIDTH = 200, LABEL = 10 };

// A grid of dots: 2 x 4 to a character of braille, or one to a plain character.
typedef struct Canvas {
  int width, height; // characters
  bool braille;
  unsigned char cell[HEIGHT][MOST_WIDTH];
} Canvas;

static void dot(Canvas *c, int x, int y) { // y from the top
  static const unsigned char bit[4][2] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};
  if (c->braille)
    c->cell[y / 4][x / 2] |= bit[y % 4][x % 2];
  else
    c->cell[y][x] = 1;
}

static void put_cell(FILE *out, const Canvas *c, int row, int column) {
  unsigned char v = c->cell[row][column];
  if (!v) {
    fputc(' ', out);
  } else if (c->braille) { // U+2800 and the dots, in UTF-8
    fputc(0xE2, out);
    fputc(0xA0 | v >> 6, out);
    fputc(0x80 | (v & 0x3F), out);
  } else {
    fputc('*', out);
  }
}

static void plot_one(FILE *out, reg_terminal t, const char *name, const double *values, int stride, int n) {
  double low = INFINITY, high = -INFINITY;
  for (int i = 0; i < n; i++) {
    double v = values[(size_t)i * (size_t)stride];
    if (isfinite(v)) low = fmin(low, v), high = fmax(high, v);
  }
  if (!(low <= high)) return;
  int width = t.width - LABEL - 4;
  width = width > 72 ? 72 : width;
  Canvas c = {.width = width, .height = HEIGHT, .braille = t.utf8};
  int wide = c.braille ? 2 * width : width, tall = c.braille ? 4 * HEIGHT : HEIGHT;
  double range = high > low ? high - low : 1;
  int above = -1; // where the column before ended
  for (int x = 0; x < wide; x++) {
    double place = n > 1 ? (double)x * (n - 1) / (wide - 1) : 0; // between two epochs
    int k = (int)place < n - 1 ? (int)place : n - 1, next = k + 1 < n ? k + 1 : k;
    double a = values[(size_t)k * (size_t)stride], b = values[(size_t)next * (size_t)stride];
    double v = a + (b - a) * (place - k);
    int y = isfinite(v) ? tall - 1 - (int)lround((v - low) / range * (tall - 1)) : -1;
    if (y >= 0) dot(&c, x, y);
    for (int at = above; y >= 0 && above >= 0 && at != y; at += at < y ? 1 : -1) dot(&c, x, at); // no gaps
    above = y;
  }
  double last = values[(size_t)(n - 1) * (size_t)stride];
  fprintf(out, "%s%s%s  %.4g at the end\n", t.color ? "\033[1m" : "", name, t.color ? "\033[0m" : "", last);
  for (int r = 0; r < HEIGHT; r++) {
    char label[LABEL + 8] = "";
    if (r == 0) snprintf(label, sizeof label, "%.4g", high);
    if (r == HEIGHT - 1) snprintf(label, sizeof label, "%.4g", low);
    fprintf(out, "%*s %s", LABEL, label, t.utf8 ? "│" : "|");
    int end = c.width;
    while (end > 0 && !c.cell[r][end - 1]) end--;
    for (int k = 0; k < end; k++) put_cell(out, &c, r, k);
    fputc('\n', out);
  }
}

bool plot_curves(FILE *out, reg_terminal t, const ReplCurves *c) {
  if (!c->nrows) {
    fputs("nothing to plot: no epoch of a training has ended yet\n", stderr);
    return false;
  }
  for (int i = 0; i < c->ncolumns; i++) plot_one(out, t, c->names[i], c->values + i, c->ncolumns, c->nrows);
  fprintf(out, "%*s %d epochs of `%s`\n", LABEL, "", c->nrows, c->title);
  return true;
}

// -- histograms

static void bar(FILE *out, reg_terminal t, double share, int width) {
  static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  int filled = (int)lround(share * width * 8);
  if (share > 0 && filled == 0) filled = 1;
  for (int i = 0; i < (t.utf8 ? filled / 8 : (filled + 4) / 8); i++) fputs(t.utf8 ? "█" : "#", out);
  if (t.utf8) fputs(eighths[filled % 8], out);
}

void plot_histogram(FILE *out, reg_terminal t, const char *title, const double *values, int64_t n) {
  enum { BINS = 16 };
  double low = INFINITY, high = -INFINITY;
  int64_t count[BINS] = {0}, finite = 0, most = 0;
  for (int64_t i = 0; i < n; i++)
    if (isfinite(values[i])) low = fmin(low, values[i]), high = fmax(high, values[i]), finite++;
  fprintf(out, "%s%s%s  %lld values", t.color ? "\033[1m" : "", title, t.color ? "\033[0m" : "",
          (long long)n);
  if (finite < n) fprintf(out, ", %lld of them not finite", (long long)(n - finite));
  fputc('\n', out);
  if (!finite) return;
  double step = high > low ? (high - low) / BINS : 1;
  for (int64_t i = 0; i < n; i++) {
    if (!isfinite(values[i])) continue;
    int k = (int)((values[i] - low) / step);
    k = k < BINS ? k : BINS - 1;
    if (++count[k] > most) most = count[k];
  }
  int width = t.width - 2 * LABEL - 4;
  for (int k = 0; k < (high > low ? BINS : 1); k++) {
    fprintf(out, "%*.4g %s", LABEL, low + k * step, t.utf8 ? "│" : "|");
    bar(out, t, (double)count[k] / (double)most, width > 50 ? 50 : width);
    fprintf(out, " %lld\n", (long long)count[k]);
  }
}
