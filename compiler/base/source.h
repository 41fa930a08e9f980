// Sources and places in them. A Span is a half-open range of byte offsets of one source; source 0 is
// "nowhere".
#ifndef BASE_SOURCE_H
#define BASE_SOURCE_H
#include "arena.h"
#include <stdint.h>

typedef struct Span {
  int32_t source; // index into the session's sources; 0: no place
  int32_t start, end;
} Span;

typedef struct Source {
  const char *name; // as given on the command line; "stdlib/…" for the library
  const char *text; // NUL-terminated
  int len;
  int *line_start; // offsets; `nlines` of them
  int nlines;
} Source;

typedef struct Sources {
  Arena *arena;
  VEC(Source *) list; // list.data[0] is NULL
} Sources;

// A program's text with a 0 behind it; `-` is standard input. NULL, and why in words, where it cannot be
// read: also a device, which may have no end, and what is too long for a program.
char *source_read(Arena *a, const char *path, int *len, const char **why);
void sources_init(Sources *s, Arena *a);
// Adds a copy of `text`; returns the source's index (> 0).
int source_add(Sources *s, const char *name, const char *text, int len);
bool source_is_library(const Source *s);               // one of the library's files
const Source *source_get(const Sources *s, int index); // NULL for 0 and out of range
// Line and column of an offset, both from 1; columns count characters (UTF-8), not bytes.
void source_position(const Source *s, int offset, int *line, int *column);
// "digits.reg:19:3"
const char *source_place(Arena *a, const Source *s, Span at);
Span span_join(Span a, Span b); // smallest span that covers both; the other one where one is nowhere
#endif
