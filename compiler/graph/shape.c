// Shapes. In and out: values of type Shape. Holds: a legal shape has at most MAX_RANK axes, of which the
// product without those of length 0 is at most 2^40, so that no count or byte offset overflows.
#include "ops.h"

enum { MAX_COUNT_BITS = 40 };

int64_t shape_count(Shape s) {
  int64_t n = 1;
  for (int i = 0; i < s.rank; i++) n *= s.dim[i];
  return n;
}

bool shape_equal(Shape a, Shape b) {
  if (a.rank != b.rank) return false;
  for (int i = 0; i < a.rank; i++)
    if (a.dim[i] != b.dim[i]) return false;
  return true;
}

Shape shape_of(int rank, ...) {
  Shape s = {.rank = rank};
  va_list ap;
  va_start(ap, rank);
  for (int i = 0; i < rank; i++) s.dim[i] = va_arg(ap, int64_t);
  va_end(ap);
  return s;
}

Shape shape_with_first(int64_t n, Shape s) {
  Shape out = {.rank = s.rank + 1, .dim = {n}};
  for (int i = 0; i < s.rank; i++) out.dim[i + 1] = s.dim[i];
  return out;
}

Shape shape_without_first(Shape s) {
  Shape out = {.rank = s.rank - 1};
  for (int i = 0; i < out.rank; i++) out.dim[i] = s.dim[i + 1];
  return out;
}

const char *shape_text(Arena *a, Shape s) {
  StrBuf b = {.arena = a};
  strbuf_add(&b, "[");
  for (int i = 0; i < s.rank; i++) strbuf_addf(&b, i ? ", %lld" : "%lld", (long long)s.dim[i]);
  strbuf_add(&b, "]");
  return b.data;
}

const char *shape_fault(Arena *a, Shape s) {
  if (s.rank < 0 || s.rank > MAX_RANK) return arena_printf(a, "rank %d is not in 0..%d", s.rank, MAX_RANK);
  int64_t n = 1;
  for (int i = 0; i < s.rank; i++) {
    if (s.dim[i] < 0) return arena_printf(a, "axis %d has length %lld", i, (long long)s.dim[i]);
    if (s.dim[i] > ((int64_t)1 << MAX_COUNT_BITS) / n) return "too many elements";
    if (s.dim[i]) n *= s.dim[i];
  }
  return NULL;
}

bool shape_broadcast(Shape a, Shape b, Shape *out) {
  Shape r = {.rank = a.rank > b.rank ? a.rank : b.rank};
  for (int i = 1; i <= r.rank; i++) {
    int64_t da = i <= a.rank ? a.dim[a.rank - i] : 1, db = i <= b.rank ? b.dim[b.rank - i] : 1;
    if (da != db && da != 1 && db != 1) return false;
    r.dim[r.rank - i] = da == 1 ? db : da;
  }
  *out = r;
  return true;
}
