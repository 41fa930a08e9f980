// regc fmt: canonical text. A file with syntax errors is left alone.
#include "driver.h"
#include "reg/file.h"
#include <string.h>

static int write_result(const Options *o, const char *path, const char *old, const char *text) {
  const char *to = o->value[OPT_OUTPUT] ? o->value[OPT_OUTPUT] : path;
  bool changes = strcmp(old, text) != 0;
  if (o->given[OPT_CHECK]) {
    if (changes) reg_shown_line(stderr, "%s would change", path);
    return changes ? EXIT_REJECTED : EXIT_OK;
  }
  if (!strcmp(to, "-")) return fputs(text, stdout) < 0 ? REG_CANNOT_WRITE : EXIT_OK;
  if (!changes && to == path) return EXIT_OK;
  reg_status st = {0};
  reg_file_write(to, text, strlen(text), &st);
  tell_status(o, &st);
  return st.code;
}

static int format_file(Session *s, const Options *o, const char *path) {
  int len = 0;
  const char *why;
  char *text = source_read(s->arena, path, &len, &why);
  if (!text) {
    reg_shown_line(stderr, "regc: cannot read `%s`: %s", path, why);
    return REG_MISSING_INPUT;
  }
  diags_init(&s->diags, s->arena, &s->sources);
  Parse *parse = parse_source(s, source_add(&s->sources, strcmp(path, "-") ? path : "<stdin>", text, len));
  if (o->value[OPT_DIAGNOSTICS] && !strcmp(o->value[OPT_DIAGNOSTICS], "json"))
    diags_print_json(&s->diags, stderr);
  else
    diags_print(&s->diags, stderr, o->err.color);
  if (s->diags.errors) return EXIT_REJECTED;
  return write_result(o, path, text, ast_format(s->arena, s, parse));
}

int cmd_fmt(Session *s, const Options *o) {
  if (!o->arguments.len) return usage_error("`regc fmt` needs a file");
  if (o->value[OPT_OUTPUT] && o->arguments.len > 1)
    return usage_error("with `-o`, `regc fmt` takes one file");
  int code = EXIT_OK;
  for (int i = 0; i < o->arguments.len; i++) {
    int file_code = format_file(s, o, o->arguments.data[i]);
    if (file_code > code) code = file_code;
  }
  return code;
}
