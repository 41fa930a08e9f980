// Columns of files to columns of x: what is missing filled, texts and dates as numbers. In: a table, whose
// texts are places in lists, and the plan. Out: the table with columns of x, and in the data set what was
// learned from the training part, by which rows of other files are encoded alike.
#include "data/table.h"
#include "large.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LEVELS = 10000, MOST_COLUMNS = 1 << 20 };

bool plan_names(const reg_data_op *op, const char *column) {
  for (int i = 0; i < op->nnamed; i++)
    if (!strcmp(op->named[i], column)) return true;
  return op->nnamed == 0;
}

bool plan_fills(const reg_data_plan *plan) {
  for (int i = 1; i < plan->nops; i++)
    if (plan->ops[i].kind == REG_DATA_IMPUTE || plan->ops[i].kind == REG_DATA_DROP_MISSING) return true;
  return false;
}

bool plan_takes_texts(const reg_data_plan *plan) {
  for (int i = 1; i < plan->nops; i++)
    if (plan->ops[i].kind == REG_DATA_ENCODE && !plan->ops[i].nnamed) return true;
  return false;
}

// The first step of a kind that is for the column; NULL: none.
static const reg_data_op *step_for(const reg_data_plan *plan, reg_data_kind kind, const char *column) {
  for (int i = 1; i < plan->nops; i++)
    if (plan->ops[i].kind == kind && plan_names(&plan->ops[i], column)) return &plan->ops[i];
  return NULL;
}

// The first of the steps before one that fills in a column: of those without names a number no texts, a text
// no numbers.
static const reg_data_op *fill_for(const reg_data_plan *plan, int before, const char *column, bool text) {
  for (int i = 1; i < before; i++) {
    const reg_data_op *op = &plan->ops[i];
    const bool fits = op->nnamed || (text ? op->text || op->fill != REG_FILL_VALUE : !op->text);
    if (op->kind == REG_DATA_IMPUTE && fits && plan_names(op, column)) return op;
  }
  return NULL;
}

bool plan_fills_before(const reg_data_plan *plan, int step, const char *column, bool text) {
  const reg_data_op *encode = text ? step_for(plan, REG_DATA_ENCODE, column) : NULL;
  return fill_for(plan, step, column, text) && !(encode && encode->source == REG_SOURCE_DATE);
}

int table_no_column(const char *column, reg_status *st) {
  reg_fail(st, REG_BAD_DATA, "data_bad", "x is made of no column `%.60s`", column);
  reg_hint(st, "`regc data` lists the columns; targets and other fields of their own are none of x");
  return st->code;
}

// Whether an encoding before step i names the column, too.
static bool is_encoded(const reg_data_plan *plan, int i, const char *column) {
  for (int before = 1; before < i; before++) {
    const reg_data_op *op = &plan->ops[before];
    if (op->kind == REG_DATA_ENCODE && op->nnamed && plan_names(op, column)) return true;
  }
  return false;
}

// Other steps are for columns of x, and look themselves.
static int check_names(const Table *t, const reg_data_plan *plan, reg_status *st) {
  for (int i = 1; i < plan->nops; i++)
    for (int k = 0; k < plan->ops[i].nnamed; k++) {
      if (plan->ops[i].kind != REG_DATA_ENCODE && plan->ops[i].kind != REG_DATA_IMPUTE) continue;
      int x = 0;
      while (x < t->width && strcmp(t->columns[x], plan->ops[i].named[k]) != 0) x++;
      if (x == t->width) return table_no_column(plan->ops[i].named[k], st);
      if (plan->ops[i].kind != REG_DATA_ENCODE || !is_encoded(plan, i, t->columns[x])) continue;
      reg_fail(st, REG_BAD_DATA, "data_bad", "two steps make columns of the texts of `%.60s`", t->columns[x]);
      return reg_hint(
                 st,
                 "a column has one of `one_hot`, `ordinal` and `date_parts`, which takes a list of parts"),
             st->code;
    }
  return REG_OK;
}

// -- learning

// What the training part holds in a column. The table may be larger than memory: several columns are looked
// at in one pass.
typedef struct Seen {
  const reg_data_op *encode, *fill; // steps for the column; NULL: none
  bool text;
  int64_t *count;    // of each text; NULL: numbers
  double *values;    // of which the middle or the most frequent one fills in; NULL: the mean does
  double first, sum; // of what differs from the first one
  int64_t n;         // of values
} Seen;

static bool is_sorted(const reg_data_op *fill) {
  return fill->fill == REG_FILL_MEDIAN || fill->fill == REG_FILL_FREQUENT;
}

static bool open_column(const Table *t, int x, const reg_part *part, const reg_data_plan *plan, Seen *s) {
  const char *name = t->columns[x];
  *s = (Seen){.text = t->is_text && t->is_text[x]};
  s->encode = s->text ? step_for(plan, REG_DATA_ENCODE, name) : NULL;
  s->fill = fill_for(plan, plan->nops, name, s->text);
  if (s->text)
    s->count = reg_large_resize(NULL, ((size_t)t->levels[x].count + 1) * sizeof *s->count);
  else if (s->fill && is_sorted(s->fill))
    s->values = reg_large_resize(NULL, (size_t)part->nrows * sizeof *s->values + 1);
  else
    return true;
  if (s->count) memset(s->count, 0, ((size_t)t->levels[x].count + 1) * sizeof *s->count);
  return s->count || s->values;
}

static void see(Seen *s, double v) {
  if (s->values)
    s->values[s->n] = v;
  else if (s->count)
    s->count[(int)v]++;
  else
    s->sum += v - (s->n ? s->first : (s->first = v));
  s->n++;
}

// Columns from `first` on.
static void see_rows(const Table *t, const reg_part *part, int first, Seen *group, int n) {
  bool any = false;
  for (int k = 0; k < n; k++) any |= group[k].text || group[k].fill;
  for (int64_t i = 0; i < part->nrows && any; i++) {
    const double *row = t->numbers + part->rows[i] * t->width + first;
    for (int k = 0; k < n; k++)
      if (!isnan(row[k])) see(&group[k], row[k]);
  }
}

// The texts that the training part holds, and one that is filled in.
static int learn_levels(Table *t, int x, const Seen *of, const char *more, reg_source *s, reg_status *st) {
  const NameIndex *all = &t->levels[x];
  const char **list = reg_heap_take(t->heap, ((size_t)all->count + 1) * sizeof *list);
  if (!list) return reg_no_memory(st, (size_t)all->count * sizeof *list);
  for (int k = 0; k < all->count; k++)
    if (of->count[k] || (more && !strcmp(all->names[k], more))) list[s->nlevels++] = all->names[k];
  if (more && names_find(all, more) < 0) list[s->nlevels++] = more;
  for (int k = 0; k < s->nlevels; k++)
    if (!(list[k] = reg_heap_copy(t->heap, list[k], strlen(list[k])))) return reg_no_memory(st, 0);
  qsort(list, (size_t)s->nlevels, sizeof *list, reg_by_bytes);
  s->levels = list;
  if (s->kind != REG_SOURCE_ONE_HOT || s->nlevels <= MOST_LEVELS) return REG_OK;
  reg_fail(st, REG_BAD_DATA, "data_bad",
           "column `%.60s` has %d different texts: one_hot would make as many columns (at most %d)", s->name,
           s->nlevels, MOST_LEVELS);
  reg_hint(st, "`ordinal` makes one column of it; `drop: [...]` leaves it out");
  return st->code;
}

static int level_of(const reg_source *s, const char *text) {
  const char **found = bsearch(&text, s->levels, (size_t)s->nlevels, sizeof *s->levels, reg_by_bytes);
  return found ? (int)(found - (const char **)s->levels) : -1;
}

// Of sorted values; of several that are equally frequent the first.
static double most_frequent(const double *v, int64_t n) {
  int64_t best = 0, run = 0;
  double value = v[0];
  for (int64_t i = 0; i < n; i++) {
    run = i && v[i] == v[i - 1] ? run + 1 : 1;
    if (run > best) best = run, value = v[i];
  }
  return value;
}

static int nothing_to_learn(const reg_source *s, reg_status *st) {
  reg_fail(st, REG_BAD_DATA, "data_bad",
           "column `%.60s` has no value in the training part: nothing can be filled in", s->name);
  reg_hint(st, "`drop: [\"%.60s\"]` leaves it out", s->name);
  return st->code;
}

// The number that stands for what is missing, of the training part's.
static int learn_fill(const Seen *of, reg_source *s, reg_status *st) {
  if (of->values) data_sort(of->values, of->n);
  s->filled = true;
  if (of->fill->fill == REG_FILL_VALUE)
    s->fill = of->fill->low;
  else if (of->n == 0)
    return nothing_to_learn(s, st);
  else if (of->fill->fill == REG_FILL_MEAN)
    s->fill = of->first + of->sum / (double)of->n;
  else if (of->fill->fill == REG_FILL_MEDIAN)
    s->fill = (of->values[(of->n - 1) / 2] + of->values[of->n / 2]) / 2;
  else
    s->fill = most_frequent(of->values, of->n);
  return REG_OK;
}

// Of texts: the most frequent one, or the step's own.
static int learn_text(const Table *t, int x, const Seen *of, reg_source *s, reg_status *st) {
  s->filled = true;
  if (of->fill->text) {
    s->fill = level_of(s, of->fill->text);
    return REG_OK;
  }
  int64_t best = 0;
  for (int k = 0; k < t->levels[x].count; k++) {
    const int level = of->count[k] ? level_of(s, t->levels[x].names[k]) : -1;
    if (level < 0 || of->count[k] < best || (of->count[k] == best && level > s->fill)) continue;
    best = of->count[k];
    s->fill = level;
  }
  return s->nlevels ? REG_OK : nothing_to_learn(s, st);
}

// The order of a column's dates, of all that the files hold: how a file is written, it is as a whole.
static int learn_order(const Table *t, int x, reg_date_order said, reg_source *s, reg_status *st) {
  const NameIndex *all = &t->levels[x];
  const DateOrder found =
      said ? (DateOrder){.order = said} : dates_order((const char **)all->names, all->count);
  int64_t row = 0;
  s->order = found.order;
  if (found.order || found.text < 0) return REG_OK;
  while (row < t->nrows && t->numbers[row * t->width + x] != (double)found.text) row++;
  const char *text = all->names[found.text];
  if (found.clash)
    return table_hole(t, x, row, st, "write all of a column in one order",
                      "`%.40s` in column `%.60s` has day and month in another order than `%.40s`", text,
                      s->name, all->names[found.other]);
  return table_hole(
      t, x, row, st, "say it: date_parts(COLUMN, [...], order: mdy), or dmy; ymd where the year is first",
      "`%.40s` in column `%.60s` can be month first or day first, and no other row tells", text, s->name);
}

// What a step that names the column has for it is of the other kind.
static int fills_otherwise(const Table *t, int x, const Seen *of, reg_status *st) {
  const reg_data_op *fill = of->fill;
  if (!fill || !fill->nnamed || fill->fill != REG_FILL_VALUE || of->text == (fill->text != NULL))
    return REG_OK;
  if (of->text)
    reg_fail(st, REG_BAD_DATA, "data_bad", "column `%.60s` holds texts: `impute(%.9g)` fills in a number",
             t->columns[x], fill->low);
  else
    reg_fail(st, REG_BAD_DATA, "data_bad",
             "column `%.60s` holds numbers: `impute(\"%.40s\")` fills in a text", t->columns[x], fill->text);
  return st->code;
}

static int learn(Table *t, int x, const Seen *of, reg_source *s, reg_status *st) {
  const reg_data_op *encode = of->encode, *fill = of->fill;
  *s = (reg_source){.name = t->columns[x], .flag = fill && fill->flag};
  if (encode) s->kind = encode->source;
  if (encode) s->parts = encode->date;
  s->zeros = encode && encode->flag;
  const bool date = s->kind == REG_SOURCE_DATE;
  if (!date && fills_otherwise(t, x, of, st)) return st->code;
  const int code = !of->text ? REG_OK
                   : date    ? learn_order(t, x, encode->order, s, st)
                             : learn_levels(t, x, of, fill ? fill->text : NULL, s, st);
  if (code || !fill || date) return code;
  return of->text ? learn_text(t, x, of, s, st) : learn_fill(of, s, st);
}

static int learn_all(Table *t, const reg_part *part, const reg_data_plan *plan, reg_source *sources,
                     reg_status *st) {
  enum { GROUP = 16 };
  Seen group[GROUP];
  int code = REG_OK;
  for (int x = 0; x < t->width && !code; x += GROUP) {
    const int n = t->width - x < GROUP ? t->width - x : GROUP;
    bool good = true;
    for (int k = 0; k < n; k++) good = open_column(t, x + k, part, plan, &group[k]) && good;
    if (good)
      see_rows(t, part, x, group, n);
    else
      code = reg_no_memory(st, (size_t)part->nrows * sizeof(double));
    for (int k = 0; k < n; k++) {
      if (!code) code = learn(t, x + k, &group[k], &sources[x + k], st);
      reg_large_free(group[k].count);
      reg_large_free(group[k].values);
    }
  }
  return code;
}

// -- encoding

int source_width(const reg_source *s) {
  const int own = s->kind == REG_SOURCE_ONE_HOT ? s->nlevels
                  : s->kind == REG_SOURCE_DATE  ? __builtin_popcount((unsigned)s->parts)
                                                : 1;
  return own + s->flag;
}

static int hole(const Table *t, int x, int64_t row, const reg_source *s, reg_status *st) {
  table_hole(t, x, row, st, NULL, "column `%.60s` has no value here", s->name);
  const bool text = t->is_text && t->is_text[x];
  reg_hint(st, s->kind == REG_SOURCE_DATE ? "no date can be filled in: `drop_missing` leaves such rows out"
               : text
                   ? "`impute(most_frequent)` or a text, `impute(\"unknown\")`, fills it in, `drop_missing` "
                     "leaves such rows out"
                   : "`impute(mean)` or `impute(median)` fills in what the training "
                     "part tells, `drop_missing` leaves such rows out");
  return st->code;
}

// What each text of the list becomes: a place among the levels, or the parts of a date.
typedef struct Meaning {
  double *values; // width of them for each text
  int width;
} Meaning;

// The columns of x, and what becomes of rows that have none.
typedef struct Encoded {
  int64_t width;
  reg_skipping *skipping;
  bool *wrong; // NULL: the first one ends it
} Encoded;

static void put_levels(const Table *t, int x, const reg_source *s, Meaning *m) {
  for (int k = 0; k < t->levels[x].count; k++) m->values[k] = level_of(s, t->levels[x].names[k]);
}

// A text that is no date has parts that are none.
static void put_dates(const Table *t, int x, const reg_source *s, Meaning *m) {
  for (int k = 0; k < t->levels[x].count; k++) {
    double parts[REG_DATE_PARTS];
    const bool good = !date_parse(t->levels[x].names[k], s->order, parts);
    for (int p = 0, to = 0; p < REG_DATE_PARTS; p++)
      if (s->parts >> p & 1) m->values[k * m->width + to++] = good ? parts[p] : NAN;
  }
}

static int no_date(const Table *t, int x, int64_t row, const reg_source *s, const char *text,
                   reg_status *st) {
  double parts[REG_DATE_PARTS];
  return table_hole(t, x, row, st,
                    "`order: mdy`, or dmy, says which number is the month; `missing: [...]` names texts "
                    "that stand for no date",
                    "`%.40s` in column `%.60s` %s", text, s->name, date_parse(text, s->order, parts));
}

static int unseen(const Table *t, int x, int64_t row, const reg_source *s, const char *text, reg_status *st) {
  return table_hole(
      t, x, row, st,
      s->kind == REG_SOURCE_ONE_HOT
          ? "`one_hot(unseen: zeros)` takes such texts; a column of names is best left out"
          : "rare texts are best written as one in the file; a column of names is best left out",
      "`%.40s` in column `%.60s` is none of the %d texts of the training part", text, s->name, s->nlevels);
}

static int encode_row(const Table *t, int x, int64_t row, const reg_source *s, const Meaning *m, double *to,
                      reg_status *st) {
  const double raw = t->numbers[row * t->width + x];
  const bool missing = isnan(raw), text = m->values != NULL;
  const int own = source_width(s) - s->flag;
  if (s->flag) to[own] = missing;
  if (missing && !s->filled) return hole(t, x, row, s, st);
  if (s->kind == REG_SOURCE_DATE) {
    if (isnan(m->values[(size_t)raw * (size_t)m->width]))
      return no_date(t, x, row, s, t->levels[x].names[(int)raw], st);
    memcpy(to, m->values + (size_t)raw * (size_t)m->width, (size_t)own * sizeof *to);
    return REG_OK;
  }
  const double value = missing ? s->fill : text ? m->values[(int)raw] : raw;
  if (text && value < 0 && !s->zeros) return unseen(t, x, row, s, t->levels[x].names[(int)raw], st);
  for (int k = 0; k < own && s->kind == REG_SOURCE_ONE_HOT; k++) to[k] = k == (int)value;
  if (s->kind != REG_SOURCE_ONE_HOT) to[0] = value;
  return REG_OK;
}

// What the texts of each column mean; NULL: out of memory.
static Meaning *meanings_of(const Table *t, const reg_source *sources) {
  Meaning *all = calloc((size_t)t->width + 1, sizeof *all);
  bool good = all != NULL;
  for (int x = 0; x < t->width && good; x++) {
    const reg_source *s = &sources[x];
    Meaning *m = &all[x];
    m->width = s->kind == REG_SOURCE_DATE ? source_width(s) - s->flag : 1;
    if (!t->is_text || !t->is_text[x]) continue;
    m->values = malloc(((size_t)t->levels[x].count * (size_t)m->width + 1) * sizeof *m->values);
    if ((good = m->values != NULL)) (s->kind == REG_SOURCE_DATE ? put_dates : put_levels)(t, x, s, m);
  }
  if (good) return all;
  for (int x = 0; all && x < t->width; x++) free(all[x].values);
  free(all);
  return NULL;
}

// Rows first..end-1 of a column.
static int encode_rows(const Table *t, int x, int64_t first, int64_t end, const reg_source *s,
                       const Meaning *m, const Encoded *e, double *to, reg_status *st) {
  int code = REG_OK;
  for (int64_t row = first; row < end && !code; row++) {
    if (e->wrong && e->wrong[row]) continue;
    code = encode_row(t, x, row, s, m, to + row * e->width, st);
    if (!code || !e->wrong) continue;
    e->wrong[row] = true;
    table_skip(e->skipping, st);
    code = REG_OK;
  }
  return code;
}

// Block by block: neither table need be in memory as a whole.
static int encode(const Table *t, const reg_source *sources, const Encoded *e, double *to, reg_status *st) {
  enum { BLOCK = 4096 };
  Meaning *m = meanings_of(t, sources);
  int code = m ? REG_OK : reg_no_memory(st, (size_t)t->width * sizeof *m);
  for (int64_t row = 0; row < t->nrows && !code; row += BLOCK) {
    const int64_t end = t->nrows - row < BLOCK ? t->nrows : row + BLOCK;
    for (int x = 0, at = 0; x < t->width && !code; at += source_width(&sources[x]), x++)
      code = encode_rows(t, x, row, end, &sources[x], &m[x], e, to + at, st);
  }
  for (int x = 0; m && x < t->width; x++) free(m[x].values);
  free(m);
  return code;
}

int table_apply(Table *t, const reg_source *sources, int64_t width, reg_skipping *skipping, bool *wrong,
                reg_status *st) {
  size_t bytes;
  double *numbers = NULL;
  if (!__builtin_mul_overflow((size_t)t->nrows * sizeof *numbers, (size_t)width, &bytes))
    numbers = reg_large_resize(NULL, bytes + 1);
  const int code = numbers ? encode(t, sources, &(Encoded){width, skipping, wrong}, numbers, st)
                           : reg_no_memory(st, bytes);
  if (code) {
    reg_large_free(numbers);
    return code;
  }
  reg_large_free(t->numbers);
  t->numbers = numbers;
  t->width = (int)width;
  return REG_OK;
}

// -- names of columns: `color=red`, `when.year`, `age missing`

const char *data_joined(Heap *heap, const char *a, const char *between, const char *b) {
  const size_t n = strlen(a) + strlen(between) + strlen(b);
  char *to = reg_heap_take(heap, n + 1);
  if (to) snprintf(to, n + 1, "%s%s%s", a, between, b);
  return to;
}

// A file's own column may be called as one that is made.
static int check_alone(const Table *t, reg_status *st) {
  NameIndex all = {0};
  for (int x = 0; x < t->width && !st->code; x++) {
    if (names_find(&all, t->columns[x]) >= 0) {
      reg_fail(st, REG_BAD_DATA, "data_bad", "x would have two columns `%.120s`", t->columns[x]);
      reg_hint(st, "`drop: [...]` leaves out one of the file, `names: [...]` gives its columns other names");
    } else if (!names_add(&all, (char *)t->columns[x])) {
      reg_no_memory(st, 8);
    }
  }
  names_free(&all);
  return st->code;
}

static bool name_columns(Table *t, const reg_source *sources, int n, int64_t width) {
  Heap *heap = t->heap;
  const char **list = reg_heap_take(heap, (size_t)width * sizeof *list), **to = list;
  const char **of = reg_heap_take(heap, (size_t)width * sizeof *of);
  if (!list || !of) return false;
  for (int x = 0; x < n; x++) {
    const reg_source *s = &sources[x];
    for (int k = source_width(s) - s->flag;
         k > 0 && s->kind != REG_SOURCE_NUMBER && s->kind != REG_SOURCE_ORDINAL;)
      of[to - list + --k] = s->name;
    for (int k = 0; k < s->nlevels && s->kind == REG_SOURCE_ONE_HOT; k++)
      *to++ = data_joined(heap, s->name, "=", s->levels[k]);
    for (int p = 0; p < REG_DATE_PARTS && s->kind == REG_SOURCE_DATE; p++)
      if (s->parts >> p & 1) *to++ = data_joined(heap, s->name, ".", reg_date_part_names[p]);
    if (s->kind == REG_SOURCE_NUMBER || s->kind == REG_SOURCE_ORDINAL) *to++ = s->name;
    if (s->flag) *to++ = data_joined(heap, s->name, " ", "missing");
  }
  for (int64_t i = 0; i < width; i++)
    if (!list[i]) return false;
  t->columns = list;
  t->of = of;
  return true;
}

static int64_t whole_width(const reg_source *sources, int n) {
  int64_t width = 0;
  for (int x = 0; x < n; x++) width += source_width(&sources[x]);
  return width;
}

// Rows that were left out for some columns may lack a value in another one.
static bool changes(const reg_data_plan *plan) {
  for (int i = 1; i < plan->nops; i++)
    if (plan->ops[i].kind == REG_DATA_ENCODE || plan->ops[i].kind == REG_DATA_IMPUTE ||
        (plan->ops[i].kind == REG_DATA_DROP_MISSING && plan->ops[i].nnamed))
      return true;
  return false;
}

int table_encode(Table *t, reg_dataset *d, const reg_data_plan *plan, reg_status *st) {
  const reg_part *part = reg_data_part(d, "train");
  if (!part) part = reg_data_part(d, "all");
  if (!changes(plan)) return REG_OK;
  if (!part)
    return reg_fail(st, REG_BAD_DATA, "data_bad",
                    "texts and what is missing are learned from the training part, and there is none");
  int code = check_names(t, plan, st);
  const int n = t->width;
  reg_source *sources = reg_heap_take(t->heap, (size_t)n * sizeof *sources);
  if (!sources) return reg_no_memory(st, (size_t)n * sizeof *sources);
  if (!code) code = learn_all(t, part, plan, sources, st);
  if (code) return code;
  const int64_t width = whole_width(sources, n);
  if (width < 1 || width > MOST_COLUMNS)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "x would have %lld columns", (long long)width);
  if ((code = table_apply(t, sources, width, NULL, NULL, st))) return code;
  d->nsources = n;
  d->sources = sources;
  return name_columns(t, sources, n, width) ? check_alone(t, st) : reg_no_memory(st, (size_t)width);
}
