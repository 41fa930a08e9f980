// regc check: every mistake of each program, nothing is run. A program's `check` statements are elaborated
// too.
#include "emit.h"
#include "summary.h"

static int check_file(Session *s, const Options *o, const char *path) {
  Pipeline p;
  pipeline_init(&p, s, o);
  int code = pipeline_read(&p, path);
  if (!code && o->given[OPT_EMIT]) {
    if (emit_needs_step(o))
      code = usage_error("`regc check` emits tokens and ast");
    else
      code = emit_text_stages(&p);
  }
  if (!code) code = pipeline_check(&p);
  if (!code) code = pipeline_lower(&p);
  if (!code) {
    for (int i = 0; i < p.program->checks.len; i++) lower_check(p.lowered, p.program->checks.data[i]);
    for (int i = 0; i < p.program->defs.len; i++) {
      const Def *d = p.program->defs.entries[i].value;
      if (d->kind == KIND_DATA && !d->used && !d->own) lower_definition(p.lowered, d->name);
    }
    code = pipeline_report(&p);
    if (p.lowered->exit_code) code = p.lowered->exit_code;
  }
  reg_status st = {0};
  for (int i = 0; !code && i < p.lowered->datasets.len; i++) // images may be damaged behind their headers
    if (p.lowered->datasets.data[i] && (code = reg_data_whole(p.lowered->datasets.data[i], &st)))
      tell_status(o, &st);
  if (!code) code = memory_check(program_table(&p, false));
  if (!code && o->given[OPT_VERBOSE]) reg_shown_line(stderr, "%s: no mistakes", path);
  pipeline_free(&p);
  return code;
}

int cmd_check(Session *s, const Options *o) {
  if (!o->arguments.len) return usage_error("`regc check` needs a file");
  int code = EXIT_OK;
  for (int i = 0; i < o->arguments.len; i++) {
    int file_code = check_file(s, o, o->arguments.data[i]);
    if (file_code > code) code = file_code;
  }
  return code;
}
