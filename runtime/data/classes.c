// Classes of a column: the different items of its first rows, in ascending order. In: one item a row. Out: of
// each row the place of its item among these. They are found by hash, so that time and memory besides follow
// from how many different ones there are, and a table may be larger than memory.
#include "data/table.h"
#include "large.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Kind {
  size_t size;
  uint64_t (*hash)(const void *item);
  int (*compare)(const void *, const void *);
} Kind;

static int by_value(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

// Neighbours lie apart.
static uint64_t hash_integer(const void *item) {
  const uint64_t mixed = *(const uint64_t *)item * UINT64_C(0x9E3779B97F4A7C15);
  return mixed ^ mixed >> 32;
}

static uint64_t hash_text(const void *item) {
  const char *text = *(const char *const *)item;
  return reg_fnv1a(text, strlen(text));
}

static const Kind integers = {sizeof(int64_t), hash_integer, by_value},
                  texts = {sizeof(const char *), hash_text, reg_by_bytes};

// Items in the order in which they came.
typedef struct Distinct {
  const Kind *kind;
  char *items;
  int32_t *slot; // of a hash table with twice as many: number of the item + 1, or 0
  int64_t count, room;
} Distinct;

static const char *item_at(const Kind *k, const void *items, int64_t i) {
  return (const char *)items + (size_t)i * k->size;
}

// The slot where the item is, or where it would be.
static int32_t *probe(const Distinct *d, const void *item) {
  const uint64_t mask = 2 * (uint64_t)d->room - 1;
  for (uint64_t at = d->kind->hash(item) & mask;; at = (at + 1) & mask)
    if (!d->slot[at] || !d->kind->compare(item_at(d->kind, d->items, d->slot[at] - 1), item))
      return &d->slot[at];
}

static bool grow(Distinct *d) {
  const int64_t room = d->room ? 2 * d->room : 64;
  char *items = reg_large_resize(d->items, (size_t)room * d->kind->size);
  if (!items) return false;
  d->items = items;
  int32_t *slot = reg_large_resize(d->slot, 2 * (size_t)room * sizeof *slot);
  if (!slot) return false;
  d->slot = slot;
  d->room = room;
  memset(slot, 0, 2 * (size_t)room * sizeof *slot);
  for (int64_t i = 0; i < d->count; i++) *probe(d, item_at(d->kind, items, i)) = (int32_t)(i + 1);
  return true;
}

// The item's number; -1: out of memory.
static int32_t add(Distinct *d, const void *item) {
  int32_t *slot = d->room ? probe(d, item) : NULL;
  if (slot && *slot) return *slot - 1;
  if (d->count == d->room) {
    if (!grow(d)) return -1;
    slot = probe(d, item);
  }
  memcpy(d->items + (size_t)d->count * d->kind->size, item, d->kind->size);
  *slot = (int32_t)++d->count;
  return *slot - 1;
}

// -- a column

typedef struct Column {
  const Kind *kind;
  const void *items; // one a row
  int64_t first, rows;
  void *sorted;     // the classes
  int64_t stranger; // the first row behind `first` whose item is no class; -1
} Column;

static bool ascends(const Column *c) {
  for (int64_t i = 1; i < c->first; i++)
    if (c->kind->compare(item_at(c->kind, c->items, i - 1), item_at(c->kind, c->items, i)) >= 0) return false;
  return true;
}

static int64_t place_of(const Column *c, const reg_field *f, const void *item) {
  const char *found = bsearch(item, c->sorted, (size_t)f->nclasses, c->kind->size, c->kind->compare);
  return found ? (int64_t)((size_t)(found - (const char *)c->sorted) / c->kind->size) : -1;
}

// As rows are often called: each is a class.
static bool take_all(Column *c, reg_field *f) {
  const size_t bytes = (size_t)c->first * c->kind->size;
  if (!(c->sorted = reg_large_resize(NULL, bytes))) return false;
  memcpy(c->sorted, c->items, bytes);
  f->nclasses = c->first;
  for (int64_t i = 0; i < c->first; i++) f->classes[i] = (int32_t)i;
  return true;
}

// Numbers of items become their places in ascending order.
static bool order(Column *c, reg_field *f, const Distinct *d) {
  const size_t size = c->kind->size;
  int32_t *place = reg_large_resize(NULL, (size_t)d->count * sizeof *place);
  c->sorted = reg_large_resize(NULL, (size_t)d->count * size);
  if (place && c->sorted) {
    memcpy(c->sorted, d->items, (size_t)d->count * size);
    qsort(c->sorted, (size_t)d->count, size, c->kind->compare);
    f->nclasses = d->count;
    for (int64_t i = 0; i < d->count; i++) place[i] = (int32_t)place_of(c, f, item_at(c->kind, d->items, i));
    for (int64_t i = 0; i < c->first; i++) f->classes[i] = place[f->classes[i]];
  }
  reg_large_free(place);
  return place && c->sorted;
}

static bool take_different(Column *c, reg_field *f) {
  Distinct d = {.kind = c->kind};
  bool good = true;
  for (int64_t i = 0; i < c->first && good; i++)
    good = (f->classes[i] = add(&d, item_at(c->kind, c->items, i))) >= 0;
  good = good && order(c, f, &d);
  reg_large_free(d.items);
  reg_large_free(d.slot);
  return good;
}

// False: out of memory.
static bool number_classes(Column *c, Heap *heap, reg_field *f) {
  c->stranger = -1;
  f->classes = reg_heap_take_large(heap, (size_t)c->rows * sizeof *f->classes);
  if (!f->classes || !(ascends(c) ? take_all(c, f) : take_different(c, f))) return false;
  for (int64_t i = c->first; i < c->rows && c->stranger < 0; i++) {
    const int64_t place = place_of(c, f, item_at(c->kind, c->items, i));
    f->classes[i] = (int32_t)place;
    if (place < 0) c->stranger = i;
  }
  return true;
}

// -- their names

// Room for the names, `bytes` in all; NULL: out of memory.
static char *class_names(Heap *heap, reg_field *f, size_t bytes) {
  f->class_names = reg_heap_take_large(heap, (size_t)f->nclasses * sizeof *f->class_names);
  return f->class_names ? reg_heap_take_large(heap, bytes) : NULL;
}

static int name_texts(Heap *heap, reg_field *f, const char *const *sorted) {
  size_t bytes = 0;
  for (int64_t c = 0; c < f->nclasses; c++) bytes += strlen(sorted[c]) + 1;
  char *names = class_names(heap, f, bytes);
  for (int64_t c = 0; c < f->nclasses && names; c++) {
    f->class_names[c] = strcpy(names, sorted[c]);
    names += strlen(names) + 1;
  }
  return names ? REG_OK : -1;
}

static int name_integers(Heap *heap, reg_field *f, const int64_t *sorted) {
  enum { LONGEST = 21 };
  char *names = class_names(heap, f, (size_t)f->nclasses * LONGEST);
  for (int64_t c = 0; c < f->nclasses && names; c++, names += LONGEST) {
    snprintf(names, LONGEST, "%lld", (long long)sorted[c]);
    f->class_names[c] = names;
  }
  return names ? REG_OK : -1;
}

static int classes_of(Column *c, Heap *heap, reg_field *f, int64_t *stranger) {
  int code = number_classes(c, heap, f) ? REG_OK : -1;
  if (!code) code = c->kind == &texts ? name_texts(heap, f, c->sorted) : name_integers(heap, f, c->sorted);
  *stranger = c->stranger;
  reg_large_free(c->sorted);
  return code;
}

int data_integer_classes(Heap *heap, reg_field *f, const int64_t *values, int64_t first, int64_t rows,
                         int64_t *stranger) {
  return classes_of(&(Column){.kind = &integers, .items = values, .first = first, .rows = rows}, heap, f,
                    stranger);
}

int data_text_classes(Heap *heap, reg_field *f, const char *const *cells, int64_t first, int64_t rows,
                      int64_t *stranger) {
  return classes_of(&(Column){.kind = &texts, .items = cells, .first = first, .rows = rows}, heap, f,
                    stranger);
}
