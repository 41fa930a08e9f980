// reg_run: every `train` of the program in order, then every `evaluate`. Whatever ended the run, the weights
// that are worth keeping are written, the failure is reported as an event, and nothing stays allocated.
#include "train/internal.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void finish_profile(Run *r) {
  if (!r->profile) return;
  r->profile->gemm_s = r->ctx->gemm_s;
  if (r->timed == 0) return;
  qsort(r->step_seconds, (size_t)r->timed, sizeof *r->step_seconds, by_size);
  r->profile->median_step_s = r->step_seconds[r->timed / 2];
}

// Diverged and interrupted trainings have weights worth keeping; of their own failure to be written the first
// one counts.
static int train_one(Run *r, const reg_train *plan, Training *t) {
  int code = training_new(r, plan, t);
  if (code || r->options->evaluate_only) return code;
  code = training_run(t);
  if (code && code != REG_DIVERGED && code != REG_INTERRUPTED) return code;
  reg_status ended = *r->st;
  int written = weights_save(t);
  if (code) *r->st = ended;
  return code ? code : written;
}

static int work(Run *r) {
  const reg_program *p = r->program;
  Training *trainings = reg_heap_take(&r->heap, (size_t)p->ntrains * sizeof *trainings);
  if (!trainings) return reg_no_memory(r->st, (size_t)p->ntrains * sizeof *trainings);
  struct stat info;
  const char *weights = r->options->weights;
  if (weights && p->ntrains != 1 && !(stat(weights, &info) == 0 && S_ISDIR(info.st_mode)))
    return reg_fail(r->st, REG_BAD_DATA, "weights_bad",
                    "`%s` is no folder of a run: this program has %d trainings, each with weights of its own",
                    weights, p->ntrains);
  int code = folder_open(r);
  for (int i = 0; i < p->ntrains && !code; i++) code = train_one(r, &p->trains[i], &trainings[i]);
  bool measured = r->ctx->profile;
  r->ctx->profile = false; // the profile is of training steps
  for (int i = 0; i < p->nevaluates && !code; i++)
    code = evaluate_run(&trainings[p->evaluates[i].train], &p->evaluates[i]);
  r->ctx->profile = measured;
  return code;
}

static int end_run(Run *r, int code) {
  if (code) {
    reg_event e = {.kind = REG_EVENT_ERROR, .status = r->st};
    send_event(r, &e);
  }
  reg_status ended = *r->st;
  int written = folder_close(r, code);
  if (code) *r->st = ended;
  return code ? code : written;
}

int reg_run(const reg_program *p, const reg_run_options *o, reg_profile *profile, reg_status *st) {
  reg_status ignored;
  if (!st) st = &ignored;
  *st = (reg_status){0};
  if (profile) *profile = (reg_profile){0};
  Run r = {.program = p, .options = o, .profile = o->profile ? profile : NULL, .st = st, .start = reg_now()};
  NumberLocale numbers = reg_numbers_enter();
  r.ctx = reg_ctx_new(o->threads);
  int code;
  if (r.ctx) {
    r.ctx->profile = r.profile != NULL;
    code = end_run(&r, work(&r));
    finish_profile(&r);
  } else {
    code = reg_no_memory(st, sizeof *r.ctx);
  }
  reg_numbers_leave(numbers);
  reg_ctx_free(r.ctx);
  reg_heap_free(&r.heap);
  free(r.scratch);
  free(r.step_seconds);
  return code;
}
