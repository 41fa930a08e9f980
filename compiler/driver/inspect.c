// Each stored value is recomputed by the interpreter from the stored values it was made of, so that every
// comparison is local: errors do not add up over the step, and a violation names the operation that made it.
// For this the step's graph is rewritten so that every stored operand becomes an input; beside each value
// stands the bound on its rounding error (rounding.c).
#include "inspect.h"
#include "rounding.h"
#include "values.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Checked { // one stored value
  const Node *node;      // in the step's graph
  Node *value, *bound;   // in the checking graph
} Checked;

typedef struct CheckGraph { // made once for each function
  const reg_function *function;
  const LoopFn *loops;
  Graph *graph;
  Node **stored; // stored[id of the step's node]: the input that stands for it in `graph`, or NULL
  void **before; // copies of the input slots, taken before the step overwrites them
  VEC(Checked) list;
} CheckGraph;

struct Inspector {
  Pipeline *pipeline;
  VEC(CheckGraph *) graphs;
  int64_t steps, values;
  double worst; // largest |difference| / bound
  const char *worst_what;
};

Inspector *inspector_new(Pipeline *p) {
  Inspector *c = ARENA_NEW(p->arena, Inspector);
  c->pipeline = p;
  return c;
}

void inspector_free(Inspector *c) {
  for (int i = 0; i < c->graphs.len; i++)
    for (int k = 1; k < c->graphs.data[i]->loops->nslots; k++) free(c->graphs.data[i]->before[k]);
}

static Node *stand_in(Arena *a, CheckGraph *c, const Node *n) {
  if (!c->stored[n->id])
    c->stored[n->id] = graph_input(c->graph, arena_printf(a, "v%d", n->id), n->dtype, n->shape);
  return c->stored[n->id];
}

static void check_node(Arena *a, CheckGraph *c, const Node *n, DType floats, Node **value, Node **bound) {
  const bool kept = c->loops->of[n->id] && n->op != OP_CONST;
  if (n->op == OP_INPUT) {
    value[n->id] = stand_in(a, c, n);
    return;
  }
  Node **in = ARENA_ARRAY(a, Node *, n->nin), **in_bound = ARENA_ARRAY(a, Node *, n->nin);
  for (int i = 0; i < n->nin; i++) {
    in[i] = value[n->in[i]->id];
    in_bound[i] = bound[n->in[i]->id];
  }
  Node *made = graph_rebuild(c->graph, n, in);
  Node *made_bound = rounding_bound(c->graph, made, in_bound, floats);
  value[n->id] = kept ? stand_in(a, c, n) : made;
  bound[n->id] = kept ? NULL : made_bound;
  if (kept && c->loops->storage[n->id] == n) vec_push(a, c->list, ((Checked){n, made, made_bound}));
}

static CheckGraph *check_graph(Inspector *inspector, const reg_function *f) {
  Arena *a = inspector->pipeline->arena;
  CheckGraph *c = ARENA_NEW(a, CheckGraph);
  const LoopFn *loops = function_loops(f);
  const int n = loops->graph->nodes.len;
  *c = (CheckGraph){
      .function = f, .loops = loops, .graph = graph_new(a, f->name), .stored = ARENA_ARRAY(a, Node *, n)};
  c->before = ARENA_ARRAY(a, void *, loops->nslots);
  for (int k = 1; k < loops->nslots; k++)
    if (loops->slots[k].is_input) c->before[k] = malloc((size_t)slot_bytes(&loops->slots[k]));
  Node **value = ARENA_ARRAY(a, Node *, n), **bound = ARENA_ARRAY(a, Node *, n);
  for (int i = 0; i < n; i++)
    check_node(a, c, loops->graph->nodes.data[i], pipeline_floats(inspector->pipeline), value, bound);
  vec_push(a, inspector->graphs, c);
  return c;
}

static CheckGraph *find_check_graph(Inspector *inspector, const reg_function *f) {
  for (int i = 0; i < inspector->graphs.len; i++)
    if (inspector->graphs.data[i]->function == f) return inspector->graphs.data[i];
  return check_graph(inspector, f);
}

static void copy_inputs(const CheckGraph *c, void *const *slots) {
  for (int k = 1; k < c->loops->nslots; k++)
    if (c->before[k]) {
      if (!slots[k]) ice("check", "input `%s` is not there", c->loops->slots[k].name);
      memcpy(c->before[k], slots[k], (size_t)slot_bytes(&c->loops->slots[k]));
    }
}

// Where the step left n's value; what lies in an input's memory is taken from the copy from before.
static const void *stored_at(const CheckGraph *c, const Node *n, void *const *slots) {
  const Buffer *b = c->loops->of[n->id];
  const Node *holder = c->loops->storage[n->id] ? c->loops->storage[n->id] : n;
  return (const char *)(holder->op == OP_INPUT ? c->before[b->slot] : slots[b->slot]) + b->offset;
}

// Compiled code takes denormal numbers for zero.
static double as_read(double x, DType t) {
  return (t == DT_F32 && fabs(x) < FLT_MIN) || (t == DT_F64 && fabs(x) < DBL_MIN) ? 0 : x;
}

static double **presets(Arena *a, const CheckGraph *c, void *const *slots) {
  double **preset = ARENA_ARRAY(a, double *, c->graph->nodes.len);
  for (int i = 0; i < c->loops->graph->nodes.len; i++) {
    if (!c->stored[i]) continue;
    const Node *n = c->loops->graph->nodes.data[i];
    const int64_t count = shape_count(n->shape);
    const void *data = stored_at(c, n, slots);
    double *values = ARENA_ARRAY(a, double, count + 1);
    for (int64_t e = 0; e < count; e++) values[e] = as_read(element_at(data, n->dtype, e), n->dtype);
    preset[c->stored[i]->id] = values;
  }
  return preset;
}

static const double unbounded = 1e29;

static double largest(DType t) { return t == DT_F32 ? 3.4e38 : DBL_MAX; }

// |compiled - exact| in units of what rounding allows. Beyond the range of the type both count as equal.
static double excess(double compiled, double exact, double bound, DType t) {
  const double smallest = 4 * (t == DT_F64 ? DBL_MIN : FLT_MIN), most = largest(t);
  if (isnan(exact) || isnan(compiled))
    return (isnan(exact) && isnan(compiled)) || !(bound < unbounded) ? 0 : INFINITY;
  if (fabs(exact) > most && fabs(compiled) > most) return (exact > 0) == (compiled > 0) ? 0 : INFINITY;
  if (isnan(bound)) return 0;
  return fabs(compiled - exact) / (bound * (1 + 1e-6) + smallest);
}

static const char *float_words(const Inspector *ins) {
  return pipeline_floats(ins->pipeline) == DT_F64 ? "float64" : "float32";
}

static void tell_violation(const Inspector *ins, const Node *n, int64_t e, int64_t step, double compiled,
                           double exact, double bound) {
  const char *place = place_text(ins->pipeline, n->origin);
  fprintf(stderr,
          "%s%sinternal error: compiled code differs from the interpreter by more than %s rounding allows\n",
          place, *place ? ": " : "", float_words(ins));
  reg_shown_line(
      stderr,
      "  step %lld, node %%%d = %s %s, element %lld: compiled %.9g, interpreter %.9g, allowed difference "
      "%.3g",
      (long long)step, n->id, op_info[n->op].text, shape_text(ins->pipeline->arena, n->shape), (long long)e,
      compiled, exact, bound);
}

// Does it hold what its type cannot?
static bool is_beyond(const Node *n, double *const *values) {
  for (int64_t e = 0; dtype_is_float(n->dtype) && e < shape_count(n->shape); e++)
    if (!(fabs(values[n->id][e]) < largest(n->dtype))) return true;
  return false;
}

// Did a value on the way from stored ones to this one leave the range of its type? The compiled step has lost
// it then, which is no mistake of the compiler: where it matters, the run diverges.
static bool overflows(const CheckGraph *c, const Node *n, double *const *values) {
  bool *needed = ARENA_ARRAY(c->graph->arena, bool, n->id + 1);
  needed[n->id] = true;
  for (int i = n->id; i >= 0; i--) {
    const Node *x = c->graph->nodes.data[i];
    if (!needed[i]) continue;
    bool born = x->nin > 0 && is_beyond(x, values);
    for (int k = 0; k < x->nin; k++) {
      needed[x->in[k]->id] = true;
      born = born && !is_beyond(x->in[k], values);
    }
    if (born) return true;
  }
  return false;
}

static bool compare(Inspector *ins, const CheckGraph *c, const Checked *k, double **values,
                    void *const *slots, int64_t step) {
  const Buffer *b = c->loops->of[k->node->id];
  const void *data = (const char *)slots[b->slot] + b->offset;
  const int64_t count = shape_count(k->node->shape);
  for (int64_t e = 0; e < count; e++) {
    double compiled = element_at(data, k->node->dtype, e), exact = values[k->value->id][e];
    double bound = k->bound ? values[k->bound->id][e] : 0;
    double ratio = excess(compiled, exact, bound, k->node->dtype);
    if (ratio > 1 && overflows(c, k->value, values)) return true;
    if (ratio > ins->worst) {
      ins->worst = ratio;
      ins->worst_what = op_info[k->node->op].text;
    }
    if (ratio > 1) {
      tell_violation(ins, k->node, e, step, compiled, exact, bound);
      return false;
    }
  }
  ins->values += count;
  return true;
}

int inspector_step(void *user, int phase, const reg_train *t, const reg_function *f, void *const *slots,
                   int64_t step) {
  (void)t;
  Inspector *ins = user;
  CheckGraph *c = find_check_graph(ins, f);
  if (phase == 0) {
    copy_inputs(c, slots);
    return REG_OK;
  }
  Arena *a = arena_new();
  double **values = graph_interpret(a, c->graph, presets(a, c, slots), false);
  bool good = true;
  for (int i = 0; i < c->list.len && good; i++) good = compare(ins, c, &c->list.data[i], values, slots, step);
  arena_free(a);
  ins->steps++;
  return good ? REG_OK : REG_INTERNAL;
}

void inspector_summary(const Inspector *c, FILE *out) {
  if (!c->steps) return;
  fprintf(
      out,
      "checked %lld values in %lld steps: the largest difference (%s) is %.2f of what %s rounding allows\n",
      (long long)c->values, (long long)c->steps, c->worst_what ? c->worst_what : "none", c->worst,
      float_words(c));
}
