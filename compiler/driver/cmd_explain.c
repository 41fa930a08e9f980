// regc explain: the long text of diagnostics, and the exit codes.
#include "driver.h"
#include <string.h>

static const struct {
  int code;
  const char *meaning;
} exit_codes[] = {
    {0, "all is well"},
    {1, "the program was rejected; `fmt --check`: a file would change"},
    {2, "the command line was not understood"},
    {3, "training diverged: NaN or infinity in the objective; or runs of a sweep failed"},
    {4, "a `check` of the program failed, or a `while` would go on after its `at most`"},
    {65, "the data is malformed"},
    {66, "an input file is missing"},
    {70, "internal error: a mistake of the compiler, or `--check` found one; memory ran out"},
    {73, "an output cannot be written"},
    {130, "interrupted by Ctrl-C, after everything was written"},
    {143, "ended by SIGTERM, likewise; 129 by SIGHUP, 152 by SIGXCPU"},
};

static int unknown(const char *name) {
  const char *names[DIAG_COUNT + 1] = {"exit-codes"};
  for (int i = 0; i < DIAG_COUNT; i++) names[i + 1] = diag_name((DiagId)i);
  const char *near = nearest_name(name, names, DIAG_COUNT + 1);
  reg_shown_line(stderr,
                 near ? "regc: no diagnostic `%s`; did you mean `%s`?" : "regc: no diagnostic `%s`%.0s", name,
                 near ? near : "");
  return EXIT_USAGE;
}

static int explain(const char *name) {
  if (!strcmp(name, "exit-codes")) {
    for (size_t i = 0; i < sizeof exit_codes / sizeof *exit_codes; i++)
      printf("%4d  %s\n", exit_codes[i].code, exit_codes[i].meaning);
    return EXIT_OK;
  }
  int id = diag_find(name);
  if (id < 0) return unknown(name);
  printf("%s\n\n", name);
  text_fill(stdout, diag_explanation((DiagId)id));
  return EXIT_OK;
}

int cmd_explain(Session *s, const Options *o) {
  (void)s;
  if (!o->arguments.len) {
    for (int i = 0; i < DIAG_COUNT; i++) puts(diag_name((DiagId)i));
    puts("exit-codes");
    return EXIT_OK;
  }
  int code = EXIT_OK;
  for (int i = 0; i < o->arguments.len; i++) {
    if (i) putchar('\n');
    int one = explain(o->arguments.data[i]);
    code = one ? one : code;
  }
  return code;
}
