// Texts as tokens. In: a tokenizer that was learned, a text. Out: its classes, those that were learned from,
// or with some merges passed over: BPE dropout (Provilkov, Emelianenko & Voita 2020, algorithm 1), in which
// each place where two neighbours may be merged is left out with some probability, drawn anew for each merge.
#include "data/encoder.h"
#include "data/tokens.h"
#include "reg/rng.h"
#include "text/text.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

// Symbols of a piece that merges with draws look at together: each of them looks at all.
enum { MOST_DRAWN = 256, LONGEST_CHARACTER = 4 };

struct Encoder {
  const reg_tokenizer *of;
  int *name, *merge; // by hash: place in the list + 1, or 0
  size_t names, merges;
  int *again; // of each merge the next one of the same two classes, or -1
};

static size_t room_for(int n) {
  size_t room = 16;
  while (room < 2 * (size_t)n) room *= 2;
  return room;
}

static int *name_slot(const Encoder *e, const char *text, size_t length) {
  const size_t mask = e->names - 1;
  for (size_t at = reg_fnv1a(text, length) & mask;; at = (at + 1) & mask) {
    const char *name = e->name[at] ? e->of->names[e->name[at] - 1] : NULL;
    if (!name || (!strncmp(name, text, length) && !name[length])) return &e->name[at];
  }
}

static int *merge_slot(const Encoder *e, int first, int second) {
  const int key[2] = {first, second};
  const size_t mask = e->merges - 1;
  for (size_t at = reg_fnv1a(key, sizeof key) & mask;; at = (at + 1) & mask) {
    const reg_merge *m = e->merge[at] ? &e->of->merges[e->merge[at] - 1] : NULL;
    if (!m || (m->first == first && m->second == second)) return &e->merge[at];
  }
}

Encoder *encoder_new(Heap *heap, const reg_tokenizer *of) {
  Encoder *e = reg_heap_take(heap, sizeof *e);
  if (!e) return NULL;
  *e = (Encoder){.of = of, .names = room_for(of->nnames), .merges = room_for(of->nmerges)};
  e->name = reg_heap_take(heap, e->names * sizeof *e->name);
  e->merge = reg_heap_take(heap, e->merges * sizeof *e->merge);
  e->again = reg_heap_take(heap, (size_t)of->nmerges * sizeof *e->again);
  if (!e->name || !e->merge || !e->again) return NULL;
  for (int k = 0; k < of->nnames; k++) {
    int *slot = name_slot(e, of->names[k], strlen(of->names[k]));
    if (!*slot) *slot = k + 1;
  }
  for (int k = of->nmerges - 1; k >= 0; k--) {
    int *slot = merge_slot(e, of->merges[k].first, of->merges[k].second);
    e->again[k] = *slot - 1;
    *slot = k + 1;
  }
  return e;
}

static int32_t class_of(const Encoder *e, const char *text, size_t length) {
  const int at = *name_slot(e, text, length);
  return at ? at - 1 : 0;
}

int32_t encoder_line_end(const Encoder *e) { return class_of(e, "\n", 1); }

// -- pieces of words

// The first merge of two neighbours from `from` on; INT_MAX: none.
static int merge_of(const Encoder *e, const int32_t *two, int from) {
  int at = *merge_slot(e, two[0], two[1]) - 1;
  while (at >= 0 && at < from) at = e->again[at];
  return at < 0 ? INT_MAX : at;
}

// All merges in their order, each wherever it is possible.
static int64_t merge_all(const Encoder *e, int32_t *s, int64_t n) {
  for (int next = 0;;) {
    int best = INT_MAX;
    for (int64_t i = 0; i + 1 < n; i++) {
      const int at = merge_of(e, &s[i], next);
      if (at < best) best = at;
    }
    if (best == INT_MAX) return n;
    const reg_merge *m = &e->of->merges[best];
    int64_t to = 0;
    for (int64_t i = 0; i < n; to++) {
      const bool both = i + 1 < n && s[i] == m->first && s[i + 1] == m->second;
      s[to] = both ? m->both : s[i];
      i += both ? 2 : 1;
    }
    n = to;
    next = best + 1;
  }
}

static bool passed_over(Drops *d) {
  const uint32_t at = d->count++ % 4, counter[4] = {d->count / 4, d->row, d->stream, d->step},
                 key[2] = {(uint32_t)d->seed, (uint32_t)(d->seed >> 32)};
  if (!at) reg_philox(counter, key, d->words);
  return (d->words[at] >> 8) * 0x1p-24 < d->share;
}

// One merge after the other, the first one of those that are not passed over.
static int64_t merge_some(const Encoder *e, int32_t *s, int64_t n, Drops *drops) {
  for (;;) {
    int best = INT_MAX;
    int64_t at = 0;
    for (int64_t i = 0; i + 1 < n; i++) {
      const int merge = merge_of(e, &s[i], 0);
      if (merge == INT_MAX || passed_over(drops) || merge >= best) continue;
      best = merge;
      at = i;
    }
    if (best == INT_MAX) return n;
    s[at] = e->of->merges[best].both;
    memmove(&s[at + 1], &s[at + 2], (size_t)(n - at - 2) * sizeof *s);
    n--;
  }
}

// A piece's characters; s has room for as many as it has bytes.
static int64_t spell(const Encoder *e, const char *text, size_t size, int32_t *s) {
  int64_t n = 0;
  for (size_t at = 0, length; at < size; at += length) {
    length = (size_t)reg_utf8_length(text + at, size - at);
    s[n++] = class_of(e, text + at, length);
  }
  return n;
}

static int64_t merged(const Encoder *e, int32_t *s, int64_t n, Drops *drops) {
  if (!drops) return merge_all(e, s, n);
  int64_t to = 0;
  for (int64_t from = 0; from < n; from += MOST_DRAWN) {
    const int64_t some = merge_some(e, s + from, n - from < MOST_DRAWN ? n - from : MOST_DRAWN, drops);
    memmove(s + to, s + from, (size_t)some * sizeof *s);
    to += some;
  }
  return to;
}

static int64_t pieces(const Encoder *e, const char *text, size_t size, Drops *drops, int32_t *to,
                      int64_t room) {
  int32_t few[MOST_DRAWN], *s = few;
  size_t have = MOST_DRAWN;
  int64_t n = 0;
  for (size_t at = 0, end; at < size && n < room; at = end) {
    end = piece_end(text, size, at);
    if (end - at > have) {
      int32_t *grown = realloc(s == few ? NULL : s, (end - at) * sizeof *s);
      if (!grown) {
        n = -1;
        break;
      }
      s = grown;
      have = end - at;
    }
    const int64_t own = merged(e, s, spell(e, text + at, end - at, s), drops),
                  fit = own < room - n ? own : room - n;
    memcpy(to + n, s, (size_t)fit * sizeof *s);
    n += fit;
  }
  if (s != few) free(s);
  return n;
}

// -- words

static int64_t words(const Encoder *e, const char *text, size_t size, int32_t *to, int64_t room) {
  int64_t n = 0;
  char *spaced = malloc(size + 1);
  if (!spaced) return -1;
  for (size_t at = 0, end; at < size && n < room; at = end) {
    end = piece_end(text, size, at);
    const size_t from = at + (text[at] == ' ' && end - at > 1);
    if (piece_is_blank(text + from)) continue;
    const bool word = piece_is_word(text + from);
    spaced[0] = ' ';
    memcpy(spaced + word, text + from, end - from);
    to[n++] = class_of(e, spaced, end - from + word);
  }
  free(spaced);
  return n;
}

int64_t encoder_tokens(const Encoder *e, const char *text, size_t size, Drops *drops, int32_t *to,
                       int64_t room) {
  return e->of->words ? words(e, text, size, to, room) : pieces(e, text, size, drops, to, room);
}

// -- rows

int recut_row(const reg_tokenizer *t, const reg_recut *c, int64_t row, Drops *drops, int32_t *x,
              int32_t *next, int32_t *length) {
  const int64_t places = t->places;
  int32_t *tokens = malloc((size_t)(places + 1) * sizeof *tokens);
  const int32_t end = c->whole ? encoder_line_end(c->encoder) : 0;
  if (!tokens) return -1;
  tokens[0] = end;
  const int64_t n = encoder_tokens(c->encoder, c->from[row], (size_t)(c->to[row] - c->from[row]), drops,
                                   tokens + c->whole, places + !c->whole),
                there = c->whole && n < places ? n + 1 : places;
  for (int64_t k = n + c->whole; k <= places && n >= 0; k++) tokens[k] = end;
  memcpy(x, tokens, (size_t)there * sizeof *x);
  for (int64_t k = there; k < places; k++) x[k] = end;
  if (next) memcpy(next, tokens + 1, (size_t)places * sizeof *next);
  if (length) *length = (int32_t)there;
  free(tokens);
  return n < 0 ? -1 : REG_OK;
}
