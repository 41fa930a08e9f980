// regc build: a program as an executable, as one object, or its trained model as an object and a C header.
// The functions are those of `regc run`, taken from the same cache; the tables go beside them as data.
#include "emit.h"
#include "link.h"
#include "program_image.h"
#include "reg/file.h"
#include "trained.h"
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Built { // a function that has an object
  const reg_function *function;
  const char *symbol;
} Built;

// The program compiled for one size of batches.
typedef struct Variant {
  Options options;
  Session *session;
  Pipeline pipeline;
  ProgramTable *table;
} Variant;

enum { MOST_VARIANTS = 16 };

typedef struct Build {
  Variant variants[MOST_VARIANTS]; // the first is what runs unless another is asked for
  int nvariants;
  Pipeline *pipeline; // of the first
  ProgramTable *table;
  BackendOptions backend;
  const char *cpu; // as it is told
  Link link;
  const volatile int *stop; // set by a signal
  VEC(Built) functions;
  int cached;
} Build;

// -- the processor

static int choose_cpu(Build *b) {
  static const char *const known[] = {"x86-64-v3", "x86-64-v4",      "haswell",        "broadwell",
                                      "skylake",   "skylake-avx512", "cascadelake",    "icelake-client",
                                      "alderlake", "icelake-server", "sapphirerapids", "znver1",
                                      "znver2",    "znver3",         "znver4",         "znver5"};
  const int n = sizeof known / sizeof *known;
  const char *cpu = b->pipeline->options->value[OPT_CPU];
  b->backend = b->pipeline->backend_options;
  if (!cpu) cpu = "x86-64-v3";
  b->cpu = b->backend.cpu = cpu;
  if (!strcmp(cpu, "native")) {
    b->backend.cpu = NULL;
    b->cpu = b->pipeline->backend->host_cpu(b->pipeline->arena);
    return EXIT_OK;
  }
  for (int i = 0; i < n; i++)
    if (!strcmp(cpu, known[i])) return EXIT_OK;
  if (!strcmp(cpu, "x86-64") || !strcmp(cpu, "x86-64-v2"))
    return usage_error("`%s` lacks AVX2 and FMA, which compiled programs need; the least is x86-64-v3", cpu);
  const char *near = nearest_name(cpu, known, n);
  return near ? usage_error("unknown processor `%s`; did you mean `%s`?", cpu, near)
              : usage_error("unknown processor `%s`; there are native, x86-64-v3, x86-64-v4, skylake, znver3 "
                            "and others of that kind",
                            cpu);
}

// -- functions

static const char *symbol_of(void *user, const reg_function *f) {
  const Build *b = user;
  for (int i = 0; i < b->functions.len; i++)
    if (b->functions.data[i].function == f) return b->functions.data[i].symbol;
  return NULL;
}

// Two functions with the same code are one object.
static bool has_object(const Build *b, const char *symbol) {
  for (int i = 0; i < b->functions.len; i++)
    if (!strcmp(b->functions.data[i].symbol, symbol)) return true;
  return false;
}

static int build_function(Build *b, ProgramTable *table, reg_function *f) {
  Pipeline *p = table->pipeline;
  reg_status st = {0};
  const char *error = NULL;
  Built built = {.function = f};
  Code object;
  bool cached = false;
  if (symbol_of(b, f)) return EXIT_OK;
  if (*b->stop) return REG_INTERRUPTED;
  int code = function_plan(table, f, &st);
  if (code) return code;
  if (!p->backend->function_object(p->arena, function_loops(f), &b->backend, &object, &built.symbol, &cached,
                                   &error)) {
    reg_shown_line(stderr, "regc: `%s` cannot be compiled: %s", f->name, error);
    return REG_INTERNAL;
  }
  if (!has_object(b, built.symbol)) code = link_object(&b->link, object.bytes, object.size);
  b->cached += cached;
  vec_push(b->pipeline->arena, b->functions, built);
  return code;
}

static int build_each(void *user, ProgramTable *table, reg_function *f) {
  return build_function(user, table, f);
}

static int write_data(Build *b, const DataImage *d) {
  Pipeline *p = b->pipeline;
  const char *error = NULL;
  Code object;
  if (p->backend->data_object(p->arena, d, &b->backend, &object, &error))
    return link_object(&b->link, object.bytes, object.size);
  reg_shown_line(stderr, "regc: the program's tables cannot be compiled: %s", error);
  return REG_INTERNAL;
}

static int make_object(Build *b, const char *path) {
  const char **local = ARENA_ARRAY(b->pipeline->arena, const char *, b->functions.len + 1);
  for (int i = 0; i < b->functions.len; i++) local[i] = b->functions.data[i].symbol;
  return link_relocatable(&b->link, path, local, b->functions.len);
}

// -- whole programs

// The file's name without folder and `.reg`, as it is shown.
static const char *program_name(Pipeline *p) {
  const char *slash = strrchr(p->path, '/'), *name = slash ? slash + 1 : p->path;
  size_t n = strlen(name);
  if (n > 4 && !strcmp(name + n - 4, ".reg")) n -= 4;
  char *shown = n ? arena_strndup(p->arena, name, n) : arena_strdup(p->arena, "program");
  reg_shown_in_place(shown);
  return shown;
}

// A pattern is no file: its folder is looked up. `/dev/stdin` is another file when the binary runs.
static const char *absolute_path(const Pipeline *p, const char *path) {
  if (path[0] == '/') return path;
  const char *slash = strrchr(path, '/');
  char *whole = realpath(path, NULL),
       *folder =
           whole ? NULL
                 : realpath(slash ? arena_strndup(p->arena, path, (size_t)(slash - path + 1)) : ".", NULL);
  const char *out = whole    ? arena_strdup(p->arena, whole)
                    : folder ? arena_printf(p->arena, "%s/%s", folder, slash ? slash + 1 : path)
                             : path;
  free(whole);
  free(folder);
  return out;
}

// The binary may be started anywhere: its data are named by absolute paths.
static void absolute_paths(const Pipeline *p) {
  const Lowered *l = p->lowered;
  for (int i = 0; i < l->plans.len; i++) {
    reg_data_plan *plan = &l->plans.data[i];
    reg_data_op *ops = ARENA_ARRAY(p->arena, reg_data_op, plan->nops);
    memcpy(ops, plan->ops, sizeof *ops * (size_t)plan->nops);
    for (int k = 0; k < plan->nops; k++) {
      const char **more = ARENA_ARRAY(p->arena, const char *, ops[k].nmore);
      if (ops[k].path) ops[k].path = absolute_path(p, ops[k].path);
      for (int m = 0; m < ops[k].nmore; m++) more[m] = absolute_path(p, ops[k].more[m]);
      ops[k].more = more;
    }
    plan->ops = ops;
  }
}

static int build_program(Build *b, const char *path) {
  Pipeline *p = b->pipeline;
  const Options *o = p->options;
  reg_program *programs[MOST_VARIANTS];
  int code = EXIT_OK;
  for (int i = 0; i < b->nvariants && !code; i++) {
    programs[i] = &b->variants[i].table->program;
    code = program_functions(b->variants[i].table, true, build_each, b);
    absolute_paths(&b->variants[i].pipeline);
  }
  if (code) return code;
  const reg_binary binary = {.program = programs[0],
                             .programs = programs,
                             .nprograms = b->nvariants,
                             .name = program_name(p),
                             .doc = p->parse->file->doc,
                             .compiler = arena_printf(p->arena, "regc %s", REG_VERSION),
                             .cpu = b->cpu};
  Image image = {.arena = p->arena};
  image_binary(&image, &binary, symbol_of, b);
  const DataImage data = image_finish(&image, "reg_binary_program");
  code = write_data(b, &data);
  if (code) return code;
  if (o->given[OPT_EMIT]) return make_object(b, path);
  if (o->given[OPT_STATIC] && program_reads_images(programs[0]))
    return usage_error("`--static` needs libspng as a static library, which there is none of: without it the "
                       "binary of a program that reads images is linked with libspng.so");
  return link_executable(&b->link, path, o->given[OPT_STATIC], program_reads_images(programs[0]));
}

// -- models for embedding

static const char *identifier(Arena *a, const char *name) {
  char *out = arena_strdup(a, name);
  for (char *c = out; *c; c++)
    if (!isalnum((unsigned char)*c)) *c = '_';
  return out;
}

// The first names of a list, each in quotes: where comments end is not theirs to say.
static void put_names(Text *o, const char *const *names, int64_t n) {
  enum { MOST = 12 };
  for (int64_t i = 0; i < n && i < MOST; i++) {
    reg_text_add(o, " ");
    reg_text_comment(o, names[i]);
  }
  reg_text_add(o, n > MOST ? " ...\n" : ".\n");
}

static void put_header(Text *o, const Build *b, const reg_model *m, const char *name) {
  char *upper = arena_strdup(b->pipeline->arena, name);
  for (char *c = upper; *c; c++) *c = (char)toupper((unsigned char)*c);
  const reg_dataset *d = m->data;
  const char *y = m->program->dtype == REG_F64 ? "double" : "float";
  const long long in = (long long)reg_model_inputs(m), out = (long long)reg_model_outputs(m);
  reg_text_format(o, "// The model `%s` of ", m->train->name);
  reg_text_comment(o, b->pipeline->path);
  reg_text_format(
      o,
      " with its weights, compiled by regc %s for %s.\n"
      "// Link its object with the runtime: cc ... -L<prefix>/lib/reg -lregrt -lopenblas -lm -lpthread\n"
      "#ifndef %s_MODEL_H\n#define %s_MODEL_H\n#include <stdint.h>\n\n"
      "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
      "enum { %s_INPUTS = %lld, %s_OUTPUTS = %lld };\n\n",
      REG_VERSION, b->cpu, upper, upper, upper, in, upper, out);
  reg_text_add(
      o,
      "// x: rows x INPUTS, as in the data file; what was learned from the training data is applied here.\n"
      "//   Its columns:");
  const char **inputs = ARENA_ARRAY(b->pipeline->arena, const char *, in + 1);
  if (in) reg_data_input_names(d, inputs);
  put_names(o, inputs, in);
  const reg_field *target =
      d->target >= 0 && d->fields[d->target].nclasses == out ? &d->fields[d->target] : NULL;
  reg_text_add(o, target ? "// y: rows x OUTPUTS. One output for each class of " : "// y: rows x OUTPUTS.\n");
  if (target) {
    reg_text_comment(o, target->name);
    reg_text_add(o, ":");
    put_names(o, (const char *const *)target->class_names, target->nclasses);
  }
  reg_text_format(
      o,
      "// Returns 0; 65 where x, or x as it is scaled, is not finite; 70 where memory does not suffice. May "
      "be\n"
      "// called from several threads at once. Double is for columns such as seconds since 1970.\n"
      "int %s_predict(const float *x, int64_t rows, %s *y);\n"
      "int %s_predict_double(const double *x, int64_t rows, %s *y);\n\n"
      "#ifdef __cplusplus\n}\n#endif\n#endif\n",
      name, y, name, y);
}

static int write_header(const Build *b, const reg_model *m, const char *object, const char *name) {
  const int n = (int)strlen(object) - (text_ends_in(object, ".o") ? 2 : 0);
  reg_status st = {0};
  Text o = {0};
  put_header(&o, b, m, name);
  if (o.failed)
    reg_no_memory(&st, o.used);
  else
    reg_file_write(arena_printf(b->pipeline->arena, "%.*s.h", n, object), o.data, o.used, &st);
  tell_status(b->pipeline->options, &st);
  reg_text_free(&o);
  return st.code;
}

static int build_model(Build *b, const char *path) {
  Pipeline *p = b->pipeline;
  Trained trained;
  int code = trained_load(b->table, &trained);
  if (code) return code;
  const reg_train *t = trained.train;
  code = build_function(b, b->table, t->predict);
  if (code) return code;
  const reg_model model = {.program = &b->table->program,
                           .train = t,
                           .data = p->lowered->datasets.data[t->data],
                           .params = trained.params,
                           .states = trained.states};
  const char *name = identifier(p->arena, t->name);
  const Thunk thunks[] = {{arena_printf(p->arena, "%s_predict", name), "reg_model_call"},
                          {arena_printf(p->arena, "%s_predict_double", name), "reg_model_call_double"}};
  Image image = {.arena = p->arena};
  image_model(&image, &model, symbol_of, b);
  DataImage data = image_finish(&image, arena_printf(p->arena, "%s_model", name));
  data.thunks = thunks;
  data.nthunks = 2;
  code = write_data(b, &data);
  if (!code) code = make_object(b, path);
  return code ? code : write_header(b, &model, path, name);
}

// -- the command

static void tell(const Build *b, const char *path) {
  const Options *o = b->pipeline->options;
  struct stat info;
  if (o->given[OPT_QUIET] || stat(path, &info) != 0) return;
  reg_shown_line(stderr, "%s: %s for %s; %d functions, %d of them from the cache, %.0f ms", path,
                 text_bytes(b->pipeline->arena, (double)info.st_size), b->cpu, b->functions.len, b->cached,
                 1e3 * (now_seconds() - o->start));
}

static bool same_file(const char *x, const char *y) {
  struct stat a, b;
  return stat(x, &a) == 0 && stat(y, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int open_variant(Build *b, Session *s, const Options *o, int64_t batch) {
  Variant *v = &b->variants[b->nvariants++];
  v->options = *o;
  v->options.batch = batch;
  v->session = s;
  pipeline_init(&v->pipeline, s, &v->options);
  return program_open(&v->pipeline, o->arguments.data[0], &v->table);
}

// One variant for each size that --batch lists; the program's own where it lists none.
static int open_variants(Build *b, Session *s, const Options *o) {
  int code = open_variant(b, s, o, o->batch);
  const char *more = o->value[OPT_BATCH] ? strchr(o->value[OPT_BATCH], ',') : NULL;
  for (; more && !code; more = strchr(more + 1, ',')) {
    if (b->nvariants == MOST_VARIANTS)
      return usage_error("`--batch` lists more than %d sizes", MOST_VARIANTS);
    code = open_variant(b, session_new(), o, strtoll(more + 1, NULL, 10));
  }
  return code;
}

static int build(Build *b, Session *s, const Options *o, const char *path) {
  if (same_file(o->arguments.data[0], path)) return usage_error("`%s` is the program itself", path);
  int code = open_variants(b, s, o);
  b->pipeline = &b->variants[0].pipeline;
  b->table = b->variants[0].table;
  if (!code) code = choose_cpu(b);
  if (code) return code;
  if (!b->table->program.nstages)
    return usage_error("`%s` does nothing: there is nothing to build", o->arguments.data[0]);
  if (b->table->program.nknowns)
    return usage_error(
        "`%s` finds `%s` when it runs, and what is behind it is compiled for that: `regc run` does it, a "
        "binary cannot; `--set %s=N` compiles it for the number that was found",
        o->arguments.data[0], b->table->program.knowns[0].name, b->table->program.knowns[0].name);
  code = link_begin(&b->link, b->pipeline->arena, o, b->stop);
  if (!code) code = o->given[OPT_MODEL_ONLY] ? build_model(b, path) : build_program(b, path);
  link_end(&b->link);
  if (!code) tell(b, path);
  return code;
}

int cmd_build(Session *s, const Options *o) {
  if (o->arguments.len != 1) return usage_error("`regc build` takes one file");
  if (!o->value[OPT_OUTPUT]) return usage_error("`regc build` needs `-o PATH`: what to make");
  if (o->given[OPT_EMIT] && strcmp(o->value[OPT_EMIT], "obj") != 0)
    return usage_error("`regc build` emits `obj` only; `regc run --emit` shows the other stages");
  if (!o->given[OPT_MODEL_ONLY] && (o->given[OPT_WEIGHTS] || o->given[OPT_MODEL]))
    return usage_error(
        "`--weights` and `--model` belong to `--model-only`; a binary is given weights when it runs");
  Build *b = ARENA_NEW(s->arena, Build);
  b->stop = reg_signals_install(); // temporary files do not stay behind
  int code = build(b, s, o, o->value[OPT_OUTPUT]);
  for (int i = 0; i < b->nvariants; i++) {
    pipeline_free(&b->variants[i].pipeline);
    if (i) session_free(b->variants[i].session);
  }
  return reg_signals_exit_code(code);
}
