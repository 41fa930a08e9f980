// Byte-pair encoding (Sennrich, Haddow & Birch 2016): words are sequences of characters, of which the most
// frequent pair of neighbours becomes one symbol, again and again; of equals the one of the smaller classes.
// In: the types of a text's pieces, how often each stands in what is learned. Out: tokens. Symbols are their
// texts: two ways to one text are one class. Characters that what is learned lacks are the class 0, and are
// merged with nothing.
#include "data/table.h"
#include "data/tokens.h"
#include "text/text.h"
#include <stdlib.h>
#include <string.h>

typedef struct Pair {
  int32_t a, b; // b: 0 for none
  int64_t times;
} Pair;

typedef struct Merging {
  Heap *heap;
  const Pieces *p;
  NameIndex names; // of symbols
  int32_t *symbols;
  int64_t *first; // of each type, among symbols
  int32_t *length;
  Pair *pairs; // by hash
  int64_t npairs, room;
} Merging;

enum { LONGEST = 5 };

// Bytes of the character at s, which is copied to `one`.
static size_t character(const char *s, char one[LONGEST]) {
  const int n = reg_utf8_length(s, LONGEST - 1);
  memcpy(one, s, (size_t)n);
  one[n] = 0;
  return (size_t)n;
}

// The characters of what is learned, in the order of their code points.
static bool add_characters(Merging *m) {
  NameIndex found = {0};
  char *unknown = reg_heap_copy(m->heap, "\xef\xbf\xbd", 3);
  bool ok = unknown && names_add(&m->names, unknown);
  for (int k = 0; k < m->p->ntypes && ok; k++) {
    char one[LONGEST];
    for (const char *s = m->p->types[k]; *s && m->p->times[k] && ok;) {
      const size_t n = character(s, one);
      s += n;
      if (names_find(&found, one) >= 0) continue;
      char *name = reg_heap_copy(m->heap, one, n);
      ok = name && names_add(&found, name);
    }
  }
  if (ok && found.count) qsort(found.names, (size_t)found.count, sizeof *found.names, reg_by_bytes);
  for (int k = 0; k < found.count && ok; k++) ok = names_add(&m->names, found.names[k]);
  names_free(&found);
  return ok;
}

static bool spell(Merging *m) {
  int64_t n = 0;
  for (int k = 0; k < m->p->ntypes; k++) n += (int64_t)strlen(m->p->types[k]);
  m->symbols = malloc((size_t)(n + 1) * sizeof *m->symbols);
  m->first = calloc((size_t)m->p->ntypes + 1, sizeof *m->first);
  m->length = calloc((size_t)m->p->ntypes + 1, sizeof *m->length);
  if (!m->symbols || !m->first || !m->length) return false;
  n = 0;
  for (int k = 0; k < m->p->ntypes; k++) {
    m->first[k] = n;
    char one[LONGEST];
    for (const char *s = m->p->types[k]; *s;) {
      s += character(s, one);
      const int known = names_find(&m->names, one);
      m->symbols[n++] = known < 0 ? 0 : known;
    }
    m->length[k] = (int32_t)(n - m->first[k]);
  }
  return true;
}

// -- how often pairs stand

static Pair *find_pair(const Merging *m, int32_t a, int32_t b) {
  const int32_t key[2] = {a, b};
  const uint64_t mask = (uint64_t)m->room - 1;
  for (uint64_t at = reg_fnv1a(key, sizeof key) & mask;; at = (at + 1) & mask) {
    Pair *q = &m->pairs[at];
    if (!q->b || (q->a == a && q->b == b)) return q;
  }
}

static bool grow(Merging *m) {
  enum { FIRST_ROOM = 1024 };
  const Merging before = *m;
  m->room = m->room ? 2 * m->room : FIRST_ROOM;
  if (!(m->pairs = calloc((size_t)m->room, sizeof *m->pairs))) return false;
  for (int64_t i = 0; i < before.room; i++)
    if (before.pairs[i].b) *find_pair(m, before.pairs[i].a, before.pairs[i].b) = before.pairs[i];
  free(before.pairs);
  return true;
}

static bool count_pairs(Merging *m, int type, int64_t times) {
  const int32_t *s = m->symbols + m->first[type];
  for (int i = 0; i + 1 < m->length[type]; i++) {
    if (!s[i] || !s[i + 1]) continue;
    if (2 * m->npairs >= m->room && !grow(m)) return false;
    Pair *q = find_pair(m, s[i], s[i + 1]);
    m->npairs += !q->b;
    q->a = s[i];
    q->b = s[i + 1];
    q->times += times;
  }
  return true;
}

// The most frequent pair, of equals the one of the smaller classes; NULL: none stands twice.
static const Pair *best_pair(const Merging *m) {
  const Pair *best = NULL;
  for (int64_t i = 0; i < m->room; i++) {
    const Pair *q = &m->pairs[i];
    if (q->times < 2 || (best && q->times < best->times)) continue;
    if (!best || q->times > best->times || q->a < best->a || (q->a == best->a && q->b < best->b)) best = q;
  }
  return best;
}

// -- merging

static bool stands_in(const int32_t *s, int n, int32_t a, int32_t b) {
  for (int i = 0; i + 1 < n; i++)
    if (s[i] == a && s[i + 1] == b) return true;
  return false;
}

static bool merge(Merging *m, int32_t a, int32_t b, int32_t both) {
  for (int k = 0; k < m->p->ntypes; k++) {
    int32_t *s = m->symbols + m->first[k];
    if (!stands_in(s, m->length[k], a, b)) continue;
    if (m->p->times[k] && !count_pairs(m, k, -m->p->times[k])) return false;
    int to = 0;
    for (int i = 0; i < m->length[k]; to++) {
      const bool pair = i + 1 < m->length[k] && s[i] == a && s[i + 1] == b;
      s[to] = pair ? both : s[i];
      i += pair ? 2 : 1;
    }
    m->length[k] = to;
    if (m->p->times[k] && !count_pairs(m, k, m->p->times[k])) return false;
  }
  return true;
}

static int32_t name_pair(Merging *m, int32_t a, int32_t b) {
  const char *left = m->names.names[a], *right = m->names.names[b];
  const size_t n = strlen(left);
  char *both = reg_heap_take(m->heap, n + strlen(right) + 1);
  if (!both) return -1;
  memcpy(both, left, n);
  strcpy(both + n, right);
  const int known = names_find(&m->names, both);
  if (known >= 0) return known;
  return names_add(&m->names, both) ? m->names.count - 1 : -1;
}

// A list that is full where its number is a power of 2.
static bool note_merge(Tokens *t, Heap *heap, reg_merge made) {
  const size_t n = (size_t)t->nmerges;
  if (!(n & (n - 1))) {
    reg_merge *grown = reg_heap_take(heap, (n ? 2 * n : 1) * sizeof *grown);
    if (!grown) return false;
    if (n) memcpy(grown, t->merges, n * sizeof *grown);
    t->merges = grown;
  }
  t->merges[t->nmerges++] = made;
  return true;
}

static bool merge_all(Merging *m, int64_t merges, Tokens *t) {
  for (int k = 0; k < m->p->ntypes; k++)
    if (m->p->times[k] && !count_pairs(m, k, m->p->times[k])) return false;
  for (int64_t i = 0; i < merges; i++) {
    const Pair *best = best_pair(m);
    if (!best) return true;
    const int32_t a = best->a, b = best->b, both = name_pair(m, a, b);
    if (both < 0 || !note_merge(t, m->heap, (reg_merge){a, b, both}) || !merge(m, a, b, both)) return false;
  }
  return true;
}

static bool write_tokens(Tokens *t, const Merging *m, const char *text) {
  int64_t n = 0;
  for (int64_t i = 0; i < m->p->count; i++) n += m->length[m->p->list[i].type];
  t->of = malloc((size_t)(n + 1) * sizeof *t->of);
  t->at = malloc((size_t)(n + 1) * sizeof *t->at);
  if (!t->of || !t->at) return false;
  for (int64_t i = 0; i < m->p->count; i++) {
    const int type = m->p->list[i].type;
    size_t at = m->p->list[i].at;
    for (int k = 0; k < m->length[type]; k++) {
      const int32_t c = m->symbols[m->first[type] + k];
      t->of[t->count] = c;
      t->at[t->count++] = at;
      char one[LONGEST];
      at += c ? strlen(m->names.names[c]) : character(text + at, one);
    }
  }
  t->at[t->count] = m->p->list[m->p->count].at;
  return true;
}

int tokens_merge(Tokens *t, Heap *names, const Pieces *p, const char *text, int64_t merges) {
  Merging m = {.heap = names, .p = p};
  bool ok = add_characters(&m) && spell(&m) && merge_all(&m, merges, t) && write_tokens(t, &m, text);
  t->nclasses = m.names.count;
  t->names = ok ? reg_heap_take(names, (size_t)t->nclasses * sizeof *t->names) : NULL;
  ok = t->names;
  if (ok) memcpy(t->names, m.names.names, (size_t)t->nclasses * sizeof *t->names);
  names_free(&m.names);
  free(m.symbols);
  free(m.first);
  free(m.length);
  free(m.pairs);
  return ok ? REG_OK : -1;
}
