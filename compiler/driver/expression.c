// Inputs of one expression. What holds: they are in the order of the graph's inputs; initial values are those
// that a training with the same seed would have started from.
#include "expression.h"
#include <string.h>

static double *from_data(Pipeline *p, const LowerColumn *c) {
  const reg_dataset *set = p->lowered->datasets.data[c->dataset];
  const reg_field *f = &set->fields[c->field];
  const reg_part *part = c->part ? reg_data_part(set, c->part) : NULL;
  int64_t rows = part ? part->nrows : set->nrows;
  bool integers = c->classes || f->dtype == REG_I32;
  double *out = ARENA_ARRAY(p->arena, double, rows * f->width + 1);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < f->width; k++) {
      int64_t at = (part ? part->rows[i] : i) * f->width + k;
      const int32_t *whole = c->classes && f->classes ? f->classes : f->values;
      out[i * f->width + k] = integers ? (double)whole[at] : reg_float_at(f->values, f->dtype, at);
    }
  return out;
}

static int initial_values(Pipeline *p, const LowerExpression *x, Tensor *out, reg_status *st) {
  const Tensor in[] = {tensor_seed(p->arena, p->options->seed), tensor_scalar(p->arena, "step", DT_I32, 0),
                       tensor_scalar(p->arena, "epoch", DT_I32, 0)};
  return run_compiled(p, x->init, in, sizeof in / sizeof *in, out, st);
}

static void add(Pipeline *p, ExpressionInputs *e, const Node *n, double *data) {
  vec_push(p->arena, e->in, ((Tensor){n->name, n->dtype, n->shape, data}));
}

int expression_fill(Pipeline *p, const LowerExpression *x, ExpressionInputs *e, const Node **missing,
                    reg_status *st) {
  Tensor *init = NULL;
  *missing = NULL;
  for (int i = 0; i < x->graph->inputs.len; i++) {
    const Node *n = x->graph->inputs.data[i];
    const int kind = n->port.kind;
    const Tensor *given = kind ? NULL : tensor_find(e->given, e->ngiven, n->name);
    if (given) {
      vec_push(p->arena, e->in, *given);
      continue;
    }
    if (kind == PORT_COLUMN || kind == REG_SLOT_SEED) {
      Tensor t = kind == PORT_COLUMN
                     ? (Tensor){n->name, n->dtype, n->shape, from_data(p, &x->columns.data[n->port.index])}
                     : tensor_seed(p->arena, p->options->seed);
      vec_push(p->arena, e->in, t);
      continue;
    }
    double *kept = e->kept ? e->kept(e->user, x, n) : NULL;
    const bool tensor = kind == REG_SLOT_PARAM || kind == REG_SLOT_STATE;
    if (!kept && kind == REG_SLOT_STORE) {
      *missing = n;
      return REG_OK;
    }
    if (!kept && tensor && !init) {
      init = ARENA_ARRAY(p->arena, Tensor, x->init->outputs.len);
      int code = initial_values(p, x, init, st);
      if (code) return code;
    }
    e->initial += !kept && kind == REG_SLOT_PARAM;
    if (!kept)
      kept = tensor ? tensor_find(init, x->init->outputs.len, n->name)->data
                    : tensor_scalar(p->arena, n->name, DT_I32, 0).data;
    add(p, e, n, kept);
  }
  return REG_OK;
}
