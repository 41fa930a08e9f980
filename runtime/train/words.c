// What runs of sweeps have told that is no tensor of the store: reports until a run is over, and why runs
// failed. In a checkpoint each is a tensor of numbers, with the characters of its text behind its head; a
// report's values follow it.
#include "reg/safetensors.h"
#include "train/internal.h"
#include <stdlib.h>
#include <string.h>

// -- kept

static bool copy_values(Run *r, Told *t) {
  const int n = t->report->nvalues;
  const void **values = reg_heap_take(&r->heap, ((size_t)n + 1) * sizeof *values);
  for (int i = 0; i < n && values; i++) {
    const size_t bytes = reg_tensor_bytes(&r->program->store[t->report->values[i]]);
    void *copy = t->values && !t->report->view ? reg_heap_take(&r->heap, bytes) : NULL;
    if (copy) memcpy(copy, t->values[i], bytes);
    values[i] = copy;
    if (!copy && !t->report->view) return false;
  }
  t->values = values;
  return values != NULL;
}

int64_t told_beside(const Run *r, const reg_report *report, int64_t nrows) {
  const reg_view *v = report->view ? &r->program->views[report->view - 1] : NULL;
  const reg_sweep *s = v ? &r->program->sweeps[v->sweep] : NULL;
  int64_t n = v && v->kind != REG_VIEW_PLOT ? nrows * s->naxes : 0;
  for (int i = 0; v && v->kind == REG_VIEW_PLOT && i < report->nvalues; i++)
    n += r->program->store[report->values[i]].count / s->nruns * s->axes[v->axis].count;
  return n;
}

int told_add(Run *r, const Told *told) {
  Told *t = reg_heap_take(&r->heap, sizeof *t);
  reg_view_row *rows = reg_heap_take(&r->heap, (size_t)told->nrows * sizeof *rows);
  if (!t || !rows) return reg_no_memory(r->st, 0);
  *t = *told;
  t->next = NULL;
  if (told->nrows) memcpy(rows, told->rows, (size_t)told->nrows * sizeof *rows);
  t->rows = rows;
  const size_t beside = (size_t)told_beside(r, told->report, told->nrows);
  double *at = reg_heap_take(&r->heap, beside * sizeof *at);
  if (!at) return reg_no_memory(r->st, 0);
  if (beside) memcpy(at, told->at, beside * sizeof *at);
  t->at = at;
  t->name = reg_heap_copy(&r->heap, told->name, strlen(told->name));
  if (!t->name || !copy_values(r, t)) return reg_no_memory(r->st, 0);
  *r->reports_end = t;
  r->reports_end = &t->next;
  return REG_OK;
}

int reason_add(Run *r, int64_t sweep, int64_t run, const char *text) {
  Reason *one = reg_heap_take(&r->heap, sizeof *one);
  char *copy = one ? reg_heap_copy(&r->heap, text, strlen(text)) : NULL;
  if (!copy) return reg_no_memory(r->st, 0);
  *one = (Reason){sweep, run, copy, r->reasons};
  r->reasons = one;
  return REG_OK;
}

const char *reason_of(const Run *r, int64_t sweep, int64_t run) {
  const Reason *one = r->reasons;
  while (one && (one->sweep != sweep || one->run != run)) one = one->next;
  return one ? one->text : NULL;
}

void reasons_forget(Run *r, int64_t sweep) {
  for (Reason **at = &r->reasons; *at;)
    if ((*at)->sweep == sweep)
      *at = (*at)->next;
    else
      at = &(*at)->next;
}

// -- in a checkpoint

enum { HEAD = 3, ROW = 10 };

int words_count(const Run *r) {
  int n = 0;
  for (const Reason *one = r->reasons; one; one = one->next) n++;
  for (const Told *t = r->reports; t; t = t->next) n += 3 + t->report->nvalues;
  return n + curves_count(r);
}

static int put(Run *r, Heap *heap, const char *name, const double *head, const char *text,
               reg_saved_tensor *out) {
  const size_t n = strlen(text);
  double *values = reg_heap_take(heap, (HEAD + n) * sizeof *values);
  char *copy = reg_heap_copy(heap, name, strlen(name));
  if (!values || !copy) return reg_no_memory(r->st, 0);
  memcpy(values, head, HEAD * sizeof *values);
  for (size_t i = 0; i < n; i++) values[HEAD + i] = (unsigned char)text[i];
  const int64_t count = HEAD + (int64_t)n;
  *out = (reg_saved_tensor){
      .name = copy, .dtype = REG_F64, .rank = 1, .dim = {count}, .count = count, .values = values};
  return REG_OK;
}

static int put_numbers(Run *r, Heap *heap, const char *name, const void *from, reg_dtype t, int64_t count,
                       reg_saved_tensor *out) {
  double *values = reg_heap_take(heap, (size_t)count * sizeof *values);
  char *copy = reg_heap_copy(heap, name, strlen(name));
  if (!values || !copy) return reg_no_memory(r->st, 0);
  for (int64_t i = 0; i < count; i++) values[i] = reg_number_at(from, t, i);
  *out = (reg_saved_tensor){
      .name = copy, .dtype = REG_F64, .rank = 1, .dim = {count}, .count = count, .values = values};
  return REG_OK;
}

static double *row_numbers(Heap *heap, const Told *t) {
  double *out = reg_heap_take(heap, (size_t)(t->nrows * ROW) * sizeof *out);
  for (int64_t i = 0; i < t->nrows && out; i++) {
    const reg_view_row *x = &t->rows[i];
    const double own[ROW] = {(double)x->run, (double)x->n, x->mean, x->error,     x->low,
                             x->high,        x->t,         x->p,    x->corrected, x->exact};
    memcpy(out + i * ROW, own, sizeof own);
  }
  return out;
}

static int put_told(Run *r, Heap *heap, const Told *t, int number, reg_saved_tensor *out, int *n) {
  char name[80];
  const double head[HEAD] = {(double)(t->report - r->program->reports), (double)t->chosen, (double)t->nrows};
  double *rows = row_numbers(heap, t);
  if (!rows) return reg_no_memory(r->st, 0);
  snprintf(name, sizeof name, "told %d", number);
  int code = put(r, heap, name, head, t->name, &out[(*n)++]);
  snprintf(name, sizeof name, "told %d rows", number);
  if (!code) code = put_numbers(r, heap, name, rows, REG_F64, t->nrows * ROW, &out[(*n)++]);
  snprintf(name, sizeof name, "told %d at", number);
  if (!code)
    code = put_numbers(r, heap, name, t->at, REG_F64, told_beside(r, t->report, t->nrows), &out[(*n)++]);
  for (int i = 0; i < t->report->nvalues && !t->report->view && !code; i++) {
    const reg_tensor *of = &r->program->store[t->report->values[i]];
    snprintf(name, sizeof name, "told %d value %d", number, i);
    code = put_numbers(r, heap, name, t->values[i], of->dtype, of->count, &out[(*n)++]);
  }
  return code;
}

int words_put(Run *r, Heap *heap, reg_saved_tensor *out, int *n) {
  int code = REG_OK, number = 0;
  for (const Told *t = r->reports; t && !code; t = t->next) code = put_told(r, heap, t, number++, out, n);
  number = 0;
  for (const Reason *one = r->reasons; one && !code; one = one->next) {
    char name[40];
    snprintf(name, sizeof name, "reason %d", number++);
    code = put(r, heap, name, (double[HEAD]){(double)one->sweep, (double)one->run}, one->text, &out[(*n)++]);
  }
  return code ? code : curves_put(r, heap, out, n);
}

// -- read again

static const double *numbers_of(const reg_saved *saved, const char *name, int64_t least, int64_t *count) {
  const reg_saved_tensor *t = reg_saved_find(saved, name);
  if (!t || t->dtype != REG_F64 || t->rank != 1 || t->count < least) return NULL;
  *count = t->count;
  return t->values;
}

static char *text_of(Heap *heap, const double *values, int64_t count) {
  char *text = reg_heap_take(heap, (size_t)(count - HEAD) + 1);
  for (int64_t i = HEAD; i < count && text; i++) text[i - HEAD] = (char)(unsigned char)values[i];
  return text;
}

static void rows_read(const double *from, int64_t n, reg_view_row *rows) {
  for (int64_t i = 0; i < n; i++, from += ROW)
    rows[i] = (reg_view_row){.run = (int64_t)from[0],
                             .n = (int64_t)from[1],
                             .mean = from[2],
                             .error = from[3],
                             .low = from[4],
                             .high = from[5],
                             .t = from[6],
                             .p = from[7],
                             .corrected = from[8],
                             .exact = from[9] != 0};
}

static const void **values_read(Run *r, const reg_saved *saved, const reg_report *report, int number,
                                int *found) {
  const void **out = reg_heap_take(&r->heap, ((size_t)report->nvalues + 1) * sizeof *out);
  for (int i = 0; i < report->nvalues && !report->view && out; i++) {
    char name[80];
    int64_t count;
    const reg_tensor *of = &r->program->store[report->values[i]];
    snprintf(name, sizeof name, "told %d value %d", number, i);
    const double *values = numbers_of(saved, name, of->count, &count);
    void *to = values && count == of->count ? reg_heap_take(&r->heap, reg_tensor_bytes(of)) : NULL;
    if (!to) return NULL;
    for (int64_t k = 0; k < count; k++) reg_number_put(to, of->dtype, k, values[k]);
    out[i] = to;
    ++*found;
  }
  return out;
}

// The number-th report: false where there is none such.
static bool told_read(Run *r, const reg_saved *saved, int number, const double *head, int64_t count,
                      int *found) {
  char name[80];
  int64_t all;
  snprintf(name, sizeof name, "told %d rows", number);
  if (!(head[0] >= 0 && head[0] < r->program->nreports && head[2] >= 0 && head[2] < INT32_MAX)) return false;
  const reg_report *report = &r->program->reports[(int)head[0]];
  const int64_t nrows = (int64_t)head[2];
  const double *rows = numbers_of(saved, name, nrows * ROW, &all);
  reg_view_row *read = rows ? reg_heap_take(&r->heap, (size_t)nrows * sizeof *read) : NULL;
  snprintf(name, sizeof name, "told %d at", number);
  const double *at = numbers_of(saved, name, told_beside(r, report, nrows), &all);
  const void **values = values_read(r, saved, report, number, found);
  char *text = text_of(&r->heap, head, count);
  if (!read || !values || !text || !at) return false;
  rows_read(rows, nrows, read);
  *found += 3;
  return told_add(r, &(Told){.report = report,
                             .name = text,
                             .values = values,
                             .rows = read,
                             .at = at,
                             .nrows = nrows,
                             .chosen = (int64_t)head[1]}) == REG_OK;
}

int words_read(Run *r, const reg_saved *saved, int *found, bool *damaged) {
  char name[40];
  int64_t count;
  const double *head;
  for (int i = 0; snprintf(name, sizeof name, "told %d", i), (head = numbers_of(saved, name, HEAD, &count));
       i++)
    if (!r->reports_end || !told_read(r, saved, i, head, count, found)) return *damaged = true, r->st->code;
  for (int i = 0; snprintf(name, sizeof name, "reason %d", i), (head = numbers_of(saved, name, HEAD, &count));
       i++) {
    char *text = text_of(&r->heap, head, count);
    if (!text || reason_add(r, (int64_t)head[0], (int64_t)head[1], text)) return reg_no_memory(r->st, 0);
    ++*found;
  }
  return curves_read(r, saved, found, damaged);
}
