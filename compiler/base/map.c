// Maps from strings to pointers: entries in order of insertion, found through an open-addressing table of
// their indices. At most half of the table's slots are taken, so every probe ends at an empty one.
#include "arena.h"
#include <stdint.h>
#include <string.h>

// FNV-1a, 64 bits.
static uint64_t hash_string(const char *s) {
  uint64_t h = 0xcbf29ce484222325u;
  for (; *s; s++) h = (h ^ (unsigned char)*s) * 0x100000001b3u;
  return h;
}

void map_init(Map *m, Arena *a) { *m = (Map){.arena = a}; }

// The slot that holds `key`, or the empty one where it belongs. Needs a table.
static int find_slot(const Map *m, const char *key) {
  int mask = m->nslots - 1;
  for (int i = (int)(hash_string(key) & (uint64_t)mask);; i = (i + 1) & mask)
    if (!m->slots[i] || strcmp(m->entries[m->slots[i] - 1].key, key) == 0) return i;
}

void *map_get(const Map *m, const char *key) {
  if (!m->nslots) return NULL;
  int slot = m->slots[find_slot(m, key)];
  return slot ? m->entries[slot - 1].value : NULL;
}

static void widen(Map *m) {
  m->nslots = m->nslots ? m->nslots * 2 : 16;
  m->slots = ARENA_ARRAY(m->arena, int, m->nslots);
  for (int i = 0; i < m->len; i++) m->slots[find_slot(m, m->entries[i].key)] = i + 1;
}

void map_put(Map *m, const char *key, void *value) {
  if (2 * (m->len + 1) > m->nslots) widen(m);
  int i = find_slot(m, key);
  if (m->slots[i]) {
    m->entries[m->slots[i] - 1].value = value;
    return;
  }
  if (m->len == m->cap) m->entries = vec_grow(m->arena, m->entries, m->len, &m->cap, sizeof *m->entries);
  m->entries[m->len++] = (MapEntry){key, value};
  m->slots[i] = m->len;
}
