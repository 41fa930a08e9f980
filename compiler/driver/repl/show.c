// Values as text. In: a tensor as doubles. Out: a number on one line, small tensors as aligned rows, large
// ones with their first and last rows and columns and a summary.
#include "repl.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 32, MOST_ROWS = 12, HEAD_ROWS = 5, TAIL_ROWS = 3, MOST_SLICES = 4, SMALL = 64 };

// How the numbers of one tensor are written: all alike, so that they stand in columns.
typedef struct Format {
  bool whole, truth, scientific;
  int width;
} Format;

static void cell_text(const Format *f, double v, char out[CELL]) {
  if (f->truth)
    snprintf(out, CELL, "%s", v != 0 ? "true" : "false");
  else if (isnan(v))
    snprintf(out, CELL, "nan");
  else if (isinf(v))
    snprintf(out, CELL, v > 0 ? "inf" : "-inf");
  else if (f->whole)
    snprintf(out, CELL, "%.0f", v);
  else
    snprintf(out, CELL, f->scientific ? "%.3e" : "%.4f", v);
}

// The shortest decimal number that reads back as the same value of its type.
static void number_text(DType type, double v, char out[CELL]) {
  Format f = {.truth = type == DT_BOOL, .whole = type == DT_I32};
  if (f.truth || f.whole || !isfinite(v)) {
    cell_text(&f, v, out);
    return;
  }
  for (int digits = 6; digits <= (type == DT_F64 ? 17 : 9); digits++) {
    snprintf(out, CELL, "%.*g", digits, v);
    if (type == DT_F64 ? strtod(out, NULL) == v : strtof(out, NULL) == (float)v) break;
  }
}

static Format format_of(const Tensor *v) {
  int64_t n = shape_count(v->shape);
  Format f = {.truth = v->dtype == DT_BOOL, .whole = true};
  double most = 0, least = INFINITY;
  for (int64_t i = 0; i < n; i++) {
    double x = fabs(v->data[i]);
    if (!isfinite(x)) continue;
    f.whole &= x == floor(x);
    most = fmax(most, x);
    if (x > 0) least = fmin(least, x);
  }
  f.whole &= most < 1e7;
  f.scientific = !f.whole && (most >= 1e5 || (most > 0 && most < 1e-2) || (least < 1e-4 && most >= 1e3));
  for (int64_t i = 0; i < n; i++) {
    char text[CELL];
    cell_text(&f, v->data[i], text);
    if ((int)strlen(text) > f.width) f.width = (int)strlen(text);
  }
  return f;
}

// Which of n places are shown: the first `head` and the last `tail`, all where they are few.
typedef struct Shown {
  int64_t n, head, tail;
} Shown;

static Shown shown_of(int64_t n, int64_t most, int64_t tail) {
  if (n <= most) return (Shown){n, n, 0};
  if (tail > most / 2) tail = most / 2;
  return (Shown){n, most - tail, tail};
}

static void print_row(FILE *out, reg_terminal t, const Format *f, const double *row, Shown columns) {
  char text[CELL];
  for (int64_t k = 0; k < columns.n; k++) {
    if (k == columns.head && columns.tail) {
      fputs(t.utf8 ? "  …" : "  ...", out);
      k = columns.n - columns.tail;
    }
    cell_text(f, row[k], text);
    fprintf(out, "%s%*s", k ? "  " : "", f->width, text);
  }
  fputc('\n', out);
}

static void print_rows(FILE *out, reg_terminal t, const Format *f, const double *data, int64_t n,
                       int64_t width) {
  int64_t fit = (t.width - 4) / (f->width + 2);
  Shown rows = shown_of(n, MOST_ROWS, TAIL_ROWS), columns = shown_of(width, fit < 2 ? 2 : fit, TAIL_ROWS);
  if (rows.tail) rows.head = HEAD_ROWS;
  for (int64_t i = 0; i < rows.n; i++) {
    if (i == rows.head && rows.tail) {
      fprintf(out, "%*s\n", f->width + (t.utf8 ? 2 : 0), t.utf8 ? "⋮" : ":");
      i = rows.n - rows.tail;
    }
    print_row(out, t, f, data + i * width, columns);
  }
}

// A list of numbers, in as many lines as it takes.
static void print_list(FILE *out, reg_terminal t, const Format *f, const double *data, int64_t n) {
  int64_t fit = t.width / (f->width + 2);
  if (fit < 1) fit = 1;
  for (int64_t i = 0; i < n; i += fit)
    print_row(out, t, f, data + i, (Shown){n - i < fit ? n - i : fit, fit, 0});
}

static void print_slices(FILE *out, reg_terminal t, const Format *f, const Tensor *v) {
  int rank = v->shape.rank;
  int64_t width = v->shape.dim[rank - 1], n = v->shape.dim[rank - 2];
  int64_t slices = shape_count(v->shape) / (width * n);
  Shown shown = shown_of(slices, MOST_SLICES, 1);
  for (int64_t s = 0; s < slices; s++) {
    if (s == shown.head && shown.tail) {
      fputs(t.utf8 ? "⋮\n" : ":\n", out);
      s = slices - shown.tail;
    }
    int64_t index[MAX_RANK], rest = s;
    for (int k = rank - 3; k >= 0; k--) {
      index[k] = rest % v->shape.dim[k];
      rest /= v->shape.dim[k];
    }
    fputc('[', out);
    for (int k = 0; k < rank - 2; k++) fprintf(out, "%lld, ", (long long)index[k]);
    fputs("..]\n", out);
    print_rows(out, t, f, v->data + s * n * width, n, width);
  }
}

// Five numbers that tell of a tensor too large to be read.
static void print_summary(FILE *out, const Tensor *v) {
  int64_t n = shape_count(v->shape), finite = 0, zeros = 0, nans = 0, infs = 0;
  double low = INFINITY, high = -INFINITY, mean = 0, m2 = 0;
  for (int64_t i = 0; i < n; i++) {
    double x = v->data[i];
    nans += isnan(x);
    infs += isinf(x) != 0;
    zeros += x == 0;
    if (!isfinite(x)) continue;
    low = fmin(low, x);
    high = fmax(high, x);
    double off = x - mean;
    mean += off / (double)++finite;
    m2 += off * (x - mean);
  }
  if (finite)
    fprintf(out, "min %.4g  mean %.4g  max %.4g  std %.4g  zeros %.3g %%", low, mean, high,
            sqrt(m2 / (double)finite), 100 * (double)zeros / (double)n);
  if (nans) fprintf(out, "  nan %lld", (long long)nans);
  if (infs) fprintf(out, "  inf %lld", (long long)infs);
  fputc('\n', out);
}

static void print_shape(FILE *out, const Tensor *v) {
  fputc('[', out);
  for (int k = 0; k < v->shape.rank; k++) fprintf(out, "%s%lld", k ? ", " : "", (long long)v->shape.dim[k]);
  fprintf(out, "] %s", dtype_text(v->dtype));
}

void show_tensor(FILE *out, reg_terminal t, const char *path, const Tensor *v) {
  int64_t n = shape_count(v->shape);
  const char *bold = t.color ? "\033[1m" : "", *off = t.color ? "\033[0m" : "";
  bool large = n > SMALL;
  if (v->shape.rank == 0) {
    char text[CELL];
    number_text(v->dtype, v->data[0], text);
    if (*path) fprintf(out, "%s%s%s = ", bold, path, off);
    fprintf(out, "%s\n", text);
    return;
  }
  if (n == 0) {
    fprintf(out, "%s%s%s%s", bold, path, off, *path ? "  " : "");
    print_shape(out, v);
    fputc('\n', out);
    return;
  }
  Format f = format_of(v);
  // A list in several lines looks like a matrix.
  const bool wraps = v->shape.rank == 1 && n * (f.width + 2) > t.width;
  if (*path) fprintf(out, "%s%s%s  ", bold, path, off);
  if (large || *path || wraps) {
    print_shape(out, v);
    fputc('\n', out);
  }
  if (large) print_summary(out, v);
  if (v->shape.rank > 2)
    print_slices(out, t, &f, v);
  else if (v->shape.rank == 2)
    print_rows(out, t, &f, v->data, v->shape.dim[0], v->shape.dim[1]);
  else
    large ? print_rows(out, t, &f, v->data, 1, n) : print_list(out, t, &f, v->data, n);
}
