// Text: every kind is one value whatever is put in, and what does not fit is cut between characters.
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "text/text.h"

Test(text, utf8_lengths) {
  cr_assert_eq(reg_utf8_length("a", 1), 1);
  cr_assert_eq(reg_utf8_length("\xC3\xA9", 2), 2);
  cr_assert_eq(reg_utf8_length("\xC3\xA9", 1), 0);     // cut
  cr_assert_eq(reg_utf8_length("\xC0\xAF", 2), 0);     // overlong
  cr_assert_eq(reg_utf8_length("\xED\xA0\x80", 3), 0); // surrogate
  cr_assert_eq(reg_utf8_length("\xF0\x9F\x98\x80", 4), 4);
  cr_assert_eq(reg_utf8_length("\xF4\x90\x80\x80", 4), 0); // beyond Unicode
  cr_assert_eq(reg_utf8_length("\x80", 1), 0);
  cr_assert_eq(reg_utf8_length("", 0), 0);
}

Test(text, an_array_is_never_run_over) {
  for (size_t size = 1; size < 40; size++) {
    char room[64];
    memset(room, '#', sizeof room);
    Text t = reg_text_in(room, size);
    for (int i = 0; i < 9; i++) reg_text_format(&t, "%s%s", i ? ", " : "", "ein é");
    cr_assert(t.failed && strlen(room) < size && room[size] == '#');
    for (const char *c = room; *c; c += reg_utf8_length(c, strlen(c)))
      cr_assert(reg_utf8_length(c, strlen(c)), "half a character at the end of \"%s\"", room);
  }
}

Test(text, grows_to_any_length) {
  Text t = {0};
  char *line = malloc(100001);
  memset(line, 'x', 100000);
  line[100000] = 0;
  for (int i = 0; i < 20; i++) reg_text_format(&t, "%d %s", i, line);
  cr_assert(!t.failed && t.used == strlen(t.data) && t.used > 2000000);
  reg_text_free(&t);
  free(line);
}

static void expect(void (*put)(Text *, const char *), const char *in, const char *out) {
  Text t = {0};
  put(&t, in);
  cr_assert_str_eq(t.data, out);
  reg_text_free(&t);
}

Test(text, kinds) {
  expect(reg_text_shown, "a\033[2J\tb\n\x7F\xC2\x9B\xE2\x80\xAE\xFFz\xC3\xA9",
         "a?[2J?b????"
         "?z\xC3\xA9");
  expect(reg_text_json, "\"\\\n\t\033\xC2\x9B\xFF\xE2\x80\xAE\xC3\xA9",
         "\"\\\"\\\\\\n\\t\\u001b\\u009b\\ufffd\\u202e\xC3\xA9\"");
  expect(reg_text_json, "", "\"\"");
  expect(reg_text_csv, "plain", "plain");
  expect(reg_text_csv, "a,\"b\"\n", "\"a,\"\"b\"\"\n\"");
  expect(reg_text_csv, " a", "\" a\"");
  expect(reg_text_comment, "a\nint b;\\", "`a?int b;\\`");
}

Test(text, shown_in_place_and_width) {
  char s[] = "x\xE2\x80\xAE\033y";
  cr_assert_eq(reg_shown_width(s), 4);
  reg_shown_in_place(s);
  cr_assert_str_eq(s, "x??y");
}

Test(text, objects) {
  Text t = {0};
  reg_text_add(&t, "{");
  reg_text_key(&t, "a");
  reg_text_number(&t, 1);
  reg_text_key(&t, "b");
  reg_text_add(&t, "[");
  for (int i = 0; i < 2; i++) {
    reg_text_item(&t);
    reg_text_number(&t, i ? 1e300 * 1e300 : 0.1);
  }
  reg_text_add(&t, "]}");
  cr_assert_str_eq(t.data, "{\"a\":1.0,\"b\":[0.1,null]}");
  reg_text_free(&t);
}

Test(text, numbers) {
  uint64_t n = 0;
  double d = 0;
  cr_assert(reg_text_natural("18446744073709551615", UINT64_MAX, &n) && n == UINT64_MAX);
  cr_assert(!reg_text_natural("18446744073709551616", UINT64_MAX, &n));
  const char *const bad[] = {"", " 5", "5 ", "-1", "+1", "0x10", "1e3", "1.5", "99999999999999999999999"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    cr_assert(!reg_text_natural(bad[i], UINT64_MAX, &n), "%s", bad[i]);
  cr_assert(!reg_text_natural("11", 10, &n) && reg_text_natural("10", 10, &n));
  cr_assert(reg_text_decimal("-1.5e3", &d) && d == -1500);
  const char *const worse[] = {"", " 5", "5 ", "0x10", "nan", "inf", "1e999", "1e", "--1", "1,5"};
  for (size_t i = 0; i < sizeof worse / sizeof *worse; i++)
    cr_assert(!reg_text_decimal(worse[i], &d), "%s", worse[i]);
}
