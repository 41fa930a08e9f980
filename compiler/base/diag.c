// Collecting diagnostics. In: an id of diag.def, a place, the format's arguments. Out: a list in order of
// report. What is dropped (an exact repeat, an allowed warning) still yields a Diag, detached, so that notes
// can be attached.
#include "diag.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ERROR   SEV_ERROR
#define WARNING SEV_WARNING
static const struct {
  const char *name, *format, *explanation;
  Severity severity;
} table[DIAG_COUNT] = {
#define DIAG(name, severity, format, explanation) [DIAG_##name] = {#name, format, explanation, severity},
#include "diag.def"
#undef DIAG
};
#undef ERROR
#undef WARNING

void diags_init(Diags *ds, Arena *a, const Sources *sources) {
  *ds = (Diags){.arena = a, .sources = sources};
  map_init(&ds->told, a);
}

// The same, told of the same place: by its key.
static const char *told_key(Diags *ds, DiagId id, Span span) {
  return arena_printf(ds->arena, "%d %d %d %d", (int)id, span.source, span.start, span.end);
}

static Diag *tell(Diags *ds, Diag *d) {
  const char *key = told_key(ds, d->id, d->span);
  if (map_get(&ds->told, key)) return d;
  map_put(&ds->told, key, d);
  vec_push(ds->arena, ds->list, d);
  if (d->severity == SEV_ERROR)
    ds->errors++;
  else
    ds->warnings++;
  return d;
}

Diag *diag_emit(Diags *ds, DiagId id, Span span, ...) {
  Diag *d = ARENA_NEW(ds->arena, Diag);
  *d = (Diag){.id = id, .severity = table[id].severity, .span = span, .arena = ds->arena};
  if (d->severity == SEV_WARNING && ds->warnings_are_errors) d->severity = SEV_ERROR;
  va_list ap;
  va_start(ap, span);
  d->text = arena_vprintf(ds->arena, table[id].format, ap);
  va_end(ap);
  if (table[id].severity == SEV_WARNING && ds->allowed[id]) return d;
  return tell(ds, d);
}

Diag *diag_error(Diags *ds, DiagId id, Span span, const char *text) {
  Diag *d = ARENA_NEW(ds->arena, Diag);
  *d = (Diag){.id = id, .severity = SEV_ERROR, .span = span, .arena = ds->arena};
  d->text = arena_printf(ds->arena, "%s", text);
  return tell(ds, d);
}

void diags_forget(Diags *ds, int length) {
  for (; ds->list.len > length; ds->list.len--) {
    const Diag *d = ds->list.data[ds->list.len - 1];
    map_put(&ds->told, told_key(ds, d->id, d->span), NULL);
    if (d->severity == SEV_ERROR)
      ds->errors--;
    else
      ds->warnings--;
  }
}

static void attach(Diag *d, Span span, bool is_hint, const char *fmt, va_list ap) {
  DiagNote note = {span, arena_vprintf(d->arena, fmt, ap), is_hint};
  vec_push(d->arena, d->notes, note);
}

void diag_note(Diag *d, Span span, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  attach(d, span, false, fmt, ap);
  va_end(ap);
}

void diag_hint(Diag *d, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  attach(d, (Span){0}, true, fmt, ap);
  va_end(ap);
}

const char *diag_name(DiagId id) { return table[id].name; }
const char *diag_explanation(DiagId id) { return table[id].explanation; }

bool diag_is_warning(DiagId id) { return table[id].severity == SEV_WARNING; }

int diag_find(const char *name) {
  for (int i = 0; i < DIAG_COUNT; i++)
    if (strcmp(table[i].name, name) == 0) return i;
  return -1;
}

enum { LONGEST_NAME = 64 };

static int min_int(int a, int b) { return a < b ? a : b; }

// Edit distance with swaps of neighbours (optimal string alignment), three rows at a time.
static int edit_distance(const char *a, int na, const char *b, int nb) {
  int rows[3][LONGEST_NAME + 1];
  for (int j = 0; j <= nb; j++) rows[0][j] = j;
  for (int i = 1; i <= na; i++) {
    int *row = rows[i % 3], *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
    row[0] = i;
    for (int j = 1; j <= nb; j++) {
      row[j] = min_int(min_int(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = min_int(row[j], second[j - 2] + 1);
    }
  }
  return rows[na % 3][nb];
}

// A name as it is compared: without case and `_`. Its length, 0 where it is too long.
static int plain_name(const char *name, char *out) {
  int n = 0;
  for (; *name && n < LONGEST_NAME; name++)
    if (*name != '_') out[n++] = (char)tolower((unsigned char)*name);
  return *name ? 0 : n;
}

// Whether `part`, of at least three letters, is some of the words of `whole`, which `_` separates.
static bool has_words(const char *whole, const char *part) {
  const size_t length = strlen(part);
  const char *at = length < 3 ? NULL : strcasestr(whole, part);
  while (at && ((at > whole && at[-1] != '_') || (at[length] && at[length] != '_')))
    at = strcasestr(at + 1, part);
  return at != NULL;
}

// The shortest candidate of which the name is a part, else the longest one that is a part of the name.
static const char *name_in_words(const char *name, const char *const *candidates, int n) {
  const char *longer = NULL, *shorter = NULL;
  for (int i = 0; i < n; i++) {
    const char *c = candidates[i];
    if (has_words(c, name) && (!longer || strlen(c) < strlen(longer))) longer = c;
    if (has_words(name, c) && (!shorter || strlen(c) > strlen(shorter))) shorter = c;
  }
  return longer ? longer : shorter;
}

const char *nearest_name(const char *name, const char *const *candidates, int n) {
  char plain[LONGEST_NAME], other[LONGEST_NAME];
  int length = plain_name(name, plain), limit = length / 3;
  const char *best = NULL;
  for (int i = 0; i < n && length && limit >= 0; i++) {
    int other_length = plain_name(candidates[i], other);
    if (!other_length || abs(other_length - length) > limit) continue;
    if (length <= 3 && plain[0] != other[0]) continue; // too little in common
    int d = edit_distance(plain, length, other, other_length);
    if (d > limit) continue;
    best = candidates[i];
    limit = d - 1; // only a nearer one, or the first of equals
  }
  return best ? best : name_in_words(name, candidates, n);
}
