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
static int end_training(Run *r, Training *t, int code) {
  const bool best = (code == REG_BAD_DATA || code == REG_ASSERTION) && t->plan->keep_best && t->has_best;
  if (r->options->evaluate_only || (code && code != REG_DIVERGED && code != REG_INTERRUPTED && !best))
    return code;
  reg_status ended = *r->st;
  int written = weights_save(t);
  if (code) *r->st = ended;
  return code ? code : written;
}

static void train_all(Run **of, int *codes, int n, const reg_stage *s) {
  Training *ready[MOST_TOGETHER];
  int began[MOST_TOGETHER], at[MOST_TOGETHER], count = 0;
  for (int i = 0; i < n; i++)
    if ((codes[i] = training_new(of[i], s->index)) == REG_OK) {
      began[count] = REG_OK;
      at[count] = i;
      ready[count++] = &of[i]->trainings[s->index];
    }
  trainings_run(ready, began, count);
  for (int i = 0; i < count; i++) codes[at[i]] = end_training(of[at[i]], ready[i], began[i]);
}

static int train_stage(Run *r, const reg_stage *s) {
  int code;
  train_all(&r, &code, 1, s);
  return code;
}

static int evaluate_stage(Run *r, const reg_stage *s) {
  const reg_evaluate *e = &r->program->evaluates[s->index];
  Training *t = e->train < 0 ? r->nothing : &r->trainings[e->train];
  const bool measured = r->ctx->profile;
  r->ctx->profile = false; // the profile is of training steps
  int code = e->train < 0 ? REG_OK : training_new(r, e->train);
  if (e->train < 0) training_seed(t, r->options->has_seed ? r->options->seed : 0);
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

Place *place(const Run *r) { return &r->places[r->depth - 1]; }

static int repeat_stage(Run *r, const reg_stage *s) {
  const double turns = place(r)->turn ? 0 : store_number(r, s->value);
  if (!(turns >= 0 && turns < INT32_MAX && turns == floor(turns)))
    return reg_fail(r->st, REG_ASSERTION, "turns_bad", "%s: `repeat` makes %.9g turns", s->place, turns);
  if (!place(r)->turn) *place(r) = (Place){place(r)->stage, 1, (int64_t)turns};
  for (; place(r)->turn <= place(r)->turns; place(r)->turn++) {
    int code = turn(r, s, place(r)->turn - 1);
    if (code) return code;
  }
  return REG_OK;
}

static int if_stage(Run *r, const reg_stage *s) {
  if (!place(r)->turn) place(r)->turn = store_number(r, s->value) != 0 ? 1 : 2;
  return place(r)->turn == 1 ? stages_run(r, s->body, s->nbody) : stages_run(r, s->otherwise, s->nelse);
}

// Does the loop make a turn after so many?
static int goes_on(Run *r, const reg_stage *s, int64_t made, bool *on) {
  const bool over = s->most && made == s->most;
  *on = false;
  if (over && s->up_to) return REG_OK;
  int code = store_call(r, s->test);
  if (code || store_number(r, s->value) == 0) return code;
  *on = true;
  return over ? reg_fail(r->st, REG_ASSERTION, "too_many_turns",
                         "%s: after %lld turns, all that it may make, the condition of `while` still holds",
                         s->place, (long long)made)
              : REG_OK;
}

static int while_stage(Run *r, const reg_stage *s) {
  bool on = place(r)->turn > 0; // within a turn
  for (int code = REG_OK;; on = false) {
    if (!on) {
      code = goes_on(r, s, place(r)->turn, &on);
      if (code || !on) return code;
      place(r)->turn++;
    }
    if ((code = turn(r, s, place(r)->turn - 1))) return code;
  }
}

// -- what is told and written

// C prints the sign of a NaN.
static double unsigned_nan(double v) { return isnan(v) ? NAN : v; }

static void put_number(Text *o, double v) {
  reg_text_format(o, v == floor(v) && fabs(v) < 1e15 ? "%.0f" : "%.6g", unsigned_nan(v));
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
    for (int i = 0; i < report->nvalues && !code; i++)
      if (!(code = store_given(r, report->values[i]))) values[i] = r->store[report->values[i]];
  }
  if (!code && report->view) {
    code = report_runs(r, report, name.data ? name.data : "", values);
  } else if (!code) {
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
      reg_text_format(&text, "%.9g", unsigned_nan(store_number(r, a->sides[i])));
    else
      reg_text_add(&text, "a tensor");
  }
  return reg_fail(r->st, REG_ASSERTION, "assertion_failed", "%s: `%.150s` does not hold%s", a->place, a->text,
                  text.used ? words : "");
}

// Where it is not what the program is compiled for, the run ends here, and goes on behind another
// compilation.
static int known_stage(Run *r, const reg_stage *s) {
  const reg_known *known = &r->program->knowns[s->index];
  const double v = store_number(r, s->value);
  if (!(v >= 1 && v <= known->most && v == floor(v)))
    return reg_fail(r->st, REG_ASSERTION, "known_bad",
                    "%s: `%s` is %.9g; it is a whole number from 1 to %.0f", s->place, known->name,
                    unsigned_nan(v), known->most);
  r->known[s->index] = v;
  if (v == known->value) return REG_OK;
  const char *why = r->ranks             ? "processes share this run"
                    : r->stays           ? "`--steps` has ended a training"
                    : !r->options->known ? "it cannot be compiled anew here"
                                         : NULL;
  if (why) {
    reg_fail(r->st, REG_ASSERTION, "known_other",
             "%s: `%s` is %.0f, and the program is compiled for %.0f: %s", s->place, known->name, v,
             known->value, why);
    reg_hint(r->st, "`--set %s=%.0f` compiles it for that", known->name, v);
    return REG_ASSERTION;
  }
  const int code = checkpoint_aside(r, checkpoint_write);
  if (code) return code;
  r->options->known(r->options->known_user, s->index, v, r->folder ? r->folder : "");
  return REG_AGAIN;
}

// What is only evaluated writes no weights: those of the file are of the run that trained.
static int save_stage(Run *r, const reg_stage *s) {
  const reg_save *save = &r->program->saves[s->index];
  if (r->options->evaluate_only) return REG_OK;
  reg_saved_tensor *tensors = calloc((size_t)save->ntensors + 1, sizeof *tensors);
  Heap heap = {0};
  int code = tensors ? REG_OK : reg_no_memory(r->st, (size_t)save->ntensors * sizeof *tensors);
  for (int i = 0; i < save->ntensors && !code; i++) {
    code = store_saved(r, save->tensors[i], &heap, &tensors[i]);
    tensors[i].name = save->names[i];
  }
  if (!code && (code = reg_safetensors_write(save->path, save->ntensors, tensors, r->st)) == REG_CANNOT_WRITE)
    reg_hint(r->st, "`save` at %s makes no folders, and writes where the program runs", s->place);
  reg_heap_free(&heap);
  free(tensors);
  return code;
}

static int refused_stage(Run *r, const reg_stage *s) {
  return reg_fail(r->st, REG_BAD_DATA, "rejected", "%s", s->place);
}

static int (*const stage_run[])(Run *, const reg_stage *) = {
    [REG_STAGE_TRAIN] = train_stage,   [REG_STAGE_EVALUATE] = evaluate_stage,
    [REG_STAGE_APPLY] = apply_stage,   [REG_STAGE_INIT] = init_stage,
    [REG_STAGE_REPEAT] = repeat_stage, [REG_STAGE_IF] = if_stage,
    [REG_STAGE_WHILE] = while_stage,   [REG_STAGE_REPORT] = report_stage,
    [REG_STAGE_ASSERT] = assert_stage, [REG_STAGE_SAVE] = save_stage,
    [REG_STAGE_SWEEP] = sweep_stage,   [REG_STAGE_REFUSED] = refused_stage,
    [REG_STAGE_KNOWN] = known_stage};

int places_room(Run *r, int depth) {
  if (depth <= r->room) return REG_OK;
  const int room = depth > 2 * r->room ? depth : 2 * r->room;
  Place *grown = realloc(r->places, (size_t)room * sizeof *grown);
  if (!grown) return reg_no_memory(r->st, (size_t)room * sizeof *grown);
  r->places = grown;
  r->room = room;
  return REG_OK;
}

// Trainings look themselves.
static int check_interrupt(Run *r, const reg_stage *s) {
  if (s->kind == REG_STAGE_TRAIN || !is_interrupted(r)) return REG_OK;
  int code = r->changed ? checkpoint_write(r) : REG_OK;
  return code ? code
              : reg_fail(r->st, REG_INTERRUPTED, "interrupted", "interrupted before %s",
                         s->place ? s->place : "a statement");
}

static int enter(Run *r, int level) {
  int code = places_room(r, ++r->depth);
  if (!code && level >= r->returning) r->places[level] = (Place){0};
  if (level + 1 >= r->returning) r->returning = 0;
  return code;
}

static int pass_on(Run *r, int level) {
  r->places[level] = (Place){.stage = r->places[level].stage + 1};
  r->under_way = NULL;
  return checkpoint_stage(r);
}

int stages_run(Run *r, const reg_stage *list, int n) {
  const int level = r->depth;
  int code = enter(r, level);
  while (!code && r->places[level].stage < n) {
    const reg_stage *s = &list[r->places[level].stage];
    if (!r->returning && (code = check_interrupt(r, s))) break;
    code = stage_run[s->kind](r, s);
    if (!code) code = pass_on(r, level);
  }
  r->depth--;
  return code;
}

void stages_together(Run **of, int *codes, int n, const reg_stage *list, int count) {
  for (int i = 0; i < n; i++) codes[i] = enter(of[i], 0);
  for (const reg_stage *s = list; s < list + count; s++) {
    Run *live[MOST_TOGETHER];
    int ended[MOST_TOGETHER], at[MOST_TOGETHER], some = 0;
    for (int i = 0; i < n; i++)
      if (!codes[i] && (codes[i] = check_interrupt(of[i], s)) == REG_OK) live[some] = of[i], at[some++] = i;
    if (s->kind == REG_STAGE_TRAIN) train_all(live, ended, some, s);
    for (int i = 0; i < some; i++) {
      if (s->kind != REG_STAGE_TRAIN) ended[i] = stage_run[s->kind](live[i], s);
      codes[at[i]] = ended[i] ? ended[i] : pass_on(live[i], 0);
    }
  }
  for (int i = 0; i < n; i++) of[i]->depth--;
}
