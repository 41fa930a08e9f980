// A standalone binary: the training driver behind a command line. Exit codes are those of `regc run`.
#include "reg/events.h"
#include "standalone/internal.h"
#include "text/text.h"
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const reg_binary *running; // for the one message that a signal handler has to give

static void say(const char *text) {
  ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
  (void)ignored;
}

static void on_illegal(int number) {
  (void)number;
  say(running->name);
  say(": this processor lacks instructions that the program was compiled for (");
  say(running->cpu);
  say(").\nCompile it with `regc build --cpu=x86-64-v3`, or on this machine.\n");
  _exit(REG_INTERNAL);
}

// What of a field is not as the program was compiled for. Classes count where the program reads them.
static void field_differs(Text *what, const reg_field *have, const reg_field *want) {
  if (want->nclasses && !have->nclasses)
    reg_text_format(what, "`%s` has no classes%s%s", want->name, have->why ? ": " : "",
                    have->why ? have->why : "");
  else if (want->nclasses && have->nclasses != want->nclasses)
    reg_text_format(what, "`%s` has %lld classes instead of %lld", want->name, (long long)have->nclasses,
                    (long long)want->nclasses);
  for (int64_t c = 0; c < want->nclasses && !what->used; c++)
    if (strcmp(have->class_names[c], want->class_names[c]) != 0)
      reg_text_format(what, "`%s` has a class `%.60s` instead of `%.60s`", want->name, have->class_names[c],
                      want->class_names[c]);
}

static void fields_differ(Text *what, const reg_dataset *d, const reg_dataset *e) {
  for (int i = 0; i < e->nfields && !what->used; i++) {
    const reg_field *have = i < d->nfields ? &d->fields[i] : NULL, *want = &e->fields[i];
    if (!have)
      reg_text_format(what, "the field `%s` is missing", want->name);
    else if (i == e->target &&
             (strcmp(have->name, want->name) != 0 || !have->values != (want->dtype == REG_I32)))
      reg_text_format(what, "the field `%s` is missing or of another kind", want->name);
    else
      field_differs(what, have, want);
  }
}

static int differs(const reg_binary *b, int index, const reg_dataset *d, reg_status *st) {
  const reg_dataset *e = b->expected[index];
  char text[256];
  Text what = reg_text_in(text, sizeof text);
  if (d->fields[0].width != e->fields[0].width)
    reg_text_format(&what, "`x` has %lld columns instead of %lld", (long long)d->fields[0].width,
                    (long long)e->fields[0].width);
  for (int64_t j = 0; j < e->fields[0].width && !what.used; j++)
    if (strcmp(d->columns[j], e->columns[j]) != 0)
      reg_text_format(&what, "column %lld is `%.60s` instead of `%.60s`", (long long)j + 1, d->columns[j],
                      e->columns[j]);
  fields_differ(&what, d, e);
  for (int i = 0; i < e->nparts && !what.used; i++)
    if (d->parts[i].nrows != e->parts[i].nrows)
      reg_text_format(&what, "its part `%s` has %lld rows instead of %lld", e->parts[i].name,
                      (long long)d->parts[i].nrows, (long long)e->parts[i].nrows);
  if (!what.used) return REG_OK;
  const char *path = b->program->plans[index].ops[0].path;
  char from[256] = "";
  if (path) snprintf(from, sizeof from, " (%s)", path);
  reg_fail(st, REG_BAD_DATA, "data_differs", "`%s`%s is not what the program was compiled for: %s",
           b->program->dataset_names[index], from, text);
  reg_hint(st, "numbers of rows, columns and classes are compiled in: `regc build` with %s",
           path ? "this file" : "these files and this seed");
  return st->code;
}

// The file that cannot be read is named on the command line as the data, or as one of its parts.
static void hint_option(const reg_program *p, int index, reg_status *st) {
  const reg_data_plan *plan = &p->plans[index];
  for (int i = plan->nops - 1; i >= 0; i--) {
    const reg_data_op *op = &plan->ops[i];
    if (!op->path || (i > 0 && access(op->path, R_OK) == 0)) continue;
    reg_hint(st, "name the file: --data %s%s%s=PATH", p->dataset_names[index], i ? "." : "",
             i ? op->part_names[0] : "");
    return;
  }
}

int binary_load(reg_binary *b, const BinaryOptions *o, reg_status *st) {
  reg_program *p = b->program;
  for (int i = 0; i < p->ndatasets; i++) {
    reg_data_plan plan = p->plans[i];
    plan.earlier = p->datasets;
    if (o->has_seed) plan.seed = o->seed;
    p->datasets[i] = reg_data_load(&plan, st);
    if (!p->datasets[i] && !strcmp(st->name, "data_missing")) hint_option(p, i, st);
    if (!p->datasets[i]) return st->code;
    int code = differs(b, i, p->datasets[i], st);
    if (code) return code;
  }
  return REG_OK;
}

static void free_data(const reg_binary *b) {
  for (int i = 0; i < b->program->ndatasets; i++) {
    reg_data_free(b->program->datasets[i]);
    b->program->datasets[i] = NULL;
  }
}

// run.json's members that only the binary knows.
static void put_run_info(Text *o, const reg_binary *b) {
  reg_text_add(o, "\"regc\":");
  reg_text_json(o, b->compiler);
  reg_text_add(o, ",\"standalone\":true,\"built_for\":");
  reg_text_json(o, b->cpu);
  reg_text_add(o, ",\"settings\":{");
  for (int i = 0; i < b->program->nsettings; i++) {
    reg_text_key(o, b->program->settings[i].name);
    reg_text_double(o, b->program->settings[i].value);
  }
  reg_text_add(o, "}");
}

static int train(reg_binary *b, const BinaryOptions *o, reg_console *console, reg_status *st) {
  Text info = {0};
  put_run_info(&info, b);
  if (info.failed) return reg_no_memory(st, info.used);
  const bool evaluate = o->command == BINARY_EVALUATE;
  reg_run_options run = {.threads = o->threads,
                         .seed = o->seed,
                         .has_seed = o->has_seed,
                         .max_steps = o->steps,
                         .out_dir = evaluate && !o->out ? "" : o->out,
                         .resume = o->resume,
                         .tensorboard = o->tensorboard,
                         .weights = o->weights,
                         .evaluate_only = evaluate,
                         .run_info = info.data,
                         .sink = reg_console_sink,
                         .sink_user = console,
                         .step_events = console->bar,
                         .interrupt = reg_signals_install(),
                         .checkpoint_now = reg_signals_checkpoint(),
                         .checkpoint_seconds = o->checkpoint,
                         .has_checkpoint_seconds = o->checkpoint >= 0};
  const int code = reg_run(b->program, &run, NULL, st);
  reg_text_free(&info);
  return code;
}

static int work(reg_binary *b, const BinaryOptions *o) {
  reg_status st = {0};
  reg_console console;
  reg_console_init(&console, reg_terminal_of(stdout, o->color), reg_terminal_of(stderr, o->color),
                   o->quiet ? "none" : o->progress, o->json);
  if (o->json) puts(reg_event_schema());
  int code = o->command == BINARY_PREDICT ? binary_predict(b, o, &st) : binary_load(b, o, &st);
  if (code && o->json) reg_console_error(&st);
  if (!code && o->command != BINARY_PREDICT) code = train(b, o, &console, &st);
  code = reg_console_end(&console, code, &st);
  free_data(b);
  return code;
}

int reg_binary_main(reg_binary *b, int argc, char **argv) {
  BinaryOptions o = {.checkpoint = -1};
  int code = 0;
  reg_process_begin();
  running = b;
  signal(SIGILL, on_illegal);
  setlocale(LC_CTYPE, "");
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) on_illegal(SIGILL);
#endif
  if (binary_options(b, &o, argc, argv, &code)) code = work(b, &o);
  reg_heap_free(&o.heap);
  return reg_process_end(b->name, code);
}
