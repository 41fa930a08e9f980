// Windows of a series of rows that are predicted. In: rows with their numbers in the file, and where each row
// of a window lies beside the row that it is called as. Out: all windows whose rows are there and are of one
// series. What a window tells of may lie behind the last row: it is called `ROW + k` then.
#include "data/table.h"
#include "large.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Windows {
  const reg_series *s;
  const reg_rows *rows;
  int64_t first, last; // numbers of the rows in the file
  int64_t *at;         // of each number from the first on the row that has it; -1: none has
} Windows;

static int64_t number_of(const reg_rows *rows, int64_t i) { return rows->place ? rows->place[i] : i; }

static int64_t row_at(const Windows *w, int64_t number) {
  return number < w->first || number > w->last ? -1 : w->at[number - w->first];
}

static bool together(const Windows *w, int64_t a, int64_t b) {
  return !w->rows->series || w->rows->series[a] == w->rows->series[b];
}

// The last row of the window that is called as row `number`; -1: it is not whole.
static int64_t last_of_window(const Windows *w, int64_t number) {
  int64_t last = -1;
  for (int k = 0; k < w->s->length; k++) {
    const int64_t row = row_at(w, number + w->s->from[k]);
    if (row < 0 || (last >= 0 && !together(w, row, last))) return -1;
    if (row > last) last = row;
  }
  return last;
}

// A window that tells of what the file does not hold: how far behind the last row of its series; 0: the file
// holds it, or would.
static int64_t behind(const Windows *w, int64_t number, int64_t *last) {
  while (*last + 1 < w->rows->nrows && together(w, *last, *last + 1)) (*last)++;
  const int64_t by = number - number_of(w->rows, *last);
  return by > 0 ? by : 0;
}

enum { NAME_ROOM = 48 };

static char *name_behind(const reg_rows *rows, int64_t last, int64_t by) {
  const char *name = rows->names ? rows->names[last] : NULL;
  const size_t room = (name ? strlen(name) : 0) + NAME_ROOM;
  char *to = malloc(room);
  if (to && name) snprintf(to, room, "%s + %lld", name, (long long)by);
  if (to && !name) snprintf(to, room, "%lld + %lld", (long long)number_of(rows, last), (long long)by);
  return to;
}

// What takes the place of the rows.
typedef struct Made {
  double *values;
  int64_t *place, nmore;
  const char **names;
  char **more;
} Made;

static bool make_room(Made *m, int64_t rows, size_t row_bytes) {
  size_t bytes;
  if (__builtin_mul_overflow((size_t)rows, row_bytes, &bytes)) return false;
  m->values = reg_large_resize(NULL, bytes + sizeof *m->values);
  m->place = reg_large_resize(NULL, (size_t)rows * sizeof *m->place + 1);
  m->names = reg_large_resize(NULL, (size_t)rows * sizeof *m->names + 1); // all are filled in
  m->more = calloc((size_t)rows + 1, sizeof *m->more);
  return m->values && m->place && m->names && m->more;
}

static bool fill(const Windows *w, Made *m, int64_t from, int64_t to, int64_t width) {
  const size_t bytes = (size_t)width * sizeof *m->values;
  char *at = (char *)m->values;
  int64_t n = 0;
  for (int64_t number = from; number <= to; number++) {
    int64_t last = last_of_window(w, number);
    if (last < 0) continue;
    for (int k = 0; k < w->s->length; k++, at += bytes)
      memcpy(at, w->rows->values + row_at(w, number + w->s->from[k]) * width, bytes);
    const int64_t own = row_at(w, number);
    const bool held = own >= 0 && together(w, own, last);
    const int64_t by = held ? 0 : behind(w, number, &last);
    m->place[n] = number;
    if (by && !(m->more[m->nmore++] = name_behind(w->rows, last, by))) return false;
    m->names[n++] = by ? m->more[m->nmore - 1] : held && w->rows->names ? w->rows->names[own] : NULL;
  }
  return true;
}

static void swap_in(reg_rows *rows, Made *m, int64_t n) {
  reg_large_free(rows->values);
  reg_large_free(rows->place);
  reg_large_free(rows->names);
  reg_large_free(rows->series);
  rows->nrows = n;
  rows->values = m->values;
  rows->place = m->place;
  rows->names = m->names;
  rows->series = NULL;
  rows->more = m->more;
  rows->nmore = m->nmore;
}

int reg_series_windows(const reg_series *s, int64_t width, const char *path, reg_rows *rows, reg_status *st) {
  int64_t low = s->from[0], high = low, n = 0;
  for (int k = 1; k < s->length; k++) {
    low = s->from[k] < low ? s->from[k] : low;
    high = s->from[k] > high ? s->from[k] : high;
  }
  Windows w = {.s = s, .rows = rows, .first = number_of(rows, 0), .last = number_of(rows, rows->nrows - 1)};
  const size_t numbers = (size_t)(w.last - w.first + 1);
  if (!(w.at = malloc(numbers * sizeof *w.at))) return reg_no_memory(st, numbers * sizeof *w.at);
  memset(w.at, -1, numbers * sizeof *w.at);
  for (int64_t i = 0; i < rows->nrows; i++) w.at[number_of(rows, i) - w.first] = i;
  const int64_t from = w.first - low > 0 ? w.first - low : 0, to = w.last - high;
  for (int64_t number = from; number <= to; number++) n += last_of_window(&w, number) >= 0;
  Made m = {0};
  int code = REG_OK;
  if (!n) {
    reg_fail(
        st, REG_BAD_DATA, "data_bad",
        "%s: a prediction is made of %d rows, the first and the last of them %lld apart: it has no such rows",
        path, s->length, (long long)(high - low));
    code = st->code;
    reg_hint(st, "the file has a row for each time, in their order%s",
             s->group ? ", and one series behind the other" : "");
  } else if (!make_room(&m, n, (size_t)(s->length * width) * sizeof *m.values) ||
             !fill(&w, &m, from, to, width)) {
    code = reg_no_memory(st, (size_t)(n * s->length * width) * sizeof *m.values);
  }
  free(w.at);
  if (!code) {
    swap_in(rows, &m, n);
    return REG_OK;
  }
  reg_large_free(m.values);
  reg_large_free(m.place);
  reg_large_free(m.names);
  for (int64_t i = 0; i < m.nmore; i++) free(m.more[i]);
  free(m.more);
  return st->code;
}
