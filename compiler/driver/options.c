// The command line. In: argv. Out: Options, checked: the command exists, every option belongs to it, numbers
// are numbers.
#include "driver.h"
#include <stdlib.h>
#include <string.h>

const OptionInfo option_info[OPT_COUNT] = {
#define OPTION(id, letter, word, argument, commands, sentence) {letter, word, argument, sentence, commands},
#include "options.def"
#undef OPTION
};

const CommandInfo command_info[CMD_COUNT] = {
#define COMMAND(name, arguments, sentence, story) {#name, arguments, sentence, story},
#include "commands.def"
#undef COMMAND
};

int usage_error(const char *fmt, ...) {
  Text message = {0};
  va_list ap;
  va_start(ap, fmt);
  reg_text_vformat(&message, fmt, ap);
  va_end(ap);
  reg_shown_line(stderr, "regc: %s", message.failed ? fmt : message.data);
  fputs("Try `regc --help`.\n", stderr);
  reg_text_free(&message);
  return EXIT_USAGE;
}

static int find_command(const char *name) {
  for (int i = 0; i < CMD_COUNT; i++)
    if (!strcmp(name, command_info[i].name)) return i;
  return -1;
}

static int find_word(const char *word, size_t len) {
  for (int i = 0; i < OPT_COUNT; i++)
    if (strlen(option_info[i].word) == len && !strncmp(option_info[i].word, word, len)) return i;
  return -1;
}

static int find_letter(char letter) {
  for (int i = 0; i < OPT_COUNT; i++)
    if (option_info[i].letter && option_info[i].letter == letter) return i;
  return -1;
}

static int unknown_option(const Options *o, const char *arg) {
  const char *words[OPT_COUNT];
  for (int i = 0; i < OPT_COUNT; i++) words[i] = option_info[i].word;
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(arg + strspn(arg, "-"), "="), arg + strspn(arg, "-"));
  const char *near = strlen(name) > 1 ? nearest_name(name, words, OPT_COUNT) : NULL;
  if (near) return usage_error("unknown option `%s`; did you mean `--%s`?", arg, near);
  if (o->command == CMD_eval)
    return usage_error(
        "unknown option `%s`; an expression that starts with `-` stands behind `--`: regc eval -- '%s'", arg,
        arg);
  return usage_error("unknown option `%s`", arg);
}

// Anything that is no command and looks like no path is a misspelt command.
static int unknown_command(const char *name) {
  const char *names[CMD_COUNT];
  for (int i = 0; i < CMD_COUNT; i++) names[i] = command_info[i].name;
  const char *near = nearest_name(name, names, CMD_COUNT);
  if (near) return usage_error("unknown command `%s`; did you mean `%s`?", name, near);
  return usage_error("unknown command `%s`", name);
}

static bool parse_integer(const char *text, uint64_t lo, uint64_t hi, int64_t *out) {
  uint64_t v;
  if (!reg_text_natural(text, hi, &v) || v < lo) return false;
  *out = (int64_t)v;
  return true;
}

static bool parse_seconds(const char *text, double *out) {
  return reg_text_decimal(text, out) && *out >= 0 && *out <= 1e9;
}

// Sizes with commas between them; the first in *first.
static bool parse_sizes(Arena *a, const char *text, int64_t *first) {
  int64_t v;
  for (const char *at = text;; at++) {
    const size_t n = strcspn(at, ",");
    if (!parse_integer(arena_strndup(a, at, n), 1, 1000000000, &v)) return false;
    if (at == text) *first = v;
    at += n;
    if (!*at) return true;
  }
}

static bool one_of(const char *value, const char *choices) {
  size_t n = strlen(value);
  for (const char *c = choices; *c; c += strcspn(c, " |"), c += strspn(c, " |"))
    if (strcspn(c, " |") == n && !strncmp(c, value, n)) return true;
  return false;
}

static bool split_pair(Arena *a, const char *text, const char **name, const char **value) {
  const char *eq = strchr(text, '=');
  if (!eq || eq == text) return false;
  *name = arena_strndup(a, text, (size_t)(eq - text));
  *value = eq + 1;
  return true;
}

const char emit_stages[] = "tokens ast graph kernels llvm asm obj";

static bool stages_known(const char *list) {
  for (const char *c = list;; c++) {
    char stage[16];
    snprintf(stage, sizeof stage, "%.*s", (int)strcspn(c, ","), c);
    if (!one_of(stage, emit_stages)) return false;
    c += strcspn(c, ",");
    if (!*c) return true;
  }
}

static bool is_warning(const char *name) {
  const int id = diag_find(name);
  return id >= 0 && diag_is_warning((DiagId)id);
}

bool option_accept(Options *o, Arena *a, OptionId id, const char *v) {
  int64_t n;
  NamePair pair;
  switch (id) {
  case OPT_OPTIMIZE:
    if (!parse_integer(v, 0, 3, &n)) return false;
    o->optimize = (int)n;
    return true;
  case OPT_THREADS:
    if (!parse_integer(v, 1, 1024, &n)) return false;
    o->threads = (int)n;
    return true;
  case OPT_STEPS: return parse_integer(v, 1, INT64_MAX, &o->steps);
  case OPT_AT: return parse_integer(v, 0, INT32_MAX, &o->at);
  case OPT_CHECKPOINT: return parse_seconds(v, &o->checkpoint);
  case OPT_SEED: return reg_text_natural(v, UINT64_MAX, &o->seed);
  case OPT_EPOCHS: return parse_integer(v, 1, 1000000000, &o->epochs);
  case OPT_BATCH: return parse_sizes(a, v, &o->batch);
  case OPT_IN:
    pair = (NamePair){NULL, v}; // a folder
    if (strchr(v, '=') && !split_pair(a, v, &pair.name, &pair.value)) return false;
    vec_push(a, o->inputs, pair);
    return *v != 0;
  case OPT_SET:
  case OPT_DATA:
    if (!split_pair(a, v, &pair.name, &pair.value)) return false;
    if (id == OPT_DATA)
      vec_push(a, o->data, pair);
    else
      vec_push(a, o->sets, ((SemaSet){pair.name, pair.value}));
    return true;
  case OPT_WARNING: vec_push(a, o->warnings, v); return is_warning(!strncmp(v, "no-", 3) ? v + 3 : v);
  case OPT_EMIT: return stages_known(v);
  default: return !strchr(option_info[id].argument, '|') || one_of(v, option_info[id].argument);
  }
}

typedef struct Scan {
  int argc, next;
  char **argv;
  bool command_known;
} Scan;

static int take_option(Options *o, Arena *a, Scan *s, const char *arg, int id, const char *attached) {
  if (id < 0) return unknown_option(o, arg);
  o->given[id] = true;
  if (!option_info[id].argument)
    return attached ? usage_error("`--%s` takes no argument", option_info[id].word) : 0;
  const char *v = attached;
  if (!v) {
    if (s->next >= s->argc)
      return usage_error("`--%s` needs an argument: %s", option_info[id].word, option_info[id].argument);
    v = s->argv[s->next++];
  }
  o->value[id] = v;
  if (!option_accept(o, a, (OptionId)id, v))
    return usage_error("`%s` is no %s for `--%s`", v, option_info[id].argument, option_info[id].word);
  return 0;
}

// -abc is -a -b -c; a letter with an argument takes the rest, or the next word.
static int take_letters(Options *o, Arena *a, Scan *s, const char *arg) {
  for (const char *c = arg + 1; *c; c++) {
    int id = find_letter(*c);
    bool rest = id >= 0 && option_info[id].argument && c[1];
    int code = take_option(o, a, s, arg, id, rest ? c + 1 : NULL);
    if (code || rest || (id >= 0 && option_info[id].argument)) return code;
  }
  return 0;
}

static int take_argument(Options *o, Arena *a, Scan *s, const char *arg) {
  if (!s->command_known) {
    s->command_known = true;
    int c = find_command(arg);
    if (c >= 0) {
      o->command = (CommandId)c;
      return 0;
    }
    o->command = CMD_run;
    if (strcmp(arg, "-") && !strpbrk(arg, "./")) return unknown_command(arg);
  }
  vec_push(a, o->arguments, arg);
  return 0;
}

static int check_options_belong(const Options *o) {
  if (o->command != CMD_build && o->given[OPT_BATCH] && strchr(o->value[OPT_BATCH], ','))
    return usage_error("`--batch` takes one size here; `regc build` takes several");
  for (int i = 0; i < OPT_COUNT; i++)
    if (o->given[i] && !(option_info[i].commands & (1U << o->command)))
      return usage_error("`regc %s` has no option `--%s`", command_info[o->command].name,
                         option_info[i].word);
  return 0;
}

static int scan(Options *o, Arena *a, Scan *s) {
  bool ended = false;
  int code = 0;
  while (s->next < s->argc && !code) {
    const char *arg = s->argv[s->next++];
    if (ended || arg[0] != '-' || !arg[1]) {
      code = take_argument(o, a, s, arg);
    } else if (!strcmp(arg, "--")) {
      ended = true;
    } else if (arg[1] == '-') {
      const char *eq = strchr(arg, '=');
      size_t len = eq ? (size_t)(eq - arg) - 2 : strlen(arg) - 2;
      code = take_option(o, a, s, arg, find_word(arg + 2, len), eq ? eq + 1 : NULL);
    } else {
      code = take_letters(o, a, s, arg);
    }
  }
  return code;
}

bool options_parse(Options *o, Arena *a, int argc, char **argv, int *exit_code) {
  o->optimize = 2;
  Scan s = {.argc = argc, .next = 1, .argv = argv};
  *exit_code = scan(o, a, &s);
  o->out = reg_terminal_of(stdout, o->value[OPT_COLOR]);
  o->err = reg_terminal_of(stderr, o->value[OPT_COLOR]);
  if (*exit_code) return false;
  if (o->given[OPT_HELP] || (!s.command_known && !o->given[OPT_VERSION])) {
    help_print(s.command_known || o->given[OPT_HELP] ? stdout : stderr, s.command_known ? &o->command : NULL);
    *exit_code = o->given[OPT_HELP] ? EXIT_OK : EXIT_USAGE;
    return false;
  }
  if (o->given[OPT_VERSION]) {
    version_print(stdout);
    return false;
  }
  *exit_code = check_options_belong(o);
  return *exit_code == 0;
}

reg_console console_of(const Options *o) {
  reg_console c;
  reg_console_init(&c, o->out, o->err, o->given[OPT_QUIET] ? "none" : o->value[OPT_PROGRESS],
                   o->given[OPT_JSON]);
  return c;
}

void tell_status(const Options *o, const reg_status *st) {
  const reg_console console = console_of(o);
  reg_console_status(&console, st);
}
