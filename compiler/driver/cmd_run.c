// regc run: from a file to trained weights and evaluation results; on request only up to a stage, a summary,
// or the plan.
#include "emit.h"
#include "inspect.h"
#include "reg/events.h"
#include "reg/file.h"
#include "summary.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Versions and options for run.json, as members of a JSON object.
static const char *run_info(const Pipeline *p) {
  Arena *a = p->arena;
  StrBuf b = {.arena = a};
  strbuf_addf(&b, "\"regc\":%s,\"backend\":%s", text_json(a, REG_VERSION),
              text_json(a, p->backend->describe(a)));
  strbuf_addf(&b, ",\"optimize\":%d,\"precision\":\"%s\",\"set\":{", p->options->optimize,
              p->program->doubles ? "f64" : "f32");
  for (int i = 0; i < p->options->sets.len; i++)
    strbuf_addf(&b, "%s%s:%s", i ? "," : "", text_json(a, p->options->sets.data[i].name),
                text_json(a, p->options->sets.data[i].value));
  strbuf_add(&b, "}");
  if (p->options->given[OPT_WEIGHTS])
    strbuf_addf(&b, ",\"weights\":%s", text_json(a, p->options->value[OPT_WEIGHTS]));
  return b.data;
}

static void print_profile(const Pipeline *p, const reg_profile *r, double before_run) {
  double first = 1e3 * (before_run + r->first_step_s);
  double share = r->total_s > 0 ? r->gemm_s / r->total_s : 0;
  if (p->options->given[OPT_JSON])
    printf("{\"event\":\"profile\",\"first_step_ms\":%.3f,\"total_s\":%.6f,\"steps\":%lld,\"median_step_ms\":"
           "%.6f,\"fast_step_ms\":%.6f,"
           "\"gemm_share\":%.4f,\"compile_ms\":%.3f,\"functions\":%d,\"cached\":%d}\n",
           first, r->total_s, (long long)r->steps, 1e3 * r->median_step_s, 1e3 * r->fast_step_s, share,
           1e3 * p->compile_s, p->compiled, p->cached);
  else
    reg_shown_line(
        stderr,
        "profile: first step %.1f ms after the start; %lld steps in %.3f s, median %.4f ms, matrix "
        "products %.1f %%;"
        " %d functions compiled in %.1f ms, %d of them from the cache",
        first, (long long)r->steps, r->total_s, 1e3 * r->median_step_s, 100 * share, p->compiled,
        1e3 * p->compile_s, p->cached);
}

// A stream of events ends with `error` also where nothing ran.
static void tell_rejection(const Pipeline *p, int code) {
  reg_status st = {0};
  if (code == REG_MISSING_INPUT || code == REG_BAD_DATA)
    reg_fail(&st, code, "data", "the program or its data cannot be read");
  else
    reg_fail(&st, code, "rejected", "the program was rejected; mistakes: %d", p->session->diags.errors);
  reg_console_error(&st);
}

// What a run has found, and the folder that it goes on in.
typedef struct Found {
  Pipeline *p;
  const char *folder, *aside;
} Found;

// Of a program that finds numbers, in a run without a folder: where it goes on from.
static int open_aside(Found *f) {
  const Options *o = f->p->options;
  const char *tmp = getenv("TMPDIR");
  if (!f->p->lowered->knowns.len || !o->value[OPT_OUT_DIR] || *o->value[OPT_OUT_DIR]) return EXIT_OK;
  char *path = arena_printf(f->p->arena, "%s/regc-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  const int file = mkstemp(path);
  reg_status st = {0};
  if (file >= 0) {
    close(file);
    f->aside = path;
    return EXIT_OK;
  }
  reg_cannot_write(&st, path, errno);
  tell_status(o, &st);
  return st.code;
}

static void note_known(void *user, int index, double number, const char *folder) {
  Found *f = user;
  Pipeline *p = f->p;
  while (p->known.len <= index) vec_push(p->arena, p->known, 0.0);
  p->known.data[index] = number;
  f->folder = arena_strdup(p->arena, folder);
  if (!p->options->given[OPT_QUIET])
    reg_shown_line(stderr, "`%s` is %.0f: what is behind it is compiled for that",
                   p->lowered->knowns.data[index].name, number);
}

static int train_and_evaluate(Pipeline *p, ProgramTable *t) {
  const Options *o = p->options;
  reg_console console = console_of(o);
  Found found = {.p = p};
  const int opened = open_aside(&found);
  if (opened) return opened;
  Inspector *inspector = o->given[OPT_CHECK] ? inspector_new(p) : NULL;
  reg_run_options run = {.threads = o->threads,
                         .seed = o->seed,
                         .has_seed = o->given[OPT_SEED],
                         .max_steps = o->steps,
                         .out_dir = o->value[OPT_OUT_DIR],
                         .resume = o->given[OPT_RESUME],
                         .weights = o->value[OPT_WEIGHTS],
                         .run_info = run_info(p),
                         .sink = reg_console_sink,
                         .sink_user = &console,
                         .inspect = inspector ? inspector_step : NULL,
                         .inspect_user = inspector,
                         .step_events = console.bar,
                         .known = note_known,
                         .known_user = &found,
                         .aside = found.aside,
                         .interrupt = reg_signals_install(),
                         .checkpoint_now = reg_signals_checkpoint(),
                         .checkpoint_seconds = o->checkpoint,
                         .has_checkpoint_seconds = o->given[OPT_CHECKPOINT],
                         .tensorboard = o->given[OPT_TENSORBOARD],
                         .profile = o->given[OPT_PROFILE]};
  reg_profile profile = {0};
  reg_status st = {0};
  double before_run = now_seconds() - o->start;
  const char *cache = p->backend_options.cache_dir;
  if (o->given[OPT_VERBOSE])
    reg_shown_line(stderr, "read, checked and planned in %.1f ms; object cache: %s", 1e3 * before_run,
                   cache ? cache : "none");
  int code = reg_run(&t->program, &run, &profile, &st);
  while (code == REG_AGAIN) {
    run.resume = true;
    run.out_dir = found.folder;
    code = pipeline_again(p);
    if (code && o->given[OPT_JSON]) tell_rejection(p, code);
    if (!code) code = reg_run(&program_table(p, o->given[OPT_CHECK])->program, &run, &profile, &st);
  }
  if (found.aside) unlink(found.aside);
  if (o->given[OPT_VERBOSE])
    reg_shown_line(stderr, "%d functions compiled in %.1f ms, %d of them from the cache", p->compiled,
                   1e3 * p->compile_s, p->cached);
  const int warning = st.code ? -1 : diag_find(st.name);
  if (warning >= 0 && p->session->diags.allowed[warning]) st.text[0] = 0;
  code = reg_console_end(&console, code, &st);
  if (inspector) {
    inspector_summary(inspector, stderr);
    inspector_free(inspector);
  }
  if (o->given[OPT_PROFILE]) print_profile(p, &profile, before_run);
  return code;
}

static int compile_each(void *user, ProgramTable *t, reg_function *f) { return function_compile(t, f, user); }

// --dry-run: all code is generated, nothing runs.
static int compile_all(ProgramTable *t) {
  reg_status st = {0};
  program_functions(t, false, compile_each, &st);
  tell_status(t->pipeline->options, &st);
  return st.code;
}

static int summarize(ProgramTable *t) {
  const Options *o = t->pipeline->options;
  reg_status st = {0};
  for (int i = 0; i < t->program.ntrains && !st.code; i++)
    function_compile(t, main_step(&t->program.trains[i]), &st);
  tell_status(o, &st);
  if (!st.code) summary_print(t, o->given[OPT_JSON] ? stderr : stdout);
  fflush(stdout);
  return st.code;
}

// Everything before training; *table stays NULL where training is not wanted.
static int prepare(Pipeline *p, ProgramTable **table) {
  const Options *o = p->options;
  int code = pipeline_read(p, o->arguments.data[0]);
  if (!code && o->given[OPT_EMIT]) code = emit_text_stages(p);
  if (code || (o->given[OPT_EMIT] && !emit_needs_step(o))) return code;
  code = pipeline_check(p);
  if (!code) code = pipeline_lower(p);
  if (code) return code;
  ProgramTable *t = program_table(p, o->given[OPT_CHECK]);
  code = memory_check(t);
  if (!code && o->given[OPT_EMIT]) return emit_step(t);
  if (!code && o->given[OPT_DRY_RUN]) code = compile_all(t);
  if (!code && o->given[OPT_SUMMARY]) code = summarize(t);
  if (!code && !t->program.nstages && !o->given[OPT_QUIET])
    reg_shown_line(stderr, "regc: `%s` does nothing", o->arguments.data[0]);
  *table = t->program.nstages && !o->given[OPT_DRY_RUN] ? t : NULL;
  return code;
}

int cmd_run(Session *s, const Options *o) {
  if (o->arguments.len != 1) return usage_error("`regc run` takes one file");
  if (o->given[OPT_RESUME] && (!o->value[OPT_OUT_DIR] || !*o->value[OPT_OUT_DIR]))
    return usage_error("`--resume` needs `--out DIR`, the folder of the run that goes on");
  reg_signals_checkpoint(); // one that comes before training must not end the process
  Pipeline p;
  ProgramTable *table = NULL;
  pipeline_init(&p, s, o);
  const bool events = o->given[OPT_JSON] && !o->given[OPT_EMIT];
  if (events) puts(reg_event_schema());
  int code = prepare(&p, &table);
  if (code && events) tell_rejection(&p, code);
  if (!code && table) code = train_and_evaluate(&p, table);
  pipeline_free(&p);
  return code;
}
