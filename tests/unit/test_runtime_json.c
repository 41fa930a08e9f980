// The reader of JSON: what is JSON is read, what is not is told, at every length of a text that is cut.
#include <criterion/criterion.h>
#include <string.h>

#include "io/json.h"

static bool is_json(const char *text, size_t size) {
  Json j = json_of(text, size);
  json_skip(&j);
  return json_end(&j);
}

Test(json, what_is_json) {
  const char *const good[] = {
      "{}", " [ ] ",  "[1,-0.5e+3,0]", "{\"a\":{\"b\":[true,false,null]}}", "\"\\u00e9\\ud83d\\ude00\\n\"",
      "-0", "[[[]]]", "\"\xC3\xA9\""};
  const char *const bad[] = {"",
                             "{",
                             "[1,]",
                             "[,1]",
                             "{\"a\"}",
                             "{\"a\":}",
                             "{a:1}",
                             "01",
                             "1.",
                             "1e",
                             "-",
                             "\"",
                             "\"\n\"",
                             "\"\\x\"",
                             "nul",
                             "1 2",
                             "[1}",
                             "\xFF",
                             "\"\xC3\"",
                             "\"\\ud800\"",
                             "\"\\udc00\"",
                             "\"\\u0000\"",
                             "\"\\ud800\\u0041\"",
                             "+1",
                             ".5",
                             "{\"a\":1,}",
                             "]"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    cr_assert(is_json(good[i], strlen(good[i])), "%s", good[i]);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    cr_assert(!is_json(bad[i], strlen(bad[i])), "%s", bad[i]);
  cr_assert(!is_json("1\0", 2));
  const char whole[] = "{\"key\":[1,\"\\u00e9\",{\"x\":-1.5e3}],\"b\":true}";
  for (size_t n = 0; n < sizeof whole - 1; n++) cr_assert(!is_json(whole, n), "%.*s", (int)n, whole);
  cr_assert(is_json(whole, sizeof whole - 1));
}

Test(json, nesting_has_an_end) {
  static char deep[4096];
  memset(deep, '[', 1000);
  memset(deep + 1000, ']', 1000);
  cr_assert(!is_json(deep, 2000));
  cr_assert(is_json(deep + 900, 200));
}

Test(json, values) {
  const char text[] = "{\"n\":[9223372036854775807,-9223372036854775808,9223372036854775808,1.0,\"7\"],\"s\":"
                      "\"a\\\"\\u00e9\\/\"}";
  Json j = json_of(text, sizeof text - 1);
  Text key = {0}, s = {0};
  int64_t n[5] = {0};
  bool is[5], first = true, inner = true;
  cr_assert(json_enter(&j, '{') && json_more(&j, '}', &first));
  json_key(&j, &key);
  cr_assert_str_eq(key.data, "n");
  cr_assert(json_enter(&j, '['));
  for (int i = 0; json_more(&j, ']', &inner); i++) is[i] = json_integer(&j, &n[i]);
  cr_assert(is[0] && n[0] == INT64_MAX && is[1] && n[1] == INT64_MIN && !is[2] && !is[3] && !is[4]);
  cr_assert(json_more(&j, '}', &first));
  json_key(&j, &key);
  cr_assert(json_string(&j, &s));
  cr_assert_str_eq(s.data, "a\"\xC3\xA9/");
  cr_assert(!json_more(&j, '}', &first) && json_end(&j));
  reg_text_free(&key);
  reg_text_free(&s);
}
