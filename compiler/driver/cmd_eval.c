// regc eval: one expression on given arrays, weights and the program's data. In: .npy files, a .safetensors
// file. Out: one JSON object: value, and gradients of its sum.
#include "emit.h"
#include "expression.h"
#include "reg/npy.h"
#include "reg/train.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_SHOWN = 64 };

typedef struct Evaluation {
  Pipeline pipeline;
  const Options *options;
  VEC(Tensor) inputs; // of --in
  VEC(LowerInput) given;
  VEC(const char *) grads;
  const LowerExpression *expression;
  void **weights; // of --weights: of each parameter, then of each state; else NULL
} Evaluation;

static int tell(const Evaluation *e, const reg_status *st) {
  tell_status(e->options, st);
  return st->code;
}

static bool wide(const Evaluation *e) { return e->pipeline.program->doubles; }

static int read_input(Evaluation *e, const NamePair *pair) {
  Arena *a = e->pipeline.arena;
  reg_status st = {0};
  reg_array array = {0};
  double *numbers = NULL;
  static const DType types[] = {[REG_F32] = DT_F32, [REG_I32] = DT_I32, [REG_BOOL] = DT_BOOL};
  if (wide(e) && reg_npy_numbers(pair->value, &array, &numbers, &st)) return tell(e, &st);
  if (array.dtype != REG_F32) { // integers are judged by 32 bits
    free(numbers);
    numbers = NULL;
  }
  if (!numbers && reg_npy_read(pair->value, &array, &st)) return tell(e, &st);
  Tensor t = {
      .name = arena_printf(a, "in:%s", pair->name), .dtype = types[array.dtype], .shape.rank = array.rank};
  memcpy(t.shape.dim, array.dim, sizeof(int64_t) * (size_t)array.rank);
  t.data = ARENA_ARRAY(a, double, array.count + 1);
  for (int64_t i = 0; i < array.count; i++)
    t.data[i] = numbers             ? numbers[i]
                : t.dtype == DT_F32 ? (double)((const float *)array.values)[i]
                                    : (double)((const int32_t *)array.values)[i];
  free(numbers ? numbers : array.values);
  vec_push(a, e->given, ((LowerInput){pair->name, t.dtype, t.shape}));
  if (numbers) t.dtype = DT_F64;
  vec_push(a, e->inputs, t);
  return EXIT_OK;
}

static const LowerInput *given_input(const Evaluation *e, const char *name) {
  for (int i = 0; i < e->given.len; i++)
    if (!strcmp(e->given.data[i].name, name)) return &e->given.data[i];
  return NULL;
}

static int read_inputs(Evaluation *e) {
  const Options *o = e->options;
  Arena *a = e->pipeline.arena;
  for (int i = 0; i < o->inputs.len; i++) {
    if (given_input(e, o->inputs.data[i].name))
      return usage_error("`--in %s` is given twice", o->inputs.data[i].name);
    int code = read_input(e, &o->inputs.data[i]);
    if (code) return code;
  }
  for (const char *c = o->value[OPT_GRAD]; c && *c; c += strspn(c, ",")) {
    const char *name = arena_strndup(a, c, strcspn(c, ","));
    const LowerInput *in = given_input(e, name);
    if (!in) return usage_error("`--grad %s` names no array of `--in`", name);
    if (in->dtype != DT_F32)
      return usage_error("`--grad %s`: the array holds no floating-point numbers", name);
    vec_push(a, e->grads, name);
    c += strcspn(c, ",");
  }
  return EXIT_OK;
}

// The file of -f, or nothing: definitions that the expression may use.
static int read_program(Evaluation *e) {
  Pipeline *p = &e->pipeline;
  const char *file = e->options->value[OPT_FILE];
  if (file) {
    int code = pipeline_read(p, file);
    if (code) return code;
  } else {
    p->source = source_add(&p->session->sources, "<none>", "", 0);
  }
  int code = pipeline_check(p);
  return code ? code : pipeline_lower(p);
}

static int elaborate(Evaluation *e, const char *text) {
  Pipeline *p = &e->pipeline;
  int source = source_add(&p->session->sources, "<expression>", text, (int)strlen(text));
  Ast *ast = parse_expression(p->session, source);
  if (pipeline_report(p) || !ast) return EXIT_REJECTED;
  const char **names = ARENA_ARRAY(p->arena, const char *, e->given.len + 1);
  for (int i = 0; i < e->given.len; i++) names[i] = e->given.data[i].name;
  sema_check_expression(p->program, ast, names, e->given.len);
  if (pipeline_report(p)) return EXIT_REJECTED;
  e->expression = lower_expression(p->lowered, &(LowerAsked){.expression = ast,
                                                             .inputs = e->given.data,
                                                             .ninputs = e->given.len,
                                                             .grads = e->grads.data,
                                                             .ngrads = e->grads.len});
  return pipeline_report(p) || !e->expression ? EXIT_REJECTED : EXIT_OK;
}

// --weights: the tensors of the models that the expression names.
static int read_weights(Evaluation *e) {
  const char *path = e->options->value[OPT_WEIGHTS];
  const LowerExpression *x = e->expression;
  if (!path) return EXIT_OK;
  if (!x->params.len) return usage_error("`--weights`: the expression names no model");
  Arena *a = e->pipeline.arena;
  const int n = x->params.len + x->states.len;
  reg_tensor *wanted = ARENA_ARRAY(a, reg_tensor, n);
  void **values = ARENA_ARRAY(a, void *, n);
  int count = 0;
  e->weights = ARENA_ARRAY(a, void *, n);
  for (int i = 0; i < n; i++) {
    const bool param = i < x->params.len;
    const LowerState *state = param ? NULL : &x->states.data[i - x->params.len];
    if (state && !state->layer) continue;
    const Shape s = param ? x->params.data[i].shape : state->shape;
    reg_tensor *t = &wanted[count];
    *t = (reg_tensor){.name = param ? x->params.data[i].path : state->name,
                      .dtype = lower_floats(e->pipeline.lowered),
                      .rank = s.rank,
                      .count = shape_count(s)};
    memcpy(t->dim, s.dim, sizeof(int64_t) * (size_t)s.rank);
    e->weights[i] = values[count++] = arena_alloc(a, reg_tensor_bytes(t) + 1);
  }
  reg_status st = {0};
  return reg_tensors_read(count, wanted, values, path, &st) ? tell(e, &st) : EXIT_OK;
}

// Passes that are over at --at, of the training whose times the expression has.
static int64_t passes(const Evaluation *e) {
  const Lowered *l = e->pipeline.lowered;
  const LowerTrain *t = e->expression->train >= 0 ? l->trains.data[e->expression->train] : NULL;
  return t ? e->options->at / t->steps_per_epoch : 0;
}

static double *kept(void *user, const LowerExpression *x, const Node *n) {
  const Evaluation *e = user;
  Arena *a = e->pipeline.arena;
  const bool param = n->port.kind == REG_SLOT_PARAM;
  if (n->port.kind == REG_SLOT_STEP) return tensor_scalar(a, n->name, DT_I32, (double)e->options->at).data;
  if (n->port.kind == REG_SLOT_EPOCH) return tensor_scalar(a, n->name, DT_I32, (double)passes(e)).data;
  if (!e->weights || (!param && n->port.kind != REG_SLOT_STATE)) return NULL;
  const void *have = e->weights[n->port.index + (param ? 0 : x->params.len)];
  const int64_t count = shape_count(n->shape);
  double *out = have ? ARENA_ARRAY(a, double, count + 1) : NULL;
  for (int64_t i = 0; have && i < count; i++)
    out[i] = reg_number_at(have, lower_floats(e->pipeline.lowered), i);
  return out;
}

static bool write_array(Arena *a, const char *path, const Tensor *t, reg_status *st) {
  static const reg_dtype types[] = {
      [DT_F32] = REG_F32, [DT_I32] = REG_I32, [DT_BOOL] = REG_BOOL, [DT_F64] = REG_F32};
  reg_array array = {.dtype = types[t->dtype], .rank = t->shape.rank, .count = shape_count(t->shape)};
  memcpy(array.dim, t->shape.dim, sizeof(int64_t) * (size_t)t->shape.rank);
  if (t->dtype == DT_F64) return reg_npy_write_numbers(path, &array, t->data, st) == 0;
  array.values = arena_alloc(a, 4 * (size_t)array.count + 4);
  for (int64_t i = 0; i < array.count; i++) {
    if (t->dtype == DT_F32)
      ((float *)array.values)[i] = (float)t->data[i];
    else
      ((int32_t *)array.values)[i] = (int32_t)t->data[i];
  }
  return reg_npy_write(path, &array, st) == 0;
}

static int add_values(const Evaluation *e, StrBuf *b, const char *file_name, const Tensor *t) {
  Arena *a = b->arena;
  int64_t count = shape_count(t->shape);
  if (count <= MOST_SHOWN) {
    strbuf_add(b, ",\"values\":[");
    for (int64_t i = 0; i < count; i++)
      strbuf_addf(b, "%s%s", i ? "," : "",
                  t->dtype == DT_F64 ? text_double(a, t->data[i]) : text_number(a, t->data[i]));
    strbuf_add(b, "]");
    return EXIT_OK;
  }
  const char *dir = e->options->value[OPT_OUT_DIR];
  if (!dir) return EXIT_OK;
  const char *path = arena_printf(a, "%s/%s.npy", dir, file_name);
  reg_status st = {0};
  if (!write_array(a, path, t, &st)) return tell(e, &st);
  strbuf_addf(b, ",\"file\":%s", text_json(a, path));
  return EXIT_OK;
}

static int add_tensor(const Evaluation *e, StrBuf *b, const char *file_name, const Tensor *t) {
  strbuf_add(b, "\"shape\":[");
  for (int i = 0; i < t->shape.rank; i++) strbuf_addf(b, "%s%lld", i ? "," : "", (long long)t->shape.dim[i]);
  strbuf_addf(b, "],\"dtype\":\"%s\"", dtype_text(t->dtype));
  return add_values(e, b, file_name, t);
}

// A value, or one of each path of a tree.
static int add_results(const Evaluation *e, StrBuf *b, const Tensor *out) {
  const LowerExpression *x = e->expression;
  const bool tree = x->values.len != 1 || *x->values.data[0].path;
  int code = EXIT_OK;
  if (!tree) return add_tensor(e, b, "value", &out[0]);
  strbuf_add(b, "\"tree\":{");
  for (int i = 0; i < x->values.len && !code; i++) {
    const char *path = x->values.data[i].path;
    strbuf_addf(b, "%s%s:{", i ? "," : "", text_json(b->arena, path));
    code = add_tensor(e, b, path, &out[i]);
    strbuf_add(b, "}");
  }
  strbuf_add(b, "}");
  return code;
}

static int print_result(const Evaluation *e, const Tensor *out, int n) {
  Arena *a = e->pipeline.arena;
  StrBuf b = {.arena = a};
  strbuf_add(&b, "{");
  int code = add_results(e, &b, out);
  for (int i = 0; i < e->grads.len && !code; i++) {
    const char *name = e->grads.data[i];
    strbuf_addf(&b, "%s%s:{", i ? "," : ",\"grad\":{", text_json(a, name));
    code = add_tensor(e, &b, arena_printf(a, "grad_%s", name),
                      tensor_find(out, n, arena_printf(a, "grad:%s", name)));
    strbuf_add(&b, i == e->grads.len - 1 ? "}}" : "}");
  }
  strbuf_add(&b, "}");
  if (!code) puts(b.data);
  return code;
}

static int run_expression(Evaluation *e) {
  Pipeline *p = &e->pipeline;
  const Graph *g = e->expression->graph;
  Tensor *out = ARENA_ARRAY(p->arena, Tensor, g->outputs.len);
  reg_status st = {0};
  if (e->options->given[OPT_EMIT]) return emit_function(p, pipeline_loops(p, g, false));
  ExpressionInputs in = {.given = e->inputs.data, .ngiven = e->inputs.len, .kept = kept, .user = e};
  const Node *missing;
  int code = expression_fill(p, e->expression, &in, &missing, &st);
  if (!code)
    code = e->options->given[OPT_INTERPRET] ? run_interpreted(p->arena, g, in.in.data, in.in.len, out, &st)
                                            : run_compiled(p, g, in.in.data, in.in.len, out, &st);
  if (code) return tell(e, &st);
  const char *dir = e->options->value[OPT_OUT_DIR];
  if (dir && mkdir(dir, 0755) != 0 && errno != EEXIST) {
    reg_shown_line(stderr, "regc: cannot make `%s`: %s", dir, strerror(errno));
    return REG_CANNOT_WRITE;
  }
  return print_result(e, out, g->outputs.len);
}

int cmd_eval(Session *s, const Options *o) {
  if (o->arguments.len != 1) return usage_error("`regc eval` takes one expression");
  Evaluation e = {.options = o};
  pipeline_init(&e.pipeline, s, o);
  int code = read_program(&e);
  if (!code) code = read_inputs(&e);
  if (!code) code = elaborate(&e, o->arguments.data[0]);
  if (!code) code = read_weights(&e);
  if (!code) code = run_expression(&e);
  pipeline_free(&e.pipeline);
  return code;
}
