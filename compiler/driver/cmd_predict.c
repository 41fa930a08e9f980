// regc predict and regc evaluate: what a program does with trained weights, without training. In: the
// program, whose data tell sizes, classes and what was learned from the training part; weights. Out:
// predictions of the rows of a file, or what the program's `evaluate` statements say.
#include "program_table.h"
#include "reg/binary.h"
#include "reg/events.h"
#include <string.h>

static int with_program(Session *s, const Options *o, const char *name, int (*act)(ProgramTable *t)) {
  if (o->arguments.len != 1) return usage_error("`regc %s` takes one file", name);
  if (!o->value[OPT_WEIGHTS])
    return usage_error("`regc %s` needs `--weights=FILE`: a file of weights, or the folder of a run", name);
  Pipeline p;
  ProgramTable *table = NULL;
  pipeline_init(&p, s, o);
  int code = program_open(&p, o->arguments.data[0], &table);
  if (!code) code = act(table);
  pipeline_free(&p);
  return code;
}

static int predict(ProgramTable *t) {
  const Options *o = t->pipeline->options;
  const bool skips = o->given[OPT_BAD_ROWS] && !strcmp(o->value[OPT_BAD_ROWS], "skip");
  reg_skipping skipping;
  const reg_prediction wanted = {.weights = o->value[OPT_WEIGHTS],
                                 .in = o->value[OPT_IN],
                                 .out = o->value[OPT_OUT_DIR],
                                 .skipping = skips ? reg_skipping_begin(&skipping) : NULL};
  reg_status st = {0};
  const reg_train *train = reg_predict_train(&t->program, o->value[OPT_MODEL], &st);
  int code = train ? function_compile(t, train->answer, &st) : st.code;
  if (!code)
    code = reg_predict(&t->program, (const reg_dataset *const *)t->pipeline->lowered->datasets.data, train,
                       &wanted, &st);
  if (skips) reg_skipping_end(&skipping);
  tell_status(o, &st);
  return code;
}

int cmd_predict(Session *s, const Options *o) {
  if (o->arguments.len == 1 && !o->value[OPT_IN])
    return usage_error("`regc predict` needs `--in=FILE`: rows as .csv, .npy or images");
  return with_program(s, o, "predict", predict);
}

static int evaluate(ProgramTable *t) {
  const Options *o = t->pipeline->options;
  if (!t->program.nevaluates)
    return usage_error("the program has no `evaluate` statement; `regc predict` writes predictions");
  reg_console console = console_of(o);
  const reg_run_options run = {.threads = o->threads,
                               .out_dir = o->given[OPT_OUT_DIR] ? o->value[OPT_OUT_DIR] : "",
                               .weights = o->value[OPT_WEIGHTS],
                               .evaluate_only = true,
                               .run_info = "",
                               .sink = reg_console_sink,
                               .sink_user = &console,
                               .interrupt = reg_signals_install()};
  reg_status st = {0};
  if (o->given[OPT_JSON]) puts(reg_event_schema());
  const int code = reg_run(&t->program, &run, NULL, &st);
  return reg_console_end(&console, code, &st);
}

int cmd_evaluate(Session *s, const Options *o) { return with_program(s, o, "evaluate", evaluate); }
