// Region memory. Everything allocated from an arena lives until the whole arena is freed; nothing is freed
// singly. Memory comes zeroed and 16-byte aligned. Running out of memory prints one line and ends the process
// with 70.
#ifndef BASE_ARENA_H
#define BASE_ARENA_H
#include "text/text.h"
#include <stdarg.h>
#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *a);
void *arena_alloc(Arena *a, size_t size);
char *arena_strndup(Arena *a, const char *s, size_t n);
char *arena_strdup(Arena *a, const char *s);
char *arena_printf(Arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *a, const char *fmt, va_list ap);
char *arena_text(Arena *a, Text *t); // a copy of what grew; frees it

#define ARENA_NEW(a, T)      ((T *)arena_alloc((a), sizeof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_alloc((a), sizeof(T) * (size_t)(n)))

// A growable array in an arena: `VEC(int) v = {0}; vec_push(a, v, 3); v.data[0]`.
#define VEC(T)                                                                                               \
  struct {                                                                                                   \
    T *data;                                                                                                 \
    int len, cap;                                                                                            \
  }
void *vec_grow(Arena *a, void *data, int len, int *cap, size_t elem);
#define vec_push(a, v, x)                                                                                    \
  ((v).len == (v).cap ? (void)((v).data = vec_grow((a), (v).data, (v).len, &(v).cap, sizeof *(v).data))      \
                      : (void)0,                                                                             \
   (v).data[(v).len++] = (x))

// A string under construction in an arena; `buf.data` is always NUL-terminated after the first call.
typedef struct StrBuf {
  Arena *arena;
  char *data;
  int len, cap;
} StrBuf;
void strbuf_add(StrBuf *b, const char *s);
void strbuf_addn(StrBuf *b, const char *s, size_t n);
void strbuf_addf(StrBuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// A map from strings to pointers, insertion-ordered. Keys are not copied: they must outlive the map.
typedef struct MapEntry {
  const char *key;
  void *value;
} MapEntry;
typedef struct Map {
  Arena *arena;
  MapEntry *entries; // in order of insertion, `len` of them
  int len, cap;
  int *slots; // open addressing, index + 1 into entries
  int nslots;
} Map;
void map_init(Map *m, Arena *a);
void *map_get(const Map *m, const char *key);       // NULL where absent
void map_put(Map *m, const char *key, void *value); // replaces
#endif
