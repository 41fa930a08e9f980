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
    reg_fail(st, REG_BAD_DATA, "split_bad", "cannot stratify by `%s`: the data have no such field",
             op->stratify);
    return NULL;
  }
  if (!d->fields[at].classes) {
    reg_fail(st, REG_BAD_DATA, "split_bad", "cannot stratify by `%s`: it has no classes", op->stratify);
    reg_hint(st,
             "classes are text, or integers with at most 1000 different values on fewer than half the rows");
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
static int deal_by_class(const reg_dataset *d, const reg_field *f, const reg_data_op *op,
                         const int64_t *order, const int64_t size[MAX_SPLIT], int8_t *part_of,
                         reg_status *st) {
  int64_t *of_class = calloc((size_t)f->nclasses, sizeof *of_class);
  int64_t(*count)[MAX_SPLIT] = calloc((size_t)f->nclasses, sizeof *count);
  int code = REG_OK;
  if (of_class)
    for (int64_t i = 0; i < d->nrows; i++) of_class[f->classes[i]]++;
  if (!of_class || !count || class_counts(op, of_class, f->nclasses, size, count) != 0) {
    code = reg_no_memory(st, (size_t)f->nclasses * sizeof *count);
  } else {
    for (int64_t c = 0; c < f->nclasses && !code; c++)
      for (int p = 0; p < op->nparts && !code; p++)
        if (count[c][p] == 0) {
          code = reg_fail(st, REG_BAD_DATA, "split_bad",
                          "class `%s` of `%s` has %lld samples: none is left for part `%s`",
                          f->class_names[c], f->name, (long long)of_class[c], op->part_names[p]);
          reg_hint(st, "merge rare classes, make the part larger, or split without `stratify`");
        }
    for (int64_t i = 0; i < d->nrows && !code; i++) {
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

static int make_parts(reg_dataset *d, Heap *heap, const char *const *names, const int64_t *size, int nparts,
                      const int8_t *part_of, reg_status *st) {
  d->parts = reg_heap_take(heap, (size_t)nparts * sizeof *d->parts);
  if (!d->parts) return reg_no_memory(st, (size_t)nparts * sizeof *d->parts);
  for (int p = 0; p < nparts; p++) {
    int64_t *rows = reg_heap_take(heap, (size_t)size[p] * sizeof *rows), n = 0;
    const char *name = reg_heap_copy(heap, names[p], strlen(names[p]));
    if (!rows || !name) return reg_no_memory(st, (size_t)size[p] * sizeof *rows);
    for (int64_t i = 0; i < d->nrows; i++)
      if (!part_of || part_of[i] == p) rows[n++] = i;
    d->parts[p] = (reg_part){.name = name, .nrows = n, .rows = rows};
  }
  d->nparts = nparts;
  return REG_OK;
}

int data_unsplit(reg_dataset *d, Heap *heap, reg_status *st) {
  const char *names[] = {"all"};
  return make_parts(d, heap, names, &d->nrows, 1, NULL, st);
}

int data_split(reg_dataset *d, Heap *heap, const reg_data_op *op, reg_status *st) {
  int64_t size[MAX_SPLIT] = {0};
  int code = check_fractions(op, st);
  if (code) return code;
  part_sizes(op, d->nrows, size);
  for (int p = 0; p < op->nparts; p++)
    if (size[p] == 0)
      return reg_fail(st, REG_BAD_DATA, "split_bad", "part `%s` would be empty: %g %% of %lld rows",
                      op->part_names[p], 100 * op->fractions[p], (long long)d->nrows);
  const reg_field *by = NULL;
  if (op->stratify && !(by = strata(d, op, st))) return st->code;
  int64_t *order = malloc((size_t)d->nrows * sizeof *order);
  int8_t *part_of = malloc((size_t)d->nrows);
  if (!order || !part_of) {
    code = reg_no_memory(st, (size_t)d->nrows * sizeof *order);
  } else {
    reg_permutation(op->seed, REG_STREAM_SPLIT, 0, d->nrows, order);
    if (by)
      code = deal_by_class(d, by, op, order, size, part_of, st);
    else
      deal(order, size, op->nparts, part_of);
    if (!code) code = make_parts(d, heap, op->part_names, size, op->nparts, part_of, st);
  }
  free(order);
  free(part_of);
  return code;
}
