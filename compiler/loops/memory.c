// Offsets of the buffers in scratch memory. In: each buffer's size and the steps between which it lives. Out:
// offsets, multiples of 64, so that no two buffers that live at the same time overlap; largest first, each at
// the lowest place that is free.
#include "plan.h"

// Behind a large buffer some lines stay free: a processor takes a load for one of what a store that has not
// ended yet writes where both lie equally far into a page, and waits. Buffers of 2^n bytes behind each other
// would all do so (measured: a backward pass over 64 columns of 128, 4.8 us beside 1.9).
enum { LARGE = 4096, APART = 192 };

static bool overlap_in_time(const Buffer *x, const Buffer *y) {
  return x->first <= y->last && y->first <= x->last;
}

// The lowest offset from which `b` meets none of the placed buffers, which are ordered by offset.
static int64_t lowest_gap(const Buffer *b, Buffer *const *placed, int n) {
  int64_t at = 0;
  for (int i = 0; i < n; i++) {
    const Buffer *x = placed[i];
    if (!overlap_in_time(b, x) || x->offset + x->bytes <= at) continue;
    if (at + b->bytes <= x->offset) break;
    at = x->offset + x->bytes;
  }
  return at;
}

void memory_place(LoopFn *f, Arena *scratch, bool keep_all) {
  Buffer **todo = ARENA_ARRAY(scratch, Buffer *, f->nbuffers),
         **placed = ARENA_ARRAY(scratch, Buffer *, f->nbuffers);
  int n = 0;
  for (int i = 0; i < f->nbuffers; i++) {
    Buffer *b = f->buffers[i];
    if (b->slot != 0) continue;
    b->bytes = (b->bytes + 63) / 64 * 64 + (b->bytes >= LARGE ? APART : 0);
    if (keep_all) b->last = f->nsteps;
    int k = n++;
    for (; k > 0 && todo[k - 1]->bytes < b->bytes; k--) todo[k] = todo[k - 1];
    todo[k] = b;
  }
  f->scratch_bytes = 0;
  for (int i = 0; i < n; i++) {
    Buffer *b = todo[i];
    b->offset = lowest_gap(b, placed, i);
    int k = i;
    for (; k > 0 && placed[k - 1]->offset > b->offset; k--) placed[k] = placed[k - 1];
    placed[k] = b;
    if (b->offset + b->bytes > f->scratch_bytes) f->scratch_bytes = b->offset + b->bytes;
  }
}
