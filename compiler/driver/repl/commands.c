// The commands of the prompt. In: a line behind its colon. Out: what it says, done.
#include "repl.h"
#include <stdlib.h>
#include <string.h>

typedef enum CommandIndex {
#define REPL(name, arguments, completes, sentence) REPL_##name,
#include "commands.def"
#undef REPL
  REPL_COUNT
} CommandIndex;

static const struct {
  const char *name, *arguments, *completes, *sentence;
} table[REPL_COUNT] = {
#define REPL(name, arguments, completes, sentence) {#name, arguments, completes, sentence},
#include "commands.def"
#undef REPL
};

const char *command_name(int i) { return i < REPL_COUNT ? table[i].name : NULL; }

// The command that a beginning of its name means; -1: none, -2: several. A whole name is never ambiguous.
static int find(const char *name) {
  int found = -1;
  for (int i = 0; i < REPL_COUNT; i++) {
    if (!strcmp(table[i].name, name)) return i;
    if (!strncmp(table[i].name, name, strlen(name))) found = found == -1 ? i : -2;
  }
  return found;
}

const char *command_completes(const char *name) {
  int i = find(name);
  return i >= 0 ? table[i].completes : "";
}

static bool unknown(const char *name, int found) {
  const char *names[REPL_COUNT];
  for (int i = 0; i < REPL_COUNT; i++) names[i] = table[i].name;
  const char *near = nearest_name(name, names, REPL_COUNT);
  if (found == -2) {
    fputs("`:", stderr);
    reg_shown(stderr, name);
    fputs("` may be", stderr);
    for (int i = 0; i < REPL_COUNT; i++)
      if (!strncmp(table[i].name, name, strlen(name))) fprintf(stderr, " :%s", table[i].name);
    fputc('\n', stderr);
  } else if (near) {
    reg_shown_line(stderr, "there is no command `:%s`; did you mean `:%s`?", name, near);
  } else {
    reg_shown_line(stderr, "there is no command `:%s`; `:help` lists them", name);
  }
  return false;
}

static bool do_help(Repl *r, const char *argument) {
  (void)r;
  const char *name = argument + (*argument == ':');
  int found = *name ? find(name) : 0;
  if (found < 0) return unknown(name, found);
  for (int i = 0; i < REPL_COUNT; i++) {
    if (*name && i != found) continue;
    if (*name)
      printf(":%s %s\n  %s\n", table[i].name, table[i].arguments, table[i].sentence);
    else
      printf("  :%-9s %s\n", table[i].name, table[i].sentence);
  }
  if (!*name)
    puts("Anything else is an expression, a definition, or a statement such as `x = 3` or `train`; `:help "
         ":show` "
         "tells more of\n"
         "one command. A line that starts with `|>` goes on with the entry before it.");
  return true;
}

static bool do_quit(Repl *r, const char *argument) {
  (void)argument;
  r->over = true;
  return true;
}

// Own definitions are shown from their text, others from the library.
static bool do_doc(Repl *r, const char *name) {
  Session *s = session_new();
  const ReplItem *own = *name ? item_find(r, AST_DEF, name) : NULL;
  const Parse *parse = NULL;
  if (own) parse = parse_source(s, source_add(&s->sources, own->unit->name, own->unit->text, own->unit->len));
  bool ok = true;
  if (*name)
    ok = document_name(s, &r->options, name, parse) == EXIT_OK;
  else
    document_library(s);
  session_free(s);
  return ok;
}

static bool needs_argument(const char *command, const char *argument) {
  if (*argument) return true;
  reg_shown_line(stderr, "`:%s` needs an argument; `:help %s`", command, command);
  return false;
}

static bool do_type(Repl *r, const char *argument) {
  return needs_argument("type", argument) && repl_type(r, argument, false);
}

static bool do_shape(Repl *r, const char *argument) {
  return needs_argument("shape", argument) && repl_type(r, argument, true);
}

static bool do_show(Repl *r, const char *argument) {
  static const char *const stages[] = {"graph", "kernels", "llvm", "asm"};
  size_t n = strcspn(argument, " \t\n");
  for (int i = 0; i < 4; i++)
    if (n && !strncmp(stages[i], argument, n)) {
      const char *what = argument + n + strspn(argument + n, " \t\n");
      return repl_emit(r, stages[i], *what ? what : "train");
    }
  fputs("`:show` needs a stage: graph, kernels, llvm or asm\n", stderr);
  return false;
}

static bool do_time(Repl *r, const char *argument) {
  return needs_argument("time", argument) && repl_time(r, argument);
}

// seed, threads, optimize and steps are the options of these names, unless a definition has the name.
static bool set_option(Repl *r, const char *name, const char *value, bool *done) {
  static const OptionId ids[] = {OPT_SEED, OPT_THREADS, OPT_OPTIMIZE, OPT_STEPS};
  for (int i = 0; i < 4; i++) {
    if (strcmp(option_info[ids[i]].word, name) != 0 || item_find(r, AST_DEF, name)) continue;
    *done = true;
    Options changed = r->options;
    const bool unlimited = ids[i] == OPT_STEPS && !strcmp(value, "0");
    if (unlimited) changed.steps = 0;
    if (!unlimited && !option_accept(&changed, r->arena, ids[i], value)) {
      reg_shown_line(stderr, "`%s` is no number for `%s`", value, name);
      return false;
    }
    changed.given[ids[i]] = true;
    r->options = changed;
  }
  return true;
}

static bool do_set(Repl *r, const char *argument) {
  const Options *o = &r->options;
  if (!*argument) {
    for (int i = 0; i < o->sets.len; i++) printf("  %s=%s\n", o->sets.data[i].name, o->sets.data[i].value);
    if (o->given[OPT_SEED]) printf("  seed=%llu\n", (unsigned long long)o->seed);
    if (o->threads) printf("  threads=%d\n", o->threads);
    if (o->steps) printf("  steps=%lld\n", (long long)o->steps);
    printf("  optimize=%d\n", o->optimize);
    return true;
  }
  const char *eq = strchr(argument, '=');
  Arena *a = arena_new();
  size_t n = eq ? (size_t)(eq - argument) : 0;
  while (n && argument[n - 1] == ' ') n--;
  bool ok = n > 0, done = false;
  const char *name = arena_strndup(a, argument, n), *value = eq ? eq + 1 + strspn(eq + 1, " ") : "";
  if (!ok) fputs("write `:set NAME=VALUE`\n", stderr);
  if (ok) ok = set_option(r, name, value, &done);
  if (ok && !done) ok = repl_set(r, name, value);
  arena_free(a);
  return ok;
}

static bool do_run(Repl *r, const char *argument) { return repl_run(r, argument); }

static bool do_list(Repl *r, const char *argument) {
  (void)argument;
  repl_list(r);
  return true;
}

static bool do_load(Repl *r, const char *path) {
  if (!needs_argument("load", path)) return false;
  return text_ends_in(path, ".safetensors") ? repl_weights_load(r, path) : repl_load_file(r, path);
}

static bool do_save(Repl *r, const char *path) {
  if (!needs_argument("save", path)) return false;
  if (text_ends_in(path, ".safetensors")) return repl_weights_save(r, path);
  if (text_ends_in(path, ".reg")) return repl_save_items(r, path);
  fputs("a file to be saved ends in .reg (definitions) or .safetensors (weights)\n", stderr);
  return false;
}

static bool do_plot(Repl *r, const char *argument) {
  return *argument ? repl_histogram(r, argument) : plot_curves(stdout, r->options.out, &r->curves);
}

static bool do_forget(Repl *r, const char *name) {
  return needs_argument("forget", name) && repl_drop(r, name);
}

static bool do_reset(Repl *r, const char *argument) {
  bool all = !strcmp(argument, "all");
  if (*argument && !all) {
    fputs("write `:reset` or `:reset all`\n", stderr);
    return false;
  }
  repl_reset(r, all);
  return true;
}

bool repl_command(Repl *r, const char *line) {
  static bool (*const functions[REPL_COUNT])(Repl *, const char *) = {
#define REPL(name, arguments, completes, sentence) do_##name,
#include "commands.def"
#undef REPL
  };
  Arena *a = arena_new();
  line += strspn(line, " \t");
  size_t n = strcspn(line, " \t\n");
  const char *name = arena_strndup(a, line, n), *rest = line + n + strspn(line + n, " \t\n");
  size_t m = strlen(rest);
  while (m && strchr(" \t\n", rest[m - 1])) m--;
  int found = n ? find(name) : find("help");
  bool ok = found >= 0 ? functions[found](r, arena_strndup(a, rest, m)) : unknown(name, found);
  fflush(stdout);
  arena_free(a);
  return ok;
}
