// What a path of a program means: a file, the tables of a folder, or the files that fit a pattern.
#include "data/table.h"
#include "reg/summary.h"
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool reg_is_table(const char *path) {
  static const char *const ends[] = {".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zst", ".tsv.zst"};
  const size_t n = strlen(path);
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    if (n > strlen(ends[i]) && !strcmp(path + n - strlen(ends[i]), ends[i])) return true;
  return false;
}

// The folder's own name is no pattern.
static char *inside(Heap *heap, const char *folder) {
  char *pattern = reg_heap_take(heap, 2 * strlen(folder) + sizeof "/*"), *to = pattern;
  for (const char *c = folder; *c && pattern; c++) {
    if (strchr("*?[\\", *c)) *to++ = '\\';
    *to++ = *c;
  }
  if (pattern) strcpy(to, "/*");
  return pattern;
}

int data_paths(Heap *heap, const char *path, const char *const **paths, int *count, reg_status *st) {
  struct stat info;
  const bool there = !stat(path, &info), folder = there && S_ISDIR(info.st_mode);
  *count = 1;
  if (!folder && (there || !strpbrk(path, "*?["))) {
    const char **one = reg_heap_take(heap, sizeof *one);
    if (one) *one = path;
    *paths = one;
    return one ? REG_OK : reg_no_memory(st, sizeof *one);
  }
  glob_t found = {0};
  const char *pattern = folder ? inside(heap, path) : path;
  const int code = pattern ? glob(pattern, GLOB_NOSORT, NULL, &found) : GLOB_NOSPACE;
  const char **list = reg_heap_take(heap, (found.gl_pathc + 1) * sizeof *list);
  *count = 0;
  for (size_t i = 0; i < found.gl_pathc && list && *count <= MOST_FILES; i++)
    if (!folder || reg_is_table(found.gl_pathv[i]))
      list[(*count)++] = reg_heap_copy(heap, found.gl_pathv[i], strlen(found.gl_pathv[i]));
  globfree(&found);
  if (!list || code == GLOB_NOSPACE) return reg_no_memory(st, 0);
  for (int i = 0; i < *count; i++)
    if (!list[i]) return reg_no_memory(st, 0);
  qsort(list, (size_t)*count, sizeof *list, reg_by_bytes);
  *paths = list;
  if (*count) return REG_OK;
  return reg_fail(st, REG_MISSING_INPUT, "data_missing",
                  folder ? "no table is in the folder `%s`: names end in .csv or .tsv, packed or not"
                         : "no file fits `%s`",
                  path);
}
