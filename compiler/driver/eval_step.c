// regc eval --step: steps of an optimizer on given arrays. In: parameters, and their gradients or an
// expression that is minimized; states of the optimizer and the number of updates so far, where it goes on.
// Out: one JSON object, and with --out a folder of arrays, which --in takes: so two calls are one with the
// steps of both.
#include "emit.h"
#include "evaluation.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char of_gradient[] = "grad.", counter[] = "step";

static bool is_gradient(const Evaluation *e, const char *name) {
  const size_t n = strlen(of_gradient);
  return !strncmp(name, of_gradient, n) && eval_given(e, name + n);
}

// Those whose gradient is given; with an expression those of --grad.
static int find_updated(Evaluation *e) {
  Arena *a = e->pipeline.arena;
  for (int i = 0; i < e->given.len && !e->options->arguments.len; i++) {
    const LowerInput *in = &e->given.data[i],
                     *g = eval_given(e, arena_printf(a, "%s%s", of_gradient, in->name));
    if (!g) continue;
    if (!shape_equal(in->shape, g->shape) || in->dtype != DT_F32 || g->dtype != DT_F32)
      return usage_error("`--in %s`: an array of floating-point numbers of the shape of `%s`, %s, is wanted",
                         g->name, in->name, shape_text(a, in->shape));
    vec_push(a, e->grads, in->name);
  }
  if (e->grads.len) return EXIT_OK;
  return e->options->arguments.len
             ? usage_error("`--step`: `--grad` tells which arrays the expression is minimized over")
             : usage_error("`--step` needs arrays with their gradients, --in w=w.npy --in grad.w=g.npy, or "
                           "an expression to "
                           "minimize over those of --grad");
}

static int by_name(const void *x, const void *y) {
  return strcmp(*(const char *const *)x, *(const char *const *)y);
}

int eval_step_arrays(Evaluation *e) {
  const Options *o = e->options;
  const LowerInput *at = eval_given(e, counter);
  if (at && !o->given[OPT_AT]) {
    const double n = e->inputs.data[at - e->given.data].data[0];
    if (at->shape.rank || !(n >= 0 && n <= INT32_MAX && n == floor(n)))
      return usage_error("`--in step`: a whole number of updates is wanted");
    e->at = (int64_t)n;
  }
  const int code = find_updated(e);
  if (!code)
    qsort(e->grads.data, (size_t)e->grads.len, sizeof *e->grads.data, by_name); // whatever was given first
  return code;
}

static const LowerState *state_named(const LowerExpression *x, const char *name) {
  for (int i = 0; i < x->states.len; i++)
    if (!strcmp(x->states.data[i].name, name)) return &x->states.data[i];
  return NULL;
}

// Those that are updated are among them.
static bool is_parameter(const LowerExpression *x, const char *name) {
  for (int i = 0; i < x->params.len; i++)
    if (!strcmp(x->params.data[i].path, name)) return true;
  return false;
}

static int unknown_array(const Evaluation *e, const char *name) {
  StrBuf b = {.arena = e->pipeline.arena};
  const LowerExpression *x = e->expression;
  for (int i = 0; i < x->states.len; i++) strbuf_addf(&b, "%s`%s`", i ? ", " : ": ", x->states.data[i].name);
  return usage_error("`--in %s` is no array with a gradient, and no state of the optimizer%s", name,
                     b.len ? b.data : ", which has none");
}

// That every array has its use.
static int check_arrays(const Evaluation *e) {
  Arena *a = e->pipeline.arena;
  for (int i = 0; i < e->given.len; i++) {
    const LowerInput *in = &e->given.data[i];
    const LowerState *s = state_named(e->expression, in->name);
    if (s && (!shape_equal(s->shape, in->shape) || in->dtype != DT_F32))
      return usage_error("`--in %s`: the state is of floating-point numbers, %s, the array has %s", in->name,
                         shape_text(a, s->shape), shape_text(a, in->shape));
    const bool named = e->options->arguments.len && !strpbrk(in->name, ". "); // the expression may use it
    if (!s && !named && !is_parameter(e->expression, in->name) && !is_gradient(e, in->name) &&
        strcmp(in->name, counter))
      return unknown_array(e, in->name);
  }
  return EXIT_OK;
}

// What the step made of an input; NULL: the same in every step.
static const Tensor *made_of(const Evaluation *e, const Node *in, const Tensor *out, int n) {
  const LowerExpression *x = e->expression;
  Arena *a = e->pipeline.arena;
  const char *name =
      in->port.kind == REG_SLOT_PARAM   ? arena_printf(a, "value:%s", x->params.data[in->port.index].path)
      : in->port.kind == REG_SLOT_STATE ? arena_printf(a, "after:%s", x->states.data[in->port.index].name)
                                        : NULL;
  return name ? tensor_find(out, n, name) : NULL;
}

// Steps behind each other; the outputs of the last one in `out`.
static int make_steps(Evaluation *e, ExpressionInputs *in, Tensor *out, reg_status *st) {
  Pipeline *p = &e->pipeline;
  const Graph *g = e->expression->graph;
  const int64_t n = e->options->given[OPT_STEPS] ? e->options->steps : 1;
  const bool compiled = !e->options->given[OPT_INTERPRET];
  Prepared r = {0};
  int code = compiled ? prepared_new(p, g, in->in.data, in->in.len, &r, st) : REG_OK;
  for (int64_t k = 0; k < n && !code; k++, e->at++) {
    for (int i = 0; i < in->in.len && k; i++) {
      const Node *input = g->inputs.data[i];
      const Tensor *made = made_of(e, input, out, g->outputs.len);
      const bool time = input->port.kind == REG_SLOT_STEP || input->port.kind == REG_SLOT_EPOCH;
      if (made || time) in->in.data[i].data = made ? made->data : eval_kept(e, e->expression, input);
    }
    if (compiled && k) prepared_fill(&r, in->in.data, in->in.len);
    code = compiled ? prepared_run(&r, st) : run_interpreted(p->arena, g, in->in.data, in->in.len, out, st);
    if (compiled && !code) prepared_read(&r, out);
    for (int i = 0; i < g->outputs.len && !compiled && !code; i++) tensor_round(&out[i]);
  }
  if (r.slots) prepared_free(&r);
  return code;
}

static int add_all(const Evaluation *e, StrBuf *b, const char *title, const char *prefix, const Tensor *out,
                   int n) {
  const size_t skip = strlen(prefix);
  bool some = false;
  int code = EXIT_OK;
  for (int i = 0; i < n && !code; i++) {
    if (strncmp(out[i].name, prefix, skip)) continue;
    if (!some) strbuf_addf(b, "\"%s\":{", title);
    strbuf_addf(b, "%s%s:{", some ? "," : "", text_json(b->arena, out[i].name + skip));
    code = eval_add_tensor(e, b, out[i].name + skip, &out[i], true);
    strbuf_add(b, "}");
    some = true;
  }
  if (some) strbuf_add(b, "},");
  return code;
}

static int print_steps(const Evaluation *e, const Tensor *out, int n) {
  Arena *a = e->pipeline.arena;
  StrBuf b = {.arena = a};
  const Tensor at = tensor_scalar(a, counter, DT_I32, (double)e->at);
  int code = eval_folder(e);
  strbuf_add(&b, "{");
  if (!code) code = add_all(e, &b, "tree", "value:", out, n);
  if (!code) code = add_all(e, &b, "state", "after:", out, n);
  strbuf_add(&b, "\"step\":{");
  if (!code) code = eval_add_tensor(e, &b, counter, &at, true);
  strbuf_add(&b, "}}");
  if (!code) puts(b.data);
  return code;
}

int eval_step(Evaluation *e) {
  Pipeline *p = &e->pipeline;
  const Graph *g = e->expression->graph;
  reg_status st = {0};
  ExpressionInputs in = {.given = e->inputs.data, .ngiven = e->inputs.len, .kept = eval_kept, .user = e};
  const Node *missing;
  int code = check_arrays(e);
  if (code) return code;
  if (e->options->given[OPT_EMIT]) return emit_function(p, pipeline_loops(p, g, false));
  Tensor *out = ARENA_ARRAY(p->arena, Tensor, g->outputs.len);
  code = expression_fill(p, e->expression, &in, &missing, &st);
  if (!code) code = make_steps(e, &in, out, &st);
  return code ? eval_tell(e, &st) : print_steps(e, out, g->outputs.len);
}
