// A training that is solved: `solve to gap G`. In: a training at its beginning, whose parameters are where it
// starts from. Out: the parameters of the least objective, to the gap that the program asks for. What is kept
// between its acts follows from the data alone.
#include "reg/file.h"
#include "solve/solve.h"
#include "train/internal.h"
#include <math.h>
#include <string.h>

struct Solving {
  Training *t;
  Solve solve;
  Bound design, strengths, curve, dual;
  double gap, step, envelope;
  double *offset; // [n, c]; NULL: there is none
  bool designed;
  reg_solved told;
};

static int call_curve(void *user) {
  const Solving *g = user;
  Bound b = g->curve;
  return bound_call(g->t, &b);
}

static int call_dual(void *user) {
  const Solving *g = user;
  Bound b = g->dual;
  return bound_call(g->t, &b);
}

static bool is_stopped(void *user) {
  const Solving *g = user;
  return is_interrupted(g->t->run);
}

// -- memory

static bool gives(const reg_function *f, int index) {
  for (int i = 0; i < f->nslots; i++)
    if (f->slots[i].kind == REG_SLOT_SOLVE && f->slots[i].index == index) return true;
  return false;
}

static double *doubles(Training *t, int64_t count) {
  return reg_heap_take(&t->run->heap, (size_t)count * sizeof(double));
}

static bool take_blocks(Training *t, Solving *g, const int64_t *columns) {
  Solve *s = &g->solve;
  s->blocks = reg_heap_take(&t->run->heap, (size_t)s->nblocks * sizeof *s->blocks);
  if (!s->blocks) return false;
  for (int k = 0; k < s->nblocks; k++) {
    const reg_block *b = &t->plan->blocks[k];
    void **at = t->solve_places + REG_SOLVE_BLOCKS + k * REG_BLOCK_SLOTS;
    s->blocks[k] = (SolveBlock){.first = columns[k], .columns = b->columns, .ones = b->ones, .axis = b->axis};
    for (int i = 0; i < SOLVE_PARTS; i++) at[REG_BLOCK_ABSOLUTE + i] = &s->blocks[k].part[i];
    const int64_t count = b->columns * s->c;
    if (b->bounded) {
      at[REG_BLOCK_LOW] = s->blocks[k].low = doubles(t, count);
      at[REG_BLOCK_HIGH] = s->blocks[k].high = doubles(t, count);
      if (!s->blocks[k].low || !s->blocks[k].high) return false;
    }
    if (!b->ones && !(at[REG_BLOCK_FEATURES] = doubles(t, s->n * b->columns))) return false;
  }
  return true;
}

static bool take_places(Training *t, Solving *g) {
  Solve *s = &g->solve;
  const int64_t count = s->n * s->c;
  void **at = t->solve_places;
  s->f = doubles(t, s->n * s->p);
  s->w = doubles(t, s->p * s->c);
  at[REG_SOLVE_POINT] = s->z = doubles(t, count);
  at[REG_SOLVE_SLOPE] = s->slope = doubles(t, count);
  at[REG_SOLVE_CURVATURE] = s->curvature = doubles(t, count);
  at[REG_SOLVE_DUAL] = s->point = doubles(t, count);
  at[REG_SOLVE_OFFSET] = g->offset = doubles(t, count);
  at[REG_SOLVE_VALUE] = s->value = doubles(t, 1);
  at[REG_SOLVE_CONJUGATE] = s->conjugate = doubles(t, 1);
  at[REG_SOLVE_GAP] = &g->gap;
  at[REG_SOLVE_STEP] = s->step = &g->step;
  at[REG_SOLVE_ENVELOPE] = &g->envelope;
  at[REG_SOLVE_MULTIPLIERS] = s->multipliers = doubles(t, count);
  return s->f && s->w && s->z && s->multipliers && s->slope && s->curvature && s->point && g->offset &&
         s->value && s->conjugate;
}

static int bind_all(Training *t, Solving *g) {
  const reg_train *p = t->plan;
  struct {
    reg_function *f;
    Bound *b;
  } all[] = {
      {p->design, &g->design}, {p->strengths, &g->strengths}, {p->curve, &g->curve}, {p->dual, &g->dual}};
  for (int i = 0; i < 4; i++) {
    int code = bind_function(t, all[i].f, &t->now, NULL, NULL, all[i].b);
    if (!code) code = bound_gather(t, all[i].b, t->order, t->rows);
    if (code) return code;
  }
  return REG_OK;
}

int solving_new(Training *t) {
  const reg_train *p = t->plan;
  Heap *heap = &t->run->heap;
  int64_t *columns = reg_heap_take(heap, (size_t)p->nblocks * sizeof *columns);
  Solving *g = t->solving = reg_heap_take(heap, sizeof *g);
  t->solve_places = reg_heap_take(heap, (size_t)(REG_SOLVE_BLOCKS + p->nblocks * REG_BLOCK_SLOTS) *
                                            sizeof *t->solve_places);
  if (!columns || !g || !t->solve_places) return reg_no_memory(t->run->st, sizeof *g);
  *g = (Solving){.t = t};
  g->solve = (Solve){.ctx = t->run->ctx,
                     .n = t->rows,
                     .c = p->outputs,
                     .nblocks = p->nblocks,
                     .by_element = p->by_element,
                     .most = p->passes,
                     .curve = call_curve,
                     .dual = call_dual,
                     .stopped = is_stopped,
                     .user = g,
                     .heap = heap};
  for (int k = 0; k < p->nblocks; k++) {
    columns[k] = g->solve.p;
    g->solve.p += p->blocks[k].columns;
  }
  if (!take_blocks(t, g, columns) || !take_places(t, g))
    return reg_no_memory(t->run->st, (size_t)(g->solve.n * g->solve.p) * sizeof(double));
  const int code = bind_all(t, g);
  if (!code && gives(g->curve.f, REG_SOLVE_ENVELOPE)) g->solve.envelope = &g->envelope;
  return code;
}

// -- the problem

// A number of the design that is none.
static int bad_design(Training *t, const char *what) {
  return reg_fail(t->run->st, REG_BAD_DATA, "bad_design", "%s: %s is infinite or no number",
                  t->plan->solve_place, what);
}

// Columns one behind the other from rows that are, tile by tile: either side's lines are in the cache while
// it is written or read.
static bool turn_round(const double *from, int64_t rows, int64_t columns, double *to) {
  enum { TILE = 32 };
  bool finite = true;
  for (int64_t a = 0; a < rows; a += TILE)
    for (int64_t b = 0; b < columns; b += TILE)
      for (int64_t j = b; j < columns && j < b + TILE; j++)
        for (int64_t i = a; i < rows && i < a + TILE; i++) {
          const double v = from[i * columns + j];
          finite = finite && isfinite(v);
          to[j * rows + i] = v;
        }
  return finite;
}

static int fill_columns(Training *t, Solving *g) {
  Solve *s = &g->solve;
  for (int k = 0; k < s->nblocks; k++) {
    const SolveBlock *b = &s->blocks[k];
    const double *from = t->solve_places[REG_SOLVE_BLOCKS + k * REG_BLOCK_SLOTS + REG_BLOCK_FEATURES];
    double *to = s->f + b->first * s->n;
    for (int64_t i = 0; b->ones && i < s->n * b->columns; i++) to[i] = 1;
    if (!b->ones && !turn_round(from, s->n, b->columns, to)) return bad_design(t, "a feature");
  }
  return solve_prepare(s) ? REG_OK : reg_no_memory(t->run->st, (size_t)s->p * sizeof(double));
}

static int design(Training *t, Solving *g) {
  Solve *s = &g->solve;
  if (g->designed && t->plan->same_design) return REG_OK;
  int code = bound_call(t, &g->design);
  s->offset = gives(g->design.f, REG_SOLVE_OFFSET) ? g->offset : NULL;
  for (int64_t i = 0; s->offset && i < s->n * s->c && !code; i++)
    if (!isfinite(s->offset[i])) code = bad_design(t, "what is added to the prediction");
  s->ready = false;
  if (!code) code = fill_columns(t, g);
  g->designed = !code;
  return code;
}

static int check_boxes(Training *t, const Solve *s) {
  for (int k = 0; k < s->nblocks; k++) {
    const SolveBlock *b = &s->blocks[k];
    for (int64_t i = 0; b->low && i < b->columns * s->c; i++)
      if (!(b->low[i] <= b->high[i]) || b->low[i] == INFINITY || b->high[i] == -INFINITY)
        return reg_fail(t->run->st, REG_BAD_DATA, "bad_box",
                        "%s: nothing is between the ends %.6g and %.6g of `%s`", t->plan->solve_place,
                        b->low[i], b->high[i], t->plan->params[t->plan->blocks[k].param].name);
  }
  return REG_OK;
}

static int strengths(Training *t, Solving *g) {
  Solve *s = &g->solve;
  const int code = bound_call(t, &g->strengths);
  s->tolerance = g->gap;
  if (!code && !(g->gap > 0 && g->gap < 1))
    return reg_fail(t->run->st, REG_BAD_DATA, "bad_gap", "%s: the gap is %.6g; it is between 0 and 1",
                    t->plan->solve_place, g->gap);
  for (int k = 0; k < s->nblocks && !code; k++)
    for (int i = 0; i < SOLVE_PARTS; i++) {
      const double v = s->blocks[k].part[i];
      if (v >= 0 && isfinite(v)) continue;
      return reg_fail(t->run->st, REG_BAD_DATA, "bad_strength",
                      "%s: a penalty of `%s` has the strength %.6g; a convex one is finite and at least 0",
                      t->plan->solve_place, t->plan->params[t->plan->blocks[k].param].name, v);
    }
  return code ? code : check_boxes(t, s);
}

static void weights(Training *t, Solving *g, bool into) {
  const reg_dtype type = t->run->program->dtype;
  const Solve *s = &g->solve;
  for (int k = 0; k < s->nblocks; k++) {
    void *param = t->now.params[t->plan->blocks[k].param];
    double *w = s->w + s->blocks[k].first * s->c;
    for (int64_t i = 0; i < s->blocks[k].columns * s->c; i++)
      if (into)
        reg_float_put(param, type, i, w[i]);
      else
        w[i] = reg_float_at(param, type, i);
  }
}

// -- how it ended

static int too_long(const Training *t, const Solve *s) {
  reg_fail(t->run->st, REG_ASSERTION, "gap_not_reached",
           "%s: after %lld passes the relative gap is %.3g, and %.3g is asked for", t->plan->solve_place,
           (long long)s->passes, s->gap, s->tolerance);
  reg_hint(t->run->st,
           "`solve to gap G, at most N` takes more passes; columns of very different size, or nearly "
           "equal ones, need many: `standardize`, or some `l2`; below 1e-15 is rounding");
  return t->run->st->code;
}

static int no_minimum(const Training *t) {
  reg_fail(t->run->st, REG_ASSERTION, "no_minimum",
           "%s: the objective falls however large the parameters become: it has no minimum",
           t->plan->solve_place);
  reg_hint(t->run->st,
           "where a plane separates the classes, weights that nothing restrains grow for ever: a penalty "
           "such as `1e-4 * l2(w)` restrains them");
  return t->run->st->code;
}

int training_solve(Training *t, bool *stopped) {
  Solving *g = t->solving;
  int code = design(t, g);
  if (!code) code = strengths(t, g);
  if (code) return code;
  Solve *s = &g->solve;
  s->quadratic = t->plan->quadratic;
  weights(t, g, false);
  const SolveEnd end = solve_run(s);
  g->told = (reg_solved){s->gap, s->passes, s->active, s->ngaps, s->gaps};
  t->solved = &g->told;
  *stopped = end == SOLVE_STOPPED;
  if (*stopped) return REG_OK;
  if (end == SOLVE_FAILED)
    return t->run->st->code ? t->run->st->code
                            : reg_no_memory(t->run->st, (size_t)(s->p * s->n) * sizeof(double));
  weights(t, g, true);
  return end == SOLVE_TOO_LONG ? too_long(t, s) : end == SOLVE_UNBOUNDED ? no_minimum(t) : REG_OK;
}
