// Rows of a table that is larger than memory, for the steps to come. In: the order of an epoch, fields that
// are files. Out: rows of many steps, a stretch of the order, copied in the order in which they lie in the
// table; each row by itself would be a page from anywhere. Each stretch reads most of the table's pages:
// where these take more than half of memory, the table is read once an epoch, and each row put behind those
// of its stretch into a file, so that disk and time grow as the table does. What steps gather is the same.
#include "large.h"
#include "train/internal.h"
#include <stdlib.h>
#include <string.h>

enum { HALF = 8 }; // of memory, in reg_large_least

typedef struct Wanted {
  int64_t row, place;
} Wanted;

// What is gathered of a row.
typedef struct Column {
  const char *from;
  char *to;
  size_t bytes;
} Column;

enum { NOWHERE = UINT16_MAX, FEW = UINT8_MAX };

struct Reach {
  int64_t first, count, room; // places of the order whose rows it has, and has room for
  Wanted *wanted;
  Column *columns;
  int ncolumns;
  char **rows; // of each field its values, then of each its classes; NULL: they are gathered from the table
  // Where the table takes more than half of memory: the rows of each stretch from `base` on, in the table's
  // order; of each row of the table its stretch; how many rows of a stretch are there. `base` -1: of another
  // order.
  char *spread;
  uint16_t *stretch; // or, where there are few
  uint8_t *narrow;
  int64_t *filled, base;
  size_t row; // bytes
};

static const char *all_of(const reg_field *f, bool classes) {
  return classes ? (const char *)f->classes : reg_field_values(f);
}

static size_t bytes_of(const reg_field *f, bool classes) {
  return (size_t)f->width * (classes ? sizeof(int32_t) : reg_dtype_bytes(f->dtype));
}

static int place_of(const Training *t, const reg_field *f, bool classes) {
  return (int)(f - t->data->fields) + (classes ? t->data->nfields : 0);
}

static bool is_held(const Training *t, const reg_slot *s) {
  if (s->kind != REG_SLOT_FIELD) return false;
  const reg_field *f = &t->data->fields[s->index];
  const bool classes = s->dtype == REG_I32 && f->classes;
  return all_of(f, classes) && (size_t)t->data->nrows * bytes_of(f, classes) >= reg_large_least();
}

// Bytes a row of what the step gathers from files.
static size_t held(const Training *t, const Bound *b) {
  size_t sum = 0;
  for (int i = 0; b->f && i < b->f->nslots; i++) {
    const reg_slot *s = &b->f->slots[i];
    if (is_held(t, s))
      sum += bytes_of(&t->data->fields[s->index], s->dtype == REG_I32 && t->data->fields[s->index].classes);
  }
  return sum;
}

// False: no memory.
static bool take_columns(const Training *t, const Bound *b, Reach *r) {
  Heap *heap = &t->run->heap;
  r->columns = reg_heap_take(heap, (size_t)b->f->nslots * sizeof *r->columns);
  for (int i = 0; r->columns && i < b->f->nslots; i++) {
    const reg_slot *s = &b->f->slots[i];
    if (!is_held(t, s)) continue;
    const reg_field *f = &t->data->fields[s->index];
    const bool classes = s->dtype == REG_I32 && f->classes;
    char **to = &r->rows[place_of(t, f, classes)];
    if (*to) continue;
    const size_t bytes = bytes_of(f, classes);
    if (!(*to = reg_heap_take(heap, (size_t)r->room * bytes))) return false;
    r->columns[r->ncolumns++] = (Column){all_of(f, classes), *to, bytes};
    r->row += bytes;
  }
  return r->columns != NULL;
}

// Where there is no room on the disk each stretch reads the table.
static void take_spread(const Training *t, Reach *r) {
  const int64_t n = (t->rows + r->room - 1) / r->room;
  const size_t least = reg_large_least();
  Heap *heap = &t->run->heap;
  if ((t->plan->sample != REG_SAMPLE_ALL && t->plan->sample != REG_SAMPLE_NEAR) || n >= NOWHERE ||
      (size_t)t->rows * r->row <= HALF * least)
    return;
  const size_t bytes = (size_t)t->data->nrows * (n < FEW ? sizeof *r->narrow : sizeof *r->stretch);
  // It is written anywhere, and a file would be on its way to the disk again and again.
  void *stretch = bytes <= 2 * least ? reg_heap_take(heap, bytes) : reg_heap_take_large(heap, bytes);
  if (n < FEW)
    r->narrow = stretch;
  else
    r->stretch = stretch;
  r->filled = reg_heap_take(heap, (size_t)n * sizeof *r->filled);
  if (stretch && r->filled) r->spread = reg_large_add(&heap->large, (size_t)t->rows * r->row);
}

// An eighth of what the process may have, of all that train at once. Where there is no memory steps go on
// without it.
static int reach_new(Training *t) {
  Heap *heap = &t->run->heap;
  Reach *r = t->reach = reg_heap_take(heap, sizeof *r);
  if (!r) return reg_no_memory(t->run->st, sizeof *r);
  const Bound *b = t->steps.full.f ? &t->steps.full : &t->steps.last;
  const size_t row = held(t, b), share = t->run->guard ? (size_t)reg_processors() : 1;
  if (!row || t->plan->nblocks) return REG_OK;
  const int64_t room = (int64_t)(2 * reg_large_least() / share / (row + sizeof(Wanted)));
  r->base = -1;
  r->room = room < t->rows ? room - room % t->plan->batch : t->rows;
  r->wanted = reg_heap_take(heap, (size_t)r->room * sizeof *r->wanted);
  r->rows = reg_heap_take(heap, 2 * (size_t)t->data->nfields * sizeof *r->rows);
  if (!r->wanted || !r->rows || r->room < 2 * t->plan->batch || !take_columns(t, b, r))
    r->room = 0;
  else
    take_spread(t, r);
  return REG_OK;
}

static int by_row(const void *a, const void *b) {
  const Wanted *x = a, *y = b;
  return (x->row > y->row) - (x->row < y->row);
}

static void copy(const Reach *r) {
  for (int k = 0; k < r->ncolumns; k++) {
    const Column *c = &r->columns[k];
    for (int64_t i = 0; i < r->count; i++)
      memcpy(c->to + (size_t)r->wanted[i].place * c->bytes, c->from + (size_t)r->wanted[i].row * c->bytes,
             c->bytes);
  }
}

static void put_stretch(const Reach *r, int64_t row, int64_t stretch) {
  if (r->narrow)
    r->narrow[row] = (uint8_t)stretch; // NOWHERE is FEW then
  else
    r->stretch[row] = (uint16_t)stretch;
}

// Rows of the order from `first` on.
static void spread(const Training *t, int64_t first) {
  Reach *r = t->reach;
  r->base = first;
  reg_large_forget(r->spread);
  for (int64_t row = 0; row < t->data->nrows; row++) put_stretch(r, row, NOWHERE);
  for (int64_t k = first; k < t->rows; k++) put_stretch(r, t->order[k], (k - first) / r->room);
  memset(r->filled, 0, (size_t)((t->rows - first + r->room - 1) / r->room) * sizeof *r->filled);
  for (int64_t row = 0; row < t->data->nrows; row++) {
    const int at = r->narrow ? r->narrow[row] : r->stretch[row];
    if (at == (r->narrow ? FEW : NOWHERE)) continue;
    char *to = r->spread + (size_t)(at * r->room + r->filled[at]++) * r->row;
    for (int k = 0; k < r->ncolumns; k++) {
      const Column *c = &r->columns[k];
      memcpy(to, c->from + (size_t)row * c->bytes, c->bytes);
      to += c->bytes;
    }
  }
}

static void copy_spread(const Reach *r) {
  const char *from = r->spread + (size_t)(r->first - r->base) * r->row;
  for (int64_t i = 0; i < r->count; i++)
    for (int k = 0; k < r->ncolumns; k++) {
      const Column *c = &r->columns[k];
      memcpy(c->to + (size_t)r->wanted[i].place * c->bytes, from, c->bytes);
      from += c->bytes;
    }
}

int reach_to(Training *t, int64_t first, int64_t count) {
  int code = t->reach ? REG_OK : reach_new(t);
  Reach *r = t->reach;
  if (code || !r->room || count > r->room || (first >= r->first && first + count <= r->first + r->count))
    return code;
  const int64_t left = t->rows - first;
  r->first = first;
  r->count = left < r->room ? left : r->room;
  for (int64_t i = 0; i < r->count; i++) r->wanted[i] = (Wanted){t->order[first + i], i};
  qsort(r->wanted, (size_t)r->count, sizeof *r->wanted, by_row);
  if (r->spread && r->base < 0) spread(t, first);
  if (r->spread && (first - r->base) % r->room == 0)
    copy_spread(r);
  else
    copy(r);
  return REG_OK;
}

void reach_forget(Training *t) {
  if (!t->reach) return;
  t->reach->count = 0;
  t->reach->base = -1;
}

const char *reach_rows(const Training *t, const reg_field *f, bool classes, const int64_t *rows,
                       int64_t count) {
  const Reach *r = t->reach;
  const uintptr_t from = (uintptr_t)rows, order = (uintptr_t)t->order;
  if (!r || !r->room || from < order || f < t->data->fields || f >= t->data->fields + t->data->nfields)
    return NULL;
  const uintptr_t first = (from - order) / sizeof *rows;
  const char *held_rows = r->rows[place_of(t, f, classes)];
  if (!held_rows || first < (uintptr_t)r->first ||
      first + (uintptr_t)count > (uintptr_t)(r->first + r->count))
    return NULL;
  return held_rows + (size_t)((int64_t)first - r->first) * bytes_of(f, classes);
}
