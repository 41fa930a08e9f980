// The program's statements: one function for each kind of stage. In: a list of stages, and the store as the
// ones before left it. Out: what they give values to, events, files.
#include "reg/safetensors.h"
#include "train/internal.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Diverged and interrupted trainings have weights worth keeping, and one that a function ended early has its
// best ones; of their own failure to be written the first one counts.
static int train_stage(Run *r, const reg_stage *s) {
  Training *t = &r->trainings[s->index];
  int code = training_new(r, s->index);
  if (!code) code = training_run(t);
  const bool best = (code == REG_BAD_DATA || code == REG_ASSERTION) && t->plan->keep_best && t->has_best;
  if (r->options->evaluate_only || (code && code != REG_DIVERGED && code != REG_INTERRUPTED && !best))
    return code;
  reg_status ended = *r->st;
  int written = weights_save(t);
  if (code) *r->st = ended;
  return code ? code : written;
}

static int evaluate_stage(Run *r, const reg_stage *s) {
  const reg_evaluate *e = &r->program->evaluates[s->index];
  Training *t = &r->trainings[e->train];
  const bool measured = r->ctx->profile;
  r->ctx->profile = false; // the profile is of training steps
  int code = training_new(r, e->train);
  if (!code && e->untrained) code = training_weights(t);
  if (!code) code = evaluate_run(t, s->index);
  r->ctx->profile = measured;
  return code;
}

static int apply_stage(Run *r, const reg_stage *s) { return store_call(r, s->index); }
static int init_stage(Run *r, const reg_stage *s) { return store_init(r, s->index); }

// -- control

static int turn(Run *r, const reg_stage *s, int64_t number) {
  const uint64_t around = r->around;
  if (s->turn >= 0 && !store_take(r, s->turn)) return r->st->code;
  if (s->turn >= 0) reg_number_put(r->store[s->turn], r->program->store[s->turn].dtype, 0, (double)number);
  r->around = turn_around(around, number);
  const int code = stages_run(r, s->body, s->nbody);
  r->around = around;
  return code;
}

static int repeat_stage(Run *r, const reg_stage *s) {
  const double turns = store_number(r, s->value);
  if (!(turns >= 0 && turns < INT32_MAX && turns == floor(turns)))
    return reg_fail(r->st, REG_ASSERTION, "turns_bad", "%s: `repeat` makes %.9g turns", s->place, turns);
  int code = REG_OK;
  for (int64_t i = 0; i < (int64_t)turns && !code; i++) code = turn(r, s, i);
  return code;
}

static int if_stage(Run *r, const reg_stage *s) {
  return store_number(r, s->value) != 0 ? stages_run(r, s->body, s->nbody)
                                        : stages_run(r, s->otherwise, s->nelse);
}

static int while_stage(Run *r, const reg_stage *s) {
  for (int64_t i = 0;; i++) {
    if (s->most && i == s->most && s->up_to) return REG_OK;
    int code = store_call(r, s->test);
    if (code || store_number(r, s->value) == 0) return code;
    if (s->most && i == s->most)
      return reg_fail(r->st, REG_ASSERTION, "too_many_turns",
                      "%s: after %lld turns, all that it may make, what `while` watches is still %.9g",
                      s->place, (long long)i, store_number(r, s->value));
    if ((code = turn(r, s, i))) return code;
  }
}

// -- what is told and written

static void put_number(Text *o, double v) {
  reg_text_format(o, v == floor(v) && fabs(v) < 1e15 ? "%.0f" : "%.6g", v);
}

static int report_stage(Run *r, const reg_stage *s) {
  const reg_report *report = &r->program->reports[s->index];
  const void **values = calloc((size_t)report->nvalues + 1, sizeof *values);
  Text name = {0};
  for (int i = 0; i < report->npieces; i++) {
    reg_text_add(&name, report->pieces[i].text);
    if (report->pieces[i].value >= 0) put_number(&name, store_number(r, report->pieces[i].value));
  }
  int code = !values || name.failed ? reg_no_memory(r->st, name.used) : REG_OK;
  if (!code) {
    for (int i = 0; i < report->nvalues; i++) values[i] = r->store[report->values[i]];
    reg_event e = {
        .kind = REG_EVENT_REPORT, .report = report, .name = name.data ? name.data : "", .values = values};
    send_event(r, &e);
  }
  reg_text_free(&name);
  free(values);
  return code;
}

static int assert_stage(Run *r, const reg_stage *s) {
  const reg_assertion *a = &r->program->assertions[s->index];
  if (store_number(r, a->condition) != 0) return REG_OK;
  char words[300];
  Text text = reg_text_in(words, sizeof words);
  for (int i = 0; i < a->nsides; i++) {
    reg_text_format(&text, "%s`%.100s` is ", i ? ", " : ": ", a->side_texts[i]);
    if (r->program->store[a->sides[i]].count == 1)
      reg_text_format(&text, "%.9g", store_number(r, a->sides[i]));
    else
      reg_text_add(&text, "a tensor");
  }
  return reg_fail(r->st, REG_ASSERTION, "assertion_failed", "%s: `%.150s` does not hold%s", a->place, a->text,
                  text.used ? words : "");
}

static int save_stage(Run *r, const reg_stage *s) {
  const reg_save *save = &r->program->saves[s->index];
  reg_saved_tensor *tensors = calloc((size_t)save->ntensors + 1, sizeof *tensors);
  Heap heap = {0};
  int code = tensors ? REG_OK : reg_no_memory(r->st, (size_t)save->ntensors * sizeof *tensors);
  for (int i = 0; i < save->ntensors && !code; i++)
    code = store_saved(r, save->tensors[i], &heap, &tensors[i]);
  if (!code) code = reg_safetensors_write(save->path, save->ntensors, tensors, r->st);
  reg_heap_free(&heap);
  free(tensors);
  return code;
}

static int (*const stage_run[])(Run *, const reg_stage *) = {
    [REG_STAGE_TRAIN] = train_stage, [REG_STAGE_EVALUATE] = evaluate_stage, [REG_STAGE_APPLY] = apply_stage,
    [REG_STAGE_INIT] = init_stage,   [REG_STAGE_REPEAT] = repeat_stage,     [REG_STAGE_IF] = if_stage,
    [REG_STAGE_WHILE] = while_stage, [REG_STAGE_REPORT] = report_stage,     [REG_STAGE_ASSERT] = assert_stage,
    [REG_STAGE_SAVE] = save_stage};

int stages_run(Run *r, const reg_stage *list, int n) {
  int code = REG_OK;
  for (int i = 0; i < n && !code; i++) code = stage_run[list[i].kind](r, &list[i]);
  return code;
}
