#include "trained.h"
#include "reg/train.h"
#include <string.h>

static const reg_train *pick_model(const ProgramTable *t) {
  const reg_program *p = &t->program;
  const char *name = t->pipeline->options->value[OPT_MODEL];
  for (int i = 0; i < p->ntrains; i++)
    if (name ? !strcmp(p->trains[i].name, name) : p->ntrains == 1) return &p->trains[i];
  if (name)
    usage_error("the program has no training `%s`", name);
  else
    usage_error("the program trains %d models: name one with `--model`", p->ntrains);
  return NULL;
}

static void **tensors_new(Arena *a, const reg_tensor *tensors, int n) {
  void **out = ARENA_ARRAY(a, void *, n + 1);
  for (int i = 0; i < n; i++) out[i] = arena_alloc(a, reg_tensor_bytes(&tensors[i]) + 64);
  return out;
}

int trained_load(ProgramTable *t, Trained *out) {
  const Options *o = t->pipeline->options;
  Arena *a = t->pipeline->arena;
  const reg_train *train = pick_model(t);
  reg_status st = {0};
  if (!train) return EXIT_USAGE;
  if (!o->value[OPT_WEIGHTS])
    return usage_error("a model needs `--weights`: a file of weights, or a run's folder");
  if (!train->predict)
    return usage_error("`%s` reads more than the columns of its data: it cannot predict alone", train->name);
  if (lower_reads_texts(t->pipeline->lowered, t->pipeline->lowered->trains.data[train - t->program.trains]))
    return usage_error("`%s` reads texts: `regc predict` and binaries take them from a .csv file",
                       train->name);
  *out = (Trained){train, tensors_new(a, train->params, train->nparams),
                   tensors_new(a, train->states, train->nstates)};
  const int code = reg_weights_load(&t->program, train, 0, train, NULL, o->value[OPT_WEIGHTS], out->params,
                                    out->states, &st);
  tell_status(o, &st);
  for (int i = 0; i < train->nstates && !code; i++)
    if (!train->states[i].initial && !train->states[i].layer) out->states[i] = NULL;
  return code;
}
