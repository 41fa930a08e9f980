// regc doctor: what this machine offers to compiled programs.
#include "pipeline.h"
#include <string.h>
#include <unistd.h>

static const char *proc_value(Arena *a, const char *path, const char *key) {
  FILE *f = fopen(path, "r");
  char line[512];
  const char *value = "unknown";
  while (f && fgets(line, sizeof line, f)) {
    if (strncmp(line, key, strlen(key)) != 0) continue;
    const char *start = line + strcspn(line, ":") + 1;
    start += strspn(start, " \t");
    value = arena_strndup(a, start, strcspn(start, "\n"));
    break;
  }
  if (f) fclose(f);
  return value;
}

int cmd_doctor(Session *s, const Options *o) {
  if (o->arguments.len) return usage_error("`regc doctor` takes no argument");
  Pipeline p;
  pipeline_init(&p, s, o);
  Arena *a = s->arena;
  const char *cache = p.backend_options.cache_dir;
  const struct {
    const char *name, *value;
  } rows[] = {
      {"regc", REG_VERSION},
      {"backend", p.backend->describe(a)},
      {"blas", reg_blas_version()},
      {"processor", proc_value(a, "/proc/cpuinfo", "model name")},
      {"cores", arena_printf(a, "%ld", sysconf(_SC_NPROCESSORS_ONLN))},
      {"memory_available", proc_value(a, "/proc/meminfo", "MemAvailable")},
      {"cache", cache ? cache : "none: the folder cannot be written, or others may write to it"},
  };
  const int n = (int)(sizeof rows / sizeof *rows);
  for (int i = 0; i < n; i++) {
    if (o->given[OPT_JSON])
      printf("%s%s:%s%s", i ? "," : "{", text_json(a, rows[i].name), text_json(a, rows[i].value),
             i == n - 1 ? "}\n" : "");
    else
      printf("%-17s %s\n", rows[i].name, rows[i].value);
  }
  pipeline_free(&p);
  return EXIT_OK;
}
