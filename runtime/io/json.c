// See json.h. In: bytes of others. The reader stays within them and within MOST_DEPTH levels of nesting.
#include "io/json.h"
#include <string.h>

enum { MOST_DEPTH = 512 };

Json json_of(const char *bytes, size_t size) { return (Json){.at = bytes, .end = bytes + size}; }

static void spoil(Json *j) {
  j->bad = true;
  j->at = j->end;
}

static char peek(Json *j) {
  while (j->at < j->end && strchr(" \t\r\n", *j->at) && *j->at) j->at++;
  return j->at < j->end ? *j->at : 0;
}

static bool take(Json *j, char c) {
  if (peek(j) != c || j->at == j->end) return false;
  j->at++;
  return true;
}

bool json_enter(Json *j, char open) {
  if (peek(j) != open) {
    json_skip(j);
    return false;
  }
  j->at++;
  if (++j->depth > MOST_DEPTH) spoil(j);
  return !j->bad;
}

bool json_more(Json *j, char close, bool *first) {
  if (j->bad) return false;
  if (take(j, close)) {
    j->depth--;
    return false;
  }
  if (!*first && !take(j, ',')) spoil(j);
  *first = false;
  return !j->bad;
}

// -- texts

static int hex(Json *j) {
  int value = 0;
  for (int i = 0; i < 4; i++) {
    const char *digits = "0123456789abcdef", c = j->at < j->end ? *j->at++ : 0;
    const char *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    if (!found) return -1;
    value = 16 * value + (int)(found - digits);
  }
  return value;
}

// Behind a backslash.
static void escape(Json *j, Text *out) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const char c = j->at < j->end ? *j->at++ : 0;
  const char *found = c ? strchr(from, c) : NULL;
  if (found) {
    reg_text_bytes(out, &to[found - from], 1);
    return;
  }
  int code = c == 'u' ? hex(j) : -1;
  if (code >= 0xD800 && code < 0xDC00) { // the first of two halves
    const bool again = j->end - j->at >= 2 && j->at[0] == '\\' && j->at[1] == 'u';
    if (again) j->at += 2;
    const int low = again ? hex(j) : -1;
    code = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : -1;
  }
  char utf8[4];
  const int n = code > 0 ? reg_utf8_put((uint32_t)code, utf8) : 0;
  if (n == 0)
    spoil(j);
  else
    reg_text_bytes(out, utf8, (size_t)n);
}

bool json_string(Json *j, Text *out) {
  if (peek(j) != '"') {
    json_skip(j);
    return false;
  }
  j->at++;
  reg_text_bytes(out, "", 0);
  while (!j->bad && j->at < j->end && *j->at != '"') {
    if (*j->at == '\\') {
      j->at++;
      escape(j, out);
      continue;
    }
    const int n = reg_utf8_length(j->at, (size_t)(j->end - j->at));
    if (n == 0 || (unsigned char)*j->at < 0x20) {
      spoil(j);
    } else {
      reg_text_bytes(out, j->at, (size_t)n);
      j->at += n;
    }
  }
  if (j->at == j->end)
    spoil(j);
  else
    j->at++;
  return !j->bad;
}

void json_key(Json *j, Text *out) {
  if (!json_string(j, out) || !take(j, ':')) spoil(j);
}

// -- numbers and the rest

static bool is_digit(const Json *j) { return j->at < j->end && *j->at >= '0' && *j->at <= '9'; }

static bool digits(Json *j) {
  if (!is_digit(j)) spoil(j);
  while (is_digit(j)) j->at++;
  return !j->bad;
}

// Passes a number; true where it has neither point nor exponent.
static bool number(Json *j) {
  if (*j->at == '-') j->at++;
  const bool zero = is_digit(j) && *j->at == '0';
  if (zero)
    j->at++;
  else
    digits(j);
  bool whole = !j->bad;
  if (j->at < j->end && *j->at == '.') {
    j->at++;
    whole = digits(j) && false;
  }
  if (j->at < j->end && (*j->at == 'e' || *j->at == 'E')) {
    j->at++;
    if (j->at < j->end && (*j->at == '+' || *j->at == '-')) j->at++;
    whole = digits(j) && false;
  }
  return whole;
}

bool json_integer(Json *j, int64_t *out) {
  const char c = peek(j), *from = j->at;
  if (c != '-' && !is_digit(j)) {
    json_skip(j);
    return false;
  }
  int64_t value = 0;
  if (!number(j)) return false;
  for (const char *d = from + (c == '-'); d < j->at; d++)
    if (__builtin_mul_overflow(value, (int64_t)10, &value) ||
        __builtin_sub_overflow(value, (int64_t)(*d - '0'), &value))
      return false;
  if (c != '-' && __builtin_sub_overflow((int64_t)0, value, &value)) return false;
  *out = value;
  return true;
}

static void word(Json *j, const char *w) {
  const size_t n = strlen(w);
  if ((size_t)(j->end - j->at) >= n && !memcmp(j->at, w, n))
    j->at += n;
  else
    spoil(j);
}

void json_skip(Json *j) {
  char none[1];
  Text nowhere = reg_text_in(none, sizeof none);
  const char c = peek(j);
  if (c == '{' || c == '[') {
    if (!json_enter(j, c)) return;
    for (bool first = true; json_more(j, c == '{' ? '}' : ']', &first);) {
      if (c == '{') json_key(j, &nowhere);
      json_skip(j);
    }
  } else if (c == '"') {
    json_string(j, &nowhere);
  } else if (c == 't' || c == 'f' || c == 'n') {
    word(j, c == 't' ? "true" : c == 'f' ? "false" : "null");
  } else if (c == '-' || is_digit(j)) {
    number(j);
  } else {
    spoil(j);
  }
}

bool json_end(Json *j) { return peek(j) == 0 && j->at == j->end && !j->bad; }
