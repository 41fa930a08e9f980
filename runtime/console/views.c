// What is told of the runs of a sweep, as tables: a row a line, numbers to four digits.
#include "reg/console.h"
#include "reg/events.h"
#include "text/text.h"
#include <math.h>
#include <string.h>

enum { COLUMN = 11 };

static const char *paint(reg_terminal t, const char *code) { return t.color ? code : ""; }

static void cell(FILE *out, double v) {
  if (isnan(v))
    fprintf(out, "%*s", COLUMN, "-");
  else
    fprintf(out, "%*.4g", COLUMN, v);
}

static bool is_shown(const reg_view *v, int axis) {
  return v->kind == REG_VIEW_BEST ? !v->over[axis] : axis == v->axis;
}

// "lambda 0.01, k 3"; of one axis its value alone.
static void put_values(Text *o, const reg_event *e, int64_t row) {
  const reg_sweep *s = &e->program->sweeps[e->view->sweep];
  int shown = 0, n = 0;
  for (int i = 0; i < s->naxes; i++) shown += is_shown(e->view, i);
  for (int i = 0; i < s->naxes; i++) {
    const reg_axis *x = &s->axes[i];
    const double at = e->at[row * s->naxes + i];
    if (!is_shown(e->view, i)) continue;
    if (n++) reg_text_add(o, ", ");
    if (shown > 1) reg_text_format(o, "%s ", x->name);
    if (x->nnumbers)
      reg_text_format(o, "%.4g", at);
    else
      reg_text_add(o, x->labels[(int64_t)at]);
  }
}

static void left(FILE *out, const reg_event *e, int64_t row, int width) {
  Text text = {0};
  put_values(&text, e, row);
  const char *shown = text.data ? text.data : "";
  fputs("  ", out);
  reg_shown(out, shown);
  fprintf(out, "%*s", width - reg_shown_width(shown), "");
  reg_text_free(&text);
}

static int width_of(const reg_event *e) {
  int width = 0;
  for (int64_t i = 0; i < e->nrows; i++) {
    Text text = {0};
    put_values(&text, e, i);
    const int own = reg_shown_width(text.data ? text.data : "");
    width = own > width ? own : width;
    reg_text_free(&text);
  }
  return width;
}

// The first elements, at a few places along the axis.
static void put_plot(FILE *out, const reg_event *e) {
  enum { MOST = 20, PLACES = 6 };
  const reg_axis *x = &e->program->sweeps[e->view->sweep].axes[e->view->axis];
  const int places = x->count < PLACES ? x->count : PLACES;
  Text names[MOST + 1] = {{0}};
  int width = reg_shown_width(x->name);
  const int64_t shown = e->npoints < MOST ? e->npoints : MOST;
  for (int64_t k = 0; k < shown; k++) {
    reg_plot_name(&names[k], e, k);
    const int own = reg_shown_width(names[k].data ? names[k].data : "");
    width = own > width ? own : width;
  }
  for (int64_t k = -1; k < shown; k++) {
    const char *name = k < 0 ? x->name : names[k].data ? names[k].data : "";
    fputs("  ", out);
    reg_shown(out, name);
    fprintf(out, "%*s", width - reg_shown_width(name), "");
    for (int i = 0; i < places; i++) {
      const int at = places > 1 ? i * (x->count - 1) / (places - 1) : 0;
      cell(out, k < 0 ? x->numbers[at] : e->points[k * x->count + at]);
    }
    fputc('\n', out);
    if (k >= 0) reg_text_free(&names[k]);
  }
  if (e->npoints > shown) fprintf(out, "  and %lld more\n", (long long)(e->npoints - shown));
}

void reg_console_view(FILE *out, reg_terminal t, const reg_event *e) {
  static const char *const best[] = {"runs", "mean", "error"}, *const compared[] = {"pairs", "difference",
                                                                                    "low",   "high",
                                                                                    "p",     "Holm"},
                           *const ranked[] = {"pairs", "difference", "W", "p", "Holm"};
  const bool is_best = e->view->kind == REG_VIEW_BEST;
  const bool ranks = e->view->ranks;
  const char *const *heads = is_best ? best : ranks ? ranked : compared;
  const int width = width_of(e);
  fputs(paint(t, "\033[1m"), out);
  reg_shown(out, e->name);
  if (e->view->kind == REG_VIEW_PLOT) {
    fprintf(out, "%s\n", paint(t, "\033[0m"));
    put_plot(out, e);
    fflush(out);
    return;
  }
  fprintf(out, "%s\n  %*s", paint(t, "\033[0m"), width, "");
  for (int i = 0; i < (is_best ? 3 : ranks ? 5 : 6); i++) fprintf(out, "%*s", COLUMN, heads[i]);
  fputc('\n', out);
  for (int64_t i = 0; i < e->nrows; i++) {
    const reg_view_row *row = &e->rows[i];
    left(out, e, i, width);
    fprintf(out, "%*lld", COLUMN, (long long)row->n);
    cell(out, row->mean);
    if (is_best)
      cell(out, row->error);
    else if (ranks)
      cell(out, row->t);
    else
      cell(out, row->low), cell(out, row->high);
    if (!is_best) cell(out, row->p), cell(out, row->corrected);
    fputs(is_best && i == e->chosen ? "  best\n"
          : !ranks                  ? "\n"
          : row->exact              ? "  exact\n"
                                    : "  normal\n",
          out);
  }
  fflush(out);
}
