// regc eval: one expression on given arrays, weights and the program's data. In: .npy files, a .safetensors
// file. Out: one JSON object: value, and gradients of its sum.
#include "emit.h"
#include "evaluation.h"
#include "reg/npy.h"
#include "reg/train.h"
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_SHOWN = 64 };

int eval_tell(const Evaluation *e, const reg_status *st) {
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
  if (wide(e) && reg_npy_numbers(pair->value, NULL, &array, &numbers, &st)) return eval_tell(e, &st);
  if (array.dtype != REG_F32) { // integers are judged by 32 bits
    reg_npy_numbers_free(numbers);
    numbers = NULL;
  }
  if (!numbers && reg_npy_read(pair->value, &array, &st)) return eval_tell(e, &st);
  Tensor t = {
      .name = arena_printf(a, "in:%s", pair->name), .dtype = types[array.dtype], .shape.rank = array.rank};
  memcpy(t.shape.dim, array.dim, sizeof(int64_t) * (size_t)array.rank);
  t.data = ARENA_ARRAY(a, double, array.count + 1);
  for (int64_t i = 0; i < array.count; i++)
    t.data[i] = numbers             ? numbers[i]
                : t.dtype == DT_F32 ? (double)((const float *)array.values)[i]
                                    : (double)((const int32_t *)array.values)[i];
  if (!numbers) free(array.values);
  reg_npy_numbers_free(numbers);
  vec_push(a, e->given, ((LowerInput){pair->name, t.dtype, t.shape}));
  if (numbers) t.dtype = DT_F64;
  vec_push(a, e->inputs, t);
  return EXIT_OK;
}

const LowerInput *eval_given(const Evaluation *e, const char *name) {
  for (int i = 0; i < e->given.len; i++)
    if (!strcmp(e->given.data[i].name, name)) return &e->given.data[i];
  return NULL;
}

static int is_array(const struct dirent *entry) { return text_ends_in(entry->d_name, ".npy"); }

// --in FOLDER: all its arrays under the names of their files, but for those that are there already.
static int read_folder(Evaluation *e, const char *folder) {
  Arena *a = e->pipeline.arena;
  struct dirent **found;
  const int n = scandir(folder, &found, is_array, alphasort);
  int code = EXIT_OK;
  if (n < 0) return usage_error("`--in %s` is neither NAME=FILE nor a folder", folder);
  for (int i = 0; i < n; i++) {
    const char *file = found[i]->d_name, *name = arena_strndup(a, file, strlen(file) - strlen(".npy"));
    const NamePair pair = {name, arena_printf(a, "%s/%s", folder, file)};
    if (!code && !eval_given(e, name)) code = read_input(e, &pair);
    free(found[i]);
  }
  free(found);
  return code;
}

static int read_inputs(Evaluation *e) {
  const Options *o = e->options;
  int code = EXIT_OK;
  for (int i = 0; i < o->inputs.len && !code; i++) {
    const NamePair *pair = &o->inputs.data[i];
    if (!pair->name) continue;
    if (eval_given(e, pair->name)) return usage_error("`--in %s` is given twice", pair->name);
    code = read_input(e, pair);
  }
  for (int i = 0; i < o->inputs.len && !code; i++)
    if (!o->inputs.data[i].name) code = read_folder(e, o->inputs.data[i].value);
  return code;
}

// One of --grad; `net.*` means all arrays that match.
static int read_grad(Evaluation *e, const char *name) {
  bool some = false;
  for (int i = 0; i < e->given.len; i++) {
    const LowerInput *in = &e->given.data[i];
    const bool all = strchr(name, '*') != NULL;
    if (all ? fnmatch(name, in->name, 0) || in->dtype != DT_F32 : strcmp(name, in->name)) continue;
    if (in->dtype != DT_F32)
      return usage_error("`--grad %s`: the array holds no floating-point numbers", name);
    vec_push(e->pipeline.arena, e->grads, in->name);
    some = true;
  }
  return some ? EXIT_OK : usage_error("`--grad %s` names no array of `--in`", name);
}

static int read_grads(Evaluation *e) {
  int code = EXIT_OK;
  for (const char *c = e->options->value[OPT_GRAD]; c && *c && !code; c += strspn(c, ",")) {
    code = read_grad(e, arena_strndup(e->pipeline.arena, c, strcspn(c, ",")));
    c += strcspn(c, ",");
  }
  return code;
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

// NULL after a report.
static const Ast *parsed(Evaluation *e, const char *source, const char *text, bool names_arrays) {
  Pipeline *p = &e->pipeline;
  const Ast *ast =
      parse_expression(p->session, source_add(&p->session->sources, source, text, (int)strlen(text)));
  const char **names = ARENA_ARRAY(p->arena, const char *, e->given.len + 1);
  for (int i = 0; i < e->given.len; i++) names[i] = e->given.data[i].name;
  if (ast && !pipeline_report(p))
    sema_check_expression(p->program, (Ast *)ast, names, names_arrays ? e->given.len : 0);
  return pipeline_report(p) ? NULL : ast;
}

static int elaborate(Evaluation *e) {
  const Options *o = e->options;
  const char *step = o->value[OPT_STEP], *text = o->arguments.len ? o->arguments.data[0] : NULL;
  LowerAsked asked = {
      .inputs = e->given.data, .ninputs = e->given.len, .grads = e->grads.data, .ngrads = e->grads.len};
  if (text && !(asked.expression = parsed(e, "<expression>", text, true))) return EXIT_REJECTED;
  if (step && !(asked.optimizer = parsed(e, "<step>", step, false))) return EXIT_REJECTED;
  Lowered *l = e->pipeline.lowered;
  e->expression = step ? lower_optimizer(l, &asked) : lower_expression(l, &asked);
  return pipeline_report(&e->pipeline) || !e->expression ? EXIT_REJECTED : EXIT_OK;
}

// Not an array of --step.
static bool is_model_s(const Evaluation *e, const char *path) {
  return sema_find(e->pipeline.program, arena_strndup(e->pipeline.arena, path, strcspn(path, ".["))) != NULL;
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
    if (param ? !is_model_s(e, x->params.data[i].path) : !state->layer) continue;
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
  const int code = reg_tensors_read(count, wanted, values, path, &st);
  const bool silent = !code && e->pipeline.session->diags.allowed[DIAG_weights_rounded];
  return silent ? EXIT_OK : eval_tell(e, &st);
}

// Passes that are over at --at, of the training whose times the expression has.
static int64_t passes(const Evaluation *e) {
  const Lowered *l = e->pipeline.lowered;
  const LowerTrain *t = e->expression->train >= 0 ? l->trains.data[e->expression->train] : NULL;
  return t ? e->at / t->steps_per_epoch : 0;
}

double *eval_kept(void *user, const LowerExpression *x, const Node *n) {
  const Evaluation *e = user;
  Arena *a = e->pipeline.arena;
  const bool param = n->port.kind == REG_SLOT_PARAM, state = n->port.kind == REG_SLOT_STATE;
  const char *name = param   ? x->params.data[n->port.index].path
                     : state ? x->states.data[n->port.index].name
                             : NULL;
  if (name && eval_given(e, name))
    return tensor_find(e->inputs.data, e->inputs.len, arena_printf(a, "in:%s", name))->data;
  if (n->port.kind == REG_SLOT_STEP) return tensor_scalar(a, n->name, DT_I32, (double)e->at).data;
  if (n->port.kind == REG_SLOT_EPOCH) return tensor_scalar(a, n->name, DT_I32, (double)passes(e)).data;
  if (!e->weights || !name) return NULL;
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

static void add_numbers(StrBuf *b, const Tensor *t) {
  strbuf_add(b, ",\"values\":[");
  for (int64_t i = 0; i < shape_count(t->shape); i++)
    strbuf_addf(b, "%s%s", i ? "," : "",
                t->dtype == DT_F64 ? text_double(b->arena, t->data[i]) : text_number(b->arena, t->data[i]));
  strbuf_add(b, "]");
}

int eval_add_tensor(const Evaluation *e, StrBuf *b, const char *file_name, const Tensor *t, bool always) {
  const bool shown = shape_count(t->shape) <= MOST_SHOWN;
  const char *dir = e->options->value[OPT_OUT_DIR];
  strbuf_add(b, "\"shape\":[");
  for (int i = 0; i < t->shape.rank; i++) strbuf_addf(b, "%s%lld", i ? "," : "", (long long)t->shape.dim[i]);
  strbuf_addf(b, "],\"dtype\":\"%s\"", dtype_text(t->dtype));
  if (shown) add_numbers(b, t);
  if (!dir || (shown && !always)) return EXIT_OK;
  const char *path = arena_printf(b->arena, "%s/%s.npy", dir, file_name);
  reg_status st = {0};
  if (!write_array(b->arena, path, t, &st)) return eval_tell(e, &st);
  strbuf_addf(b, ",\"file\":%s", text_json(b->arena, path));
  return EXIT_OK;
}

// A value, or one of each path of a tree.
static int add_results(const Evaluation *e, StrBuf *b, const Tensor *out) {
  const LowerExpression *x = e->expression;
  const bool tree = x->values.len != 1 || *x->values.data[0].path;
  int code = EXIT_OK;
  if (!tree) return eval_add_tensor(e, b, "value", &out[0], false);
  strbuf_add(b, "\"tree\":{");
  for (int i = 0; i < x->values.len && !code; i++) {
    const char *path = x->values.data[i].path;
    strbuf_addf(b, "%s%s:{", i ? "," : "", text_json(b->arena, path));
    code = eval_add_tensor(e, b, path, &out[i], false);
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
    code = eval_add_tensor(e, &b, arena_printf(a, "grad_%s", name),
                           tensor_find(out, n, arena_printf(a, "grad:%s", name)), false);
    strbuf_add(&b, i == e->grads.len - 1 ? "}}" : "}");
  }
  strbuf_add(&b, "}");
  if (!code) puts(b.data);
  return code;
}

int eval_folder(const Evaluation *e) {
  const char *dir = e->options->value[OPT_OUT_DIR];
  if (!dir || mkdir(dir, 0755) == 0 || errno == EEXIST) return EXIT_OK;
  reg_shown_line(stderr, "regc: cannot make `%s`: %s", dir, strerror(errno));
  return REG_CANNOT_WRITE;
}

static int run_expression(Evaluation *e) {
  Pipeline *p = &e->pipeline;
  const Graph *g = e->expression->graph;
  Tensor *out = ARENA_ARRAY(p->arena, Tensor, g->outputs.len);
  reg_status st = {0};
  if (e->options->given[OPT_EMIT]) return emit_function(p, pipeline_loops(p, g, false));
  ExpressionInputs in = {.given = e->inputs.data, .ngiven = e->inputs.len, .kept = eval_kept, .user = e};
  const Node *missing;
  int code = expression_fill(p, e->expression, &in, &missing, &st);
  if (!code)
    code = e->options->given[OPT_INTERPRET] ? run_interpreted(p->arena, g, in.in.data, in.in.len, out, &st)
                                            : run_compiled(p, g, in.in.data, in.in.len, out, &st);
  if (code) return eval_tell(e, &st);
  code = eval_folder(e);
  return code ? code : print_result(e, out, g->outputs.len);
}

int cmd_eval(Session *s, const Options *o) {
  const bool step = o->given[OPT_STEP];
  if (o->arguments.len > 1 || (!step && !o->arguments.len))
    return usage_error("`regc eval` takes one expression");
  if (o->given[OPT_STEPS] && !step) return usage_error("`--steps` are those of an optimizer, `--step`");
  Evaluation e = {.options = o, .at = o->at};
  pipeline_init(&e.pipeline, s, o);
  int code = read_program(&e);
  if (!code) code = read_inputs(&e);
  if (!code) code = read_grads(&e);
  if (!code && step) code = eval_step_arrays(&e);
  if (!code) code = elaborate(&e);
  if (!code) code = read_weights(&e);
  if (!code) code = step ? eval_step(&e) : run_expression(&e);
  pipeline_free(&e.pipeline);
  return code;
}
