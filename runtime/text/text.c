// See text.h. Growing text lives in memory of its own; after a failed allocation it keeps what it has.
#include "text/text.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

Text reg_text_in(char *array, size_t size) {
  array[0] = 0;
  return (Text){.data = array, .room = size, .fixed = true};
}

void reg_text_free(Text *t) {
  if (!t->fixed) (t->memory ? t->memory->free : free)(t->data);
  *t = (Text){0};
}

// Room for `count` more bytes and the 0.
static bool reserve(Text *t, size_t count) {
  if (t->failed) return false;
  if (t->room > t->used && t->room - t->used > count) return true;
  size_t needed, room = t->room < 128 ? 256 : 2 * t->room;
  char *grown = NULL;
  if (!t->fixed && !__builtin_add_overflow(t->used, count + 1, &needed) && count < SIZE_MAX)
    grown = (t->memory ? t->memory->resize : realloc)(t->data, room = needed > room ? needed : room);
  if (!grown) {
    t->failed = true;
    return false;
  }
  t->data = grown;
  t->room = room;
  return true;
}

// Bytes at the end that are the beginning of a character.
static size_t cut_character(const char *s, size_t count) {
  for (size_t back = 1; back <= 3 && back <= count; back++) {
    const unsigned char c = (unsigned char)s[count - back];
    if (c < 0x80) return 0;
    if (c >= 0xC0) return reg_utf8_length(s + count - back, back) ? 0 : back;
  }
  return 0;
}

void reg_text_bytes(Text *t, const char *bytes, size_t count) {
  const bool was_failed = t->failed;
  if (!reserve(t, count)) {
    if (!t->fixed || was_failed) return;
    count = t->room - t->used - 1;
    count -= cut_character(bytes, count);
  }
  if (count) memcpy(t->data + t->used, bytes, count);
  t->used += count;
  t->data[t->used] = 0;
}

void reg_text_add(Text *t, const char *s) { reg_text_bytes(t, s, strlen(s)); }

void reg_text_vformat(Text *t, const char *fmt, va_list args) {
  char small[512], *large = NULL;
  va_list again;
  va_copy(again, args);
  const int length = vsnprintf(small, sizeof small, fmt, args);
  const bool fits = length >= 0 && (size_t)length < sizeof small;
  if (length >= 0 && !fits && (large = malloc((size_t)length + 1)))
    vsnprintf(large, (size_t)length + 1, fmt, again);
  va_end(again);
  if (fits || large)
    reg_text_bytes(t, large ? large : small, (size_t)length);
  else
    t->failed = true;
  free(large);
}

void reg_text_format(Text *t, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  reg_text_vformat(t, fmt, args);
  va_end(args);
}

static ssize_t write_text(void *t, const char *bytes, size_t count) {
  reg_text_bytes(t, bytes, count);
  return (ssize_t)count;
}

FILE *reg_text_stream(Text *t) { return fopencookie(t, "w", (cookie_io_functions_t){.write = write_text}); }

// -- characters

int reg_utf8_length(const char *s, size_t n) {
  const unsigned char c = n ? (unsigned char)*s : 0x80;
  const int length = c < 0x80                ? 1
                     : c >= 0xC2 && c < 0xE0 ? 2
                     : c >= 0xE0 && c < 0xF0 ? 3
                     : c >= 0xF0 && c < 0xF5 ? 4
                                             : 0;
  if (length == 0 || (size_t)length > n) return 0;
  for (int i = 1; i < length; i++)
    if (((unsigned char)s[i] & 0xC0) != 0x80) return 0;
  const unsigned char second = length > 1 ? (unsigned char)s[1] : 0;
  const bool overlong = (c == 0xE0 && second < 0xA0) || (c == 0xF0 && second < 0x90);
  const bool outside = (c == 0xED && second >= 0xA0) || (c == 0xF4 && second >= 0x90);
  return overlong || outside ? 0 : length;
}

int reg_utf8_put(uint32_t code, char to[4]) {
  static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return 0;
  const int length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (int i = length; i-- > 1; code >>= 6) to[i] = (char)(0x80 | (code & 0x3F));
  to[0] = (char)(lead[length] | code);
  return length;
}

// The character at `s`, which has `length` bytes.
static uint32_t code_point(const char *s, int length) {
  static const uint32_t first_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  uint32_t code = (unsigned char)*s & first_bits[length];
  for (int i = 1; i < length; i++) code = code << 6 | ((unsigned char)s[i] & 0x3F);
  return code;
}

// C0, DEL, C1, line and paragraph separators, and embeddings, overrides and isolates of bidirectional text.
static bool is_control(uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

ShownChar reg_shown_char(const char *s, size_t n) {
  const int length = reg_utf8_length(s, n);
  if (length == 0) return (ShownChar){1, 1, "?"};
  if (is_control(code_point(s, length))) return (ShownChar){(size_t)length, 1, "?"};
  return (ShownChar){(size_t)length, (size_t)length, s};
}

void reg_text_shown(Text *t, const char *s) {
  for (size_t n = strlen(s); n;) {
    const ShownChar c = reg_shown_char(s, n);
    reg_text_bytes(t, c.bytes, c.count);
    s += c.taken;
    n -= c.taken;
  }
}

void reg_shown_lines(FILE *out, const char *s, size_t count) {
  while (count) {
    ShownChar c = reg_shown_char(s, count);
    if (*s == '\n' || *s == '\t') c.bytes = s;
    fwrite(c.bytes, 1, c.count, out);
    s += c.taken;
    count -= c.taken;
  }
}

void reg_shown(FILE *out, const char *s) {
  for (size_t n = strlen(s); n;) {
    const ShownChar c = reg_shown_char(s, n);
    fwrite(c.bytes, 1, c.count, out);
    s += c.taken;
    n -= c.taken;
  }
}

// One write: lines of several processes do not mix.
void reg_shown_line(FILE *out, const char *fmt, ...) {
  Text t = {0}, line = {0};
  va_list args;
  va_start(args, fmt);
  reg_text_vformat(&t, fmt, args);
  va_end(args);
  if (!t.failed) reg_text_shown(&line, t.data);
  reg_text_add(&line, "\n");
  if (line.failed || t.failed)
    fputs("out of memory\n", out);
  else
    fwrite(line.data, 1, line.used, out);
  reg_text_free(&t);
  reg_text_free(&line);
}

void reg_shown_in_place(char *s) {
  char *to = s;
  for (size_t n = strlen(s); n;) {
    const ShownChar c = reg_shown_char(s, n);
    memmove(to, c.bytes, c.count);
    to += c.count;
    s += c.taken;
    n -= c.taken;
  }
  *to = 0;
}

int reg_shown_width(const char *s) {
  int width = 0;
  for (size_t n = strlen(s); n; width++) {
    const ShownChar c = reg_shown_char(s, n);
    s += c.taken;
    n -= c.taken;
  }
  return width;
}

// -- kinds

void reg_text_json(Text *t, const char *s) {
  reg_text_bytes(t, "\"", 1);
  for (size_t n = strlen(s); n;) {
    const int length = reg_utf8_length(s, n);
    const uint32_t code = length ? code_point(s, length) : 0xFFFD;
    if (*s == '"' || *s == '\\')
      reg_text_format(t, "\\%c", *s);
    else if (*s == '\n' || *s == '\t')
      reg_text_add(t, *s == '\n' ? "\\n" : "\\t");
    else if (length == 0 || is_control(code))
      reg_text_format(t, "\\u%04x", (unsigned)code);
    else
      reg_text_bytes(t, s, (size_t)length);
    s += length ? length : 1;
    n -= length ? (size_t)length : 1;
  }
  reg_text_bytes(t, "\"", 1);
}

// With a point where it would look like an integer.
static void put_number(Text *t, double value, int digits) {
  char text[40];
  if (!isfinite(value)) {
    reg_text_add(t, "null");
    return;
  }
  snprintf(text, sizeof text, "%.*g", digits, value);
  reg_text_add(t, text);
  if (!strpbrk(text, ".e")) reg_text_add(t, ".0");
}

void reg_text_number(Text *t, double value) { put_number(t, value, 9); } // that fix a float

void reg_text_double(Text *t, double value) { put_number(t, value, 15); }

void reg_text_exact(Text *t, double value) { put_number(t, value, 17); } // that fix a double

void reg_text_item(Text *t) {
  const char last = t->used ? t->data[t->used - 1] : '[';
  if (last != '[' && last != '{') reg_text_bytes(t, ",", 1);
}

void reg_text_key(Text *t, const char *key) {
  reg_text_item(t);
  reg_text_json(t, key);
  reg_text_bytes(t, ":", 1);
}

void reg_text_indented(Text *t, const char *json) {
  int level = 0;
  for (const char *c = json; *c; c++) {
    const bool opens = strchr("[{", *c), closes = strchr("]}", *c), empty = opens && strchr("]}", c[1]);
    if (closes && !strchr("[{", c[-1])) reg_text_format(t, "\n%*s", 2 * --level, "");
    reg_text_bytes(t, c, 1);
    if (*c == '"') { // to the quote that closes it
      const char *from = c++;
      while (*c != '"') c += 1 + (*c == '\\');
      reg_text_bytes(t, from + 1, (size_t)(c - from));
    }
    if (opens && !empty) level++;
    if ((opens && !empty) || *c == ',') reg_text_format(t, "\n%*s", 2 * level, "");
    if (*c == ':') reg_text_bytes(t, " ", 1);
  }
}

void reg_text_csv(Text *t, const char *s) {
  const size_t n = strlen(s);
  const bool blank = n && (strchr(" \t", *s) || strchr(" \t", s[n - 1]));
  if (n && !blank && !strpbrk(s, ",\"\r\n")) {
    reg_text_bytes(t, s, n);
    return;
  }
  reg_text_bytes(t, "\"", 1);
  for (const char *quote; (quote = strchr(s, '"')); s = quote + 1) {
    reg_text_bytes(t, s, (size_t)(quote - s) + 1);
    reg_text_bytes(t, "\"", 1);
  }
  reg_text_add(t, s);
  reg_text_bytes(t, "\"", 1);
}

// The closing quote keeps a backslash from the line's end.
void reg_text_comment(Text *t, const char *s) {
  reg_text_bytes(t, "`", 1);
  reg_text_shown(t, s);
  reg_text_bytes(t, "`", 1);
}

// -- numbers

bool reg_text_natural(const char *s, uint64_t limit, uint64_t *out) {
  uint64_t value = 0;
  if (!*s) return false;
  for (; *s; s++) {
    if (*s < '0' || *s > '9') return false;
    if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
        __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value) || value > limit)
      return false;
  }
  *out = value;
  return true;
}

bool reg_text_decimal(const char *s, double *out) {
  char *end;
  if (!*s || strspn(s, "+-.0123456789eE") != strlen(s)) return false;
  *out = strtod(s, &end);
  return !*end && isfinite(*out);
}
