// regc gradcheck: the `check` statements of programs. For `check e : gradient` the compiled gradient, and the
// same graph in double precision, stand against difference quotients of the interpreter, for every leaf of
// the expression; an equality is judged by what rounding may do; of another condition its truth is asked. One
// line a check.
#include "expression.h"
#include "reg/rng.h"
#include "rounding.h"
#include <math.h>
#include <string.h>

// All elements of a leaf are tried up to ALL of them, else SAMPLE; fewer where there are many leaves.
enum { ALL = 256, SAMPLE = 64, FEWEST = 16 };
static const double relative_tolerance = 1e-3, exact_tolerance = 1e-4;

typedef struct GradCheck {
  Pipeline *pipeline;
  LowerCheck *check;
  const Tensor *in; // of the expression
  int nin;
  const Tensor **at_leaf; // each leaf's
  Graph *value;           // the body without its gradients
  double at;              // its value
} GradCheck;

typedef struct Worst { // the element that is furthest off, in units of what is allowed; or why there is none
  double ratio, compiled, expected;
  const char *what;
  int64_t element;
} Worst;

// -- difference quotients

// The expression with one element of an input at x; NaN where it has no value, for example where an index was
// moved.
static double value_with(const GradCheck *c, int input, int64_t element, double x) {
  Arena *a = arena_new();
  double *data = c->at_leaf[input]->data, before = data[element];
  reg_status st = {0};
  Tensor out;
  data[element] = x;
  const double value = run_interpreted(a, c->value, c->in, c->nin, &out, &st) ? NAN : out.data[0];
  data[element] = before;
  arena_free(a);
  return value;
}

typedef struct Slope { // the derivative, or at a kink those of both sides
  double low, high;
  bool known;
} Slope;

// Where the one-sided quotients differ, a smaller step tells a curve, or a kink nearby, from a kink at the
// place itself.
static Slope difference(const GradCheck *c, int input, int64_t element) {
  const double x = c->at_leaf[input]->data[element], steps[] = {1e-5, 1e-7};
  double right = NAN, left = NAN;
  for (int i = 0; i < 2; i++) {
    const double h = steps[i] * fmax(1, fabs(x));
    const double above = value_with(c, input, element, x + h), below = value_with(c, input, element, x - h);
    right = (above - c->at) / h;
    left = (c->at - below) / h;
    if (!isfinite(right) || !isfinite(left)) return (Slope){.known = false};
    const double central = (above - below) / (2 * h), noise = 1e-14 * (1 + fabs(c->at)) / h;
    if (fabs(right - left) <= 1e-3 * fmax(fabs(right), fabs(left)) + noise)
      return (Slope){central, central, true};
  }
  return (Slope){fmin(left, right), fmax(left, right), true};
}

static int64_t tried_element(const GradCheck *c, int64_t k, int64_t count, int64_t tried) {
  if (count == tried) return k;
  return (int64_t)(reg_random_word(c->pipeline->options->seed, 0, 0, (uint64_t)k) % (uint64_t)count);
}

static int64_t tried_count(const GradCheck *c, int64_t count) {
  const int64_t share = SAMPLE * 4 / c->check->nleaves, few = share < FEWEST   ? FEWEST
                                                              : share < SAMPLE ? share
                                                                               : SAMPLE;
  return count <= (c->check->nleaves > 4 ? few : ALL) ? count : few;
}

static double nearest(const Slope *s, double x) { return fmin(fmax(x, s->low), s->high); }

static double off_by(const Slope *s, double x) { return isnan(x) ? INFINITY : fabs(x - nearest(s, x)); }

// -- gradients

typedef struct Gradients { // of one leaf
  const Tensor *compiled, *exact, *bound;
  Slope *slope; // of the elements that are tried
  int64_t tried;
  double scale; // largest of them
} Gradients;

static Gradients gradients_of(const GradCheck *c, int input, const Tensor *compiled, const Tensor *exact,
                              int nexact) {
  Arena *a = c->pipeline->arena;
  const char *name = arena_printf(a, "grad:%s", c->at_leaf[input]->name);
  Gradients g = {.compiled = tensor_find(compiled, c->check->expression.graph->outputs.len, name),
                 .exact = tensor_find(exact, nexact, name),
                 .bound = tensor_find(exact, nexact, arena_printf(a, "bound:%s", name))};
  const int64_t count = shape_count(g.compiled->shape);
  g.tried = tried_count(c, count);
  g.slope = ARENA_ARRAY(a, Slope, g.tried + 1);
  for (int64_t k = 0; k < g.tried; k++) {
    g.slope[k] = difference(c, input, tried_element(c, k, count, g.tried));
    const Slope *s = &g.slope[k]; // at a jump the quotients say nothing
    if (s->known && s->low == s->high) g.scale = fmax(g.scale, fabs(s->high));
  }
  return g;
}

// The graph in double precision is compared closely; the compiled one relative to the largest derivative of
// the leaf, with room for what rounding may leave of terms that cancel.
static void compare_gradients(const GradCheck *c, int input, const Gradients *g, double largest,
                              Worst *worst) {
  const int64_t count = shape_count(g->compiled->shape);
  for (int64_t k = 0; k < g->tried; k++) {
    const Slope *s = &g->slope[k];
    if (!s->known) continue;
    const int64_t e = tried_element(c, k, count, g->tried);
    const double floor = fmin(4 * g->bound->data[e], 1e-6 * (1 + fabs(c->at))),
                 noise = 1e-8 * fabs(c->at) + 1e-12;
    const double compiled = g->compiled->data[e], size = fmax(g->scale, fabs(nearest(s, compiled)));
    const double exact_allowed = exact_tolerance * size + 1e-7 * largest + noise;
    const double allowed = pipeline_floats(c->pipeline) == DT_F64
                               ? exact_allowed
                               : relative_tolerance * size + 1e-5 * largest + (floor > 0 ? floor : 0) + 1e-30;
    const double ratio = fmax(off_by(s, compiled) / allowed, off_by(s, g->exact->data[e]) / exact_allowed);
    if (ratio > worst->ratio)
      *worst = (Worst){ratio, compiled, nearest(s, compiled), c->check->leaf[input].name, e};
  }
}

static bool gradient_holds(GradCheck *c, const Tensor *compiled, Worst *worst, reg_status *st) {
  Arena *a = c->pipeline->arena;
  const Graph *rounded = rounding_graph(a, c->check->expression.graph, pipeline_floats(c->pipeline));
  Tensor *exact = ARENA_ARRAY(a, Tensor, rounded->outputs.len);
  *worst = (Worst){.ratio = -1};
  if (run_interpreted(a, rounded, c->in, c->nin, exact, st)) return false;
  c->at = tensor_find(exact, rounded->outputs.len, "value")->data[0];
  const int n = c->check->nleaves;
  Gradients *g = ARENA_ARRAY(a, Gradients, n);
  double largest = 0;
  for (int i = 0; i < n; i++) {
    g[i] = gradients_of(c, i, compiled, exact, rounded->outputs.len);
    largest = fmax(largest, g[i].scale);
  }
  for (int i = 0; i < n; i++) compare_gradients(c, i, &g[i], largest, worst);
  return worst->ratio <= 1 && worst->ratio >= 0;
}

// -- conditions

// A relative difference of 1e-5, or 1e-10 of doubles, and what rounding may have done to both sides.
static bool equal_element(double left, double right, double bound, DType floats) {
  const double tolerance = floats == DT_F64 ? 1e-10 : 1e-5;
  const bool bounded = bound < 1e29; // a comparison inside may go either way: nothing is forgiven
  return left == right || fabs(left - right) <= tolerance * fabs(right) + (bounded ? 4 * bound : 0);
}

static bool equality_holds(const GradCheck *c, const Tensor *out, Worst *worst, reg_status *st) {
  Arena *a = c->pipeline->arena;
  const Graph *rounded = rounding_graph(a, c->check->expression.graph, pipeline_floats(c->pipeline));
  const int n = rounded->outputs.len;
  Tensor *exact = ARENA_ARRAY(a, Tensor, n);
  if (run_interpreted(a, rounded, c->in, c->nin, exact, st)) return false;
  const Tensor *left = tensor_find(out, c->check->expression.graph->outputs.len, "left"),
               *right = tensor_find(out, c->check->expression.graph->outputs.len, "right"),
               *bounds[] = {tensor_find(exact, n, "bound:left"), tensor_find(exact, n, "bound:right")};
  for (int64_t i = 0; i < shape_count(left->shape); i++) {
    if (equal_element(left->data[i], right->data[i], bounds[0]->data[i] + bounds[1]->data[i],
                      pipeline_floats(c->pipeline)))
      continue;
    *worst = (Worst){2, left->data[i], right->data[i], shape_count(left->shape) > 1 ? "element" : NULL, i};
    return c->check->negated;
  }
  return !c->check->negated;
}

static bool condition_holds(const GradCheck *c, const Tensor *out) {
  const Tensor *t = tensor_find(out, c->check->expression.graph->outputs.len, "condition");
  for (int64_t i = 0; i < shape_count(t->shape); i++)
    if (t->data[i] == 0) return false;
  return true;
}

// -- reports

static void tell_text(const GradCheck *c, bool good, const Worst *w, const Tensor *value) {
  const Options *o = c->pipeline->options;
  const char *place = place_text(c->pipeline, c->check->ast->span);
  if (good && o->given[OPT_QUIET]) return;
  const int digits = pipeline_floats(c->pipeline) == DT_F64 ? 17 : 9;
  const char *color = !o->out.color ? ""
                      : good        ? "\033[32m"
                                    : "\033[1;31m",
             *off = o->out.color ? "\033[0m" : "";
  printf("%s%s%s  %s: %s", color, good ? "ok  " : "FAIL", off, place, c->check->text);
  if (c->check->gradient && w->ratio < 0)
    fputs("  (no element can be moved)", stdout);
  else if (c->check->gradient)
    printf("  (worst %s[%lld]: compiled %.6g, differences %.6g)", w->what, (long long)w->element, w->compiled,
           w->expected);
  else if (!good && w->what)
    printf("  (element %lld: %.*g and %.*g)", (long long)w->element, digits, w->compiled, digits,
           w->expected);
  else if (!good && value && shape_count(value->shape) == 1)
    printf("  (value is %.*g)", digits, value->data[0]);
  putchar('\n');
}

static void tell_json(const GradCheck *c, bool good, const Worst *w, const Tensor *value) {
  Arena *a = c->pipeline->arena;
  const char *(*digits)(Arena *, double) = pipeline_floats(c->pipeline) == DT_F64 ? text_double : text_number;
  printf("{\"event\":\"check\",\"place\":%s,\"check\":%s,\"ok\":%s",
         text_json(a, place_text(c->pipeline, c->check->ast->span)), text_json(a, c->check->text),
         good ? "true" : "false");
  if (c->check->gradient && w->ratio >= 0)
    printf(",\"worst\":{\"argument\":%s,\"element\":%lld,\"compiled\":%s,\"differences\":%s}",
           text_json(a, w->what), (long long)w->element, digits(a, w->compiled), digits(a, w->expected));
  else if (value && shape_count(value->shape) == 1)
    printf(",\"value\":%s", digits(a, value->data[0]));
  puts("}");
}

// A parameter whose value nothing reads, as the last bias in a gradient by the input, may be anywhere: its
// gradient is 0.
static const Tensor *unread_leaf(Arena *a, const Graph *body, const char *name) {
  const char *slope = arena_printf(a, "grad:%s", name);
  Tensor *t = ARENA_NEW(a, Tensor);
  for (int i = 0; i < body->outputs.len; i++)
    if (!strcmp(body->outputs.data[i].name, slope))
      *t = (Tensor){.name = name, .dtype = DT_F32, .shape = body->outputs.data[i].node->shape};
  t->data = ARENA_ARRAY(a, double, shape_count(t->shape) + 1);
  return t;
}

// The inputs of the expression: its leaves as the check makes them and its parameters' initial values,
// rounded to the program's floats; then what every graph may read.
static int make_inputs(GradCheck *c, reg_status *st) {
  Arena *a = c->pipeline->arena;
  const Tensor common[] = {tensor_seed(a, c->pipeline->options->seed), tensor_scalar(a, "step", DT_I32, 0),
                           tensor_scalar(a, "epoch", DT_I32, 0)};
  const int nleaves = c->check->leaves->outputs.len;
  Tensor *leaves = ARENA_ARRAY(a, Tensor, nleaves + 1);
  ExpressionInputs e = {.given = leaves, .ngiven = nleaves};
  const Node *missing;
  int code = run_interpreted(a, c->check->leaves, common, sizeof common / sizeof *common, leaves, st);
  if (!code) code = expression_fill(c->pipeline, &c->check->expression, &e, &missing, st);
  for (int i = 0; i < e.in.len; i++) tensor_round(&e.in.data[i]);
  c->in = e.in.data;
  c->nin = e.in.len;
  c->at_leaf = ARENA_ARRAY(a, const Tensor *, c->check->nleaves + 1);
  for (int i = 0; i < c->check->nleaves && !code; i++) {
    const char *name = c->check->leaf[i].input;
    c->at_leaf[i] = tensor_find(c->in, c->nin, name);
    if (!c->at_leaf[i]) c->at_leaf[i] = tensor_find(leaves, nleaves, name); // it is read no more: times 0
    if (!c->at_leaf[i]) c->at_leaf[i] = unread_leaf(a, c->check->expression.graph, name);
  }
  return code;
}

// Only "value", which difference quotients ask for often.
static Graph *value_alone(Arena *a, const Graph *body) {
  Graph *g = ARENA_NEW(a, Graph);
  GraphOutput *only = ARENA_NEW(a, GraphOutput);
  *g = *body;
  for (int i = 0; i < body->outputs.len; i++)
    if (!strcmp(body->outputs.data[i].name, "value")) *only = body->outputs.data[i];
  g->outputs.data = only;
  g->outputs.len = 1;
  return g;
}

int gradcheck_run(Pipeline *p, const Ast *ast) {
  GradCheck c = {.pipeline = p, .check = lower_check(p->lowered, ast)};
  int code = pipeline_report(p);
  if (code || !c.check) return EXIT_REJECTED;
  const Graph *body = c.check->expression.graph;
  reg_status st = {0};
  Tensor *out = ARENA_ARRAY(p->arena, Tensor, body->outputs.len);
  c.value = value_alone(p->arena, body);
  code = make_inputs(&c, &st);
  if (!code) code = run_compiled(p, body, c.in, c.nin, out, &st);
  Worst worst = {0};
  bool good = !code && (c.check->gradient ? gradient_holds(&c, out, &worst, &st)
                        : c.check->equal  ? equality_holds(&c, out, &worst, &st)
                                          : condition_holds(&c, out));
  if (st.code) {
    tell_status(p->options, &st);
    return st.code;
  }
  const Tensor *value = tensor_find(out, body->outputs.len, "value");
  if (p->options->given[OPT_JSON])
    tell_json(&c, good, &worst, value);
  else
    tell_text(&c, good, &worst, value);
  return good ? EXIT_OK : EXIT_ASSERTION;
}

static int check_file(Session *s, const Options *o, const char *path, int *nchecks) {
  Pipeline p;
  pipeline_init(&p, s, o);
  int code = pipeline_read(&p, path);
  if (!code) code = pipeline_check(&p);
  if (!code) code = pipeline_lower(&p);
  if (!code) {
    *nchecks += p.program->checks.len;
    for (int i = 0; i < p.program->checks.len; i++) {
      int one = gradcheck_run(&p, p.program->checks.data[i]);
      code = one > code ? one : code;
    }
  }
  pipeline_free(&p);
  return code;
}

int cmd_gradcheck(Session *s, const Options *o) {
  if (!o->arguments.len) return usage_error("`regc gradcheck` needs a file");
  int code = EXIT_OK, nchecks = 0;
  for (int i = 0; i < o->arguments.len; i++) {
    int one = check_file(s, o, o->arguments.data[i], &nchecks);
    code = one > code ? one : code;
  }
  if (!code && !nchecks && !o->given[OPT_QUIET]) fputs("regc: there is no `check` in it\n", stderr);
  return code;
}
