// Text to number. In: a cell. Out: the nearest double, or the exact integer. Up to 19 digits are gathered in
// an integer; where that integer is below 2^53 and the power of ten is at most 10^22 both are exact in
// double, so one multiplication or division rounds correctly (Clinger 1990, How to read floating point
// numbers accurately). Most others are settled in 64 bits, the rest goes to strtod.
#include "data/table.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

typedef struct Decimal {
  bool negative;
  uint64_t digits;
  int64_t ndigits; // significant ones
  int64_t exponent;
} Decimal;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Digits from *at on; each one behind the point lowers the exponent. How many there were.
static int64_t scan_digits(const char **at, Decimal *d, bool behind_point) {
  const char *start = *at;
  for (; is_digit(**at); (*at)++) {
    if (d->ndigits > 0 || **at != '0') d->ndigits++;
    if (d->ndigits <= 19) d->digits = 10 * d->digits + (uint64_t)(**at - '0');
    if (behind_point) d->exponent--;
  }
  return *at - start;
}

static bool scan_exponent(const char **at, int64_t *exponent) {
  if (**at != 'e' && **at != 'E') return true;
  (*at)++;
  bool negative = **at == '-';
  if (**at == '-' || **at == '+') (*at)++;
  if (!is_digit(**at)) return false;
  int64_t value = 0;
  for (; is_digit(**at); (*at)++)
    if (value < 100000) value = 10 * value + (**at - '0');
  *exponent += negative ? -value : value;
  return true;
}

// Texts of the list are in lower case. All cells of columns with text are asked, and few begin as one of
// them.
static bool one_of(const char *text, const char *const *list) {
  const char first = (char)(*text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text);
  for (; *list; list++)
    if (**list == first && !strcasecmp(text, *list)) return true;
  return false;
}

bool number_missing(const char *text) {
  static const char *const missing[] = {"na",      "n/a", "#n/a", "<na>", "null", "none", "nan",
                                        "missing", "?",   "-",    "--",   ".",    NULL};
  return one_of(text, missing);
}

bool number_truth(const char *text, double *value) {
  static const char *const yes[] = {"true", "yes", NULL}, *const no[] = {"false", "no", NULL};
  *value = one_of(text, yes);
  return *value != 0 || one_of(text, no);
}

static NumberText no_number(const char *text) {
  static const char *const not_finite[] = {"nan", "inf", "infinity", NULL};
  if (number_missing(text)) return NUMBER_MISSING;
  return one_of(text + (*text == '-' || *text == '+'), not_finite) ? NUMBER_NOT_FINITE : NUMBER_NONE;
}

// digits * 10^exponent, where it is certain. On this processor a long double has 64 bits, and both it and
// powers of ten to 27 are exact; the quotient is rounded twice, which differs from once only where the bits
// that go are next to one half.
static bool decimal_value(uint64_t digits, int64_t exponent, double *value) {
  if (digits < (UINT64_C(1) << 53) && exponent >= -22 && exponent <= 22) {
    *value = exponent < 0 ? (double)digits / POWERS[-exponent] : (double)digits * POWERS[exponent];
    return true;
  }
#if LDBL_MANT_DIG == 64 && defined(__x86_64__)
  static const long double wide[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
                                     1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
                                     1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
  if (exponent < -27 || exponent > 27) return false;
  const long double x =
      exponent < 0 ? (long double)digits / wide[-exponent] : (long double)digits * wide[exponent];
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint64_t gone = bits & 0x7FF;
  *value = (double)x;
  return gone < 0x3FF || gone > 0x401;
#else
  return false;
#endif
}

const char *number_quick(const char *at, char point, reg_dtype type, double *value) {
  const bool negative = *at == '-';
  at += negative || *at == '+';
  const char *first = at;
  uint64_t digits = 0;
  int64_t exponent = 0;
  for (; is_digit(*at); at++) digits = 10 * digits + (uint64_t)(*at - '0');
  int64_t count = at - first;
  if (*at == point) {
    const char *behind = ++at;
    for (; is_digit(*at); at++) digits = 10 * digits + (uint64_t)(*at - '0');
    exponent = behind - at;
    count -= exponent;
  }
  double x;
  if (count == 0 || count > 19 || !scan_exponent(&at, &exponent) || !decimal_value(digits, exponent, &x))
    return NULL;
  *value = negative ? -x : x;
  return type == REG_F32 && x > (double)FLT_MAX ? NULL : at;
}

NumberText number_parse(const char *text, size_t length, reg_dtype type, double *value) {
  Decimal d = {0};
  const char *at = text;
  d.negative = *at == '-';
  if (*at == '-' || *at == '+') at++;
  int64_t count = scan_digits(&at, &d, false);
  if (*at == '.') {
    at++;
    count += scan_digits(&at, &d, true);
  }
  if (count == 0 || !scan_exponent(&at, &d.exponent) || at != text + length) return no_number(text);
  double result;
  if (d.ndigits > 19 || !decimal_value(d.digits, d.exponent, &result))
    result = strtod(text, NULL);
  else if (d.negative)
    result = -result;
  *value = result;
  return isfinite(type == REG_F64 ? result : (double)(float)result) ? NUMBER_OK : NUMBER_TOO_LARGE;
}

// The number is its digits up to the last that is not 0, times a power of ten: an integer where that power is
// not negative.
bool number_integer(const char *text, int64_t *value) {
  const bool negative = *text == '-';
  const char *at = text + (*text == '-' || *text == '+');
  int64_t digits = 0, waiting = 0, exponent = 0; // waiting: zeros that another digit may follow
  bool behind_point = false;
  for (; is_digit(*at) || *at == '.'; at++) {
    if (*at == '.') {
      behind_point = true;
      continue;
    }
    exponent -= behind_point;
    waiting++;
    if (*at == '0') continue;
    for (; waiting > 0; waiting--)
      if (__builtin_mul_overflow(digits, 10, &digits)) return false;
    if (__builtin_add_overflow(digits, *at - '0', &digits)) return false;
  }
  scan_exponent(&at, &exponent);
  exponent += waiting;
  for (; digits && exponent > 0; exponent--)
    if (__builtin_mul_overflow(digits, 10, &digits)) return false;
  *value = negative ? -digits : digits;
  return digits == 0 || exponent == 0;
}

const char *number_mistake(NumberText kind, reg_dtype type, const char **hint) {
  *hint = "remove the row, or fill in a value";
  if (kind == NUMBER_MISSING) return "stands for a missing number";
  if (kind == NUMBER_NOT_FINITE) return "is not a finite number";
  *hint = "rescale the column in the file";
  if (kind == NUMBER_TOO_LARGE)
    return type == REG_F64 ? "is too large for a 64-bit float" : "is too large for a 32-bit float";
  *hint = "`one_hot` or `ordinal` makes numbers of texts, `date_parts` of dates; `drop: [...]` leaves a "
          "column out";
  return "is no number";
}
