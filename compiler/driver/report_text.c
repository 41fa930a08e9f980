// A report in the terminal: curves as a line of blocks with their first, best and last numbers, tables as
// they are.
#include "report.h"
#include "text/text.h"
#include <math.h>
#include <string.h>

enum { CELLS = 40 };

// The series' numbers as heights, CELLS of them or fewer.
static void sparkline(const Series *s, const reg_terminal *t) {
  static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static const char plain[] = "_.,-~+*#";
  double low = INFINITY, high = -INFINITY;
  for (int i = 0; i < s->y.len; i++)
    if (isfinite(s->y.data[i])) low = fmin(low, s->y.data[i]), high = fmax(high, s->y.data[i]);
  const int n = s->y.len < CELLS ? s->y.len : CELLS;
  for (int i = 0; i < n; i++) {
    const double v = s->y.data[(int64_t)i * s->y.len / n];
    const int height = high > low && isfinite(v) ? (int)(7.999 * (v - low) / (high - low)) : 0;
    if (!isfinite(v))
      fputc('?', stdout);
    else if (t->utf8)
      fputs(blocks[height], stdout);
    else
      fputc(plain[height], stdout);
  }
}

static void print_series(const Section *s, const reg_terminal *t) {
  int width = 0;
  for (int i = 0; i < s->series.len; i++) {
    const int own = reg_shown_width(s->series.data[i]->name);
    width = own > width ? own : width;
  }
  for (int i = 0; i < s->series.len; i++) {
    const Series *one = s->series.data[i];
    if (one->dots) continue;
    fputs("  ", stdout);
    reg_shown(stdout, one->name);
    printf("%*s  ", width - reg_shown_width(one->name), "");
    sparkline(one, t);
    printf("  %.4g to %.4g\n", one->y.data[0], one->y.data[one->y.len - 1]);
  }
}

static void print_table(Arena *a, const Section *s) {
  const int first = *s->cells.data[0] || s->plot == PLOT_MATRIX ? 0 : 1;
  text_table(a, stdout,
             &(TextTable){.rows = s->cells.len / s->columns - first,
                          .columns = s->columns,
                          .indent = 2,
                          .cells = s->cells.data + first * s->columns});
}

static bool has_line(const Section *s) {
  for (int i = 0; i < s->series.len; i++)
    if (!s->series.data[i]->dots) return true;
  return false;
}

static void print_bars(const Section *s, const reg_terminal *t) {
  const Series *one = s->series.data[0];
  printf("  %10.3g  ", one->x.data[0]);
  sparkline(one, t);
  printf("  %.3g\n", one->x.data[one->x.len - 1]);
}

void report_text(Arena *a, const Report *r, const reg_terminal *t) {
  for (int i = 0; i < r->len; i++) {
    const Section *s = r->data[i];
    if (s->code) continue;
    fputs(t->color ? "\033[1m" : "", stdout);
    reg_shown(stdout, s->title);
    puts(t->color ? "\033[0m" : "");
    if (s->note) {
      fputs("  ", stdout);
      reg_shown(stdout, s->note);
      fputc('\n', stdout);
    }
    if (s->plot == PLOT_BARS)
      print_bars(s, t);
    else if (s->plot == PLOT_LINES && has_line(s) && !s->shares)
      print_series(s, t);
    else if (s->columns)
      print_table(a, s);
  }
}
