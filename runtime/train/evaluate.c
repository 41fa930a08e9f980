// Chunks of rows through a compiled function, and `evaluate`: predictions for a part, its metrics,
// predictions.csv, the event.
#include "train/internal.h"
#include <stdlib.h>
#include <string.h>

int64_t lane_row(int64_t n, int64_t batch, int64_t i) {
  const int64_t each = n / batch, more = n % batch, lane = i % batch;
  return lane * each + (lane < more ? lane : more) + i / batch;
}

// The rows of a part from `done` on, in the order of its pass.
static void rows_from(const Training *t, const reg_part *part, int64_t lanes, int64_t done, int64_t count,
                      int64_t *out) {
  for (int64_t i = done; i < done + count; i++)
    out[i - done] = t->plan->in_order ? lane_row(part->nrows, lanes, i) : i;
}

int run_chunks(Training *t, const reg_part *part, Bound *full, Bound *rest, void *chunk, void *out,
               int64_t width, double *loss) {
  double sum = 0;
  int code = REG_OK;
  const int64_t lanes = full->f ? full->f->batch : part->nrows;
  const size_t bytes = (size_t)lanes * 2 * sizeof(int64_t),
               row = (size_t)width * reg_dtype_bytes(t->run->program->dtype);
  int64_t *places = malloc(bytes), *rows_of = places + lanes;
  if (!places) return reg_no_memory(t->run->st, bytes);
  t->turn = 0;
  for (int64_t done = 0; done < part->nrows && !code; t->turn++) {
    int64_t left = part->nrows - done;
    Bound *b = full->f && full->f->batch <= left ? full : rest;
    if (!b->f || b->f->batch > left || b->f->batch <= 0) {
      code = reg_fail(t->run->st, REG_INTERNAL, "internal", "no function for the last %lld rows of part `%s`",
                      (long long)left, part->name);
      break;
    }
    int64_t rows = b->f->batch;
    rows_from(t, part, lanes, done, rows, places);
    for (int64_t i = 0; i < rows; i++) rows_of[i] = part->rows[places[i]];
    code = bound_gather(t, b, rows_of, rows);
    if (!t->plan->in_order) rows_next(t, part->rows + done + rows, left - rows);
    if (!code) code = further_gather(t, b, true, t->turn);
    if (!code) code = bound_call(t, b);
    for (int64_t i = 0; i < rows && !code && out && width; i++)
      memcpy((char *)out + (size_t)places[i] * row, (char *)chunk + (size_t)i * row, row);
    if (loss) sum += value_at(t, t->loss, 0) * (double)rows;
    done += rows;
  }
  free(places);
  if (code) return code;
  if (loss) *loss = sum / (double)part->nrows;
  return REG_OK;
}

// Buffers, and functions bound to them; metrics at their first use.
static int evaluation_new(Training *t, const reg_evaluate *e, const reg_part *part, Evaluation *v) {
  Run *r = t->run;
  int64_t chunk_rows = e->predict && e->predict->batch < part->nrows ? e->predict->batch : part->nrows;
  if (e->predict && e->predict->batch > chunk_rows) chunk_rows = e->predict->batch;
  const size_t each = reg_dtype_bytes(r->program->dtype);
  v->chunk = reg_heap_take(&r->heap, (size_t)(chunk_rows * e->pred_width) * each);
  v->all = reg_heap_take_large(&r->heap, (size_t)(part->nrows * e->pred_width) * each);
  v->values = reg_heap_take(&r->heap, (size_t)e->nmetrics * sizeof *v->values);
  if (!v->chunk || !v->all || !v->values)
    return reg_no_memory(r->st, (size_t)(part->nrows * e->pred_width) * each);
  for (int i = 0; i < e->nmetrics; i++)
    if (!(v->values[i] = reg_heap_take(&r->heap, (size_t)e->metric[i].count * each)))
      return reg_no_memory(r->st, (size_t)e->metric[i].count * each);
  int code = bind_function(t, e->predict, &t->now, v->chunk, v->values, &v->predict);
  return code ? code : bind_function(t, e->predict_last, &t->now, v->chunk, v->values, &v->rest);
}

static int compute(Training *t, const reg_evaluate *e, const reg_part *part, Evaluation *v) {
  int code = v->values ? REG_OK : evaluation_new(t, e, part, v);
  if (!code) code = run_chunks(t, part, &v->predict, &v->rest, v->chunk, v->all, e->pred_width, NULL);
  if (!code && !v->metrics.f) code = bind_function(t, e->metrics, &t->now, v->all, v->values, &v->metrics);
  if (code || !v->metrics.f) return code;
  code = bound_gather(t, &v->metrics, part->rows, part->nrows);
  return code ? code : bound_call(t, &v->metrics);
}

static int keep_values(Run *r, const reg_evaluate *e, const Evaluation *v) {
  for (int i = 0; i < e->nmetrics; i++) {
    const reg_metric *m = &e->metric[i];
    if (m->value < 0) continue;
    void *to = store_take(r, m->value);
    if (!to) return r->st->code;
    r->changed = true;
    reg_floats_copy(to, r->program->store[m->value].dtype, v->values[i], r->program->dtype, m->count);
  }
  return REG_OK;
}

int evaluate_run(Training *t, int index) {
  Run *r = t->run;
  const reg_evaluate *e = &r->program->evaluates[index];
  Evaluation *v = &r->evaluations[index];
  const reg_dataset *trained = t->data;
  t->data = r->program->datasets[e->data];
  const reg_part *part = reg_data_part(t->data, e->part);
  if (!part) return reg_fail(r->st, REG_INTERNAL, "internal", "`%s` has no part `%s`", e->data_name, e->part);
  int code = compute(t, e, part, v);
  v->acts++;
  if (!code) code = folder_predictions(t, e, v->all, part);
  t->data = trained;
  if (!code) code = keep_values(r, e, v);
  if (code) return code;
  reg_event event = {.kind = REG_EVENT_EVALUATE,
                     .train = t->plan,
                     .evaluate = e,
                     .seed = t->full_seed,
                     .act = v->acts,
                     .values = (const void *const *)v->values};
  send_event(r, &event);
  return REG_OK;
}
