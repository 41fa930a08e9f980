// Arenas, growable arrays and string buffers.
// In: sizes. Out: zeroed, 16-byte aligned memory that lives until its arena is freed. Never returns NULL.
#include "arena.h"
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16, FIRST_BLOCK = 16 << 10, LARGEST_STEP = 4 << 20 };

// A block's memory follows its header; `size` counts the memory alone.
typedef struct Block {
  struct Block *next;
  size_t size;
} Block;

struct Arena {
  Block *blocks; // the current one first
  size_t used;   // of the current block
  size_t next_size;
};

_Static_assert(sizeof(Block) % ALIGNMENT == 0, "a block's memory must stay aligned");

static _Noreturn void out_of_memory(void) {
  fputs("regc: out of memory\n", stderr);
  exit(70);
}

static char *block_memory(Block *b) { return (char *)(b + 1); }

static Block *block_new(size_t size) {
  if (size > SIZE_MAX - sizeof(Block)) out_of_memory();
  Block *b = calloc(1, sizeof(Block) + size);
  if (!b) out_of_memory();
  b->size = size;
  return b;
}

Arena *arena_new(void) {
  Arena *a = calloc(1, sizeof *a);
  if (!a) out_of_memory();
  a->next_size = FIRST_BLOCK;
  a->blocks = block_new(a->next_size);
  return a;
}

void arena_free(Arena *a) {
  if (!a) return;
  for (Block *b = a->blocks; b;) {
    Block *next = b->next;
    free(b);
    b = next;
  }
  free(a);
}

void *arena_alloc(Arena *a, size_t size) {
  if (size > SIZE_MAX / 2) out_of_memory();
  size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  if (size == 0) size = ALIGNMENT;
  if (size > a->next_size / 4) { // a block of its own, behind the current one, which goes on being filled
    Block *b = block_new(size);
    b->next = a->blocks->next;
    a->blocks->next = b;
    return block_memory(b);
  }
  if (a->blocks->size - a->used < size) {
    if (a->next_size < LARGEST_STEP) a->next_size *= 2;
    Block *b = block_new(a->next_size);
    b->next = a->blocks;
    a->blocks = b;
    a->used = 0;
  }
  void *p = block_memory(a->blocks) + a->used;
  a->used += size;
  return p;
}

char *arena_strndup(Arena *a, const char *s, size_t n) {
  char *copy = arena_alloc(a, n + 1);
  if (n) memcpy(copy, s, n);
  return copy;
}

char *arena_strdup(Arena *a, const char *s) { return arena_strndup(a, s, strlen(s)); }

char *arena_vprintf(Arena *a, const char *fmt, va_list ap) {
  va_list again;
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, fmt, ap);
  if (n < 0) n = 0;
  char *text = arena_alloc(a, (size_t)n + 1);
  vsnprintf(text, (size_t)n + 1, fmt, again);
  va_end(again);
  return text;
}

char *arena_text(Arena *a, Text *t) {
  if (t->failed) out_of_memory();
  char *copy = arena_strndup(a, t->data, t->used);
  reg_text_free(t);
  return copy;
}

char *arena_printf(Arena *a, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  char *text = arena_vprintf(a, fmt, ap);
  va_end(ap);
  return text;
}

void *vec_grow(Arena *a, void *data, int len, int *cap, size_t elem) {
  if (*cap > INT_MAX / 2) out_of_memory();
  int wider = *cap ? *cap * 2 : 8;
  void *grown = arena_alloc(a, elem * (size_t)wider);
  if (len) memcpy(grown, data, elem * (size_t)len);
  *cap = wider;
  return grown;
}

void strbuf_addn(StrBuf *b, const char *s, size_t n) {
  if (n > (size_t)(INT_MAX - 1 - b->len)) out_of_memory();
  int needed = b->len + (int)n + 1;
  if (needed > b->cap) {
    int wider = b->cap > INT_MAX / 2 ? INT_MAX : b->cap * 2;
    if (wider < needed) wider = needed;
    if (wider < 64) wider = 64;
    char *grown = arena_alloc(b->arena, (size_t)wider);
    if (b->len) memcpy(grown, b->data, (size_t)b->len);
    b->data = grown;
    b->cap = wider;
  }
  if (n) memcpy(b->data + b->len, s, n);
  b->len += (int)n;
  b->data[b->len] = '\0';
}

void strbuf_add(StrBuf *b, const char *s) { strbuf_addn(b, s, strlen(s)); }

void strbuf_addf(StrBuf *b, const char *fmt, ...) {
  char small[256];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(small, sizeof small, fmt, ap);
  va_end(ap);
  if (n < 0) n = 0;
  if ((size_t)n < sizeof small) {
    strbuf_addn(b, small, (size_t)n);
    return;
  }
  va_start(ap, fmt);
  strbuf_add(b, arena_vprintf(b->arena, fmt, ap));
  va_end(ap);
}
