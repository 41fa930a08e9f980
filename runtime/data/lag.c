// Columns of rows before: lag(k, …), difference(…) and rolling(k, …), of columns of x and of targets. In: a
// table in the order of its files, and what is wanted. Out: the table with these columns behind its own,
// without the rows whose past is not there. Rows keep their number. The past of a row is what stands before
// it in its file or, where a column tells groups, those rows of its group that stand before it in the files
// of its step of the plan, which follow each other.
#include "data/table.h"
#include "large.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Where a lag's numbers, or a group's texts, are: a column of x, or OWN - k: of the own column k.
enum { OWN = -1 };

// Rows that are each other's past.
typedef struct Series {
  int ngroups; // the columns that tell; 0: all rows of a file
  const char *const *groups;
  const int *from;
  int64_t most;    // rows that one needs before it
  int64_t *before; // of each row the one before it; -1: it is the first one of its group
} Series;

typedef struct Lags {
  const reg_lag *list;
  int n;
  const int *from;    // of each where its numbers are
  const int *of;      // and which series they are of
  const char **names; // of the columns
  Series *series;
  int nseries;
} Lags;

static int text_of_number(const Table *t, int own, int64_t row, double *value, reg_status *st) {
  const char *text = table_text(t, own, row), *hint;
  const NumberText kind = *text ? number_parse(text, strlen(text), t->dtype, value) : NUMBER_MISSING;
  if (kind == NUMBER_OK) return REG_OK;
  *value = NAN;
  if (kind == NUMBER_MISSING) return REG_OK;
  const char *what = number_mistake(kind, t->dtype, &hint);
  return table_mistake(t, own, row, st, "lag, difference and rolling are of numbers",
                       "`%.40s` in column `%.60s` %s", text, t->own[own].column, what);
}

static int number_at(const Table *t, int from, int64_t row, double *value, reg_status *st) {
  if (from <= OWN) return text_of_number(t, OWN - from, row, value, st);
  *value = t->numbers[row * t->width + from];
  return REG_OK;
}

// -- groups

// The text that a row's group is called by; NULL: it has none.
static const char *group_at(const Table *t, int from, int64_t row, char *room, size_t size) {
  if (from <= OWN) {
    const char *text = table_text(t, OWN - from, row);
    return *text ? text : NULL;
  }
  const double value = t->numbers[row * t->width + from];
  if (isnan(value)) return NULL;
  if (t->is_text && t->is_text[from]) return t->levels[from].names[(int)value];
  snprintf(room, size, "%.17g", value + 0.0); // no -0
  return room;
}

static int no_group(const Table *t, const char *group, int from, int64_t row, reg_status *st) {
  const char *hint = "it says in which rows this one has its past: leave the row out of the file";
  return from <= OWN ? table_mistake(t, OWN - from, row, st, hint, "column `%.60s` has no value here", group)
                     : table_hole(t, from, row, st, hint, "column `%.60s` has no value here", group);
}

// The rows that were last met, by the groups' texts.
typedef struct Met {
  NameIndex groups;
  int64_t *last;
  Heap *heap;
  char *text; // that of a row: of several columns their texts with their lengths
  size_t room;
} Met;

static bool add_text(Met *m, const char *text, size_t *used) {
  const size_t n = strlen(text), most = *used + n + 32;
  char *grown = most > m->room ? realloc(m->text, 2 * most) : m->text;
  if (!grown) return false;
  if (most > m->room) m->room = 2 * most;
  m->text = grown;
  *used += (size_t)snprintf(grown + *used, m->room - *used, "%zu:%s", n, text);
  return true;
}

// What the row's group is called by, in m->text.
static int group_text(const Table *t, const Series *s, int64_t row, Met *m, reg_status *st) {
  char room[32];
  size_t used = 0;
  for (int i = 0; i < s->ngroups; i++) {
    const char *text = group_at(t, s->from[i], row, room, sizeof room);
    if (!text) return no_group(t, s->groups[i], s->from[i], row, st);
    if (!add_text(m, text, &used)) return reg_no_memory(st, strlen(text));
  }
  return REG_OK;
}

// Where the last row of the group stands; NULL: out of memory.
static int64_t *last_of(Met *m, const char *group) {
  int at = names_find(&m->groups, group);
  if (at >= 0) return &m->last[at];
  const int room = m->groups.room;
  char *own = reg_heap_copy(m->heap, group, strlen(group));
  if (!own || !names_add(&m->groups, own)) return NULL;
  if (m->groups.room != room) {
    int64_t *last = realloc(m->last, (size_t)m->groups.room * sizeof *last);
    if (!last) return NULL;
    m->last = last;
  }
  at = m->groups.count - 1;
  m->last[at] = -1;
  return &m->last[at];
}

// Whether it is the first file of its step of the plan.
static bool begins_step(const Table *t, int file) {
  return file == 0 || t->files[file].step != t->files[file - 1].step;
}

static int link_rows(const Table *t, Series *s, Met *m, reg_status *st) {
  for (int k = 0; k < t->nfiles; k++) {
    const int64_t first = t->files[k].first, behind = first + t->files[k].nrows;
    for (int i = 0; i < m->groups.count && begins_step(t, k); i++) m->last[i] = -1;
    for (int64_t row = first; row < behind; row++) {
      if (group_text(t, s, row, m, st)) return st->code;
      int64_t *last = last_of(m, m->text);
      if (!last) return reg_no_memory(st, strlen(m->text));
      s->before[row] = *last;
      *last = row;
    }
  }
  return REG_OK;
}

static int open_series(const Table *t, Series *s, reg_status *st) {
  if (!s->ngroups) return REG_OK;
  const size_t bytes = (size_t)t->nrows * sizeof *s->before;
  Heap heap = {0};
  Met met = {.heap = &heap};
  if (!(s->before = reg_large_resize(NULL, bytes + 1))) return reg_no_memory(st, bytes);
  const int code = link_rows(t, s, &met, st);
  names_free(&met.groups);
  free(met.last);
  free(met.text);
  reg_heap_free(&heap);
  return code;
}

// So many rows before; -1: there are none. `first`: of the row's file.
static int64_t back(const Series *s, int64_t first, int64_t row, int64_t by) {
  if (!s->before) return row - by >= first ? row - by : -1;
  for (; by > 0 && row >= 0; by--) row = s->before[row];
  return row;
}

// -- numbers

// Of the rows before, beginning with the one right before it.
static int look_back(const Table *t, const reg_lag *l, const Series *s, int64_t first, int from, int64_t row,
                     double *to, reg_status *st) {
  double value = 0;
  int code = REG_OK;
  for (int64_t i = 0; i < l->back && !code; i++) {
    row = back(s, first, row, 1);
    code = number_at(t, from, row, &value, st);
    const bool better = l->kind == REG_LAG_MIN ? value < *to : value > *to;
    if (l->kind == REG_LAG_MEAN)
      *to = i ? *to + value : value;
    else if (!i || better || isnan(value))
      *to = value;
    if (isnan(*to)) break; // one that is missing
  }
  if (l->kind == REG_LAG_MEAN) *to /= (double)l->back;
  return code;
}

// The new columns of a row. Lags of one column follow each other: each goes on where the one before it was.
static int fill_row(const Table *t, const Lags *l, int64_t first, int64_t row, double *to, reg_status *st) {
  int64_t at = row, by = 0;
  int code = REG_OK;
  for (int i = 0; i < l->n && !code; i++) {
    const reg_lag *one = &l->list[i];
    const Series *s = &l->series[l->of[i]];
    if (one->kind >= REG_LAG_MEAN) {
      code = look_back(t, one, s, first, l->from[i], row, &to[i], st);
      continue;
    }
    if (!i || l->of[i] != l->of[i - 1] || one->back < by) at = row, by = 0;
    at = back(s, first, at, one->back - by);
    by = one->back;
    double now = 0;
    code = number_at(t, l->from[i], at, &to[i], st);
    if (!code && one->kind == REG_LAG_DIFFERENCE) code = number_at(t, l->from[i], row, &now, st);
    if (one->kind == REG_LAG_DIFFERENCE) to[i] = now - to[i];
  }
  return code;
}

static bool has_past(const Lags *l, int64_t first, int64_t row) {
  for (int i = 0; i < l->nseries; i++)
    if (back(&l->series[i], first, row, l->series[i].most) < 0) return false;
  return true;
}

// The rows of a file, or of several files, the last of which is f.
static int too_short(const TableFile *f, int64_t rows, const Lags *l, reg_status *st) {
  const Series *s = l->series;
  for (int i = 1; i < l->nseries; i++)
    if (l->series[i].most > s->most) s = &l->series[i];
  if (!s->ngroups)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "%s: %lld rows are too few: a row needs %lld before it",
                    f->path, (long long)rows, (long long)s->most);
  return reg_fail(st, REG_BAD_DATA, "data_bad",
                  "%s: %lld rows are too few: a row needs %lld before it that have its `%.60s`%s", f->path,
                  (long long)rows, (long long)s->most, s->groups[0], s->ngroups > 1 ? ", ..." : "");
}

// `of`: where the rows that stay stood in the table, and -1 behind them.
static int fill(Table *t, const Lags *l, int base, double *numbers, int64_t *of, reg_status *st) {
  const int64_t width = base + l->n;
  int64_t kept = 0, first = 0, from = 0; // kept ones, and rows of the files that must have some together
  bool by_file = false;
  int code = REG_OK;
  for (int i = 0; i < l->nseries; i++) by_file |= !l->series[i].before;
  for (int k = 0; k < t->nfiles && !code; k++) {
    TableFile *f = &t->files[k];
    const int64_t start = f->first, behind = start + f->nrows;
    if (by_file || begins_step(t, k)) {
      first = kept;
      from = start;
    }
    for (int64_t row = start; row < behind && !code; row++) {
      if (!has_past(l, start, row)) continue;
      double *to = numbers + kept * width;
      memcpy(to, t->numbers + row * t->width, (size_t)base * sizeof *to);
      code = fill_row(t, l, start, row, to + base, st);
      of[kept++] = row;
    }
    const bool whole = by_file || k + 1 == t->nfiles || begins_step(t, k + 1);
    if (!code && whole && kept == first) return too_short(f, behind - from, l, st);
  }
  of[kept] = -1;
  return code;
}

// -- the table

// Own texts are read while rows are filled: they move behind that.
static void move_rows(Table *t, const int64_t *of) {
  int64_t at = 0;
  for (int k = 0; k < t->nfiles; k++) {
    const int64_t behind = t->files[k].first + t->files[k].nrows;
    t->files[k].first = at;
    for (; of[at] >= 0 && of[at] < behind; at++) {
      for (int i = 0; i < t->nown; i++) t->own[i].cells.at[at] = t->own[i].cells.at[of[at]];
      t->line[at] = t->line[of[at]];
      t->number[at] = (int32_t)of[at];
    }
    t->files[k].nrows = at - t->files[k].first;
  }
  t->nrows = at;
}

// Places in messages of the new columns: those of the columns that they are of.
static bool place(Table *t, TableFile *f, const Lags *l, int base) {
  int *places = reg_heap_take(t->heap, (size_t)(base + l->n) * sizeof *places);
  if (!places) return false;
  for (int x = 0; x < base; x++) places[x] = f->x_column[x];
  for (int i = 0; i < l->n; i++)
    places[base + i] = l->from[i] <= OWN ? f->column[OWN - l->from[i]] : f->x_column[l->from[i]];
  f->x_column = places;
  return true;
}

// No new column is of texts.
static bool open_texts(Table *t, int base, int n) {
  bool *is_text = realloc(t->is_text, (size_t)(base + n + 1) * sizeof *is_text);
  if (is_text) t->is_text = is_text;
  const int texts = t->texts > base + n ? t->texts : base + n;
  NameIndex *levels = is_text ? realloc(t->levels, (size_t)(texts + 1) * sizeof *levels) : NULL;
  if (!levels) return false;
  t->levels = levels;
  for (int x = t->texts; x < texts; x++) levels[x] = (NameIndex){0};
  t->texts = texts;
  for (int x = base; x < base + n; x++) is_text[x] = false;
  return true;
}

// The first `base` columns of x stay.
static int add_columns(Table *t, const Lags *l, int base, double *numbers, int64_t *of, reg_status *st) {
  bool good = true;
  int code = REG_OK;
  for (int i = 0; i < l->nseries && !code; i++) code = open_series(t, &l->series[i], st);
  for (int k = 0; k < t->nfiles && good; k++) good = place(t, &t->files[k], l, base);
  if (!code && good) code = fill(t, l, base, numbers, of, st);
  if (!code && (!good || !open_texts(t, base, l->n))) code = reg_no_memory(st, (size_t)(base + l->n));
  if (!code) move_rows(t, of);
  for (int i = 0; i < l->nseries; i++) reg_large_free(l->series[i].before);
  return code;
}

static int add(Table *t, const Lags *l, int base, reg_status *st) {
  size_t bytes;
  double *numbers = NULL;
  int64_t *of = reg_large_resize(NULL, (size_t)(t->nrows + 1) * sizeof *of);
  if (!__builtin_mul_overflow((size_t)t->nrows * sizeof *numbers, (size_t)(base + l->n), &bytes))
    numbers = reg_large_resize(NULL, bytes + 1);
  t->number = reg_heap_take_large(t->heap, (size_t)t->nrows * sizeof *t->number);
  const bool good = numbers && of && t->number;
  const int code = good ? add_columns(t, l, base, numbers, of, st) : reg_no_memory(st, bytes);
  reg_large_free(of);
  reg_large_free(code ? numbers : t->numbers);
  if (code) return code;
  t->numbers = numbers;
  t->width = base + l->n;
  return REG_OK;
}

// The series that a lag's rows are of: that of its groups, for which `from` is.
static int series_of(Lags *l, const reg_lag *one, const int *from) {
  int k = 0;
  while (k < l->nseries && (l->series[k].ngroups != one->ngroups ||
                            memcmp(l->series[k].from, from, (size_t)one->ngroups * sizeof *from) != 0))
    k++;
  if (k == l->nseries)
    l->series[l->nseries++] = (Series){.ngroups = one->ngroups, .groups = one->groups, .from = from};
  if (one->back > l->series[k].most) l->series[k].most = one->back;
  return k;
}

static bool open_lags(Heap *heap, int n, Lags *l, reg_lag **list, int **from, int **of) {
  *list = reg_heap_take(heap, (size_t)n * sizeof **list);
  *from = reg_heap_take(heap, (size_t)n * sizeof **from);
  *of = reg_heap_take(heap, (size_t)n * sizeof **of);
  l->series = reg_heap_take(heap, (size_t)n * sizeof *l->series);
  l->list = *list;
  l->from = *from;
  l->of = *of;
  return *list && *from && *of && l->series;
}

// -- where data are made

static int find(const Table *t, const reg_data_op *op, const char *column, int *from, reg_status *st) {
  const bool own = op->lag != REG_LAG_DIFFERENCE;
  for (int x = 0; x < t->width; x++)
    if (!strcmp(t->columns[x], column)) {
      *from = x;
      if (!t->is_text[x]) return REG_OK;
      return reg_fail(st, REG_BAD_DATA, "data_bad",
                      "column `%.60s` is text: lag, difference and rolling are of numbers", column);
    }
  for (int k = 0; k < t->nown && own; k++)
    if (!strcmp(t->own[k].column, column)) {
      *from = OWN - k;
      return REG_OK;
    }
  reg_fail(st, REG_BAD_DATA, "data_bad",
           own ? "no column `%.60s` is read from the file" : "x is made of no column `%.60s`", column);
  reg_hint(st,
           own ? "`regc data` lists the columns" : "the difference to a target's last value would tell it");
  return st->code;
}

// A field by its name, or a column by that in the file.
static int find_group(const Table *t, const char *group, int *from, const char **column, reg_status *st) {
  for (int k = 0; k < t->nown; k++)
    if (!strcmp(t->own[k].field, group) || !strcmp(t->own[k].column, group)) {
      *from = OWN - k;
      *column = t->own[k].column;
      return REG_OK;
    }
  for (int x = 0; x < t->width; x++)
    if (!strcmp(t->columns[x], group)) {
      *from = x;
      *column = t->columns[x];
      return REG_OK;
    }
  reg_fail(st, REG_BAD_DATA, "data_bad",
           "no column `%.60s` is read from the file, by which rows have their past", group);
  return reg_hint(st, "`csv(…, group: NAME)` reads a column that is none of x"), st->code;
}

static int64_t columns_of(const reg_data_op *op) {
  return op->kind != REG_DATA_LAG ? 0 : (op->lag == REG_LAG_VALUE ? op->lags : 1) * op->nnamed;
}

static int count_lags(const reg_data_plan *plan) {
  int64_t n = 0;
  for (int i = 1; i < plan->nops && n <= MOST_LAGS; i++) n += columns_of(&plan->ops[i]);
  return n > MOST_LAGS ? MOST_LAGS + 1 : (int)n;
}

static const char *lag_name(Heap *heap, const reg_lag *l) {
  static const char *const words[] = {"lag", "difference", "mean", "min", "max"};
  const size_t room = strlen(l->column) + 40;
  char *to = reg_heap_take(heap, room);
  if (to && l->kind != REG_LAG_DIFFERENCE)
    snprintf(to, room, "%s %s %lld", l->column, words[l->kind], (long long)l->back);
  if (to && l->kind == REG_LAG_DIFFERENCE) snprintf(to, room, "%s %s", l->column, words[l->kind]);
  return to;
}

// The data set's own copies of names: it outlives the plan.
static int list_step(Table *t, const reg_data_op *op, Lags *l, reg_lag *list, int *from, int *of,
                     reg_status *st) {
  const char **groups = reg_heap_take(t->heap, (size_t)op->nby * sizeof *groups);
  int *group_from = reg_heap_take(t->heap, (size_t)op->nby * sizeof *group_from);
  if (!groups || !group_from) return reg_no_memory(st, (size_t)op->nby * sizeof *groups);
  for (int i = 0; i < op->nby; i++) {
    if (find_group(t, op->by[i], &group_from[i], &groups[i], st)) return st->code;
    if (!(groups[i] = reg_heap_copy(t->heap, groups[i], strlen(groups[i])))) return reg_no_memory(st, 8);
  }
  for (int c = 0; c < op->nnamed; c++) {
    int at = 0;
    const char *column = reg_heap_copy(t->heap, op->named[c], strlen(op->named[c]));
    if (!column) return reg_no_memory(st, 8);
    if (find(t, op, column, &at, st)) return st->code;
    for (int64_t by = op->lag == REG_LAG_VALUE ? 1 : op->lags; by <= op->lags; by++) {
      list[l->n] =
          (reg_lag){.kind = op->lag, .column = column, .back = by, .ngroups = op->nby, .groups = groups};
      from[l->n] = at;
      of[l->n] = series_of(l, &list[l->n], group_from);
      l->n++;
    }
  }
  return REG_OK;
}

static int name_lags(Table *t, Lags *l, int base, reg_status *st) {
  const char **names = reg_heap_take(t->heap, (size_t)(base + l->n) * sizeof *names);
  NameIndex all = {0};
  int code = names ? REG_OK : reg_no_memory(st, (size_t)base * sizeof *names);
  for (int x = 0; x < base + l->n && !code; x++) {
    names[x] = x < base ? t->columns[x] : lag_name(t->heap, &l->list[x - base]);
    if (names[x] && x >= base && names_find(&all, names[x]) >= 0) {
      code = reg_fail(st, REG_BAD_DATA, "data_bad", "x has a column `%.120s` already", names[x]);
      reg_hint(st, "`lag(3, …)` makes all of lag 1 to lag 3");
    } else if (!names[x] || !names_add(&all, (char *)names[x])) {
      code = reg_no_memory(st, 8);
    }
  }
  names_free(&all);
  l->names = names;
  return code;
}

int table_lag(Table *t, reg_dataset *d, const reg_data_plan *plan, reg_status *st) {
  const int n = count_lags(plan), base = t->width;
  reg_lag *list;
  int *from, *of;
  Lags l = {0};
  if (!n) return REG_OK;
  if (n > MOST_LAGS) return reg_fail(st, REG_BAD_DATA, "data_bad", "more than %d lags of columns", MOST_LAGS);
  if (!open_lags(t->heap, n, &l, &list, &from, &of)) return reg_no_memory(st, (size_t)n * sizeof *list);
  int code = REG_OK;
  for (int i = 1; i < plan->nops && !code; i++)
    if (plan->ops[i].kind == REG_DATA_LAG) code = list_step(t, &plan->ops[i], &l, list, from, of, st);
  if (!code) code = name_lags(t, &l, base, st);
  if (!code) code = add(t, &l, base, st);
  if (code) return code;
  t->columns = l.names;
  d->nlags = n;
  d->lags = list;
  return REG_OK;
}

// -- rows of other files

static bool is_among(const char *const *columns, int n, const char *column) {
  bool there = false;
  for (int x = 0; x < n && !there; x++) there = !strcmp(columns[x], column);
  return there;
}

int lag_columns(const reg_dataset *d, const char **columns, int base) {
  int n = base;
  for (int i = 0; i < d->nlags; i++)
    if (!is_among(columns, n, d->lags[i].column)) columns[n++] = d->lags[i].column;
  return n;
}

void lag_groups(Table *t, const reg_dataset *d, const char *const *columns, int n) {
  for (int i = 0; i < d->nlags; i++)
    for (int g = 0; g < d->lags[i].ngroups; g++) {
      const char *group = d->lags[i].groups[g];
      bool there = is_among(columns, n, group);
      for (int k = 0; k < t->nown && !there; k++) there = !strcmp(t->own[k].column, group);
      if (!there) t->own[t->nown++] = (OwnColumn){.column = group, .field = group, .role = REG_OWN_GROUP};
    }
}

int lag_most_groups(const reg_dataset *d) {
  int n = 0;
  for (int i = 0; i < d->nlags; i++) n += d->lags[i].ngroups;
  return n;
}

static int group_again(const Table *t, const char *group, const char *const *columns, int n, int *from,
                       reg_status *st) {
  for (int x = 0; x < n; x++)
    if (!strcmp(columns[x], group)) return *from = x, REG_OK;
  for (int k = 0; k < t->nown; k++)
    if (!strcmp(t->own[k].column, group)) return *from = OWN - k, REG_OK;
  reg_fail(st, REG_BAD_DATA, "columns_missing", "`%s` lacks the column `%.60s`", t->files[0].path, group);
  return reg_hint(st, "the past of a row is that of the rows before it that have its `%.60s`", group),
         st->code;
}

int lag_again(Table *t, const reg_dataset *d, const char *const *columns, int base, reg_status *st) {
  reg_lag *list;
  int *from, *of;
  Lags l = {.n = d->nlags};
  if (!open_lags(t->heap, d->nlags, &l, &list, &from, &of)) return reg_no_memory(st, (size_t)d->nlags);
  l.list = d->lags;
  for (int i = 0; i < d->nlags; i++) {
    const reg_lag *one = &d->lags[i];
    int *groups = reg_heap_take(t->heap, (size_t)one->ngroups * sizeof *groups);
    if (!groups) return reg_no_memory(st, (size_t)one->ngroups * sizeof *groups);
    while (strcmp(columns[from[i]], one->column) != 0) from[i]++;
    for (int g = 0; g < one->ngroups; g++)
      if (group_again(t, one->groups[g], columns, t->width, &groups[g], st)) return st->code;
    of[i] = series_of(&l, one, groups);
  }
  int code = add(t, &l, base, st);
  for (int64_t i = 0; i < t->nrows * t->width && !code && !d->nsources; i++)
    if (isnan(t->numbers[i]))
      code = table_hole(t, (int)(i % t->width), i / t->width, st, NULL,
                        "the row, or one before it, has no number here");
  return code;
}
