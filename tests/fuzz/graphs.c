// Random graphs through passes, loops and backend. In: how many, the first's number. Out: a line, or the
// graph that differs and where; then it ends with 1.
//
// The interpreter gives the passes' graph the values of the one before. Compiled code gives each stored value
// that which the interpreter makes of the stored operands, within the bound on its rounding
// (driver/rounding.c); and the same bits on one thread and several, with memory reused and all kept.
//   fuzz_graphs [GRAPHS [FIRST]]
#include "compiler/backend/backend.h"
#include "compiler/driver/rounding.h"
#include "compiler/passes/passes.h"
#include "random_graph.h"
#include <math.h>
#include <reg/abi.h>
#include <reg/train.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t number; // of the graph at hand

static void on_crash(int signal_number) {
  char text[64];
  int n = snprintf(text, sizeof text, "graph %llu: signal %d\n", (unsigned long long)number, signal_number);
  if (write(2, text, (size_t)n) != n) _exit(3);
  _exit(2);
}

typedef struct Case {
  Arena *arena;
  struct Jit *jit;
  const Graph *made; // before the passes
  const Graph *g;    // the same after them
  bool wild;
  double **inputs;       // of g, by id
  double checked, vague; // values compared; of these without a bound
  const char *error;
} Case;

static void fail(Case *c, const char *text, ...) __attribute__((format(printf, 2, 3)));
static void fail(Case *c, const char *text, ...) {
  va_list ap;
  va_start(ap, text);
  if (!c->error) c->error = arena_vprintf(c->arena, text, ap);
  va_end(ap);
}

// -- arrays as they lie in memory

static double element(DType t, const void *data, int64_t i) {
  return t == DT_F64    ? ((const double *)data)[i]
         : t == DT_F32  ? (double)((const float *)data)[i]
         : t == DT_BOOL ? (double)((const uint8_t *)data)[i]
                        : (double)((const int32_t *)data)[i];
}

static void store(DType t, void *data, int64_t i, double v) {
  if (t == DT_F64)
    ((double *)data)[i] = v;
  else if (t == DT_F32)
    ((float *)data)[i] = (float)v;
  else if (t == DT_BOOL)
    ((uint8_t *)data)[i] = v != 0;
  else
    ((int32_t *)data)[i] = (int32_t)v;
}

enum { GUARD = 64 };

// One call of compiled code on fresh copies of the inputs; slots stay for the caller to read.
static void **call(Case *c, const LoopFn *f, int threads) {
  const char *error = loops_verify(f);
  bool cached;
  CompiledFn fn = error ? NULL : backend_default()->jit_add(c->jit, f, &cached, &error);
  if (!fn) {
    fail(c, "%s", error);
    return NULL;
  }
  void **slots = ARENA_ARRAY(c->arena, void *, f->nslots);
  for (int k = 0; k < f->nslots; k++) {
    int64_t bytes = k ? slot_bytes(&f->slots[k]) : f->scratch_bytes;
    char *room = (char *)(((uintptr_t)arena_alloc(c->arena, (size_t)bytes + 3 * GUARD) + 2 * GUARD - 1) /
                          GUARD * GUARD);
    memset(room - GUARD / 2, 0xff, (size_t)bytes + GUARD); // NaN: reading what was not written shows
    slots[k] = room;
    if (k == 0 || !f->slots[k].is_input) continue;
    const Node *n = c->g->inputs.data[k - 1];
    for (int64_t i = 0; i < shape_count(n->shape); i++) store(n->dtype, slots[k], i, c->inputs[n->id][i]);
  }
  reg_ctx *ctx = reg_ctx_new(threads);
  if (fn(ctx, slots)) fail(c, "the function ends early");
  reg_ctx_free(ctx);
  for (int k = 0; k < f->nslots; k++) {
    int64_t bytes = k ? slot_bytes(&f->slots[k]) : f->scratch_bytes;
    for (int i = 0; i < GUARD / 2; i++)
      if (((unsigned char *)slots[k])[bytes + i] != 0xff || ((unsigned char *)slots[k])[-1 - i] != 0xff)
        fail(c, "memory beside slot %d is written", k);
  }
  return slots;
}

// -- what the passes keep

static void check_passes(Case *c) {
  double **preset = ARENA_ARRAY(c->arena, double *, c->made->nodes.len);
  for (int i = 0; i < c->made->inputs.len; i++)
    preset[c->made->inputs.data[i]->id] = c->inputs[c->g->inputs.data[i]->id];
  double **want = graph_interpret(c->arena, c->made, preset, true),
         **got = graph_interpret(c->arena, c->g, c->inputs, true);
  for (int i = 0; i < c->g->outputs.len; i++) {
    const Node *n = c->g->outputs.data[i].node;
    const double *v = got[n->id], *w = want[c->made->outputs.data[i].node->id];
    for (int64_t e = 0; e < shape_count(n->shape) && !c->error; e++)
      if (!(fabs(v[e] - w[e]) <= 1e-7 * (1 + fabs(w[e]))) && !(isnan(v[e]) && isnan(w[e])) && v[e] != w[e])
        fail(c, "passes: output %s [%lld]: %.17g, before %.17g", c->g->outputs.data[i].name, (long long)e,
             v[e], w[e]);
  }
}

// -- what compiled code stores

typedef struct Check {
  Case *c;
  const LoopFn *f;
  void **slots;
  Graph *g;      // in which every stored operand is an input
  Node **stored; // by id: that input
  double **preset;
  Node **value, **bound;
} Check;

static Node *stand_in(Check *k, const Node *n) {
  if (k->stored[n->id]) return k->stored[n->id];
  Node *in = k->stored[n->id] =
      graph_input(k->g, arena_printf(k->c->arena, "v%d", n->id), n->dtype, n->shape);
  const Node *holder = k->f->storage[n->id] ? k->f->storage[n->id] : n;
  const Buffer *b = k->f->of[n->id];
  double *v = k->preset[in->id] = ARENA_ARRAY(k->c->arena, double, shape_count(n->shape));
  for (int64_t e = 0; e < shape_count(n->shape); e++)
    v[e] = holder->op == OP_INPUT ? k->c->inputs[holder->id][e]
                                  : element(n->dtype, (char *)k->slots[b->slot] + b->offset, e);
  return in;
}

// What is off the range of float32 is infinite or zero, as in compiled code.
static double narrow(double v) {
  float f = (float)v;
  return fabsf(f) < 0x1p-126f ? copysign(0, v) : (double)f;
}

// The value of `made`; in a wild graph each float is rounded as it is made, so that it overflows as it does
// in compiled code.
static const double *value_of(Check *k, const Node *made) {
  const double *v = graph_eval(k->c->arena, k->g, made, k->preset);
  if (!k->c->wild || made->dtype != DT_F32) return v;
  double *rounded = ARENA_ARRAY(k->c->arena, double, shape_count(made->shape));
  for (int64_t e = 0; e < shape_count(made->shape); e++) rounded[e] = narrow(v[e]);
  return rounded;
}

// |got - want| in units of what rounding allows.
static double excess(const Case *c, const Node *n, double got, double want, double bound) {
  const double smallest = 4 * 0x1p-126, largest = 3.4e38;
  if (isnan(want) && isnan(got)) return 0;
  const OpClass class = op_info[n->op].class; // infinities in a sum cancel in some orders
  const bool sums = class == CLASS_REDUCE || class == CLASS_CONTRACT || class == CLASS_INDEX;
  if (isnan(want) || isnan(got)) return (!c->wild || sums) && !isfinite(bound) ? 0 : INFINITY;
  if (sums && c->wild && (isinf(got) || isinf(want)) && fabs(got) > 1e30 && fabs(want) > 1e30) return 0;
  if (got == want || (fabs(want) > largest && fabs(got) > largest && (got > 0) == (want > 0))) return 0;
  return isnan(bound) ? 0 : fabs(got - want) / (bound * (c->wild ? 2 : 1 + 1e-6) + smallest);
}

static void check_stored(Check *k, const Node *n, const double *want, const Node *bound) {
  Case *c = k->c;
  const double *allowed = bound ? graph_eval(c->arena, k->g, bound, k->preset) : NULL,
               *got = k->preset[k->stored[n->id]->id];
  for (int64_t e = 0; e < shape_count(n->shape) && !c->error; e++) {
    double b = allowed ? allowed[e] : 0;
    const bool factor = op_info[n->op].class == CLASS_FACTOR;
    if (n->op == OP_PART || factor) b = 1e-3 * (1 + fabs(want[e])); // bounds do not follow turns
    c->checked++;
    c->vague += isnan(b) || b > 1e-2 * (1 + fabs(want[e]));
    if (excess(c, n, got[e], want[e], b) > 1)
      fail(c, "%%%d = %s %s [%lld]: compiled %.9g, interpreted %.9g, allowed difference %.3g", n->id,
           op_info[n->op].text, shape_text(c->arena, n->shape), (long long)e, got[e], want[e], b);
  }
}

static void check_node(Check *k, const Node *n) {
  Arena *a = k->c->arena;
  const bool kept = k->f->of[n->id] && n->op != OP_CONST;
  if (n->op == OP_INPUT) {
    k->value[n->id] = stand_in(k, n);
    return;
  }
  Node **in = ARENA_ARRAY(a, Node *, n->nin + 1), **in_bound = ARENA_ARRAY(a, Node *, n->nin + 1);
  for (int i = 0; i < n->nin; i++) {
    in[i] = k->value[n->in[i]->id];
    in_bound[i] = k->bound[n->in[i]->id];
    if (!in[i]) return; // not live
  }
  Node *made = graph_rebuild(k->g, n, in), *made_bound = rounding_bound(k->g, made, in_bound, DT_F32);
  const double *value = value_of(k, made);
  k->value[n->id] = kept ? stand_in(k, n) : made;
  k->bound[n->id] = kept ? NULL : made_bound;
  if (kept && k->f->storage[n->id] == n) check_stored(k, n, value, made_bound);
  if (!kept && !k->preset[made->id]) k->preset[made->id] = (double *)value;
}

static void check_compiled(Case *c, const LoopFn *f, void **slots) {
  enum { ROOM = 60 };
  const int n = c->g->nodes.len;
  Check k = {.c = c, .f = f, .slots = slots, .g = graph_new(c->arena, "check")};
  k.stored = ARENA_ARRAY(c->arena, Node *, n);
  k.value = ARENA_ARRAY(c->arena, Node *, n);
  k.bound = ARENA_ARRAY(c->arena, Node *, n);
  k.preset = ARENA_ARRAY(c->arena, double *, ROOM *n + 1000);
  for (int i = 0; i < n && !c->error; i++) {
    if (k.g->nodes.len > ROOM * n) return;
    check_node(&k, c->g->nodes.data[i]);
  }
}

static void check_bits(Case *c, const LoopFn *f, void **slots, void **others, const char *what) {
  for (int i = 1; i < f->nslots && slots && others && !c->error; i++)
    if (f->slots[i].is_output && memcmp(slots[i], others[i], (size_t)slot_bytes(&f->slots[i])))
      fail(c, "%s gives other bits in %s", what, f->slots[i].name);
}

// -- one graph

static void run(Case *c, const RandomGraph *r, const Graph *made, int level) {
  c->made = made;
  c->g = passes_run(c->arena, made, level, true);
  c->inputs = ARENA_ARRAY(c->arena, double *, c->g->nodes.len);
  for (int i = 0; i < made->inputs.len; i++)
    c->inputs[c->g->inputs.data[i]->id] = r->inputs[made->inputs.data[i]->id];
  if (!r->wild) check_passes(c);
  const LoopFn *reused = loops_from_graph(c->arena, c->g, (LoopOptions){0}),
               *kept = loops_from_graph(c->arena, c->g, (LoopOptions){.keep_all = true});
  void **one = call(c, reused, 1), **three = call(c, reused, 3), **all = call(c, kept, 2);
  check_bits(c, reused, one, three, "a run on three threads");
  check_bits(c, reused, one, all, "keeping every value");
  if (all && !c->error) check_compiled(c, kept, all);
}

static Case test(Arena *a, const RandomGraph *r, const Graph *made, uint64_t n) {
  Case c = {.arena = a, .wild = r->wild};
  const BackendOptions o = {.opt_level = (int)(n / 2 % 4), .version = "fuzz"};
  c.jit = backend_default()->jit_new(a, &o, &c.error);
  if (c.jit) {
    run(&c, r, made, r->wild ? 0 : (int)(n % 2 ? 2 : 0));
    backend_default()->jit_free(c.jit);
  }
  return c;
}

// The first node that fails as the only output, or all outputs.
static GraphOutput *least(const RandomGraph *r, Graph *g, uint64_t n) {
  static GraphOutput one = {.name = "y", .alias = -1};
  for (int i = 0; i < r->g->nodes.len; i++) {
    if (r->g->nodes.data[i]->nout) continue; // its results are read by parts
    Arena *a = arena_new();
    one.node = r->g->nodes.data[i];
    g->outputs.data = &one;
    g->outputs.len = 1;
    bool failed = test(a, r, g, n).error != NULL;
    arena_free(a);
    if (failed) return &one;
  }
  g->outputs.data = r->g->outputs.data;
  g->outputs.len = r->g->outputs.len;
  return NULL;
}

static void print(const char *what, const Graph *g) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  graph_print(out, g);
  fclose(out);
  fprintf(stderr, "-- %s\n", what);
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) fprintf(stderr, "%.200s\n", line);
  free(text);
}

static void show(const RandomGraph *r, uint64_t n) {
  Arena *a = arena_new();
  Graph g = *r->g;
  least(r, &g, n);
  Case c = test(a, r, &g, n);
  fprintf(stderr, "graph %llu, level %d, -O%d%s: %s\n", (unsigned long long)n,
          r->wild ? 0
          : n % 2 ? 2
                  : 0,
          (int)(n / 2 % 4), r->wild ? ", wild" : "", c.error ? c.error : "(not again)");
  print("made", passes_run(a, &g, 0, false));
  if (c.g) print("compiled", c.g);
  arena_free(a);
}

int main(int argc, char **argv) {
  const uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 100,
                 first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  for (int i = 0; i < 4; i++) signal(signals[i], on_crash);
  double checked = 0, vague = 0;
  for (number = first; number < first + count; number++) {
    Arena *a = arena_new();
    RandomGraph r = random_graph(a, number);
    Case c = test(a, &r, r.g, number);
    if (c.error) {
      fprintf(stderr, "graph %llu: %s\n", (unsigned long long)number, c.error);
      show(&r, number);
      return 1;
    }
    checked += c.checked;
    vague += c.vague;
    arena_free(a);
  }
  printf("%llu graphs, %.0f values, %.1f %% of them with a bound of no use\n", (unsigned long long)count,
         checked, 100 * vague / (checked ? checked : 1));
  return 0;
}
