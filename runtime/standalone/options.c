// The command line of a standalone binary. In: argv. Out: options, checked; the program's data paths changed
// as --data says.
#include "standalone/internal.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef enum OptionId {
#define OPTION(id, letter, word, argument, commands, sentence) OPTION_##id,
#include "standalone/options.def"
#undef OPTION
  OPTION_COUNT
} OptionId;

enum { ON_TRAIN = 1 << BINARY_TRAIN, ON_EVALUATE = 1 << BINARY_EVALUATE, ON_PREDICT = 1 << BINARY_PREDICT };

typedef struct OptionInfo {
  char letter;
  const char *word, *argument, *sentence;
  unsigned commands;
} OptionInfo;

static const OptionInfo info[OPTION_COUNT] = {
#define OPTION(id, letter, word, argument, commands, sentence) {letter, word, argument, sentence, commands},
#include "standalone/options.def"
#undef OPTION
};

static const char *const command_names[] = {"train", "evaluate", "predict"};

int binary_usage(const reg_binary *b, const char *fmt, ...) {
  Text message = {0};
  va_list ap;
  va_start(ap, fmt);
  reg_text_vformat(&message, fmt, ap);
  va_end(ap);
  reg_shown_line(stderr, "%s: %s", b->name, message.failed ? fmt : message.data);
  reg_shown_line(stderr, "Try `%s --help`.", b->name);
  reg_text_free(&message);
  return BINARY_USAGE;
}

// -- help

static void print_options(FILE *out) {
  for (int i = 0; i < OPTION_COUNT; i++) {
    char left[48], letter[5] = "    ";
    if (info[i].letter) snprintf(letter, sizeof letter, "-%c, ", info[i].letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, info[i].word, info[i].argument ? "=" : "",
             info[i].argument ? info[i].argument : "");
    fprintf(out, "  %-24s %s", left, info[i].sentence);
    if (info[i].commands == (unsigned)ON_PREDICT) fputs(" (predict)", out);
    if (info[i].commands == (unsigned)(ON_PREDICT | ON_EVALUATE)) fputs(" (evaluate, predict)", out);
    fputc('\n', out);
  }
}

// A doc comment, indented.
static void print_doc(FILE *out, const char *doc) {
  while (doc && *doc) {
    const size_t n = strcspn(doc, "\n");
    fputs("      ", out);
    reg_shown_lines(out, doc, n);
    fputc('\n', out);
    doc += n + (doc[n] == '\n');
  }
}

static void print_trainings(const reg_binary *b, FILE *out) {
  for (int i = 0; i < b->program->ntrains; i++) {
    const reg_train *t = &b->program->trains[i];
    int64_t weights = 0;
    for (int k = 0; k < t->nparams; k++) weights += t->params[k].count;
    fprintf(out, "  train %s on %s: %lld parameters, batch %lld, %lld %s\n", t->name, t->data_name,
            (long long)weights, (long long)t->batch, (long long)(t->steps ? t->steps : t->epochs),
            t->steps ? "steps" : "epochs");
    print_doc(out, t->doc);
  }
  for (int i = 0; i < b->program->nevaluates; i++) {
    const reg_evaluate *e = &b->program->evaluates[i];
    fprintf(out, "  evaluate %s on %s:", e->model, e->data_name);
    for (int k = 0; k < e->nmetrics; k++) fprintf(out, "%s %s", k ? "," : "", e->metric[k].name);
    fputc('\n', out);
  }
}

static void print_data(const reg_binary *b, FILE *out) {
  bool files = false;
  for (int i = 0; i < b->program->ndatasets; i++) files |= b->program->plans[i].ops[0].path != NULL;
  if (files) fputs("\nData (--data NAME=PATH):\n", out);
  for (int i = 0; i < b->program->ndatasets; i++) {
    const reg_dataset *d = b->expected[i];
    if (!b->program->plans[i].ops[0].path) continue; // computed
    reg_shown_line(out, "  %s: %s", b->program->dataset_names[i], b->program->plans[i].ops[0].path);
    fprintf(out, "    %lld rows, %lld columns of numbers", (long long)d->nrows,
            (long long)d->fields[0].width);
    if (d->target >= 0) {
      fputs(", target `", out);
      reg_shown(out, d->fields[d->target].name);
      fputs("`", out);
    }
    fputc('\n', out);
    for (int k = 1; k < b->program->plans[i].nops; k++) {
      const reg_data_op *op = &b->program->plans[i].ops[k];
      if (op->kind == REG_DATA_PART)
        reg_shown_line(out, "  %s.%s: %s", b->program->dataset_names[i], op->part_names[0], op->path);
    }
    if (b->program->dataset_docs) print_doc(out, b->program->dataset_docs[i]);
  }
}

static void print_settings(const reg_binary *b, FILE *out) {
  bool any = false;
  for (int i = 0; i < b->program->nsettings; i++) {
    const reg_setting *s = &b->program->settings[i];
    if (s->fixed) continue;
    if (!any) fputs("\nNumbers that may be changed (--set NAME=VALUE):\n", out);
    if (isfinite(s->value))
      fprintf(out, "  %s = %.6g\n", s->name, s->value);
    else
      fprintf(out, "  %s, a schedule\n", s->name);
    print_doc(out, s->doc);
    any = true;
  }
}

void binary_help(const reg_binary *b, FILE *out) {
  if (b->doc) {
    reg_shown_lines(out, b->doc, strlen(b->doc));
    fputs("\n\n", out);
  }
  reg_shown_line(out, "Usage: %s [train] [OPTION...]           train and evaluate", b->name);
  reg_shown_line(out, "       %s evaluate --weights=FILE       evaluate trained weights", b->name);
  reg_shown_line(out, "       %s predict --weights=FILE --in=FILE [--out=FILE]", b->name);
  fputs("\nThe program:\n", out);
  print_trainings(b, out);
  if (b->nprograms > 1) fputs("  --batch:", out);
  for (int i = 0; i < b->nprograms && b->nprograms > 1; i++)
    fprintf(out, "%s %lld", i ? "," : "", (long long)b->programs[i]->trains[0].batch);
  if (b->nprograms > 1) fputc('\n', out);
  print_data(b, out);
  print_settings(b, out);
  fputs("\nOptions:\n", out);
  print_options(out);
}

void binary_version(const reg_binary *b, FILE *out) {
  char hash[17];
  reg_checksum(b->program->source, strlen(b->program->source), hash);
  reg_shown_line(out, "%s, program %s", b->name, hash);
  fprintf(out, "compiled by %s, for %s\n", b->compiler, b->cpu);
}

// -- parsing

enum { MOST_EPOCHS = 1000000000 }; // as in regc

static bool integer(const char *text, int64_t low, int64_t high, int64_t *out) {
  uint64_t v;
  if (!reg_text_natural(text, (uint64_t)high, &v) || (int64_t)v < low) return false;
  *out = (int64_t)v;
  return true;
}

static bool seconds(const char *text, double *out) {
  return reg_text_decimal(text, out) && *out >= 0 && *out <= 1e9;
}

// "0.25" or "25%"
static bool number(const char *text, double *out) {
  char digits[64];
  const size_t n = strlen(text);
  const bool percent = n && text[n - 1] == '%';
  if (n >= sizeof digits) return false;
  memcpy(digits, text, n + 1);
  if (percent) digits[n - 1] = 0;
  if (!reg_text_decimal(digits, out)) return false;
  if (percent) *out /= 100;
  return true;
}

static bool one_of(const char *value, const char *const *choices) {
  for (; *choices; choices++)
    if (!strcmp(value, *choices)) return true;
  return false;
}

static int out_of_memory(const reg_binary *b) {
  reg_shown_line(stderr, "%s: out of memory", b->name);
  return REG_INTERNAL;
}

// What `name` (of `n` bytes) says of a plan: 0, the source of data of this name; k, the file of the part that
// is behind a dot, the plan's k-th operation; -1, neither.
static int named_file(const char *data, const reg_data_plan *plan, const char *name, size_t n) {
  const size_t length = strlen(data);
  if (n < length || strncmp(name, data, length) != 0) return -1;
  if (n == length) return plan->ops[0].path ? 0 : -1;
  for (int k = 1; k < plan->nops && name[length] == '.'; k++)
    if (plan->ops[k].kind == REG_DATA_PART && strlen(plan->ops[k].part_names[0]) == n - length - 1 &&
        !strncmp(plan->ops[k].part_names[0], name + length + 1, n - length - 1))
      return k;
  return -1;
}

// --data NAME=PATH, --data NAME.PART=PATH: a file of the plan, replaced in a copy of the plan.
static int change_data(reg_binary *b, BinaryOptions *o, const char *pair) {
  reg_program *p = b->program;
  const size_t n = strcspn(pair, "=");
  int at = 0, file = -1;
  for (; at < p->ndatasets; at++)
    if ((file = named_file(p->dataset_names[at], &p->plans[at], pair, n)) >= 0) break;
  if (!pair[n] || !pair[n + 1]) return binary_usage(b, "`%s` is no NAME=PATH for `--data`", pair);
  if (file < 0)
    return binary_usage(b, "the program has no data `%.*s`; `--help` lists its data", (int)n, pair);
  reg_data_plan *plans = reg_heap_take(&o->heap, (size_t)p->ndatasets * sizeof *plans);
  reg_data_op *ops = reg_heap_take(&o->heap, (size_t)p->plans[at].nops * sizeof *ops);
  if (!plans || !ops) return out_of_memory(b);
  memcpy(plans, p->plans, (size_t)p->ndatasets * sizeof *plans);
  memcpy(ops, p->plans[at].ops, (size_t)p->plans[at].nops * sizeof *ops);
  ops[file].path = pair + n + 1;
  ops[file].nmore = 0;
  plans[at].ops = ops;
  p->plans = plans;
  return 0;
}

static int no_value(const reg_binary *b, OptionId id, const char *v) {
  return binary_usage(b, "`%s` is no %s for `--%s`", v, info[id].argument, info[id].word);
}

static reg_setting *find_setting(const reg_program *p, const char *name, size_t length) {
  for (int i = 0; i < p->nsettings; i++)
    if (strlen(p->settings[i].name) == length && !strncmp(p->settings[i].name, name, length))
      return &p->settings[i];
  return NULL;
}

static int change_setting(reg_binary *b, const char *pair) {
  const size_t n = strcspn(pair, "=");
  reg_setting *s = find_setting(b->program, pair, n);
  if (!pair[n] || n == 0) return binary_usage(b, "`%s` is no NAME=VALUE for `--set`", pair);
  if (!s)
    return binary_usage(b,
                        "`%.*s` is no number that may be changed here (`--help` lists those); other "
                        "definitions are compiled in: `regc build --set %s`",
                        (int)n, pair, pair);
  if (s->fixed)
    return binary_usage(b, "`%s` is compiled in, %s needs it: `regc build --set %s`", s->name, s->fixed,
                        pair);
  double v;
  if (!number(pair + n + 1, &v)) return binary_usage(b, "`%s` is no number", pair + n + 1);
  if (v < s->low || v > s->high)
    return binary_usage(b, "`%s` must lie from %g to %g", s->name, s->low, s->high);
  s->value = v;
  return 0;
}

static int change_epochs(reg_binary *b, int64_t epochs) {
  for (int i = 0; i < b->program->ntrains; i++) {
    reg_train *t = &b->program->trains[i];
    if (t->epochs_fixed && t->epochs != epochs)
      return binary_usage(b, "the number of steps is compiled in, %s needs it: `regc build --epochs %lld`",
                          t->epochs_fixed, (long long)epochs);
    t->epochs = epochs;
    t->steps = 0;
  }
  return 0;
}

static bool has_batch(const reg_program *p, int64_t batch) {
  for (int i = 0; i < p->ntrains; i++)
    if (p->trains[i].batch != batch) return false;
  return true;
}

// Before all other options, which change the program that runs.
static void choose_batch(reg_binary *b, int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const char *v = !strcmp(argv[i], "--batch") && i + 1 < argc ? argv[i + 1] : NULL;
    if (!strncmp(argv[i], "--batch=", 8)) v = argv[i] + 8;
    int64_t batch;
    for (int k = 0; v && integer(v, 1, INT64_MAX, &batch) && k < b->nprograms; k++)
      if (has_batch(b->programs[k], batch)) b->program = b->programs[k];
  }
}

static int check_batch(const reg_binary *b, int64_t batch) {
  char list[128];
  Text sizes = reg_text_in(list, sizeof list);
  if (has_batch(b->program, batch)) return 0;
  for (int i = 0; i < b->nprograms; i++)
    reg_text_format(&sizes, "%s%lld", i ? ", " : "", (long long)b->programs[i]->trains[0].batch);
  return binary_usage(b, "batches of %s are compiled in: `regc build --batch %lld`", list, (long long)batch);
}

static int accept(reg_binary *b, BinaryOptions *o, OptionId id, const char *v) {
  static const char *const when[] = {"auto", "always", "never", NULL},
                           *const kind[] = {"auto", "bar", "plain", "none", NULL},
                           *const bad[] = {"skip", "stop", NULL};
  int64_t n = 0;
  bool ok = true;
  switch (id) {
  case OPTION_THREADS:
    ok = integer(v, 1, 1024, &n);
    o->threads = (int)n;
    break;
  case OPTION_SEED:
    ok = reg_text_natural(v, UINT64_MAX, &o->seed);
    o->has_seed = true;
    break;
  case OPTION_CHECKPOINT: ok = seconds(v, &o->checkpoint); break;
  case OPTION_STEPS: ok = integer(v, 1, INT64_MAX, &o->steps); break;
  case OPTION_SET: return change_setting(b, v);
  case OPTION_EPOCHS: return integer(v, 1, MOST_EPOCHS, &n) ? change_epochs(b, n) : no_value(b, id, v);
  case OPTION_BATCH: return integer(v, 1, INT64_MAX, &n) ? check_batch(b, n) : no_value(b, id, v);
  case OPTION_DATA: return change_data(b, o, v);
  case OPTION_OUT: o->out = v; break;
  case OPTION_RESUME: o->resume = true; break;
  case OPTION_TENSORBOARD: o->tensorboard = true; break;
  case OPTION_WEIGHTS: o->weights = v; break;
  case OPTION_MODEL: o->model = v; break;
  case OPTION_IN: o->in = v; break;
  case OPTION_BAD_ROWS:
    ok = one_of(v, bad);
    o->skip_bad = !strcmp(v, "skip");
    break;
  case OPTION_JSON: o->json = true; break;
  case OPTION_QUIET: o->quiet = true; break;
  case OPTION_PROGRESS:
    ok = one_of(v, kind);
    o->progress = v;
    break;
  case OPTION_COLOR:
    ok = one_of(v, when);
    o->color = v;
    break;
  default: break;
  }
  return ok ? 0 : no_value(b, id, v);
}

static int find_option(const char *arg, const char **attached) {
  *attached = NULL;
  if (arg[1] != '-') {
    if (arg[2]) *attached = arg + 2;
    for (int i = 0; i < OPTION_COUNT; i++)
      if (info[i].letter && info[i].letter == arg[1]) return i;
    return -1;
  }
  const char *eq = strchr(arg, '=');
  size_t length = eq ? (size_t)(eq - arg) - 2 : strlen(arg) - 2;
  if (eq) *attached = eq + 1;
  for (int i = 0; i < OPTION_COUNT; i++)
    if (strlen(info[i].word) == length && !strncmp(info[i].word, arg + 2, length)) return i;
  return -1;
}

static int take(reg_binary *b, BinaryOptions *o, char **argv, int *next, unsigned *given) {
  const char *arg = argv[(*next)++], *value;
  int id = find_option(arg, &value);
  if (id < 0) return binary_usage(b, "unknown option `%s`", arg);
  if (!info[id].argument && value) return binary_usage(b, "`--%s` takes no argument", info[id].word);
  if (info[id].argument && !value && !(value = argv[*next]))
    return binary_usage(b, "`--%s` needs an argument: %s", info[id].word, info[id].argument);
  if (info[id].argument && value == argv[*next]) ++*next;
  *given |= 1U << id;
  return accept(b, o, (OptionId)id, value);
}

static int check(const reg_binary *b, const BinaryOptions *o, unsigned given) {
  for (int i = 0; i < OPTION_COUNT; i++)
    if ((given >> i & 1) && !(info[i].commands & (1U << o->command)))
      return binary_usage(b, "`%s %s` has no option `--%s`", b->name, command_names[o->command],
                          info[i].word);
  if (o->resume && (!o->out || !*o->out))
    return binary_usage(b, "`--resume` needs `--out=DIR`, the folder of the run that goes on");
  if (o->command != BINARY_TRAIN && !o->weights)
    return binary_usage(b, "`%s` needs `--weights=FILE`: a file of weights, or the folder of a run",
                        command_names[o->command]);
  if (o->command == BINARY_EVALUATE && !b->program->nevaluates)
    return binary_usage(b, "the program has no `evaluate` statement; `predict` writes predictions");
  if (o->command == BINARY_PREDICT && !o->in)
    return binary_usage(b, "`predict` needs `--in=FILE`: rows as .csv, .npy or images");
  return 0;
}

bool binary_options(reg_binary *b, BinaryOptions *o, int argc, char **argv, int *code) {
  unsigned given = 0;
  int next = 1;
  choose_batch(b, argc, argv);
  *code = 0;
  if (argc > 1 && argv[1][0] != '-') {
    int c = 0;
    while (c < 3 && strcmp(argv[1], command_names[c]) != 0) c++;
    if (c == 3) *code = binary_usage(b, "no command `%s`; there are train, evaluate and predict", argv[1]);
    o->command = (BinaryCommand)(c % 3);
    next = 2;
  }
  while (!*code && next < argc) {
    if (argv[next][0] != '-' || !argv[next][1])
      *code = binary_usage(b, "unexpected argument `%s`", argv[next]);
    else
      *code = take(b, o, argv, &next, &given);
  }
  if (*code) return false;
  if (given >> OPTION_HELP & 1) binary_help(b, stdout);
  if (given >> OPTION_VERSION & 1) binary_version(b, stdout);
  if (given & (1U << OPTION_HELP | 1U << OPTION_VERSION)) return false;
  *code = check(b, o, given);
  return !*code;
}
