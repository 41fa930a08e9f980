// Dividing rows. In: shares, a seed, and what the rows are divided by: nothing, the classes of a field,
// groups that stay together, or a time. Out: parts whose sizes are the shares of the rows, rounded by largest
// remainder, and, stratified, whose share of every class is rounded likewise; groups come as near to that as
// they let. Rows keep their order in a part. Folds are equal shares, of which one is the test part.
#include "data/table.h"
#include "large.h"
#include "reg/rng.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What is divided into which shares.
typedef struct Division {
  const reg_data_op *op;
  int nparts;
  double *fraction;
  int64_t rows, *size; // of each part
  const reg_field *by, *group, *time;
  int64_t *order; // of the rows, as they are dealt
  // Of each row so many bits, as few as parts need: rows are dealt anywhere, and what is anywhere in an array
  // larger than memory is written to the disk again and again.
  uint64_t *part_of;
  int bits;
} Division;

typedef struct Share { // the part of one class that one part wants beyond whole samples
  double remainder;
  int64_t class;
  int part;
} Share;

static int64_t whole(double amount) { return (int64_t)floor(amount + 1e-9); }

// Largest remainder first; equal ones in order of class and part, so that the result is one.
static int by_remainder(const void *a, const void *b) {
  const Share *x = a, *y = b;
  if (fabs(x->remainder - y->remainder) > 1e-9) return x->remainder < y->remainder ? 1 : -1;
  if (x->class != y->class) return x->class < y->class ? -1 : 1;
  return x->part - y->part;
}

// 1, 2, 4, ... 32
static int bits_of(int nparts) {
  int bits = 1;
  while (bits < 32 && 1 << bits < nparts) bits *= 2;
  return bits;
}

static uint64_t *parts_new(int64_t rows, int bits) {
  const size_t bytes = ((size_t)rows * (size_t)bits / 64 + 1) * sizeof(uint64_t);
  uint64_t *parts = reg_large_resize(NULL, bytes);
  if (parts) memset(parts, 0, bytes);
  return parts;
}

static void put_part(const Division *v, int64_t row, int part) { // once
  const uint64_t at = (uint64_t)row * (uint64_t)v->bits;
  v->part_of[at / 64] |= (uint64_t)part << at % 64;
}

static int part_at(const Division *v, int64_t row) {
  const uint64_t at = (uint64_t)row * (uint64_t)v->bits, mask = (UINT64_C(1) << v->bits) - 1;
  return (int)(v->part_of[at / 64] >> at % 64 & mask);
}

static const char *part_text(const Division *v, int part, char to[48]) {
  if (v->op->kind == REG_DATA_SPLIT)
    snprintf(to, 48, "part `%.30s`", v->op->part_names[part]);
  else
    snprintf(to, 48, "fold %d", part);
  return to;
}

static int part_sizes(Division *v, reg_status *st) {
  Share *share = malloc((size_t)v->nparts * sizeof *share);
  int64_t left = v->rows;
  if (!share) return reg_no_memory(st, (size_t)v->nparts * sizeof *share);
  for (int p = 0; p < v->nparts; p++) {
    const double amount = v->fraction[p] * (double)v->rows;
    v->size[p] = whole(amount);
    left -= v->size[p];
    share[p] = (Share){amount - (double)v->size[p], 0, p};
  }
  qsort(share, (size_t)v->nparts, sizeof *share, by_remainder);
  for (int p = 0; p < v->nparts && left > 0; p++, left--) v->size[share[p].part]++;
  free(share);
  for (int p = 0; p < v->nparts; p++) {
    char text[48];
    if (v->size[p] == 0 && v->op->kind != REG_DATA_SPLIT)
      return reg_fail(st, REG_BAD_DATA, "split_bad", "%lld rows are too few for %d folds", (long long)v->rows,
                      v->nparts);
    if (v->size[p] == 0)
      return reg_fail(st, REG_BAD_DATA, "split_bad", "%s would be empty: %g %% of %lld rows",
                      part_text(v, p, text), 100 * v->fraction[p], (long long)v->rows);
  }
  return REG_OK;
}

// -- by classes

// count[c * nparts + p]: samples of class c in part p. Whole samples first; then what is left of each class
// goes where the remainder is largest and the part has room; a class that finds no room so takes any (then it
// is off by one more than rounding, and the sizes are exact).
static int class_counts(const Division *v, const int64_t *of_class, int64_t *count) {
  const int64_t classes = v->by->nclasses, n = v->nparts;
  Share *share = malloc((size_t)(classes * n) * sizeof *share), *to = share;
  int64_t *left = malloc((size_t)classes * sizeof *left), *room = malloc((size_t)n * sizeof *room);
  const bool good = share && left && room;
  if (good) memcpy(room, v->size, (size_t)n * sizeof *room);
  for (int64_t c = 0; c < classes && good; c++) {
    left[c] = of_class[c];
    for (int p = 0; p < n; p++) {
      const double amount = v->fraction[p] * (double)of_class[c];
      count[c * n + p] = whole(amount);
      left[c] -= count[c * n + p];
      room[p] -= count[c * n + p];
      *to++ = (Share){amount - (double)count[c * n + p], c, p};
    }
  }
  if (good) qsort(share, (size_t)(classes * n), sizeof *share, by_remainder);
  for (int round = 0; round < 2 && good; round++)
    for (const Share *s = share; s < to; s++) {
      int64_t *of = &left[s->class], *in = &room[s->part], more = *of < *in ? *of : *in;
      if (round == 0 && more > 1) more = 1;
      count[s->class * n + s->part] += more;
      *of -= more;
      *in -= more;
    }
  free(share);
  free(left);
  free(room);
  return good ? 0 : -1;
}

static int lacks_class(const Division *v, int64_t class, int64_t samples, int part, reg_status *st) {
  char text[48];
  reg_fail(st, REG_BAD_DATA, "split_bad", "class `%.60s` of `%.60s` has %lld samples: none is left for %s",
           v->by->class_names[class], v->by->name, (long long)samples, part_text(v, part, text));
  reg_hint(st, v->op->kind == REG_DATA_SPLIT
                   ? "merge rare classes, make the part larger, or split without `stratify`"
                   : "merge rare classes, make fewer folds, or divide without `stratify`");
  return st->code;
}

// Within each class the parts take their rows in the order of one permutation.
static int deal_by_class(const Division *v, reg_status *st) {
  const reg_field *f = v->by;
  const int64_t n = v->nparts;
  int64_t *of_class = calloc((size_t)f->nclasses, sizeof *of_class),
          *count = calloc((size_t)(f->nclasses * n), sizeof *count);
  int code = REG_OK;
  for (int64_t i = 0; i < v->rows && of_class; i++) of_class[f->classes[i]]++;
  if (!of_class || !count || class_counts(v, of_class, count)) {
    code = reg_no_memory(st, (size_t)(f->nclasses * n) * sizeof *count);
  } else {
    for (int64_t c = 0; c < f->nclasses * n && !code; c++)
      if (count[c] == 0) code = lacks_class(v, c / n, of_class[c / n], (int)(c % n), st);
    for (int64_t i = 0; i < v->rows && !code; i++) {
      int64_t *of = count + f->classes[v->order[i]] * n;
      int p = 0;
      while (of[p] == 0) p++;
      of[p]--;
      put_part(v, v->order[i], p);
    }
  }
  free(of_class);
  free(count);
  return code;
}

// -- by groups

typedef struct Group {
  int64_t rows, first; // of it in the order
  int32_t group, part;
} Group;

static int by_place(const void *a, const void *b) {
  const Group *x = a, *y = b;
  return (x->first > y->first) - (x->first < y->first);
}

static int by_size(const void *a, const void *b) {
  const Group *x = a, *y = b;
  return x->rows != y->rows ? (x->rows < y->rows ? 1 : -1) : by_place(a, b);
}

// The part that lacks most of what the group has: the group's rows of each class (all are of one where there
// are none) times the share of its rows that the part lacks.
static int neediest(const Division *v, const int64_t *has, const int64_t *total, const int64_t *taken,
                    int64_t classes) {
  int best = 0;
  double most = -INFINITY;
  for (int p = 0; p < v->nparts; p++) {
    double lack = 0;
    for (int64_t c = 0; c < classes; c++) {
      const double wants = v->fraction[p] * (double)total[c];
      if (has[c]) lack += (double)has[c] * (wants - (double)taken[c * v->nparts + p]) / wants;
    }
    if (lack > most + 1e-9) {
      most = lack;
      best = p;
    }
  }
  return best;
}

typedef struct GroupCounts {
  Group *groups;
  int64_t *has;   // groups x classes
  int64_t *total; // classes
  int64_t *taken; // classes x parts
} GroupCounts;

static void count_groups(const Division *v, GroupCounts *g, int64_t classes) {
  for (int64_t k = 0; k < v->group->nclasses; k++)
    g->groups[k] = (Group){.group = (int32_t)k, .first = INT64_MAX};
  for (int64_t i = 0; i < v->rows; i++) {
    const int64_t row = v->order[i], k = v->group->classes[row], c = v->by ? v->by->classes[row] : 0;
    if (!g->groups[k].rows++) g->groups[k].first = i;
    g->has[k * classes + c]++;
    g->total[c]++;
  }
}

// Folds take the largest groups first, so that they come out equal; a split takes groups at random.
static int deal_by_group(const Division *v, reg_status *st) {
  const int64_t n = v->group->nclasses, classes = v->by ? v->by->nclasses : 1, parts = v->nparts;
  GroupCounts g = {calloc((size_t)n, sizeof *g.groups), calloc((size_t)(n * classes), sizeof *g.has),
                   calloc((size_t)classes, sizeof *g.total),
                   calloc((size_t)(classes * parts), sizeof *g.taken)};
  int32_t *part_of = reg_large_resize(NULL, (size_t)n * sizeof *part_of);
  int64_t *filled = calloc((size_t)parts, sizeof *filled);
  int code = g.groups && g.has && g.total && g.taken && part_of && filled
                 ? REG_OK
                 : reg_no_memory(st, (size_t)(n * classes) * sizeof *g.has);
  if (!code) {
    count_groups(v, &g, classes);
    qsort(g.groups, (size_t)n, sizeof *g.groups, v->op->kind == REG_DATA_SPLIT ? by_place : by_size);
  }
  for (int64_t k = 0; k < n && !code; k++) {
    const int32_t group = g.groups[k].group;
    const int64_t *has = g.has + group * classes;
    const int p = neediest(v, has, g.total, g.taken, classes);
    for (int64_t c = 0; c < classes; c++) g.taken[c * parts + p] += has[c];
    filled[p] += g.groups[k].rows;
    part_of[group] = p;
  }
  for (int p = 0; p < parts && !code; p++) {
    char text[48];
    if (!filled[p])
      code = reg_fail(st, REG_BAD_DATA, "split_bad",
                      "%s would be empty: the %lld groups of `%.60s` are too few or too large",
                      part_text(v, p, text), (long long)n, v->group->name);
  }
  for (int64_t i = 0; i < v->rows && !code; i++) put_part(v, i, part_of[v->group->classes[i]]);
  free(g.groups);
  free(g.has);
  free(g.total);
  free(g.taken);
  reg_large_free(part_of);
  free(filled);
  return code;
}

// -- in an order

// The first size[0] rows of the order are part 0, and so on.
static void deal(const Division *v) {
  const int64_t *row = v->order;
  for (int p = 0; p < v->nparts; p++)
    for (int64_t i = 0; i < v->size[p]; i++) put_part(v, *row++, p);
}

typedef struct Moment {
  double at;
  int64_t row;
} Moment;

static int by_moment(const void *a, const void *b) {
  const Moment *x = a, *y = b;
  return x->at != y->at ? (x->at > y->at) - (x->at < y->at) : (x->row > y->row) - (x->row < y->row);
}

// Of a column of texts, the moment of each class; what is wrong with one that is no date, or NULL.
static const char *class_moments(const reg_field *f, reg_date_order order, double *at, int64_t *which) {
  double parts[REG_DATE_PARTS];
  const DateOrder found = dates_order((const char *const *)f->class_names, f->nclasses);
  *which = found.text;
  if (!order && found.clash) return "has day and month in another order than others";
  if (!order) order = found.order;
  for (int64_t c = 0; c < f->nclasses; c++) {
    const char *wrong = date_parse(f->class_names[ *which = c], order, parts);
    if (wrong) return wrong;
    at[c] = parts[REG_DATE_TIME];
  }
  return NULL;
}

// `of_class`: of a column of texts. Integers are told apart by their classes, which are in ascending order:
// floats have not all seconds since 1970.
static double time_of(const reg_field *f, const double *of_class, int64_t row) {
  return of_class     ? of_class[f->classes[row]]
         : f->classes ? f->classes[row]
                      : reg_number_at(f->values, f->dtype, row);
}

// As rows mostly do.
static bool follow_time(const Division *v, const double *of_class) {
  for (int64_t i = 1; i < v->rows; i++)
    if (time_of(v->time, of_class, i) < time_of(v->time, of_class, i - 1)) return false;
  return true;
}

static int by_time(const Division *v, const double *of_class, reg_status *st) {
  if (follow_time(v, of_class)) {
    for (int64_t i = 0; i < v->rows; i++) v->order[i] = i;
    return REG_OK;
  }
  Moment *m = reg_large_resize(NULL, (size_t)v->rows * sizeof *m);
  if (!m) return reg_no_memory(st, (size_t)v->rows * sizeof *m);
  for (int64_t i = 0; i < v->rows; i++) m[i] = (Moment){time_of(v->time, of_class, i), i};
  qsort(m, (size_t)v->rows, sizeof *m, by_moment);
  for (int64_t i = 0; i < v->rows; i++) v->order[i] = m[i].row;
  reg_large_free(m);
  return REG_OK;
}

static int no_moment(const Division *v, const char *text, const char *wrong, reg_status *st) {
  reg_fail(st, REG_BAD_DATA, "split_bad", "cannot divide by the time `%.60s`: `%.40s` %s", v->op->time, text,
           wrong);
  reg_hint(
      st,
      "dates are written as `date_parts` reads them; `order: mdy`, or dmy, beside `time` says which of three "
      "numbers is the month");
  return st->code;
}

static int order_by_time(const Division *v, reg_status *st) {
  const reg_field *f = v->time;
  if (f->values) return by_time(v, NULL, st);
  double *of_class = reg_large_resize(NULL, (size_t)(f->nclasses + 1) * sizeof *of_class);
  if (!of_class) return reg_no_memory(st, (size_t)f->nclasses * sizeof *of_class);
  int64_t which;
  const char *wrong = class_moments(f, v->op->order, of_class, &which);
  const int code = wrong ? no_moment(v, f->class_names[which], wrong, st) : by_time(v, of_class, st);
  reg_large_free(of_class);
  return code;
}

// -- what it is done by

static int check_fractions(const reg_data_op *op, reg_status *st) {
  double sum = 0;
  if (op->nparts < 1 || op->nparts > MOST_SHARES)
    return reg_fail(st, REG_BAD_DATA, "split_bad", "a split has 1 to %d parts, not %d", MOST_SHARES,
                    op->nparts);
  for (int p = 0; p < op->nparts; p++) {
    if (!(op->fractions[p] > 0))
      return reg_fail(st, REG_BAD_DATA, "split_bad", "part `%s` is %g %%: it would be empty",
                      op->part_names[p], 100 * op->fractions[p]);
    for (int q = 0; q < p; q++)
      if (!strcmp(op->part_names[p], op->part_names[q]))
        return reg_fail(st, REG_BAD_DATA, "split_bad", "part `%s` is given twice", op->part_names[p]);
    sum += op->fractions[p];
  }
  if (fabs(sum - 1) > 1e-9) {
    reg_fail(st, REG_BAD_DATA, "split_bad", "the parts of the split add up to %g %%, not 100 %%", 100 * sum);
    reg_hint(st, "for example train: 70%%, valid: 15%%, test: 15%%");
    return st->code;
  }
  return REG_OK;
}

static bool tells_time(const reg_field *f) { return f->width == 1 && (f->values || f->classes); }

static const reg_field *field_of(const reg_dataset *d, const char *name, const char *what, bool classes,
                                 reg_status *st) {
  const int at = reg_data_field(d, name);
  const reg_field *f = at < 0 ? NULL : &d->fields[at];
  if (!f) {
    reg_fail(st, REG_BAD_DATA, "split_bad", "cannot %s `%.60s`: the data have no such field", what, name);
    if (d->target >= 0)
      reg_hint(st, "the target's field is `%s`; `group: %s` of csv(...) makes a field of a column",
               d->fields[d->target].name, name);
    return NULL;
  }
  if (classes && !f->classes) {
    reg_fail(st, REG_BAD_DATA, "split_bad", "cannot %s `%.60s`: it has no classes%s%s", what, name,
             f->why ? ": " : "", f->why ? f->why : "");
    reg_hint(st, "classes are the texts or the integers of a column that is a field of its own");
    return NULL;
  }
  if (!classes && !tells_time(f)) {
    reg_fail(st, REG_BAD_DATA, "split_bad", "cannot %s `%.60s`: it is not one number or date a row", what,
             name);
    return NULL;
  }
  return f;
}

static int find_fields(Division *v, const reg_dataset *d, bool in_order, reg_status *st) {
  const reg_data_op *op = v->op;
  if (in_order && (op->stratify || op->group || op->time))
    return reg_fail(st, REG_BAD_DATA, "split_bad",
                    "a text is divided in order: its parts cannot be stratified, grouped or timed");
  if (op->time && (op->stratify || op->group))
    return reg_fail(st, REG_BAD_DATA, "split_bad", "`time` stands alone: its order says where each row goes");
  if (op->stratify && !(v->by = field_of(d, op->stratify, "stratify by", true, st))) return st->code;
  if (op->group && !(v->group = field_of(d, op->group, "group by", true, st))) return st->code;
  if (op->time && !(v->time = field_of(d, op->time, "divide by the time", false, st))) return st->code;
  return REG_OK;
}

// -- parts

// The next part, with room for `count` rows; NULL after a report.
static reg_part *new_part(reg_dataset *d, Heap *heap, const char *name, int64_t count, reg_status *st) {
  if (reg_data_part(d, name)) {
    reg_fail(st, REG_BAD_DATA, "split_bad", "part `%s` is given twice", name);
    return NULL;
  }
  if (!d->parts) d->parts = reg_heap_take(heap, MOST_PARTS * sizeof *d->parts);
  const char *copy = reg_heap_copy(heap, name, strlen(name));
  int64_t *rows = reg_heap_take_large(heap, (size_t)count * sizeof *rows);
  if (!d->parts || !copy || !rows) {
    reg_no_memory(st, (size_t)count * sizeof *rows);
    return NULL;
  }
  d->parts[d->nparts] = (reg_part){.name = copy, .rows = rows};
  return &d->parts[d->nparts++];
}

int data_add_part(reg_dataset *d, Heap *heap, const char *name, int64_t first, int64_t count,
                  reg_status *st) {
  reg_part *part = new_part(d, heap, name, count, st);
  if (!part) return st->code;
  for (int64_t i = 0; i < count; i++) part->rows[part->nrows++] = first + i;
  return REG_OK;
}

static bool is_in(int share, int first, int last, int but) {
  return share >= first && share <= last && share != but;
}

// A part of the rows of the shares first..last, without `but`.
static int make_part(reg_dataset *d, Heap *heap, const char *name, const Division *v, int first, int last,
                     int but, reg_status *st) {
  int64_t count = 0;
  for (int64_t i = 0; i < v->rows; i++) count += is_in(part_at(v, i), first, last, but);
  reg_part *part = new_part(d, heap, name, count, st);
  if (!part) return st->code;
  for (int64_t i = 0; i < v->rows; i++)
    if (is_in(part_at(v, i), first, last, but)) part->rows[part->nrows++] = i;
  return REG_OK;
}

// A fold by time is tested behind all that it is trained on.
static int make_parts(reg_dataset *d, Heap *heap, const Division *v, reg_status *st) {
  const reg_data_op *op = v->op;
  int code = REG_OK;
  if (op->kind == REG_DATA_FOLD) {
    const int fold = (int)op->fold + (op->time != NULL), last = op->time ? fold - 1 : v->nparts - 1;
    code = make_part(d, heap, "train", v, 0, last, fold, st);
    return code ? code : make_part(d, heap, "test", v, fold, fold, -1, st);
  }
  for (int p = 0; p < op->nparts && !code; p++) code = make_part(d, heap, op->part_names[p], v, p, p, -1, st);
  return code;
}

static int divide(reg_dataset *d, Heap *heap, Division *v, bool in_order, reg_status *st) {
  const reg_data_op *op = v->op;
  for (int p = 0; p < v->nparts; p++)
    v->fraction[p] = op->kind == REG_DATA_FOLD ? 1 / (double)v->nparts : op->fractions[p];
  int code = part_sizes(v, st);
  if (!code) code = find_fields(v, d, in_order, st);
  if (code) return code;
  for (int64_t i = 0; i < v->rows && in_order; i++) v->order[i] = i;
  if (v->time)
    code = order_by_time(v, st);
  else if (!in_order)
    reg_permutation(op->seed, REG_STREAM_SPLIT, 0, v->rows, v->order);
  if (code) return code;
  if (v->group)
    code = deal_by_group(v, st);
  else if (v->by)
    code = deal_by_class(v, st);
  else
    deal(v);
  return code ? code : make_parts(d, heap, v, st);
}

int data_split(reg_dataset *d, Heap *heap, int64_t rows, bool in_order, const reg_data_op *op,
               reg_status *st) {
  const bool folds = op->kind == REG_DATA_FOLD;
  int code = folds ? REG_OK : check_fractions(op, st);
  if (code) return code;
  Division v = {.op = op, .rows = rows, .nparts = folds ? (int)op->nfolds + (op->time != NULL) : op->nparts};
  v.fraction = malloc((size_t)v.nparts * sizeof *v.fraction);
  v.size = malloc((size_t)v.nparts * sizeof *v.size);
  v.order = reg_large_resize(NULL, (size_t)rows * sizeof *v.order);
  v.bits = bits_of(v.nparts);
  v.part_of = parts_new(rows, v.bits);
  code = v.fraction && v.size && v.order && v.part_of ? divide(d, heap, &v, in_order, st)
                                                      : reg_no_memory(st, (size_t)rows * sizeof *v.order);
  free(v.fraction);
  free(v.size);
  reg_large_free(v.order);
  reg_large_free(v.part_of);
  return code;
}
