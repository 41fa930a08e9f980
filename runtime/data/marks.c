// How a file writes numbers. In: a field, and the file's marks. Out: the number as it is read everywhere:
// 1,234.5 is 1234.5, $12.50 is 12.50, 12 % is 12, where the file's form says so. What is not written so stays
// as it is.
#include "data/scan.h"
#include <string.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Bytes of the mark of thousands at `at`; 0: there is none. A space may be one that does not break, an
// apostrophe a curved one.
static size_t mark_at(char mark, const char *at, const char *end) {
  static const char *const spaces[] = {"\u00a0", "\u202f", "\u2009"}, *const curved[] = {"\u2019"};
  const char *const *others = mark == ' ' ? spaces : curved;
  const int n = mark == ' ' ? 3 : mark == '\'' ? 1 : 0;
  if (!mark || at == end) return 0;
  if (*at == mark) return 1;
  for (int i = 0; i < n; i++) {
    const size_t length = strlen(others[i]);
    if ((size_t)(end - at) >= length && !memcmp(at, others[i], length)) return length;
  }
  return 0;
}

static const char *behind_spaces(const char *at, const char *end) {
  for (size_t n; (n = mark_at(' ', at, end)) > 0;) at += n;
  return at;
}

static const char *before_spaces(const char *at, const char *end) {
  for (const char *p = at; p < end;) {
    const char *rest = behind_spaces(p, end);
    if (rest == end) return p;
    p = rest > p ? rest : p + 1;
  }
  return end;
}

// A unit in front of a number, or behind it.
static bool strip_unit(const NumberMarks *m, const char **at, const char **end) {
  for (int i = 0; i < m->nunits; i++) {
    const size_t n = strlen(m->units[i]), left = (size_t)(*end - *at);
    if (!n || n >= left) continue;
    if (!memcmp(*at, m->units[i], n)) {
      *at = behind_spaces(*at + n, *end);
      return true;
    }
    if (!memcmp(*end - n, m->units[i], n)) {
      *end = before_spaces(*at, *end - n);
      return true;
    }
  }
  return false;
}

// Whether each mark in front of the point has three digits behind it, and the first one one to three before
// it.
static bool are_groups(const NumberMarks *m, const char *at, const char *end) {
  int digits = 0, marks = 0;
  for (size_t n; at < end; at += n) {
    n = mark_at(m->thousands, at, end);
    if (!n && !is_digit(*at)) break;
    if (n && (digits < 1 || digits > 3 || (marks && digits != 3))) return false;
    marks += n > 0;
    digits = n ? 0 : digits + 1;
    if (!n) n = 1;
  }
  return marks > 0 && digits == 3;
}

bool number_plain(const NumberMarks *m, const char *text, size_t length, char *to, size_t room,
                  size_t *size) {
  const char *at = text, *end = text + length;
  char *first = to;
  if (length + 2 > room) return false;
  if (m->nunits && length) {
    if (*at == '-' || *at == '+') *to++ = *at++;
    if (!strip_unit(m, &at, &end)) {
      at = text;
      to = first;
    } else if (to > first && at < end && (*at == '-' || *at == '+')) {
      at = text, end = text + length; // two signs
      to = first;
    }
  }
  const bool sign = at < end && (*at == '-' || *at == '+');
  if (sign) *to++ = *at++;
  const bool groups = m->thousands && are_groups(m, at, end);
  for (bool whole = true; at < end;) {
    const size_t n = groups && whole ? mark_at(m->thousands, at, end) : 0;
    whole = whole && (n || is_digit(*at));
    if (!n && m->point != '.' && (*at == m->point || *at == '.'))
      *to++ = *at == '.' ? m->point : '.';
    else if (!n)
      *to++ = *at;
    at += n ? n : 1;
  }
  *to = 0;
  *size = (size_t)(to - first);
  return true;
}
