// Columns of a table for people: a line each, but a few of many that are alike. In: what names and prints
// one. Columns are alike whose names differ in numbers (`p0_7`, `p1_0`) and in what is behind `=`
// (`color=red`, `color=blue`).
#include "driver.h"
#include <ctype.h>
#include <string.h>

enum { MOST_SHOWN = 60, MANY = 10, FIRST = 3 };

static bool is_digit(char c) { return isdigit((unsigned char)c); }

// Whether two names differ in their numbers alone, and in what stands behind `=`.
static bool alike(const char *a, const char *b) {
  bool numbered = false;
  for (; *a && *b; a++, b++) {
    if (*a == '=' && *b == '=') return true;
    if (!is_digit(*a) && *a == *b) continue;
    if (!is_digit(*a) || !is_digit(*b)) return false;
    while (is_digit(a[1])) a++;
    while (is_digit(b[1])) b++;
    numbered = true;
  }
  return numbered && !*a && !*b;
}

// How many from k on are alike.
static int64_t run_of(const ShownColumns *c, int64_t k) {
  int64_t n = 1;
  while (k + n < c->count && (!c->same || c->same(c->user, k, k + n)) &&
         alike(c->name(c->user, k), c->name(c->user, k + n)))
    n++;
  return n;
}

void show_columns(const ShownColumns *c) {
  int64_t lines = 0;
  for (int64_t k = 0; k < c->count;) {
    const int64_t run = c->all ? 1 : run_of(c, k), shown = run < MANY ? run : FIRST;
    for (int64_t i = 0; i < shown; i++) {
      if (!c->all && lines++ == MOST_SHOWN) {
        printf("  ... and %lld more columns (--verbose shows all)\n", (long long)(c->count - k - i));
        return;
      }
      c->print(c->user, k + i);
    }
    k += run;
    if (shown == run) continue;
    printf("  ... %lld more columns like these, to `", (long long)(run - shown));
    reg_shown(stdout, c->name(c->user, k - 1));
    puts("`");
  }
}
