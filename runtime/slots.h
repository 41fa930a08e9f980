// The slots of a function, and where what they stand for lies: the one place where functions are bound.
#ifndef REG_SLOTS_H
#define REG_SLOTS_H
#include "reg/program.h"
#include "support.h"

enum { SLOT_KINDS = REG_SLOT_DRAWN + 1 };

// By kind: what is at `first`, or the index times `each` bytes behind it; with `apart`, what the pointer of
// that index at `first` points to.
typedef struct SlotPlace {
  void *first;
  size_t each;
  bool apart;
} SlotPlace;

typedef struct Slots {
  SlotPlace place[SLOT_KINDS];
  // Columns of REG_SLOT_OTHER, and the data sets that these number.
  const reg_data_other *others;
  const reg_dataset *const *datasets;
} Slots;

static inline SlotPlace slot_one(void *at) { return (SlotPlace){.first = at}; }
static inline SlotPlace slot_row(void *first, size_t each) {
  return (SlotPlace){.first = first, .each = each};
}
static inline SlotPlace slot_list(void *const *list) {
  return (SlotPlace){.first = (void *)list, .apart = true};
}

int slot_nameless(const reg_function *f, int i, reg_status *st); // slot i has no place: REG_INTERNAL
// Fills in `at`, one for each slot of f. Rows of data (FIELD, FURTHER, SAMPLE, OTHER) get memory of their own
// from `heap`; those of OTHER are there, for they stay what they are. What has no place is REG_INTERNAL.
int slots_bind(const reg_function *f, const Slots *s, Heap *heap, void **at, reg_status *st);
#endif
