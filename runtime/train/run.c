// reg_run: the program's stages, and what is around them. Whatever ended the run, the weights that are worth
// keeping are written, the failure is reported as an event, and nothing stays allocated.
#include "train/internal.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
  r->profile->fast_step_s = r->step_seconds[r->timed / 10];
}

// One file holds the models of one training.
static int check_weights(const Run *r) {
  const reg_program *p = r->program;
  const char *weights = r->options->weights;
  bool one = true;
  for (int i = 1; i < p->ntrains; i++)
    for (int k = 0; k < p->trains[i].nmodels; k++)
      one = one && reg_trains_model(&p->trains[0], p->trains[i].models[k]);
  if (!weights || one || is_folder(weights)) return REG_OK;
  return reg_fail(
      r->st, REG_BAD_DATA, "weights_bad",
      "`%s` is no folder of a run: this program trains several models, each with weights of its own",
      weights);
}

static int work(Run *r) {
  int code = store_new(r);
  if (!code) code = check_weights(r);
  if (!code) ranks_find(r);
  if (!code) code = is_guest(r) ? ranks_join(r) : folder_open(r);
  if (!code) code = stages_run(r, r->stages, r->nstages);
  if (code || !r->lost || is_guest(r)) return code; // another code of a guest would end the others
  return sweeps_lost(r);
}

static int end_run(Run *r, int code) {
  if (code && code != REG_AGAIN) {
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
  Scratch scratch = {0};
  Run r = {.program = p,
           .scratch = &scratch,
           .options = o,
           .profile = o->profile ? profile : NULL,
           .st = st,
           .start = reg_now(),
           .stages = p->stages,
           .nstages = p->nstages};
  NumberLocale numbers = reg_numbers_enter();
  r.checkpointed = r.start;
  r.ctx = reg_ctx_new(o->threads);
  int code;
  if (r.ctx) {
    r.ctx->profile = r.profile != NULL;
    code = end_run(&r, work(&r));
    finish_profile(&r);
  } else {
    code = reg_no_memory(st, 0);
  }
  reg_numbers_leave(numbers);
  reg_ctx_free(r.ctx);
  store_keep(&r);
  checkpoint_clear(&r, false);
  if (r.ranks && r.ranks_file >= 0) close(r.ranks_file);
  if (is_guest(&r)) free(r.checkpoint);
  reg_heap_free(&r.heap);
  reg_heap_free(&scratch.memory);
  free(r.step_seconds);
  free(r.places);
  return code;
}
