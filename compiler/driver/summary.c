// --summary: parameters with what touches them, memory, work and code of a step; and the check that a plan
// fits the machine.
#include "summary.h"
#include <string.h>

static double tensor_bytes(const reg_tensor *t, int n) {
  double bytes = 0;
  for (int i = 0; i < n; i++) bytes += (double)reg_tensor_bytes(&t[i]);
  return bytes;
}

static double data_bytes(const reg_program *p) {
  double bytes = 0;
  for (int d = 0; d < p->ndatasets; d++)
    for (int f = 0; f < p->datasets[d]->nfields; f++)
      bytes += (double)reg_dtype_bytes(p->datasets[d]->fields[f].dtype) * (double)p->datasets[d]->nrows *
               (double)p->datasets[d]->fields[f].width;
  return bytes;
}

static double batch_bytes(const LoopFn *f) {
  double bytes = 0;
  for (int i = 1; i < f->nslots; i++)
    if (f->slots[i].port.kind == REG_SLOT_FIELD || f->slots[i].port.kind == REG_SLOT_FURTHER ||
        f->slots[i].port.kind == REG_SLOT_DRAWN)
      bytes += (double)slot_bytes(&f->slots[i]);
  return bytes;
}

// Parameters and states with the copies that training keeps (start of the epoch, best): as long as the run.
static double bank_bytes(const reg_train *t) {
  return (t->keep_best ? 3 : 2) * (tensor_bytes(t->params, t->nparams) + tensor_bytes(t->states, t->nstates));
}

// Scratch memory and batches of the functions planned so far: a full step needs the most.
static double step_bytes(const reg_train *t) {
  const reg_function *fs[] = {t->step, t->step_last, t->valid, t->valid_last};
  double scratch = 0, batches = 0;
  for (size_t i = 0; i < sizeof fs / sizeof *fs; i++) {
    const LoopFn *f = fs[i] ? function_loops(fs[i]) : NULL;
    if (!f) continue;
    batches += batch_bytes(f);
    if ((double)f->scratch_bytes > scratch) scratch = (double)f->scratch_bytes;
  }
  return scratch + batches;
}

// MemAvailable of /proc/meminfo in bytes, or what the process may have where that is less.
static double available_memory(void) {
  FILE *f = fopen("/proc/meminfo", "r");
  const double most = (double)reg_memory_most();
  if (!f) return most;
  char line[128];
  double kilobytes = 0;
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "MemAvailable: %lf", &kilobytes) == 1) break;
  fclose(f);
  return kilobytes > 0 && 1024 * kilobytes < most ? 1024 * kilobytes : most;
}

// Does the training act in these stages?
static bool acts(const reg_stage *list, int n, int train) {
  bool found = false;
  for (int i = 0; i < n && !found; i++)
    found = (list[i].kind == REG_STAGE_TRAIN && list[i].index == train) ||
            acts(list[i].body, list[i].nbody, train) || acts(list[i].otherwise, list[i].nelse, train);
  return found;
}

// Data are there already, in memory that is no longer available, or in files where it has no room.
int memory_check(ProgramTable *t) {
  Pipeline *p = t->pipeline;
  const double machine = available_memory();
  double banks = 0;
  for (int i = 0; i < t->program.ntrains; i++) {
    const reg_train *train = &t->program.trains[i];
    reg_status st = {0};
    if (!acts(t->program.stages, t->program.nstages, i)) continue;
    if (function_plan(t, main_step(train), &st)) return st.code;
    banks += bank_bytes(train);
    const double needed = banks + step_bytes(train);
    if (needed > machine)
      diag_emit(&p->session->diags, DIAG_too_large, p->lowered->trains.data[i]->ast->span,
                text_bytes(p->arena, needed), text_bytes(p->arena, machine));
  }
  return pipeline_report(p);
}

// Of the column that says which optimizer updates what; 0 where one updates all.
static size_t updated_width(const LowerTrain *t) {
  size_t width = strlen("updated by");
  bool same = true;
  for (int i = 0; i < t->params.len; i++) {
    const char *by = t->params.data[i].updated_by;
    same = same && !strcmp(by, t->params.data[0].updated_by);
    if (strlen(by) > width) width = strlen(by);
  }
  return same ? 0 : width;
}

static void print_parameters(Arena *a, const LowerTrain *t, FILE *out) {
  double total = 0;
  size_t width = 9;
  for (int i = 0; i < t->params.len; i++)
    if (strlen(t->params.data[i].path) > width) width = strlen(t->params.data[i].path);
  const size_t by = updated_width(t);
  fprintf(out, "  %-*s  %-7s %-14s %12s  ", (int)width, "parameter", "role", "shape", "elements");
  if (by) fprintf(out, "%-*s  ", (int)by, "updated by");
  fputs("touched by\n", out);
  for (int i = 0; i < t->params.len; i++) {
    const LowerParam *p = &t->params.data[i];
    total += (double)shape_count(p->shape);
    fprintf(out, "  %-*s  %-7s %-14s %12lld ", (int)width, p->path, p->role, shape_text(a, p->shape),
            (long long)shape_count(p->shape));
    if (by) fprintf(out, " %-*s ", (int)by, p->updated_by);
    for (int k = 0; k < p->ntouched; k++) fprintf(out, "%s%s", k ? ", " : " ", p->touched_by[k]);
    fputs(p->ntouched ? "\n" : " -\n", out);
  }
  fprintf(out, "  %-*s  %-7s %-14s %12.0f\n", (int)width, "all", "", "", total);
}

static void print_terms(Arena *a, const LowerTrain *t, FILE *out) {
  for (int i = 0; i < t->terms.len; i++) {
    const LowerTerm *term = &t->terms.data[i];
    if (term->log)
      fprintf(out, "  log %s: %s\n", term->name, term->strength);
    else if (term->over)
      fprintf(out, "  minimized %s: %s over %s\n", term->name, term->strength, term->over);
    else
      fprintf(out, "  penalty %s: strength %s\n", term->name, term->strength ? term->strength : "1");
  }
  for (int i = 2; i < t->ast->nkids; i++) {
    const Ast *c = t->ast->kids[i];
    if (c->kind == AST_CONSTRAIN)
      fprintf(out, "  constrained %s: %s\n", ast_text(a, c->kids[1]->kids[0]), ast_text(a, c->kids[2]));
    if (c->kind == AST_PENALIZE && c->name)
      fprintf(out, "  by prox: %s of %s\n", ast_text(a, c->kids[2]), ast_text(a, c->kids[1]->kids[0]));
  }
}

static void print_passes(const LowerTrain *t, FILE *out) {
  for (int i = 0; i < t->passes.len; i++)
    fprintf(out, "%s%s %.0f", i ? ", " : "  passes forward in a step: ", t->passes.data[i].model,
            t->passes.data[i].calls);
  if (t->passes.len) fputs("\n", out);
}

static void print_training(const Pipeline *p, const LowerTrain *l, const reg_train *t, FILE *out) {
  Arena *a = p->arena;
  const LoopFn *f = function_loops(main_step(t));
  fprintf(out, "train %s on %s: %s%lld rows in batches of %lld", t->name, t->data_name,
          t->sample == REG_SAMPLE_KEPT ? "up to " : "", (long long)l->epoch_rows, (long long)l->batch);
  if (l->last_batch) fprintf(out, " (the last of %lld)", (long long)l->last_batch);
  fprintf(out, ", %lld steps a pass, %lld passes, %lld steps\n", (long long)l->steps_per_epoch,
          (long long)l->epochs, (long long)l->total_steps);
  for (int i = 0; i < t->nfurther; i++)
    fprintf(out, "  %s: %s of %s, in batches of %lld\n", t->further[i].name, t->further[i].part,
            p->lowered->dataset_names.data[t->further[i].data], (long long)t->further[i].batch);
  print_parameters(a, l, out);
  print_terms(a, l, out);
  fprintf(out, "  memory: parameters %s, optimizer state %s, activations and scratch %s, peak %s\n",
          text_bytes(a, tensor_bytes(t->params, t->nparams)),
          text_bytes(a, tensor_bytes(t->states, t->nstates)), text_bytes(a, (double)f->scratch_bytes),
          text_bytes(a, bank_bytes(t) + step_bytes(t)));
  print_passes(l, out);
  const LoopFn nothing = {0}, *draws = main_step(t)->draws ? function_loops(main_step(t)->draws) : &nothing;
  fprintf(out, "  a step: %s floating-point operations, %s moved\n", text_count(a, f->flops + draws->flops),
          text_bytes(a, f->bytes + draws->bytes));
  fprintf(out, "  structure: kernels %d, gemm %d, calls %d\n", f->kernels + draws->kernels, f->gemms,
          f->calls);
}

void summary_print(ProgramTable *t, FILE *out) {
  Pipeline *p = t->pipeline;
  for (int i = 0; i < t->program.ntrains; i++)
    print_training(p, p->lowered->trains.data[i], &t->program.trains[i], out);
  fprintf(out, "data: %s\n", text_bytes(p->arena, data_bytes(&t->program)));
  if (p->compiled)
    fprintf(out, "code: %d functions (%d from the cache) in %.1f ms\n", p->compiled, p->cached,
            1e3 * p->compile_s);
}
