// From what a slot stands for to its address. What holds: an address stays good as long as its place does.
#include "slots.h"
#include "data/table.h"

static bool is_rows(const reg_slot *s) {
  return s->kind == REG_SLOT_FIELD || s->kind == REG_SLOT_FURTHER || s->kind == REG_SLOT_SAMPLE ||
         s->kind == REG_SLOT_OTHER;
}

int slot_nameless(const reg_function *f, int i, reg_status *st) {
  return reg_fail(st, REG_INTERNAL, "internal", "slot %d of function `%s` names nothing (kind %d, index %d)",
                  i, f->name, (int)f->slots[i].kind, f->slots[i].index);
}

static int rows_bind(const Slots *slots, const reg_slot *s, Heap *heap, void **at, reg_status *st) {
  const size_t bytes = (size_t)s->count * reg_dtype_bytes(s->dtype);
  *at = reg_heap_take_large(heap, bytes); // of metrics all rows of a part
  if (!*at) return reg_no_memory(st, bytes);
  if (s->kind != REG_SLOT_OTHER) return REG_OK;
  const reg_data_other *o = &slots->others[s->index];
  const reg_dataset *d = slots->datasets[o->data];
  return data_rows(d, o->part ? reg_data_part(d, o->part) : NULL, o->field, s, *at, st);
}

int slots_bind(const reg_function *f, const Slots *slots, Heap *heap, void **at, reg_status *st) {
  int code = REG_OK;
  for (int i = 0; i < f->nslots && !code; i++) {
    const reg_slot *s = &f->slots[i];
    const SlotPlace *p = &slots->place[s->kind];
    if (is_rows(s)) {
      code = s->kind == REG_SLOT_OTHER && !slots->others ? slot_nameless(f, i, st)
                                                         : rows_bind(slots, s, heap, &at[i], st);
      continue;
    }
    at[i] = p->apart && p->first ? ((void *const *)p->first)[s->index]
            : p->first           ? (char *)p->first + (size_t)s->index * p->each
                                 : NULL;
    if (!at[i]) code = slot_nameless(f, i, st);
  }
  return code;
}
