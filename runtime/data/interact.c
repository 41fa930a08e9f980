// interactions(…): products of columns of x, of two columns each, as columns of their own behind the others.
// In: a table whose columns are numbers. Out: the table with room for them, and curves that make them, of
// these rows and of rows of other files.
#include "data/table.h"
#include "large.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_PRODUCTS = 1 << 16 };

// The columns of a table as a step takes them.
typedef struct Pairs {
  const Table *t;
  bool *taken, *by; // of each column; by NULL: each other
  bool squares;
  reg_curve *to; // NULL: they are counted
  int64_t n;
} Pairs;

// Is a column, or are two, of the texts of one column, of which a row has one? Their product is 0, or itself.
static bool excludes(const Table *t, int64_t a, int64_t b) {
  const char *of = t->of ? t->of[a] : NULL;
  return of && of == t->of[b] && t->columns[a][strlen(of)] == '=';
}

static void add(Pairs *p, int64_t a, int64_t b) {
  if (excludes(p->t, a, b)) return;
  if (p->to)
    p->to[p->n] = (reg_curve){
        .kind = REG_CURVE_PRODUCT, .column = p->t->width + (int)p->n, .first = (int)a, .second = (int)b};
  p->n++;
}

// Each column with those behind it, where one of both is taken and the other one it is multiplied by.
static void each_pair(Pairs *p) {
  const bool *by = p->by ? p->by : p->taken;
  p->n = 0;
  for (int64_t a = 0; a < p->t->width && p->n <= MOST_PRODUCTS; a++) {
    if (!p->taken[a]) continue;
    for (int64_t b = p->by ? 0 : a; b < p->t->width && p->n <= MOST_PRODUCTS; b++) {
      const bool again = b < a && p->taken[b] && by[a];
      if (by[b] && !again && (b != a || p->squares)) add(p, a, b);
    }
  }
}

// `a x b`, and what names all of a set: `color x age`.
static int name(Table *t, const reg_curve *c, const char **column, const char **of, NameIndex *names,
                reg_status *st) {
  const char *a = t->columns[c->first], *b = t->columns[c->second];
  const char *set_a = t->of ? t->of[c->first] : NULL, *set_b = t->of ? t->of[c->second] : NULL;
  *column = data_joined(t->heap, a, " x ", b);
  *of = set_a || set_b ? data_joined(t->heap, set_a ? set_a : a, " x ", set_b ? set_b : b) : NULL;
  if (!*column || ((set_a || set_b) && !*of)) return reg_no_memory(st, strlen(a));
  if (names_find(names, *column) >= 0) {
    reg_fail(st, REG_BAD_DATA, "data_bad", "x has a column `%.120s` already", *column);
    reg_hint(st, "each two columns have one product: `interactions` without names is for all of them");
    return st->code;
  }
  return names_add(names, (char *)*column) ? REG_OK : reg_no_memory(st, strlen(a));
}

static int name_all(Table *t, const reg_curve *c, int64_t n, reg_status *st) {
  const int64_t width = t->width + n;
  const char **columns = reg_heap_take(t->heap, (size_t)width * sizeof *columns);
  const char **of = reg_heap_take(t->heap, (size_t)width * sizeof *of);
  NameIndex names = {0};
  int code = columns && of ? REG_OK : reg_no_memory(st, (size_t)width * sizeof *of);
  for (int64_t x = 0; x < t->width && !code; x++) {
    columns[x] = t->columns[x];
    of[x] = t->of ? t->of[x] : NULL;
    if (!names_add(&names, (char *)columns[x])) code = reg_no_memory(st, 8);
  }
  for (int64_t k = 0; k < n && !code; k++)
    code = name(t, &c[k], &columns[t->width + k], &of[t->width + k], &names, st);
  names_free(&names);
  t->columns = columns;
  t->of = of;
  return code;
}

// Rows with room for so many columns more.
static int widen(Table *t, int64_t n, reg_status *st) {
  const size_t width = (size_t)(t->width + n), row = (size_t)t->width * sizeof *t->numbers;
  size_t bytes;
  double *numbers = NULL;
  if (!__builtin_mul_overflow((size_t)t->nrows * sizeof *numbers, width, &bytes))
    numbers = reg_large_resize(NULL, bytes + 1);
  if (!numbers) return reg_no_memory(st, bytes);
  for (int64_t i = 0; i < t->nrows; i++) {
    memcpy(numbers + (size_t)i * width, t->numbers + i * t->width, row);
    memset(numbers + (size_t)i * width + t->width, 0, (size_t)n * sizeof *numbers);
  }
  reg_large_free(t->numbers);
  t->numbers = numbers;
  t->width = (int)width;
  return REG_OK;
}

// Nothing has scaled x yet: the field is made anew.
static int take(Table *t, reg_dataset *d, Pairs *p, reg_status *st) {
  const int64_t n = p->n;
  reg_curve *all = reg_heap_take(t->heap, (size_t)(d->ncurves + n) * sizeof *all);
  if (!all) return reg_no_memory(st, (size_t)n * sizeof *all);
  if (d->ncurves) memcpy(all, d->curves, (size_t)d->ncurves * sizeof *all);
  p->to = all + d->ncurves;
  each_pair(p);
  int code = name_all(t, p->to, n, st);
  if (!code) code = widen(t, n, st);
  if (code) return code;
  d->curves = all;
  d->ncurves += (int)n;
  return table_make_x(t, d, st);
}

static int wrong_number(int64_t n, reg_status *st) {
  reg_fail(st, REG_BAD_DATA, "data_bad",
           n ? "`interactions` would make more than %d columns" : "`interactions` makes no column",
           MOST_PRODUCTS);
  reg_hint(st,
           n ? "`interactions([a, b, c])` takes some columns, `interactions(a, by: [b, c])` one with others"
             : "it takes two columns at least; those that are made of one text exclude each other");
  return st->code;
}

// Without names all columns are meant that are no products.
static void choose(Pairs *p, const reg_dataset *d, const reg_data_op *op) {
  for (int64_t x = 0; x < p->t->width; x++) {
    p->taken[x] = table_means(p->t, op->nnamed, op->named, x);
    if (p->by) p->by[x] = table_means(p->t, op->nby, op->by, x);
  }
  for (int k = 0; k < d->ncurves && !op->nnamed; k++)
    if (d->curves[k].kind == REG_CURVE_PRODUCT) p->taken[d->curves[k].column] = false;
}

int table_interact(Table *t, reg_dataset *d, const reg_data_op *op, reg_status *st) {
  const size_t width = (size_t)t->width;
  bool *taken = calloc(2 * width + 1, sizeof *taken);
  if (!taken) return reg_no_memory(st, 2 * width);
  Pairs p = {.t = t, .taken = taken, .by = op->nby ? taken + width : NULL, .squares = op->flag};
  int code = table_check_named(t, op->nnamed, op->named, st);
  if (!code) code = table_check_named(t, op->nby, op->by, st);
  if (!code) {
    choose(&p, d, op);
    each_pair(&p);
    code = p.n == 0 || p.n > MOST_PRODUCTS ? wrong_number(p.n, st) : take(t, d, &p, st);
  }
  free(taken);
  return code;
}
