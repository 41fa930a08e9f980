// Evaluation results as readable tables: numbers one a line, a matrix with the class names on both sides; and
// what `report` tells.
#include "reg/console.h"
#include "reg/events.h"
#include "text/text.h"
#include <math.h>
#include <string.h>

static const char *paint(reg_terminal t, const char *code) { return t.color ? code : ""; }

static const reg_field *target_field(const reg_event *e) {
  const reg_evaluate *v = e->evaluate;
  return v->target >= 0 ? &e->program->datasets[v->data]->fields[v->target] : NULL;
}

static void print_right(FILE *out, const char *s, int width) {
  fprintf(out, "%*s", width - reg_shown_width(s), "");
  reg_shown(out, s);
}

static void print_left(FILE *out, const char *s, int width) {
  fputs("  ", out);
  reg_shown(out, s);
  fprintf(out, "%*s", width - reg_shown_width(s), "");
}

static const char *class_name(const reg_field *f, int64_t k, int64_t n, char number[24]) {
  if (f && f->nclasses == n && f->class_names) return f->class_names[k];
  snprintf(number, 24, "%lld", (long long)k);
  return number;
}

static void print_cell(FILE *out, reg_terminal t, double v, int width, bool diagonal) {
  char text[32];
  bool zero = v == 0;
  snprintf(text, sizeof text, "%.6g", isnan(v) ? NAN : v);
  const char *shown = zero ? (t.utf8 ? "·" : ".") : text;
  fprintf(out, "%s", diagonal && !zero ? paint(t, "\033[1m") : "");
  print_right(out, shown, width);
  fprintf(out, "%s", diagonal && !zero ? paint(t, "\033[0m") : "");
}

static void print_matrix(FILE *out, reg_terminal t, const reg_metric *m, const void *values, reg_dtype type,
                         const reg_field *target) {
  char number[24];
  int label = 6, width = 6;
  for (int64_t k = 0; k < m->dim[0]; k++) {
    int w = reg_shown_width(class_name(target, k, m->dim[0], number));
    label = w > label ? w : label;
  }
  for (int64_t k = 0; k < m->dim[1]; k++) {
    int w = reg_shown_width(class_name(target, k, m->dim[1], number)) + 2;
    width = w > width ? w : width;
  }
  const bool classes = target && target->nclasses == m->dim[0] && m->dim[0] == m->dim[1];
  fprintf(out, "  %s%s\n    %*s", m->name, classes ? " (rows: actual, columns: predicted)" : "", label, "");
  for (int64_t k = 0; k < m->dim[1]; k++) print_right(out, class_name(target, k, m->dim[1], number), width);
  fputc('\n', out);
  for (int64_t i = 0; i < m->dim[0]; i++) {
    fputs("    ", out);
    print_right(out, class_name(target, i, m->dim[0], number), label);
    for (int64_t k = 0; k < m->dim[1]; k++)
      print_cell(out, t, reg_float_at(values, type, i * m->dim[1] + k), width, i == k);
    fputc('\n', out);
  }
}

static void print_list(FILE *out, const reg_metric *m, int width, const void *values, reg_dtype type) {
  print_left(out, m->name, width);
  for (int64_t k = 0; k < m->count; k++) fprintf(out, " %.4g", reg_float_at(values, type, k));
  fputc('\n', out);
}

const char *reg_console_act(const reg_event *e, char out[24]) {
  out[0] = 0;
  if (e->act > 1) snprintf(out, 24, " #%lld", (long long)e->act);
  return out;
}

// The training whose weights these are, where there are several of the model.
static void print_moment(FILE *out, const reg_event *e) {
  const reg_evaluate *v = e->evaluate;
  char act[24];
  int trainings = 0;
  for (int i = 0; i < e->program->ntrains; i++)
    trainings += reg_trains_model(&e->program->trains[i], v->model);
  if (v->train < 0 && trainings && e->act <= 1)
    fputs(", before training", out);
  else if (trainings > 1)
    fprintf(out, ", after `%s`", e->train->name);
  fputs(reg_console_act(e, act), out);
}

void reg_console_results(FILE *out, reg_terminal t, const reg_event *e) {
  const reg_evaluate *v = e->evaluate;
  const reg_dtype type = e->program->dtype;
  const reg_part *part = reg_data_part(e->program->datasets[v->data], v->part);
  fprintf(out, "%s%s on %s%s (%lld rows)", paint(t, "\033[1m"), v->model, v->data_name, paint(t, "\033[0m"),
          part ? (long long)part->nrows : 0);
  print_moment(out, e);
  fputc('\n', out);
  int width = 12;
  for (int i = 0; i < v->nmetrics; i++) {
    int w = v->metric[i].rank == 2 ? 0 : reg_shown_width(v->metric[i].name);
    width = w > width ? w : width;
  }
  for (int i = 0; i < v->nmetrics; i++) {
    const reg_metric *m = &v->metric[i];
    if (m->rank == 0) {
      print_left(out, m->name, width);
      fprintf(out, " %.4f\n", reg_float_at(e->values[i], type, 0));
    } else if (m->rank == 2) {
      print_matrix(out, t, m, e->values[i], type, target_field(e));
    } else {
      print_list(out, m, width, e->values[i], type);
    }
  }
  fflush(out);
}

static void print_number(FILE *out, reg_dtype type, double v) {
  if (type == REG_BOOL)
    fputs(v != 0 ? "true" : "false", out);
  else
    fprintf(out, type == REG_I32 ? "%.0f" : "%.6g", isnan(v) ? NAN : v); // C prints the sign of a NaN
}

// "0.5", "[3] 1 2 3", "[8, 64] 0.1 0.2 0.3 …".
static void print_short(FILE *out, reg_terminal t, const reg_tensor *shape, const void *values) {
  enum { SHOWN = 8 };
  for (int i = 0; i < shape->rank; i++) fprintf(out, i ? ", %lld" : " [%lld", (long long)shape->dim[i]);
  if (shape->rank) fputc(']', out);
  for (int64_t i = 0; i < shape->count && i < SHOWN; i++) {
    fputc(' ', out);
    print_number(out, shape->dtype, reg_number_at(values, shape->dtype, i));
  }
  fputs(shape->count <= SHOWN ? "\n" : t.utf8 ? " …\n" : " ...\n", out);
}

// A line of text for the last axis; its own lines stay.
static void print_words(FILE *out, const reg_report *r, const reg_tensor *t, const int32_t *y) {
  const int64_t n = t->rank ? t->dim[t->rank - 1] : 1;
  fputs(t->rank > 1 ? "\n" : " ", out);
  for (int64_t i = 0; n && i < t->count; i += n) {
    Text row = {0};
    reg_report_words(&row, r, y + i, n);
    if (row.data) reg_shown_lines(out, row.data, row.used);
    fputc('\n', out);
    reg_text_free(&row);
  }
}

void reg_console_report(FILE *out, reg_terminal t, const reg_event *e) {
  const reg_report *r = e->report;
  const reg_tensor *store = e->program->store;
  fputs(paint(t, "\033[1m"), out);
  reg_shown(out, e->name);
  fputs(paint(t, "\033[0m"), out);
  if (r->nwords) {
    print_words(out, r, &store[r->values[0]], e->values[0]);
    fflush(out);
    return;
  }
  const bool tree = r->nvalues != 1 || r->paths[0][0];
  if (tree) fputc('\n', out);
  int width = 0;
  for (int i = 0; i < r->nvalues && tree; i++) {
    const int w = reg_shown_width(r->paths[i]);
    width = w > width ? w : width;
  }
  for (int i = 0; i < r->nvalues; i++) {
    if (tree) print_left(out, r->paths[i], width);
    print_short(out, t, &store[r->values[i]], e->values[i]);
  }
  fflush(out);
}
