// regc gradcheck: the `check` statements of programs. For `check e : gradient` the compiled gradient at
// float32 arguments stands against central differences of the interpreter in double precision; for a
// condition its truth is asked. One line a check.
#include "reg/rng.h"
#include "values.h"
#include <math.h>
#include <string.h>

// All elements of an argument are tried up to ALL of them, else SAMPLE.
enum { ALL = 256, SAMPLE = 64 };
static const double relative_tolerance = 1e-3, difference_step = 1e-5;

typedef struct GradCheck {
  Pipeline *pipeline;
  LowerCheck *check;
  const Tensor *in; // the body's inputs: arguments, then seed, step, epoch
  int nin;
} GradCheck;

typedef struct Worst { // the element that is furthest off, in units of what is allowed
  double ratio, compiled, expected;
  const char *argument;
  int64_t element;
} Worst;

static double interpret_value(const GradCheck *c, const Tensor *in) {
  Arena *a = arena_new();
  const Graph *g = c->check->body;
  Tensor *out = ARENA_ARRAY(a, Tensor, g->outputs.len);
  reg_status st = {0};
  if (run_interpreted(a, g, in, c->nin, out, &st)) {
    arena_free(a);
    return NAN;
  }
  const Tensor *value = tensor_find(out, g->outputs.len, "value");
  double sum = 0;
  for (int64_t i = 0; i < shape_count(value->shape); i++) sum += value->data[i];
  arena_free(a);
  return sum;
}

// (f(x + h) - f(x - h)) / 2h for one element of one input.
static double central_difference(const GradCheck *c, int input, int64_t element) {
  Arena *a = arena_new();
  Tensor *moved = ARENA_ARRAY(a, Tensor, c->nin);
  memcpy(moved, c->in, sizeof(Tensor) * (size_t)c->nin);
  const Tensor *t = &c->in[input];
  int64_t count = shape_count(t->shape);
  moved[input].data = ARENA_ARRAY(a, double, count);
  memcpy(moved[input].data, t->data, sizeof(double) * (size_t)count);
  double x = t->data[element], h = difference_step * fmax(1, fabs(x));
  moved[input].data[element] = x + h;
  double above = interpret_value(c, moved);
  moved[input].data[element] = x - h;
  double below = interpret_value(c, moved);
  arena_free(a);
  return (above - below) / (2 * h);
}

static int64_t tried_element(const GradCheck *c, int64_t k, int64_t count) {
  if (count <= ALL) return k;
  return (int64_t)(reg_random_word(c->pipeline->options->seed, 0, 0, (uint64_t)k) % (uint64_t)count);
}

// Relative to the largest difference of the tensor, with room for the rounding of a float32 value.
static void compare_gradient(const GradCheck *c, int input, const Tensor *gradient, double value,
                             Worst *worst) {
  int64_t count = shape_count(gradient->shape), n = count <= ALL ? count : SAMPLE;
  double *expected = ARENA_ARRAY(c->pipeline->arena, double, n + 1), scale = 0;
  for (int64_t k = 0; k < n; k++) {
    expected[k] = central_difference(c, input, tried_element(c, k, count));
    scale = fmax(scale, fabs(expected[k]));
  }
  double allowed = relative_tolerance * scale + 1e-6 * (1 + fabs(value));
  for (int64_t k = 0; k < n; k++) {
    int64_t e = tried_element(c, k, count);
    double ratio = fabs(gradient->data[e] - expected[k]) / allowed;
    if (!(ratio <= worst->ratio)) // also for NaN
      *worst =
          (Worst){isnan(ratio) ? INFINITY : ratio, gradient->data[e], expected[k], c->in[input].name + 4, e};
  }
}

static bool gradient_holds(const GradCheck *c, const Tensor *out, int nout, Worst *worst) {
  double value = tensor_find(out, nout, "value")->data[0];
  worst->ratio = -1;
  for (int i = 0; i < c->nin; i++) {
    if (strncmp(c->in[i].name, "arg:", 4) != 0) continue;
    const Tensor *g = tensor_find(out, nout, arena_printf(c->pipeline->arena, "grad:%s", c->in[i].name + 4));
    if (g) compare_gradient(c, i, g, value, worst);
  }
  return worst->ratio <= 1 && worst->ratio >= 0;
}

static bool condition_holds(const Tensor *out, int nout) {
  const Tensor *t = tensor_find(out, nout, "condition");
  for (int64_t i = 0; i < shape_count(t->shape); i++)
    if (t->data[i] != 1) return false;
  return true;
}

static void tell_text(const GradCheck *c, bool good, const Worst *w, const Tensor *value) {
  const Options *o = c->pipeline->options;
  const char *place = place_text(c->pipeline, c->check->ast->span);
  if (good && o->given[OPT_QUIET]) return;
  const char *color = !o->out.color ? ""
                      : good        ? "\033[32m"
                                    : "\033[1;31m",
             *off = o->out.color ? "\033[0m" : "";
  printf("%s%s%s  %s: %s", color, good ? "ok  " : "FAIL", off, place, c->check->text);
  if (c->check->gradient && w->ratio < 0)
    fputs("  (no argument has a gradient)", stdout);
  else if (c->check->gradient)
    printf("  (worst %s[%lld]: compiled %.6g, differences %.6g)", w->argument, (long long)w->element,
           w->compiled, w->expected);
  else if (!good && value && shape_count(value->shape) == 1)
    printf("  (value is %.9g)", value->data[0]);
  putchar('\n');
}

static void tell_json(const GradCheck *c, bool good, const Worst *w, const Tensor *value) {
  Arena *a = c->pipeline->arena;
  printf("{\"event\":\"check\",\"place\":%s,\"check\":%s,\"ok\":%s",
         text_json(a, place_text(c->pipeline, c->check->ast->span)), text_json(a, c->check->text),
         good ? "true" : "false");
  if (c->check->gradient && w->ratio >= 0)
    printf(",\"worst\":{\"argument\":%s,\"element\":%lld,\"compiled\":%s,\"differences\":%s}",
           text_json(a, w->argument), (long long)w->element, text_number(a, w->compiled),
           text_number(a, w->expected));
  else if (value && shape_count(value->shape) == 1)
    printf(",\"value\":%s", text_number(a, value->data[0]));
  puts("}");
}

// The arguments as the check makes them, rounded to float32; then what every graph may read.
static int make_inputs(GradCheck *c, reg_status *st) {
  Arena *a = c->pipeline->arena;
  Tensor common[] = {tensor_seed(a, c->pipeline->options->seed), tensor_scalar(a, "step", DT_I32, 0),
                     tensor_scalar(a, "epoch", DT_I32, 0)};
  enum { COMMON = sizeof common / sizeof *common };
  int nargs = c->check->args->outputs.len;
  Tensor *in = ARENA_ARRAY(a, Tensor, nargs + COMMON);
  int code = run_interpreted(a, c->check->args, common, COMMON, in, st);
  for (int i = 0; i < nargs; i++) tensor_round(&in[i]);
  memcpy(in + nargs, common, sizeof common);
  c->in = in;
  c->nin = nargs + COMMON;
  return code;
}

int gradcheck_run(Pipeline *p, const Ast *ast) {
  GradCheck c = {.pipeline = p, .check = lower_check(p->lowered, ast)};
  int code = pipeline_report(p);
  if (code || !c.check) return EXIT_REJECTED;
  reg_status st = {0};
  int nout = c.check->body->outputs.len;
  Tensor *out = ARENA_ARRAY(p->arena, Tensor, nout);
  code = make_inputs(&c, &st);
  if (!code) code = run_compiled(p, c.check->body, c.in, c.nin, out, &st);
  if (code) {
    tell_status(p->options, &st);
    return code;
  }
  Worst worst = {0};
  bool good = c.check->gradient ? gradient_holds(&c, out, nout, &worst) : condition_holds(out, nout);
  const Tensor *value = tensor_find(out, nout, "value");
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
