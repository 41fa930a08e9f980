// Runs a graph both ways: interpreted in double, and compiled. In: a graph with outputs. Afterwards the
// outputs agree within the tolerance; one thread and two, memory reused and every value kept, all give the
// same bits.
#ifndef TEST_BACKEND_CASE_H
#define TEST_BACKEND_CASE_H
#include "compiler/backend/backend.h"
#include <criterion/criterion.h>
#include <math.h>
#include <reg/abi.h>
#include <reg/train.h>
#include <stdlib.h>
#include <string.h>

typedef struct Machine {
  Arena *arena;
  const Backend *backend;
  struct Jit *jit;
} Machine;

static inline Machine machine_new(const char *cache_dir) {
  Machine m = {arena_new(), backend_default(), NULL};
  BackendOptions o = {.opt_level = 2, .cache_dir = cache_dir, .version = "test"};
  const char *error = NULL;
  m.jit = m.backend->jit_new(m.arena, &o, &error);
  cr_assert(m.jit, "%s", error);
  return m;
}

static inline void machine_free(Machine *m) {
  m->backend->jit_free(m->jit);
  arena_free(m->arena);
}

static inline uint32_t next_random(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

// Values of an input: floats in (lo, hi), small integers, bits.
static inline void fill_input(const Node *n, double lo, double hi, void *out, uint32_t *state) {
  int64_t count = shape_count(n->shape);
  for (int64_t i = 0; i < count; i++) {
    uint32_t r = next_random(state);
    double v = lo + (hi - lo) * ((double)r + 0.5) * 0x1p-24;
    if (n->dtype == DT_F32)
      ((float *)out)[i] = (float)v;
    else if (n->dtype == DT_F64)
      ((double *)out)[i] = v;
    else if (n->dtype == DT_BOOL)
      ((uint8_t *)out)[i] = (uint8_t)((r >> 4) % 2);
    else
      ((int32_t *)out)[i] = (int32_t)(r >> 4) % 3;
  }
}

static inline double element(DType t, const void *data, int64_t i) {
  if (t == DT_F64) return ((const double *)data)[i];
  if (t == DT_BOOL) return ((const uint8_t *)data)[i];
  return t == DT_F32 ? (double)((const float *)data)[i] : (double)((const int32_t *)data)[i];
}

// Runs `f` on copies of the inputs; result[o] is the o-th output.
static inline void run_compiled(Machine *m, const LoopFn *f, void *const *inputs, int threads,
                                void **result) {
  const Graph *g = f->graph;
  const char *error = NULL, *wrong = loops_verify(f);
  cr_assert(wrong == NULL, "%s", wrong);
  bool cached;
  CompiledFn fn = m->backend->jit_add(m->jit, f, &cached, &error);
  cr_assert(fn, "%s", error);
  void **slots = calloc((size_t)f->nslots, sizeof *slots);
  slots[0] = aligned_alloc(64, (size_t)(f->scratch_bytes + 63) / 64 * 64 + 64);
  memset(slots[0], 0xff, (size_t)f->scratch_bytes); // NaN: reading what was not written shows
  for (int i = 1; i < f->nslots; i++) {
    size_t bytes = (size_t)slot_bytes(&f->slots[i]);
    slots[i] = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    memset(slots[i], 0xff, bytes + 32);
    if (f->slots[i].is_input) memcpy(slots[i], inputs[i - 1], bytes);
  }
  reg_ctx *ctx = reg_ctx_new(threads);
  cr_assert_eq(fn(ctx, slots), 0);
  reg_ctx_free(ctx);
  int next = 1 + g->inputs.len;
  for (int i = 0; i < g->outputs.len; i++) {
    const GraphOutput *o = &g->outputs.data[i];
    size_t bytes = (size_t)node_bytes(o->node);
    const char *from = slots[o->alias >= 0 ? 1 + o->alias : next++];
    if (o->alias < 0)
      for (int k = 0; k < 32; k++)
        cr_assert_eq((unsigned char)from[bytes + (size_t)k], 0xff, "%s is overrun", o->name);
    result[i] = malloc(bytes);
    memcpy(result[i], from, bytes);
  }
  for (int i = 0; i < f->nslots; i++) free(slots[i]);
  free(slots);
}

static inline void check_values(const Graph *g, double *const *want, void *const *got, double tolerance) {
  for (int i = 0; i < g->outputs.len; i++) {
    const GraphOutput *o = &g->outputs.data[i];
    int64_t n = shape_count(o->node->shape);
    if (o->node->dtype == DT_F64 && tolerance > 1e-10) tolerance = 1e-13;
    for (int64_t k = 0; k < n; k++) {
      double w = want[o->node->id][k], v = element(o->node->dtype, got[i], k);
      bool same = (isnan(w) && isnan(v)) || w == v || fabs(w - v) <= tolerance * (1 + fabs(w));
      cr_assert(same, "%s: output %s (%s) [%lld of %lld]: %.9g, interpreted %.9g", g->name, o->name,
                op_info[o->node->op].text, (long long)k, (long long)n, v, w);
    }
  }
}

static inline void check_graph_in(Machine *m, const Graph *g, double lo, double hi, double tolerance) {
  uint32_t state = 2463534242u;
  void **inputs = calloc((size_t)g->inputs.len + 1, sizeof *inputs), *results[3][64];
  double **preset = ARENA_ARRAY(m->arena, double *, g->nodes.len);
  cr_assert(g->outputs.len <= 64);
  for (int i = 0; i < g->inputs.len; i++) {
    const Node *n = g->inputs.data[i];
    int64_t count = shape_count(n->shape);
    inputs[i] = malloc((size_t)node_bytes(n));
    fill_input(n, lo, hi, inputs[i], &state);
    preset[n->id] = ARENA_ARRAY(m->arena, double, count);
    for (int64_t k = 0; k < count; k++) preset[n->id][k] = element(n->dtype, inputs[i], k);
  }
  double **want = graph_interpret(m->arena, g, preset, true);
  const LoopFn *reused = loops_from_graph(m->arena, g, (LoopOptions){0}),
               *kept = loops_from_graph(m->arena, g, (LoopOptions){.keep_all = true});
  run_compiled(m, reused, inputs, 1, results[0]);
  run_compiled(m, reused, inputs, 2, results[1]);
  run_compiled(m, kept, inputs, 2, results[2]);
  check_values(g, want, results[0], tolerance);
  for (int i = 0; i < g->outputs.len; i++) {
    size_t bytes = (size_t)node_bytes(g->outputs.data[i].node);
    cr_assert(memcmp(results[0][i], results[1][i], bytes) == 0, "%s: two threads give other bits",
              g->outputs.data[i].name);
    cr_assert(memcmp(results[0][i], results[2][i], bytes) == 0, "%s: kept values give other bits",
              g->outputs.data[i].name);
    for (int r = 0; r < 3; r++) free(results[r][i]);
  }
  for (int i = 0; i < g->inputs.len; i++) free(inputs[i]);
  free(inputs);
}

static inline void check_graph(Machine *m, const Graph *g, double tolerance) {
  check_graph_in(m, g, -2, 2, tolerance);
}

static inline Shape dims(int rank, const int *d) {
  Shape s = {.rank = rank};
  for (int i = 0; i < rank; i++) s.dim[i] = d[i];
  return s;
}
#define DIMS(...) dims((int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (int[]){__VA_ARGS__})
#endif
