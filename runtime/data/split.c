// Splitting. In: fractions, a seed, and for a stratified split the classes of a field. Out: parts whose sizes
// are the fractions of the rows, rounded by largest remainder, and, stratified, whose share of every class is
// rounded likewise. Rows keep file order in a part.
#include "data/table.h"
#include "reg/rng.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SPLIT = 4 };

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

static void part_sizes(const reg_data_op *op, int64_t rows, int64_t size[MAX_SPLIT]) {
  Share share[MAX_SPLIT];
  int64_t left = rows;
  for (int p = 0; p < op->nparts; p++) {
    double amount = op->fractions[p] * (double)rows;
    size[p] = whole(amount);
    left -= size[p];
    share[p] = (Share){amount - (double)size[p], 0, p};
  }
  qsort(share, (size_t)op->nparts, sizeof *share, by_remainder);
  for (int p = 0; p < op->nparts && left > 0; p++, left--) size[share[p].part]++;
}

// count[c][p]: samples of class c in part p. Whole samples first; then what is left of each class goes where
// the remainder is largest and the part has room; a class that finds no room so takes any (then it is off by
// one more than rounding, and the sizes are exact).
static int class_counts(const reg_data_op *op, const int64_t *of_class, int64_t classes,
                        const int64_t size[MAX_SPLIT], int64_t (*count)[MAX_SPLIT]) {
  Share *share = malloc((size_t)classes * MAX_SPLIT * sizeof *share);
  int64_t *left = malloc((size_t)classes * sizeof *left), room[MAX_SPLIT], n = 0;
  if (!share || !left) {
    free(share);
    free(left);
    return -1;
  }
  memcpy(room, size, sizeof room);
  for (int64_t c = 0; c < classes; c++) {
    left[c] = of_class[c];
    for (int p = 0; p < op->nparts; p++) {
      double amount = op->fractions[p] * (double)of_class[c];
      count[c][p] = whole(amount);
      left[c] -= count[c][p];
      room[p] -= count[c][p];
      share[n++] = (Share){amount - (double)count[c][p], c, p};
    }
  }
  qsort(share, (size_t)n, sizeof *share, by_remainder);
  for (int round = 0; round < 2; round++)
    for (int64_t i = 0; i < n; i++) {
      int64_t *of = &left[share[i].class], *in = &room[share[i].part];
      int64_t more = *of < *in ? *of : *in;
      if (round == 0 && more > 1) more = 1;
      count[share[i].class][share[i].part] += more;
      *of -= more;
      *in -= more;
    }
  free(share);
  free(left);
  return 0;
}

static int check_fractions(const reg_data_op *op, reg_status *st) {
  double sum = 0;
  if (op->nparts < 1 || op->nparts > MAX_SPLIT)
    return reg_fail(st, REG_BAD_DATA, "split_bad", "a split has 1 to %d parts, not %d", MAX_SPLIT,
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

static const reg_field *strata(const reg_dataset *d, const reg_data_op *op, reg_status *st) {
  int at = reg_data_field(d, op->stratify);
  if (at < 0) {
    reg_fail(st, REG_BAD_DATA, "split_bad", "cannot stratify by `%.60s`: the data have no such field",
             op->stratify);
    if (d->target >= 0) reg_hint(st, "the target's field is `%s`", d->fields[d->target].name);
    return NULL;
  }
  if (!d->fields[at].classes) {
    const char *why = d->fields[at].why;
    reg_fail(st, REG_BAD_DATA, "split_bad", "cannot stratify by `%.60s`: it has no classes%s%s", op->stratify,
             why ? ": " : "", why ? why : "");
    reg_hint(st, "classes are the texts or the integers of the target");
    return NULL;
  }
  return &d->fields[at];
}

// part_of[row], by plain shuffle: the first size[0] rows of the permutation are part 0, and so on.
static void deal(const int64_t *order, const int64_t size[MAX_SPLIT], int nparts, int8_t *part_of) {
  for (int p = 0; p < nparts; p++)
    for (int64_t i = 0; i < size[p]; i++) part_of[*order++] = (int8_t)p;
}

// The same within each class, in the order of one permutation.
static int deal_by_class(const reg_field *f, const reg_data_op *op, const int64_t *order, int64_t rows,
                         const int64_t size[MAX_SPLIT], int8_t *part_of, reg_status *st) {
  int64_t *of_class = calloc((size_t)f->nclasses, sizeof *of_class);
  int64_t(*count)[MAX_SPLIT] = calloc((size_t)f->nclasses, sizeof *count);
  int code = REG_OK;
  if (of_class)
    for (int64_t i = 0; i < rows; i++) of_class[f->classes[i]]++;
  if (!of_class || !count || class_counts(op, of_class, f->nclasses, size, count) != 0) {
    code = reg_no_memory(st, (size_t)f->nclasses * sizeof *count);
  } else {
    for (int64_t c = 0; c < f->nclasses && !code; c++)
      for (int p = 0; p < op->nparts && !code; p++)
        if (count[c][p] == 0) {
          code = reg_fail(st, REG_BAD_DATA, "split_bad",
                          "class `%.60s` of `%.60s` has %lld samples: none is left for part `%s`",
                          f->class_names[c], f->name, (long long)of_class[c], op->part_names[p]);
          reg_hint(st, "merge rare classes, make the part larger, or split without `stratify`");
        }
    for (int64_t i = 0; i < rows && !code; i++) {
      int64_t *of = count[f->classes[order[i]]];
      int p = 0;
      while (of[p] == 0) p++;
      of[p]--;
      part_of[order[i]] = (int8_t)p;
    }
  }
  free(of_class);
  free(count);
  return code;
}

// The next part, with room for `count` rows; NULL after a report.
static reg_part *new_part(reg_dataset *d, Heap *heap, const char *name, int64_t count, reg_status *st) {
  enum { MOST_PARTS = MAX_SPLIT + MOST_FILES };
  if (reg_data_part(d, name)) {
    reg_fail(st, REG_BAD_DATA, "split_bad", "part `%s` is given twice", name);
    return NULL;
  }
  if (!d->parts) d->parts = reg_heap_take(heap, MOST_PARTS * sizeof *d->parts);
  const char *copy = reg_heap_copy(heap, name, strlen(name));
  int64_t *rows = reg_heap_take(heap, (size_t)count * sizeof *rows);
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

static int make_parts(reg_dataset *d, Heap *heap, const reg_data_op *op, const int64_t *size, int64_t rows,
                      const int8_t *part_of, reg_status *st) {
  for (int p = 0; p < op->nparts; p++) {
    reg_part *part = new_part(d, heap, op->part_names[p], size[p], st);
    if (!part) return st->code;
    for (int64_t i = 0; i < rows; i++)
      if (part_of[i] == p) part->rows[part->nrows++] = i;
  }
  return REG_OK;
}

int data_split(reg_dataset *d, Heap *heap, int64_t rows, bool in_order, const reg_data_op *op,
               reg_status *st) {
  int64_t size[MAX_SPLIT] = {0};
  int code = check_fractions(op, st);
  if (code) return code;
  part_sizes(op, rows, size);
  for (int p = 0; p < op->nparts; p++)
    if (size[p] == 0)
      return reg_fail(st, REG_BAD_DATA, "split_bad", "part `%s` would be empty: %g %% of %lld rows",
                      op->part_names[p], 100 * op->fractions[p], (long long)rows);
  if (in_order && op->stratify)
    return reg_fail(st, REG_BAD_DATA, "split_bad",
                    "a text is divided in order: its parts cannot be stratified");
  const reg_field *by = NULL;
  if (op->stratify && !(by = strata(d, op, st))) return st->code;
  int64_t *order = malloc((size_t)rows * sizeof *order);
  int8_t *part_of = malloc((size_t)rows);
  if (!order || !part_of) {
    code = reg_no_memory(st, (size_t)rows * sizeof *order);
  } else {
    for (int64_t i = 0; i < rows && in_order; i++) order[i] = i;
    if (!in_order) reg_permutation(op->seed, REG_STREAM_SPLIT, 0, rows, order);
    if (by)
      code = deal_by_class(by, op, order, rows, size, part_of, st);
    else
      deal(order, size, op->nparts, part_of);
    if (!code) code = make_parts(d, heap, op, size, rows, part_of, st);
  }
  free(order);
  free(part_of);
  return code;
}
