// text -> Parse -> Program -> Lowered -> Graph -> passes -> Loops -> code: one function an arrow. Diagnostics
// are printed at the end of each stage; a stage with mistakes is the last one.
#include "pipeline.h"
#include "../passes/passes.h"
#include "program_table.h"
#include "reg/train.h"
#include <string.h>

void pipeline_init(Pipeline *p, Session *s, const Options *o) {
  *p = (Pipeline){.session = s, .arena = s->arena, .options = o, .path = "", .backend = backend_default()};
  p->reported = s->diags.list.len;
  p->errors_before = s->diags.errors;
  p->backend_options = (BackendOptions){.opt_level = o->optimize,
                                        .cache_dir = user_folder(p->arena, "XDG_CACHE_HOME", ".cache"),
                                        .version = REG_VERSION};
  s->diags.warnings_are_errors = o->given[OPT_WERROR];
  for (int i = 0; i < o->warnings.len; i++)
    if (!strncmp(o->warnings.data[i], "no-", 3)) s->diags.allowed[diag_find(o->warnings.data[i] + 3)] = 1;
}

static void free_data(Pipeline *p) {
  for (int i = 0; p->lowered && !p->load && i < p->lowered->datasets.len; i++)
    reg_data_free(p->lowered->datasets.data[i]);
  p->lowered = NULL;
}

int pipeline_again(Pipeline *p) {
  free_data(p);
  p->since = p->session->sources.list.len;
  const int code = pipeline_check(p);
  return code ? code : pipeline_lower(p);
}

void pipeline_free(Pipeline *p) {
  free_data(p);
  if (p->jit) p->backend->jit_free(p->jit);
}

int pipeline_read(Pipeline *p, const char *path) {
  int len = 0;
  const char *why;
  p->text = source_read(p->arena, path, &len, &why);
  if (!p->text) {
    reg_shown_line(stderr, "regc: cannot read `%s`: %s", path, why);
    return REG_MISSING_INPUT;
  }
  bool standard_input = !strcmp(path, "-");
  p->path = standard_input ? "" : path;
  p->source = source_add(&p->session->sources, standard_input ? "<stdin>" : path, p->text, len);
  return EXIT_OK;
}

void pipeline_names(Pipeline *p) {
  const Options *o = p->options;
  p->program = sema_check(p->session, p->parse, p->path, o->sets.data, o->sets.len);
  if (o->given[OPT_DTYPE]) p->program->doubles = !strcmp(o->value[OPT_DTYPE], "f64");
}

int pipeline_check(Pipeline *p) {
  p->parse = parse_source(p->session, p->source);
  int code = pipeline_report(p);
  if (code) return code;
  pipeline_names(p);
  code = pipeline_report(p);
  return p->program->lacks_file ? REG_MISSING_INPUT : code;
}

static reg_dataset *load(void *user, const reg_data_plan *plan, reg_status *st) {
  Pipeline *p = user;
  return p->load ? p->load(p->load_user, plan, st) : reg_data_load(plan, st);
}

static reg_function *columns(void *user, const Graph *g, int64_t rows, reg_status *st) {
  return columns_function(user, g, rows, st);
}

static int tensors(void *user, const char *path, int count, const reg_tensor *wanted, void *const *values,
                   reg_status *st) {
  (void)user;
  return reg_tensors_read(count, wanted, values, path, st);
}

static const char *data_path(void *user, const char *name) {
  const Pipeline *p = user;
  const char *path = NULL;
  for (int i = 0; i < p->options->data.len; i++)
    if (!strcmp(p->options->data.data[i].name, name)) path = p->options->data.data[i].value;
  return path;
}

// --data names data of the program.
static int check_data_options(const Pipeline *p) {
  for (int i = 0; i < p->options->data.len; i++) {
    const char *name = p->options->data.data[i].name; // NAME, or NAME.PART
    const Def *d = sema_find(p->program, arena_strndup(p->arena, name, strcspn(name, ".")));
    if (!d || d->kind != KIND_DATA)
      return usage_error("`--data %s`: the program has no data of this name", p->options->data.data[i].name);
  }
  return EXIT_OK;
}

static double known(void *user, int i, const char *name) {
  const Pipeline *p = user;
  for (int k = 0; k < p->noted.len; k++)
    if (!strcmp(p->noted.data[k].name, name)) return p->noted.data[k].value;
  return i < p->known.len ? p->known.data[i] : 0;
}

static void note(void *user, const char *name, double value) {
  Pipeline *p = user;
  vec_push(p->arena, p->noted, ((Noted){arena_strdup(p->arena, name), value}));
}

void pipeline_note(Pipeline *p, const char *weights) { reg_weights_known(weights, note, p); }

int pipeline_elaborate(Pipeline *p) {
  const Options *o = p->options;
  LowerHost host = {.user = p,
                    .load = load,
                    .tensors = tensors,
                    .columns = columns,
                    .seed = o->seed,
                    .has_seed = o->given[OPT_SEED],
                    .epochs = o->epochs,
                    .batch = o->batch,
                    .apart = p->apart,
                    .known = known,
                    .data_path = data_path};
  int data_code = EXIT_OK;
  p->lowered = lower_program(p->program, &host, &data_code);
  return data_code;
}

// --data NAME.PART names a part that has a file of its own: data that nothing else uses are looked at here.
static int check_part_options(Pipeline *p) {
  for (int i = 0; i < p->options->data.len; i++) {
    const char *name = p->options->data.data[i].name, *dot = strchr(name, '.');
    if (dot) lower_definition(p->lowered, arena_strndup(p->arena, name, (size_t)(dot - name)));
  }
  const int code = pipeline_report(p);
  if (code || p->lowered->exit_code) return p->lowered->exit_code ? p->lowered->exit_code : code;
  for (int i = 0; i < p->options->data.len; i++) {
    const char *name = p->options->data.data[i].name, *dot = strchr(name, '.');
    bool found = !dot;
    for (int k = 0; k < p->lowered->plans.len && !found; k++) {
      const reg_data_plan *plan = &p->lowered->plans.data[k];
      const char *data = p->lowered->dataset_names.data[k];
      for (int j = 0; j < plan->nops && !found; j++)
        found = plan->ops[j].kind == REG_DATA_PART && !strcmp(plan->ops[j].part_names[0], dot + 1) &&
                strlen(data) == (size_t)(dot - name) && !strncmp(data, name, strlen(data));
    }
    if (!found)
      return usage_error("`--data %s`: the program reads no such part from a file of its own", name);
  }
  return EXIT_OK;
}

int pipeline_lower(Pipeline *p) {
  if (check_data_options(p)) return EXIT_USAGE;
  int data_code = pipeline_elaborate(p);
  int code = pipeline_report(p);
  if (!code && !data_code) code = check_part_options(p);
  return data_code ? data_code : code;
}

#ifdef NDEBUG
static const bool verify = false;
#else
static const bool verify = true;
#endif

static LoopFn *kernels_of(Pipeline *p, const Graph *optimized, bool keep_all) {
  LoopFn *f = loops_from_graph(p->arena, optimized, (LoopOptions){.keep_all = keep_all});
  const char *wrong = verify ? loops_verify(f) : NULL;
  if (wrong) ice("loops", "%s: %s", optimized->name, wrong);
  return f;
}

LoopFn *pipeline_loops(Pipeline *p, const Graph *g, bool keep_all) {
  return kernels_of(p, passes_run(p->arena, g, p->options->optimize, verify), keep_all);
}

static bool is_time(Port p) {
  return p.kind == REG_SLOT_SEED || p.kind == REG_SLOT_STEP || p.kind == REG_SLOT_EPOCH ||
         p.kind == REG_SLOT_TURN;
}

// So few (256 KB) that they stay in the core's cache until they are read: that costs less than to make them
// again in each kernel. Megabytes of them cost more.
enum { MOST_DRAWN = 1 << 16 };

LoopFn *pipeline_step_loops(Pipeline *p, const Graph *g, LoopFn **draws) {
  const Graph *optimized = passes_run(p->arena, g, p->options->optimize, verify);
  const Drawn apart = graph_drawn_apart(p->arena, optimized, is_time, REG_SLOT_DRAWN, MOST_DRAWN);
  *draws = apart.draws ? kernels_of(p, apart.draws, false) : NULL;
  return kernels_of(p, apart.rest, false);
}

CompiledFn pipeline_compile(Pipeline *p, const LoopFn *f, const char **error) {
  double begin = now_seconds();
  if (!p->jit) p->jit = p->backend->jit_new(p->arena, &p->backend_options, error);
  bool cached = false;
  CompiledFn fn = p->jit ? p->backend->jit_add(p->jit, f, &cached, error) : NULL;
  p->compile_s += now_seconds() - begin;
  p->compiled++;
  p->cached += cached;
  return fn;
}

// -W NAME: these warnings are errors.
static void promote(const Options *o, Diags *ds, Diag *d) {
  for (int i = 0; i < o->warnings.len; i++) {
    if (d->severity != SEV_WARNING || strcmp(diag_name(d->id), o->warnings.data[i]) != 0) continue;
    d->severity = SEV_ERROR;
    ds->warnings--;
    ds->errors++;
  }
}

// The list stays whole, so that a mistake found again by a later stage is not told twice; only its new end is
// printed.
int pipeline_report(Pipeline *p) {
  Diags *ds = &p->session->diags;
  Diags fresh = *ds;
  if (p->reported) fresh.list.data += p->reported;
  fresh.list.len -= p->reported;
  for (int i = 0; i < fresh.list.len; i++) promote(p->options, ds, fresh.list.data[i]);
  p->reported = ds->list.len;
  const char *form = p->options->value[OPT_DIAGNOSTICS];
  if (form && !strcmp(form, "json"))
    diags_print_json(&fresh, stderr);
  else
    diags_print(&fresh, stderr, p->options->err.color);
  return ds->errors > p->errors_before ? EXIT_REJECTED : EXIT_OK;
}

const char *place_text(const Pipeline *p, Span at) {
  const Source *source = source_get(&p->session->sources, at.source);
  return source ? source_place(p->arena, source, at) : "";
}
