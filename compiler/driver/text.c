// Small text helpers: reading a source, quantities for people, JSON scalars.
#include "driver.h"
#include <math.h>
#include <string.h>
#include <unistd.h>

bool text_ends_in(const char *text, const char *end) {
  const size_t n = strlen(text), m = strlen(end);
  return n >= m && !strcmp(text + n - m, end);
}

void text_padded(FILE *out, const char *text, int width) {
  const int own = reg_shown_width(text);
  reg_shown(out, text);
  fprintf(out, "%*s", own < width ? width - own : 0, "");
}

void text_table(Arena *a, FILE *out, const TextTable *t) {
  int *width = ARENA_ARRAY(a, int, t->columns + 1);
  for (int i = 0; i < t->rows * t->columns; i++) {
    const int own = reg_shown_width(t->cells[i]);
    width[i % t->columns] = own > width[i % t->columns] ? own : width[i % t->columns];
  }
  for (int i = 0; i < t->rows; i++) {
    fprintf(out, "%s%*s", t->bold && i == 0 ? "\033[1m" : "", t->indent, "");
    for (int k = 0; k < t->columns; k++)
      text_padded(out, t->cells[i * t->columns + k], k + 1 < t->columns ? width[k] + 2 : 0);
    fprintf(out, "%s\n", t->bold && i == 0 ? "\033[0m" : "");
  }
}

void text_fill(FILE *out, const char *text) {
  size_t column = 0;
  for (const char *c = text; *c; c += strspn(c, " ")) {
    size_t n = strcspn(c, " ");
    if (column && column + 1 + n > 78) {
      fputc('\n', out);
      column = 0;
    }
    fprintf(out, "%s%.*s", column ? " " : "", (int)n, c);
    column += n + (column ? 1 : 0);
    c += n;
  }
  fputc('\n', out);
}

static const char *scaled(Arena *a, double v, const char *const *units) {
  int k = 0;
  while (fabs(v) >= 999.5 && units[k + 1]) {
    v /= 1000;
    k++;
  }
  return arena_printf(a, k == 0 || v >= 99.5 ? "%.0f %s" : "%.3g %s", v, units[k]);
}

const char *text_bytes(Arena *a, double bytes) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB", NULL};
  return scaled(a, bytes, units);
}

const char *text_count(Arena *a, double count) {
  static const char *const units[] = {"", "thousand", "million", "billion", "trillion", NULL};
  return scaled(a, count, units);
}

const char *text_json(Arena *a, const char *s) {
  Text t = {0};
  reg_text_json(&t, s);
  return arena_text(a, &t);
}

static const char *text_digits(Arena *a, double value, int digits) {
  if (isnan(value)) return "\"nan\"";
  if (isinf(value)) return value > 0 ? "\"inf\"" : "\"-inf\"";
  return arena_printf(a, "%.*g", digits, value);
}

const char *text_number(Arena *a, double value) { return text_digits(a, value, 9); }

const char *text_double(Arena *a, double value) { return text_digits(a, value, 17); }
