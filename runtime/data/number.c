// Text to number. In: a cell. Out: the nearest float of the nearest double. Up to 19 digits are gathered in
// an integer; where that integer is below 2^53 and the power of ten is at most 10^22 both are exact in
// double, so one multiplication or division rounds correctly (Clinger 1990, How to read floating point
// numbers accurately). The rest goes to strtod.
#include "data/table.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

typedef struct Decimal {
  bool negative;
  uint64_t digits;
  int ndigits; // significant ones
  int exponent;
} Decimal;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Digits from *at on; each one behind the point lowers the exponent. How many there were.
static int scan_digits(const char **at, Decimal *d, bool behind_point) {
  const char *start = *at;
  for (; is_digit(**at); (*at)++) {
    if (d->ndigits > 0 || **at != '0') d->ndigits++;
    if (d->ndigits <= 19) d->digits = 10 * d->digits + (uint64_t)(**at - '0');
    if (behind_point) d->exponent--;
  }
  return (int)(*at - start);
}

static bool scan_exponent(const char **at, Decimal *d) {
  if (**at != 'e' && **at != 'E') return true;
  (*at)++;
  bool negative = **at == '-';
  if (**at == '-' || **at == '+') (*at)++;
  if (!is_digit(**at)) return false;
  int value = 0;
  for (; is_digit(**at); (*at)++)
    if (value < 100000) value = 10 * value + (**at - '0');
  d->exponent += negative ? -value : value;
  return true;
}

static bool names_no_number(const char *text) {
  if (*text == '-' || *text == '+') text++;
  return !strcasecmp(text, "nan") || !strcasecmp(text, "inf") || !strcasecmp(text, "infinity");
}

NumberText number_parse(const char *text, size_t length, float *value) {
  Decimal d = {0};
  const char *at = text;
  d.negative = *at == '-';
  if (*at == '-' || *at == '+') at++;
  int count = scan_digits(&at, &d, false);
  if (*at == '.') {
    at++;
    count += scan_digits(&at, &d, true);
  }
  if (count == 0 || !scan_exponent(&at, &d) || at != text + length)
    return length == strlen(text) && names_no_number(text) ? NUMBER_NOT_FINITE : NUMBER_NONE;
  double result;
  if (d.ndigits <= 19 && d.digits < (UINT64_C(1) << 53) && d.exponent >= -22 && d.exponent <= 22) {
    result = (double)d.digits;
    result = d.exponent < 0 ? result / POWERS[-d.exponent] : result * POWERS[d.exponent];
    if (d.negative) result = -result;
  } else {
    result = strtod(text, NULL);
  }
  *value = (float)result;
  return isfinite(*value) ? NUMBER_OK : NUMBER_TOO_LARGE;
}
