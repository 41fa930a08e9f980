// The table of a sweep: a row for each run, in their order, whatever the order in which they ended: its value
// on each axis, how it ended, and the numbers that are kept of all runs.
#include "train/sweep.h"
#include <math.h>
#include <string.h>

static void put_value(Text *o, const reg_axis *x, double at, bool csv) {
  if (x->nnumbers)
    reg_text_format(o, "%.9g", at);
  else if (csv)
    reg_text_csv(o, x->labels[(int64_t)at]);
  else
    reg_text_add(o, x->labels[(int64_t)at]);
}

void sweep_label(const Run *r, const reg_sweep *s, int64_t run, Text *o) {
  for (int i = 0; i < s->naxes; i++) {
    reg_text_format(o, "%s%s = ", i ? ", " : "", s->axes[i].name);
    put_value(o, &s->axes[i], sweep_at(r, s, run)[i], false);
  }
}

static void put_number(Text *o, reg_dtype t, double v) {
  if (v == floor(v) && fabs(v) < 1e15)
    reg_text_format(o, "%.0f", v);
  else if (t == REG_F32)
    reg_text_number(o, v);
  else
    reg_text_exact(o, v);
}

static void put_header(Text *o, const reg_sweep *s) {
  for (int i = 0; i < s->naxes; i++) {
    reg_text_csv(o, s->axes[i].name);
    reg_text_add(o, ",");
  }
  for (int i = 0; i < s->nkept; i++) {
    if (!s->kept[i].column) continue;
    reg_text_csv(o, s->kept[i].name);
    reg_text_add(o, ",");
  }
  reg_text_add(o, "outcome\n");
}

static void put_words(Text *o, const Run *r, int index, int64_t run) {
  const int32_t *state = sweep_state(r, &r->program->sweeps[index], run);
  const char *reason = reason_of(r, index, run);
  if (state[RUN_ENDED] == RUN_DIVERGED)
    reg_text_format(o, "diverged: %s at step %d", r->program->trains[state[RUN_TRAIN]].name, state[RUN_STEP]);
  else if (state[RUN_ENDED] == RUN_FAILED)
    reg_text_format(o, "failed: %s", reason ? reason : "");
  else if (state[RUN_ENDED] == RUN_DROPPED)
    reg_text_format(o, "stopped after %.3g of its epochs",
                    halving_share(&r->program->sweeps[index], state[RUN_ROUNDS]));
  else
    reg_text_add(o, "finished");
}

static void put_outcome(Text *o, const Run *r, int index, int64_t run) {
  Text words = {0};
  put_words(&words, r, index, run);
  reg_text_csv(o, words.data ? words.data : "");
  o->failed |= words.failed;
  reg_text_free(&words);
}

static void put_row(Text *o, const Run *r, int index, int64_t run) {
  const reg_sweep *s = &r->program->sweeps[index];
  for (int i = 0; i < s->naxes; i++) {
    put_value(o, &s->axes[i], sweep_at(r, s, run)[i], true);
    reg_text_add(o, ",");
  }
  for (int i = 0; i < s->nkept; i++) {
    const reg_dtype t = r->program->store[s->kept[i].to].dtype;
    if (!s->kept[i].column) continue;
    const double v = reg_number_at(r->store[s->kept[i].to], t, run);
    if (isfinite(v)) put_number(o, t, v);
    if (isinf(v)) reg_text_add(o, v > 0 ? "inf" : "-inf");
    reg_text_add(o, ",");
  }
  put_outcome(o, r, index, run);
  reg_text_add(o, "\n");
}

static bool is_lost(const Run *r, int index, int64_t run) {
  const int ended = sweep_state(r, &r->program->sweeps[index], run)[RUN_ENDED];
  return ended == RUN_DIVERGED || ended == RUN_FAILED;
}

// Of a sweep in the runs of another one nothing is left but that these went on.
static bool name_lost(const Run *r, Text *o) {
  for (int i = 0; i < r->program->nsweeps; i++) {
    const reg_sweep *s = &r->program->sweeps[i];
    for (int64_t run = 0; r->store[s->state] && run < s->nruns; run++) {
      if (!is_lost(r, i, run)) continue;
      reg_text_format(o, "; the first of `%s` (", s->name);
      sweep_label(r, s, run, o);
      reg_text_add(o, ") ");
      put_words(o, r, i, run);
      return true;
    }
  }
  reg_text_add(o, " in runs of another one");
  return false;
}

int sweeps_lost(const Run *r) {
  Text words = {0};
  const bool told = name_lost(r, &words);
  reg_fail(r->st, REG_DIVERGED, "runs_failed", "%lld run%s of a sweep failed%s", (long long)r->lost,
           r->lost == 1 ? "" : "s", words.failed ? "" : words.data);
  reg_hint(r->st, !told       ? "all else went on"
                  : r->folder ? "the rows of its table, `sweep-….csv`, say why; all else went on"
                              : "a folder, `--out DIR`, has a table that says why; all else went on");
  reg_text_free(&words);
  return REG_DIVERGED;
}

int sweep_table(Run *r, int index) {
  const reg_sweep *s = &r->program->sweeps[index];
  Text o = {0}, name = {0};
  if (!r->folder) return REG_OK;
  reg_text_format(&name, "sweep-%s", s->name);
  if (r->sweep_acts[index] > 1) reg_text_format(&name, "-%lld", (long long)r->sweep_acts[index]);
  reg_text_add(&name, ".csv");
  put_header(&o, s);
  for (int64_t i = 0; i < s->nruns; i++) put_row(&o, r, index, i);
  const int code =
      o.failed || name.failed ? reg_no_memory(r->st, o.used) : folder_write(r, name.data, o.data, o.used);
  reg_text_free(&o);
  reg_text_free(&name);
  return code;
}
