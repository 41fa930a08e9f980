// See image.h. Pointers are cleared in the copy, so that no address of this process stays behind.
#include "image.h"
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

int64_t image_put(Image *m, const void *from, size_t size) {
  static const char zeros[ALIGNMENT];
  const int64_t at = m->bytes.len;
  m->bytes.arena = m->arena;
  strbuf_addn(&m->bytes, from, size);
  strbuf_addn(&m->bytes, zeros, (size_t)(-m->bytes.len & (ALIGNMENT - 1)));
  return at;
}

int64_t image_text(Image *m, const char *text) { return text ? image_put(m, text, strlen(text) + 1) : -1; }

static void add(Image *m, Fixup f) {
  memset(m->bytes.data + f.at, 0, sizeof(void *));
  if (f.symbol || f.target >= 0) vec_push(m->arena, m->fixups, f);
}

void image_pointer(Image *m, int64_t at, int64_t target) { add(m, (Fixup){.at = at, .target = target}); }

void image_symbol(Image *m, int64_t at, const char *symbol) { add(m, (Fixup){.at = at, .symbol = symbol}); }

static int by_place(const void *a, const void *b) {
  const Fixup *x = a, *y = b;
  return (x->at > y->at) - (x->at < y->at);
}

DataImage image_finish(Image *m, const char *symbol) {
  if (m->fixups.len) qsort(m->fixups.data, (size_t)m->fixups.len, sizeof *m->fixups.data, by_place);
  return (DataImage){.symbol = symbol,
                     .bytes = m->bytes.data,
                     .size = m->bytes.len,
                     .fixups = m->fixups.data,
                     .nfixups = m->fixups.len};
}
