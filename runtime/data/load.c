// A data plan to a data set: its files, fields, parts, and the transformations of x.
#include "data/table.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#pragma weak table_read_images

static const reg_csv_form *form_of(const reg_data_op *op) { return op->nforms ? op->form : NULL; }

// The first target, what the form names besides, and columns of texts.
static int open_own(Table *t, const reg_data_plan *plan, reg_status *st) {
  const reg_data_op *source = plan->ops;
  const reg_csv_form *f = form_of(source);
  const int more = f ? f->nown : 0;
  t->own = calloc((size_t)(more + plan_texts(plan)) + 1, sizeof *t->own);
  if (!t->own) return reg_no_memory(st, sizeof *t->own);
  if (source->target)
    t->own[t->nown++] = (OwnColumn){.column = source->target,
                                    .field = source->field ? source->field : source->target,
                                    .role = REG_OWN_TARGET};
  for (int i = 0; i < more; i++)
    t->own[t->nown++] =
        (OwnColumn){.column = f->own[i].column, .field = f->own[i].field, .role = f->own[i].role};
  return texts_open(t, plan);
}

static bool has(const reg_data_plan *plan, reg_data_kind kind) {
  for (int i = 1; i < plan->nops; i++)
    if (plan->ops[i].kind == kind) return true;
  return false;
}

// Columns that the plan encodes by name.
static int list_texts(Table *t, const reg_data_plan *plan, TableRequest *want, reg_status *st) {
  int n = 0;
  for (int i = 1; i < plan->nops; i++) n += plan->ops[i].kind == REG_DATA_ENCODE ? plan->ops[i].nnamed : 0;
  const char **texts = reg_heap_take(t->heap, (size_t)n * sizeof *texts);
  if (!texts) return reg_no_memory(st, (size_t)n * sizeof *texts);
  want->texts = texts;
  for (int i = 1; i < plan->nops; i++)
    for (int k = 0; plan->ops[i].kind == REG_DATA_ENCODE && k < plan->ops[i].nnamed; k++)
      texts[want->ntexts++] = plan->ops[i].named[k];
  return REG_OK;
}

static const reg_image_form *images_of(const reg_data_op *op) { return op->nimages ? op->images : NULL; }

typedef int Reader(Table *, const TableRequest *, reg_status *);

static Reader *reader_of(reg_data_kind kind) {
  return kind == REG_DATA_CSV      ? table_read_csv
         : kind == REG_DATA_IDX    ? table_read_idx
         : kind == REG_DATA_NPY    ? table_read_npy
         : kind == REG_DATA_IMAGES ? table_read_images
                                   : NULL;
}

// The files of one step. `want` says what is wanted of all files, and is for the very first one.
static int read_step(Table *t, const reg_data_plan *plan, int step, Reader *read, TableRequest want,
                     reg_status *st) {
  const reg_data_op *op = &plan->ops[step];
  if (op->nforms) want.form = op->form;
  want.target = step ? op->target : NULL;
  want.labels = op->labels;
  want.array = op->array;
  int code = REG_OK;
  for (int i = -1; i < op->nmore && !code; i++) {
    const char *const *paths = i < 0 ? &op->path : &op->more[i];
    int n = 1;
    if (plan->ops[0].kind == REG_DATA_CSV) code = data_paths(t->heap, *paths, &paths, &n, st);
    for (int k = 0; k < n && !code; k++) {
      if (t->nfiles == MOST_FILES)
        return reg_fail(st, REG_BAD_DATA, "data_bad", "a data set is read from %d files at most", MOST_FILES);
      want.path = paths[k];
      want.no_others = t->nfiles > 0;
      if (t->nfiles) want.columns = t->columns;
      if (t->nfiles) want.ncolumns = t->width;
      t->files[t->nfiles].step = step;
      code = read(t, &want, st);
    }
  }
  return code;
}

// Images of which nothing but their size is to be known before the first step.
static bool come_later(const reg_data_plan *plan) {
  bool later = plan->ops[0].kind == REG_DATA_IMAGES;
  for (int i = 1; i < plan->nops; i++)
    later &= plan->ops[i].kind == REG_DATA_SCALE || plan->ops[i].kind == REG_DATA_SPLIT ||
             plan->ops[i].kind == REG_DATA_FOLD || plan->ops[i].kind == REG_DATA_PART;
  return later;
}

static int read_files(Table *t, const reg_data_plan *plan, reg_status *st) {
  const reg_data_op *source = plan->ops;
  Reader *read = plan->nops < 1 ? NULL : reader_of(source->kind);
  if (!read) return reg_fail(st, REG_INTERNAL, "internal", "a data plan does not start with its source");
  TableRequest first = {.form = form_of(source),
                        .images = images_of(source),
                        .later = come_later(plan),
                        .any_text = plan_takes_texts(plan),
                        .holes = plan_fills(plan),
                        .drops = has(plan, REG_DATA_DROP_MISSING),
                        .grows = has(plan, REG_DATA_LAG)};
  int code = open_own(t, plan, st);
  if (!code) code = list_texts(t, plan, &first, st);
  if (!code) code = read_step(t, plan, 0, read, first, st);
  for (int i = 1; i < plan->nops && !code; i++)
    if (plan->ops[i].kind == REG_DATA_PART) code = read_step(t, plan, i, read, first, st);
  return code;
}

// Shares divide the first file; the others are parts each. `t` NULL: a text.
static int make_parts(reg_dataset *d, Heap *heap, const Table *t, const reg_data_plan *plan, reg_status *st) {
  const reg_data_op *split = NULL;
  const int64_t rows = t ? table_rows_of(t, 0, NULL) : d->nrows;
  for (int i = 1; i < plan->nops; i++) {
    if (plan->ops[i].kind != REG_DATA_SPLIT && plan->ops[i].kind != REG_DATA_FOLD) continue;
    if (split) return reg_fail(st, REG_BAD_DATA, "split_bad", "the data are split twice");
    split = &plan->ops[i];
  }
  int code = split ? data_split(d, heap, rows, !t, split, st)
                   : data_add_part(d, heap, t && t->files[t->nfiles - 1].step ? "train" : "all", 0, rows, st);
  for (int i = 1; i < plan->nops && !code && t; i++)
    if (plan->ops[i].kind == REG_DATA_PART) {
      int64_t first = 0;
      const int64_t count = table_rows_of(t, i, &first);
      code = data_add_part(d, heap, plan->ops[i].part_names[0], first, count, st);
    }
  return code;
}

static int load_text(reg_dataset *d, Heap *heap, const reg_data_plan *plan, reg_status *st) {
  int code = data_read_text(d, heap, plan, st);
  return code ? code : make_parts(d, heap, NULL, plan, st);
}

static int make_x(Table *t, reg_dataset *d, const reg_data_plan *plan, reg_status *st) {
  int code = table_encode(t, d, plan, st);
  if (!code) code = table_make_x(t, d, st);
  return code ? code : data_transform(d, t, plan, st);
}

// Nothing of the file is numbers: no step for columns of x has any.
static int texts_alone(reg_dataset *d, Heap *heap, const reg_data_plan *plan, reg_status *st) {
  for (int i = 1; i < plan->nops; i++)
    if (plan->ops[i].kind >= REG_DATA_SCALE && plan->ops[i].kind <= REG_DATA_LAG) {
      reg_fail(st, REG_BAD_DATA, "data_bad",
               "x has no column: all that the file has besides is tokens or a target");
      return reg_hint(st, "steps such as `standardize` are for columns of numbers"), st->code;
    }
  return data_number_columns(heap, d, d->fields[0].width) ? reg_no_memory(st, 0) : REG_OK;
}

int reg_data_whole(const reg_dataset *d, reg_status *st) {
  enum { BLOCK = 1024 };
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  reg_field *x = d->nfields ? &d->fields[0] : NULL;
  if (!x || !x->supply || reg_field_values(x)) return REG_OK;
  pthread_mutex_lock(&lock);
  int64_t rows[BLOCK];
  const size_t row = (size_t)x->width * reg_dtype_bytes(x->dtype), bytes = (size_t)d->nrows * row;
  char *values = x->values ? NULL : reg_heap_take_large(d->memory, bytes);
  int code = x->values || values ? REG_OK : reg_no_memory(st, bytes);
  for (int64_t done = 0; values && done < d->nrows && !code; done += BLOCK) {
    const int64_t left = d->nrows - done, count = left < BLOCK ? left : BLOCK;
    for (int64_t i = 0; i < count; i++) rows[i] = done + i;
    code = x->supply->take(x->supply, rows, count, values + (size_t)done * row, st);
  }
  if (values && !code) __atomic_store_n(&x->values, values, __ATOMIC_RELEASE);
  pthread_mutex_unlock(&lock);
  return code;
}

// Earlier data sets, whose values are read.
static int make_whole(const reg_data_plan *plan, reg_status *st) {
  int code = REG_OK;
  for (int i = 0; i < plan->nops && !code; i++) {
    const reg_data_op *op = &plan->ops[i];
    if (op->kind == REG_DATA_FROM || op->kind == REG_DATA_ROWS || op->kind == REG_DATA_JOIN)
      code = reg_data_whole(plan->earlier[op->from], st);
  }
  return code;
}

static void *copy_of(Heap *heap, const void *from, size_t bytes, bool *good) {
  void *to = from ? reg_heap_take(heap, bytes + 1) : NULL;
  if (to) memcpy(to, from, bytes);
  *good = *good && (to || !from);
  return to;
}

static const char *text_of(Heap *heap, const char *text, bool *good) {
  return copy_of(heap, text, text ? strlen(text) : 0, good);
}

static const char *const *texts_of(Heap *heap, const char *const *from, int n, bool *good) {
  const char **to = copy_of(heap, from, (size_t)n * sizeof *to, good);
  for (int i = 0; to && i < n; i++) to[i] = text_of(heap, from[i], good);
  return to;
}

// A data set outlives its plan.
static int keep_forms(reg_dataset *d, Heap *heap, const reg_data_op *source, reg_status *st) {
  bool good = true;
  reg_csv_form *f = copy_of(heap, form_of(source), sizeof *f, &good);
  reg_data_own *own = f ? copy_of(heap, f->own, (size_t)f->nown * sizeof *own, &good) : NULL;
  for (int i = 0; own && i < f->nown; i++) {
    own[i].column = text_of(heap, own[i].column, &good);
    own[i].field = text_of(heap, own[i].field, &good);
  }
  if (f) {
    f->names = texts_of(heap, f->names, f->nnames, &good);
    f->missing = texts_of(heap, f->missing, f->nmissing, &good);
    f->units = texts_of(heap, f->units, f->nunits, &good);
    f->columns = texts_of(heap, f->columns, f->ncolumns, &good);
    f->dropped = texts_of(heap, f->dropped, f->ndropped, &good);
    f->own = own;
  }
  d->form = f;
  d->images = copy_of(heap, images_of(source), sizeof *d->images, &good);
  return good ? REG_OK : reg_no_memory(st, sizeof *f);
}

static int load(reg_dataset *d, Heap *heap, const reg_data_plan *plan, reg_status *st) {
  if (plan->nops && plan->ops[0].kind == REG_DATA_TEXT) return load_text(d, heap, plan, st);
  if (plan->nops && plan->ops[0].kind >= REG_DATA_FROM) {
    const int code = make_whole(plan, st);
    return code ? code : data_compute(d, heap, plan, st);
  }
  Table t = {.heap = heap, .dtype = plan->dtype};
  int code = read_files(&t, plan, st);
  if (!code) code = table_lag(&t, d, plan, st);
  if (!code && has(plan, REG_DATA_DROP_MISSING))
    code = table_drop_missing(&t, plan, form_of(&plan->ops[0]), st);
  if (!code) code = table_to_fields(&t, d, st);
  if (!code) code = keep_forms(d, heap, &plan->ops[0], st);
  if (!code) code = make_parts(d, heap, &t, plan, st);
  if (!code) code = table_tokenize(&t, d, plan, st);
  if (!code) code = t.width ? make_x(&t, d, plan, st) : texts_alone(d, heap, plan, st);
  table_free(&t);
  return code;
}

reg_dataset *reg_data_load(const reg_data_plan *plan, reg_status *st) {
  reg_status ignored;
  Heap *heap = calloc(1, sizeof *heap);
  reg_dataset *d = calloc(1, sizeof *d);
  if (!st) st = &ignored;
  *st = (reg_status){0};
  if (!heap || !d) {
    reg_no_memory(st, sizeof *d);
    free(heap);
    free(d);
    return NULL;
  }
  d->memory = heap;
  NumberLocale numbers = reg_numbers_enter();
  int code = load(d, heap, plan, st);
  reg_numbers_leave(numbers);
  if (!code) return d;
  reg_data_free(d);
  return NULL;
}

void reg_data_free(reg_dataset *d) {
  if (!d) return;
  if (d->supply) d->supply->end(d->supply);
  reg_heap_free(d->memory);
  free(d->memory);
  free(d);
}
