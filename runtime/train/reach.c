// Rows of a table that is larger than memory, for the steps to come. In: the order of an epoch, fields that
// are files. Out: rows of many steps, copied in the order in which they lie in the table, so that what is
// read of a file is read in stretches; each row by itself would be a page from anywhere. What steps gather is
// the same.
#include "large.h"
#include "train/internal.h"
#include <stdlib.h>
#include <string.h>

typedef struct Wanted {
  int64_t row, place;
} Wanted;

struct Reach {
  int64_t first, count, room; // places of the order whose rows it has, and has room for
  Wanted *wanted;
  char **rows; // of each field its values, then of each its classes; NULL: they are gathered from the table
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

// Bytes a row of what the step gathers from files. With `rows` these get room.
static size_t held(const Training *t, const Bound *b, char **rows, int64_t room) {
  size_t sum = 0;
  for (int i = 0; b->f && i < b->f->nslots; i++) {
    const reg_slot *s = &b->f->slots[i];
    if (s->kind != REG_SLOT_FIELD) continue;
    const reg_field *f = &t->data->fields[s->index];
    const bool classes = s->dtype == REG_I32 && f->classes;
    const size_t bytes = bytes_of(f, classes);
    if (!all_of(f, classes) || (size_t)t->data->nrows * bytes < reg_large_least()) continue;
    sum += bytes;
    char **own = rows ? &rows[place_of(t, f, classes)] : NULL;
    if (own && !*own) *own = reg_heap_take(&t->run->heap, (size_t)room * bytes);
  }
  return sum;
}

// An eighth of what the process may have, of all that train at once. Where there is no memory steps go on
// without it.
static int reach_new(Training *t) {
  Heap *heap = &t->run->heap;
  Reach *r = t->reach = reg_heap_take(heap, sizeof *r);
  if (!r) return reg_no_memory(t->run->st, sizeof *r);
  const Bound *b = t->steps.full.f ? &t->steps.full : &t->steps.last;
  const size_t row = held(t, b, NULL, 0), share = t->run->guard ? (size_t)reg_processors() : 1;
  if (!row || t->plan->nblocks) return REG_OK;
  const int64_t room = (int64_t)(2 * reg_large_least() / share / (row + sizeof(Wanted)));
  r->room = room < t->rows ? room : t->rows;
  r->wanted = reg_heap_take(heap, (size_t)r->room * sizeof *r->wanted);
  r->rows = reg_heap_take(heap, 2 * (size_t)t->data->nfields * sizeof *r->rows);
  if (!r->wanted || !r->rows || r->room < 2 * t->plan->batch)
    r->room = 0;
  else
    held(t, b, r->rows, r->room);
  return REG_OK;
}

static int by_row(const void *a, const void *b) {
  const Wanted *x = a, *y = b;
  return (x->row > y->row) - (x->row < y->row);
}

static void copy(const Training *t, const reg_field *f, bool classes) {
  const Reach *r = t->reach;
  char *to = r->rows[place_of(t, f, classes)];
  const char *from = all_of(f, classes);
  const size_t bytes = bytes_of(f, classes);
  for (int64_t i = 0; to && i < r->count; i++)
    memcpy(to + (size_t)r->wanted[i].place * bytes, from + (size_t)r->wanted[i].row * bytes, bytes);
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
  for (int i = 0; i < t->data->nfields; i++) {
    copy(t, &t->data->fields[i], false);
    copy(t, &t->data->fields[i], true);
  }
  return REG_OK;
}

void reach_forget(Training *t) {
  if (t->reach) t->reach->count = 0;
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
