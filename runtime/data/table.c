// A table's target by row, with its place, and the end of a table.
#include "data/table.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const TableFile *table_file(const Table *t, int64_t row) {
  int i = t->nfiles - 1;
  while (i > 0 && row < t->files[i].first) i--;
  return &t->files[i];
}

const char *table_target(const Table *t, int64_t row) { return t->text + t->text_at[row]; }

int table_mistake(const Table *t, int64_t row, reg_status *st, const char *hint, const char *fmt, ...) {
  char what[320];
  const TableFile *f = table_file(t, row);
  va_list args;
  va_start(args, fmt);
  vsnprintf(what, sizeof what, fmt, args);
  va_end(args);
  reg_fail(st, REG_BAD_DATA, "data_bad", "%s:%lld:%d: %s", f->path, (long long)t->line[row], f->target_column,
           what);
  if (hint) reg_hint(st, "%s", hint);
  return st->code;
}

char *table_cell(const Table *t, int64_t row) {
  char text[400];
  const TableFile *f = table_file(t, row);
  const int n = snprintf(text, sizeof text, "`%.40s` (%.300s:%lld:%d)", table_target(t, row), f->path,
                         (long long)t->line[row], f->target_column);
  return n < 0 ? NULL : reg_heap_copy(t->heap, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void table_checksum(Table *t, const char *bytes, size_t size) {
  char both[33];
  reg_checksum(bytes, size, both + 16);
  if (!*t->checksum) {
    memcpy(t->checksum, both + 16, sizeof t->checksum);
    return;
  }
  memcpy(both, t->checksum, 16);
  reg_checksum(both, 32, t->checksum);
}

void table_free(Table *t) {
  free(t->numbers);
  free(t->line);
  free(t->text);
  free(t->text_at);
}
