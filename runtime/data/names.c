// Names of columns by hash.
#include "data/table.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

// The slot where `name` is, or where it would be.
static int *probe(const NameIndex *n, const char *name) {
  const size_t mask = 2 * (size_t)n->room - 1;
  for (size_t at = reg_fnv1a(name, strlen(name)) & mask;; at = (at + 1) & mask)
    if (!n->slot[at] || !strcmp(n->names[n->slot[at] - 1], name)) return &n->slot[at];
}

int names_find(const NameIndex *n, const char *name) { return n->room ? *probe(n, name) - 1 : -1; }

static bool grow(NameIndex *n) {
  const int room = n->room ? 2 * n->room : 64;
  char **names = n->room > INT_MAX / 4 ? NULL : realloc(n->names, (size_t)room * sizeof *names);
  if (!names) return false;
  n->names = names;
  int *slot = calloc(2 * (size_t)room, sizeof *slot);
  if (!slot) return false;
  free(n->slot);
  n->slot = slot;
  n->room = room;
  for (int i = 0; i < n->count; i++) *probe(n, n->names[i]) = i + 1;
  return true;
}

bool names_add(NameIndex *n, char *name) {
  if (n->count == n->room && !grow(n)) return false;
  n->names[n->count++] = name;
  *probe(n, name) = n->count;
  return true;
}

void names_free(NameIndex *n) {
  free(n->names);
  free(n->slot);
}
