// Text made piece by piece, and the one way to write each kind of it: for people, JSON, CSV, comments of C.
// Whatever the pieces hold (names of columns and classes, paths, documentation), what is written is one value
// of its kind. No piece runs over the end, and none is lost without a trace: `failed` stays, and is looked at
// once, at the end.
#ifndef REG_TEXT_H
#define REG_TEXT_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// Where text that grows has its memory.
typedef struct TextMemory {
  void *(*resize)(void *at, size_t bytes); // as realloc
  void (*free)(void *at);
} TextMemory;

typedef struct Text {
  char *data; // ended by 0; NULL: nothing was added yet
  size_t used, room;
  bool fixed;  // data is an array of the caller, which does not grow
  bool failed; // fixed: what came last was cut, between two characters; else memory ran out. Nothing is added
               // any more
  const TextMemory *memory; // NULL: realloc's
} Text;

Text reg_text_in(char *array, size_t size); // fixed and empty; size > 0
void reg_text_free(Text *t);                // what grew

void reg_text_bytes(Text *t, const char *bytes, size_t count);
void reg_text_add(Text *t, const char *s);
void reg_text_format(Text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void reg_text_vformat(Text *t, const char *fmt, va_list args);

// A stream whose text goes to t, for functions that write to streams; NULL: no memory. Closed before t is
// used.
FILE *reg_text_stream(Text *t);

// For people: one line of UTF-8. Control characters, line ends and what turns the direction of writing are
// `?`, as is what is no UTF-8.
void reg_text_shown(Text *t, const char *s);
void reg_shown(FILE *out, const char *s);                     // the same to a stream
void reg_shown_lines(FILE *out, const char *s, size_t count); // in lines: line ends and tabs stay
void reg_shown_line(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3))); // and its end
void reg_shown_in_place(char *s);
int reg_shown_width(const char *s); // in characters

// The first character of s[0..n), n > 0: the bytes that it takes, and those that are shown for it.
typedef struct ShownChar {
  size_t taken, count;
  const char *bytes;
} ShownChar;
ShownChar reg_shown_char(const char *s, size_t n);

// JSON, without blanks.
void reg_text_json(Text *t, const char *s);  // "quoted"
void reg_text_number(Text *t, double value); // null for what JSON cannot hold
void reg_text_double(Text *t, double value); // the same, with the digits of a double
void reg_text_exact(Text *t, double value);  // with as many as tell it from all others
void reg_text_item(Text *t);                 // a comma, unless it is the first of a list or object
void reg_text_key(Text *t, const char *key); // the same, and "key":
// The same value in lines of its own, each level two blanks further in.
void reg_text_indented(Text *t, const char *json);

void reg_text_csv(Text *t, const char *s);     // a field, quoted where it must be
void reg_text_comment(Text *t, const char *s); // `quoted` inside a // comment, which goes on behind it

// Bytes of the UTF-8 character at `s` (`n` remain), or 0 where there is none.
int reg_utf8_length(const char *s, size_t n);
// The character with this code, of as many bytes as are told; 0: there is none.
int reg_utf8_put(uint32_t code, char to[4]);
// Digits and nothing else, at most `limit`.
bool reg_text_natural(const char *s, uint64_t limit, uint64_t *out);
// A finite decimal number and nothing else.
bool reg_text_decimal(const char *s, double *out);
#endif
