// Arrays in and out of one graph. What holds: outputs are in the order of the graph's; nothing is kept
// between calls.
#include "values.h"
#include "reg/train.h"
#include <stdlib.h>
#include <string.h>

Tensor tensor_scalar(Arena *a, const char *name, DType t, double value) {
  Tensor r = {.name = name, .dtype = t, .data = ARENA_NEW(a, double)};
  r.data[0] = value;
  return r;
}

Tensor tensor_seed(Arena *a, uint64_t seed) {
  Tensor r = {
      .name = "seed", .dtype = DT_I32, .shape = {.rank = 1, .dim = {2}}, .data = ARENA_ARRAY(a, double, 2)};
  r.data[0] = (double)(int32_t)(uint32_t)seed;
  r.data[1] = (double)(int32_t)(uint32_t)(seed >> 32);
  return r;
}

void tensor_round(Tensor *t) {
  for (int64_t i = 0; t->dtype == DT_F32 && i < shape_count(t->shape); i++)
    t->data[i] = (double)(float)t->data[i];
}

const Tensor *tensor_find(const Tensor *ts, int n, const char *name) {
  for (int i = 0; i < n; i++)
    if (!strcmp(ts[i].name, name)) return &ts[i];
  return NULL;
}

static const Tensor *input_of(const char *name, Shape s, const Tensor *in, int nin) {
  const Tensor *t = tensor_find(in, nin, name);
  if (!t || shape_count(t->shape) != shape_count(s)) ice("values", "no fitting input `%s`", name);
  return t;
}

static Tensor output_like(Arena *a, const GraphOutput *o) {
  Tensor t = {.name = o->name, .dtype = o->node->dtype, .shape = o->node->shape};
  t.data = ARENA_ARRAY(a, double, shape_count(t.shape) + 1);
  return t;
}

// As the runtime says it.
static reg_fault fault_of(const GraphFault *f) {
  const Node *n = f->node;
  if (op_info[n->op].class != CLASS_FACTOR)
    return (reg_fault){
        n->op == OP_LOOP ? REG_FAULT_TURNS : REG_FAULT_INDEX, n->name, f->value, f->below, 0, 0};
  const Shape s = n->in[0]->shape;
  const int64_t rows = s.dim[s.rank - 2], cols = s.dim[s.rank - 1];
  const reg_fault_kind kind = !f->finite             ? REG_FAULT_NOT_FINITE
                              : n->op == OP_CHOLESKY ? REG_FAULT_NOT_POSITIVE
                                                     : REG_FAULT_SINGULAR;
  return (reg_fault){kind, n->name, f->value, shape_count(s) / (rows * cols), rows, cols};
}

// Tensors of which only the first elements of an axis are there: the output "count:AXIS:NAME" says how many.
static void cut(Tensor *out, int n) {
  for (int i = 0; i < n; i++) {
    int axis, end = 0;
    if (sscanf(out[i].name, "count:%d:%n", &axis, &end) != 1 || !end) continue;
    const char *name = out[i].name + end;
    Tensor *t = (Tensor *)tensor_find(out, n, name);
    const int64_t had = t->shape.dim[axis], there = (int64_t)out[i].data[0];
    int64_t outer = 1, inner = 1;
    for (int k = 0; k < axis; k++) outer *= t->shape.dim[k];
    for (int k = axis + 1; k < t->shape.rank; k++) inner *= t->shape.dim[k];
    for (int64_t o = 0; o < outer; o++)
      memmove(t->data + o * there * inner, t->data + o * had * inner,
              sizeof(double) * (size_t)(there * inner));
    t->shape.dim[axis] = there;
  }
}

int run_interpreted(Arena *a, const Graph *g, const Tensor *in, int nin, Tensor *out, reg_status *st) {
  double **preset = ARENA_ARRAY(a, double *, g->nodes.len);
  for (int i = 0; i < g->inputs.len; i++) {
    const Node *n = g->inputs.data[i];
    preset[n->id] = input_of(n->name, n->shape, in, nin)->data;
  }
  GraphFault fault;
  double **values = graph_interpret_checked(a, g, preset, &fault);
  for (int i = 0; i < g->outputs.len; i++) {
    out[i] = output_like(a, &g->outputs.data[i]);
    memcpy(out[i].data, values[g->outputs.data[i].node->id],
           sizeof(double) * (size_t)shape_count(out[i].shape));
  }
  cut(out, g->outputs.len);
  if (!fault.node) return REG_OK;
  const reg_fault said = fault_of(&fault);
  return reg_fault_status(&said, st);
}

static size_t room_of(const LoopFn *f, int k) {
  int64_t bytes = k == 0 ? f->scratch_bytes : slot_bytes(&f->slots[k]);
  return ((size_t)bytes + 127) / 64 * 64;
}

static void fill_slot(void *slot, const Tensor *t) {
  for (int64_t i = 0; i < shape_count(t->shape); i++) {
    if (t->dtype == DT_F32)
      ((float *)slot)[i] = (float)t->data[i];
    else if (t->dtype == DT_F64)
      ((double *)slot)[i] = t->data[i];
    else if (t->dtype == DT_BOOL)
      ((uint8_t *)slot)[i] = t->data[i] != 0;
    else
      ((int32_t *)slot)[i] = (int32_t)t->data[i];
  }
}

double element_at(const void *data, DType t, int64_t i) {
  if (t == DT_F64) return ((const double *)data)[i];
  if (t == DT_BOOL) return ((const uint8_t *)data)[i];
  return t == DT_F32 ? (double)((const float *)data)[i] : (double)((const int32_t *)data)[i];
}

static void read_slot(const void *slot, Tensor *t) {
  for (int64_t i = 0; i < shape_count(t->shape); i++) t->data[i] = element_at(slot, t->dtype, i);
}

static int slot_index(const LoopFn *f, const GraphOutput *o) {
  const char *name = o->alias >= 0 ? f->graph->inputs.data[o->alias]->name : o->name;
  for (int k = 1; k < f->nslots; k++)
    if (!strcmp(f->slots[k].name, name)) return k;
  ice("values", "output `%s` has no slot", o->name);
}

void prepared_fill(const Prepared *r, const Tensor *in, int nin) {
  for (int k = 1; k < r->loops->nslots; k++) {
    const Slot *slot = &r->loops->slots[k];
    if (slot->is_input) fill_slot(r->slots[k], input_of(slot->name, slot->shape, in, nin));
  }
}

int prepared_new(Pipeline *p, const Graph *g, const Tensor *in, int nin, Prepared *r, reg_status *st) {
  *r = (Prepared){.arena = p->arena, .loops = pipeline_loops(p, g, false)};
  const char *error = NULL;
  r->fn = pipeline_compile(p, r->loops, &error);
  if (!r->fn) return reg_fail(st, REG_INTERNAL, "internal", "%s", error ? error : "the backend failed");
  r->slots = ARENA_ARRAY(p->arena, void *, r->loops->nslots);
  for (int k = 0; k < r->loops->nslots; k++) {
    r->slots[k] = aligned_alloc(64, room_of(r->loops, k));
    if (!r->slots[k]) {
      prepared_free(r);
      return reg_no_memory(st, room_of(r->loops, k));
    }
  }
  prepared_fill(r, in, nin);
  r->ctx = reg_ctx_new(p->options->threads);
  if (r->ctx) return REG_OK;
  prepared_free(r);
  return reg_no_memory(st, 0);
}

int prepared_run(const Prepared *r, reg_status *st) {
  return r->fn(r->ctx, r->slots) ? reg_ctx_fault(r->ctx, st) : REG_OK;
}

void prepared_read(const Prepared *r, Tensor *out) {
  const Graph *g = r->loops->graph;
  for (int i = 0; i < g->outputs.len; i++) {
    out[i] = output_like(r->arena, &g->outputs.data[i]);
    read_slot(r->slots[slot_index(r->loops, &g->outputs.data[i])], &out[i]);
  }
  cut(out, g->outputs.len);
}

void prepared_free(Prepared *r) {
  if (!r->slots) return;
  reg_ctx_free(r->ctx);
  for (int k = 0; k < r->loops->nslots; k++) free(r->slots[k]);
  r->slots = NULL;
}

int run_compiled(Pipeline *p, const Graph *g, const Tensor *in, int nin, Tensor *out, reg_status *st) {
  Prepared r;
  int code = prepared_new(p, g, in, nin, &r, st);
  if (code) return code;
  code = prepared_run(&r, st);
  prepared_read(&r, out);
  prepared_free(&r);
  return code;
}
