// Inputs of one expression. What holds: they are in the order of the graph's inputs; initial values are those
// that a training with the same seed would have started from.
#include "expression.h"
#include <string.h>

static double *from_data(Pipeline *p, const LowerColumn *c, reg_status *st) {
  const reg_dataset *set = p->lowered->datasets.data[c->dataset];
  if (reg_data_whole(set, st)) return NULL;
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

static bool is_tensor(const Node *n) {
  return n->port.kind == REG_SLOT_PARAM || n->port.kind == REG_SLOT_STATE;
}

typedef struct Fill {
  Pipeline *p;
  const LowerExpression *x;
  ExpressionInputs *e;
  Tensor *init, *start; // outputs of these graphs, once they were asked for
  reg_status *st;
} Fill;

static int input_value(Fill *f, const Node *n, double **data);

// Values of the outputs of one of the graphs of initial values, the first time that it is asked.
static int computed(Fill *f, const Graph *g, Tensor **out) {
  Pipeline *p = f->p;
  if (*out) return REG_OK;
  *out = ARENA_ARRAY(p->arena, Tensor, g->outputs.len);
  Tensor *in = ARENA_ARRAY(p->arena, Tensor, g->inputs.len + 1);
  for (int i = 0; i < g->inputs.len; i++) {
    const Node *n = g->inputs.data[i];
    in[i] = n->port.kind == REG_SLOT_SEED ? tensor_seed(p->arena, p->options->seed)
                                          : tensor_scalar(p->arena, n->name, DT_I32, 0); // they have no time
    const int code = is_tensor(n) ? input_value(f, n, &in[i].data) : REG_OK;
    in[i].dtype = n->dtype;
    in[i].shape = n->shape;
    if (code) return code;
  }
  return run_compiled(p, g, in, g->inputs.len, *out, f->st);
}

// NULL in *data: a name of a statement that has no value.
static int input_value(Fill *f, const Node *n, double **data) {
  Pipeline *p = f->p;
  ExpressionInputs *e = f->e;
  const LowerExpression *x = f->x;
  const int kind = n->port.kind;
  *data = kind == PORT_COLUMN     ? from_data(p, &x->columns.data[n->port.index], f->st)
          : kind == REG_SLOT_SEED ? tensor_seed(p->arena, p->options->seed).data
          : e->kept               ? e->kept(e->user, x, n)
                                  : NULL;
  if (!*data && kind == PORT_COLUMN) return f->st->code;
  if (*data || kind == REG_SLOT_STORE) return REG_OK;
  if (!is_tensor(n)) {
    *data = tensor_scalar(p->arena, n->name, DT_I32, 0).data;
    return REG_OK;
  }
  e->initial += kind == REG_SLOT_PARAM;
  Tensor **of = &f->init;
  const Graph *g = x->init;
  for (int i = 0; x->start && i < x->start->outputs.len; i++)
    if (!strcmp(x->start->outputs.data[i].name, n->name)) of = &f->start, g = x->start;
  const int code = computed(f, g, of);
  if (!code) *data = tensor_find(*of, g->outputs.len, n->name)->data;
  return code;
}

int expression_fill(Pipeline *p, const LowerExpression *x, ExpressionInputs *e, const Node **missing,
                    reg_status *st) {
  Fill f = {.p = p, .x = x, .e = e, .st = st};
  *missing = NULL;
  for (int i = 0; i < x->graph->inputs.len; i++) {
    const Node *n = x->graph->inputs.data[i];
    const Tensor *given = n->port.kind ? NULL : tensor_find(e->given, e->ngiven, n->name);
    Tensor t = given ? *given : (Tensor){n->name, n->dtype, n->shape, NULL};
    const int code = given ? REG_OK : input_value(&f, n, &t.data);
    if (code) return code;
    if (!t.data) {
      *missing = n;
      return REG_OK;
    }
    vec_push(p->arena, e->in, t);
  }
  return REG_OK;
}
