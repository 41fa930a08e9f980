// regc report: what a run did, as text or as one page of HTML.
#include "reg/file.h"
#include "report.h"
#include <string.h>
#include <sys/stat.h>

// The folder itself, or a run's name in ./runs.
static const char *folder_of(Arena *a, const char *run) {
  struct stat info;
  const char *there = arena_printf(a, "runs/%s", run);
  return stat(run, &info) != 0 && stat(there, &info) == 0 ? there : run;
}

int cmd_report(Session *s, const Options *o) {
  Arena *a = s->arena;
  Report report = {0};
  int code;
  if (o->arguments.len != 1) return usage_error("`regc report` takes the folder of one run, or its name");
  const char *folder = folder_of(a, o->arguments.data[0]);
  if (!report_read(a, folder, &report, &code)) return code;
  if (!o->given[OPT_OUTPUT]) {
    report_text(s->arena, &report, &o->out);
    return EXIT_OK;
  }
  reg_status st = {0};
  StrBuf page = {.arena = a};
  report_html(&page, folder, &report, o->given[OPT_TABLES]);
  code = reg_file_write(o->value[OPT_OUTPUT], page.data, (size_t)page.len, &st);
  if (code) tell_status(o, &st);
  return code;
}
