// base: arenas, vectors, maps, string buffers, places in sources, the nearest name, diagnostics as text and
// JSON.
#include "compiler/base/session.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(base, arena_memory_is_zeroed_and_aligned) {
  Arena *a = arena_new();
  for (size_t size = 0; size < 3000000; size = size * 3 + 1) {
    char *p = arena_alloc(a, size);
    cr_assert_eq((uintptr_t)p % 16, 0);
    for (size_t i = 0; i < size; i++) cr_assert_eq(p[i], 0);
    memset(p, 0xA5, size); // later memory must not overlap
  }
  arena_free(a);
}

Test(base, vectors_grow) {
  Arena *a = arena_new();
  VEC(int) v = {0};
  for (int i = 0; i < 10000; i++) vec_push(a, v, i * 7);
  cr_assert_eq(v.len, 10000);
  for (int i = 0; i < v.len; i++) cr_assert_eq(v.data[i], i * 7);
  arena_free(a);
}

Test(base, maps_find_replace_and_keep_order) {
  Arena *a = arena_new();
  Map m;
  map_init(&m, a);
  cr_assert_null(map_get(&m, "absent"));
  static int values[1000];
  for (int i = 0; i < 1000; i++) map_put(&m, arena_printf(a, "key%d", i), &values[i]);
  map_put(&m, "key500", &values[0]);
  cr_assert_eq(m.len, 1000);
  for (int i = 0; i < 1000; i++) {
    char *key = arena_printf(a, "key%d", i);
    cr_assert_str_eq(m.entries[i].key, key);
    cr_assert_eq(map_get(&m, key), &values[i == 500 ? 0 : i]);
  }
  cr_assert_null(map_get(&m, "key1000"));
  arena_free(a);
}

Test(base, string_buffers) {
  Arena *a = arena_new();
  StrBuf b = {.arena = a};
  for (int i = 0; i < 100; i++) strbuf_addf(&b, "%d,", i % 10);
  cr_assert_eq(b.len, 200);
  cr_assert_eq(strlen(b.data), 200);
  char *wide = arena_printf(a, "%500s", "x");
  strbuf_addf(&b, "%s", wide);
  cr_assert_eq(b.len, 700);
  strbuf_addn(&b, "abc", 2);
  cr_assert_str_eq(b.data + 700, "ab");
  arena_free(a);
}

static void check_position(const Source *s, int offset, int line, int column) {
  int l, c;
  source_position(s, offset, &l, &c);
  cr_assert(l == line && c == column, "offset %d: %d:%d, expected %d:%d", offset, l, c, line, column);
}

Test(base, positions_count_characters) {
  Session *s = session_new();
  const char *text = "\xEF\xBB\xBFone\nl\xC3\xA9ger\r\n\n\xE2\x82\xACx"; // a byte order mark is not counted
  int index = source_add(&s->sources, "f.reg", text, (int)strlen(text));
  const Source *source = source_get(&s->sources, index);
  cr_assert_eq(source->nlines, 4);
  check_position(source, 0, 1, 1);
  check_position(source, 3, 1, 4);
  check_position(source, 4, 2, 1);
  check_position(source, 7, 2, 3); // behind the accented letter
  check_position(source, 12, 3, 1);
  check_position(source, 16, 4, 2);
  check_position(source, 1000, 4, 3);
  cr_assert_null(source_get(&s->sources, 0));
  cr_assert_null(source_get(&s->sources, index + 1));
  session_free(s);
}

Test(base, spans_join) {
  Span a = {1, 5, 8}, b = {1, 2, 6}, nowhere = {0};
  Span both = span_join(a, b);
  cr_assert(both.source == 1 && both.start == 2 && both.end == 8);
  cr_assert_eq(span_join(nowhere, b).start, 2);
  cr_assert_eq(span_join(a, nowhere).end, 8);
}

Test(base, nearest_name_is_near_enough) {
  const char *names[] = {"dropout", "dense", "softmax", "sum", "mean"};
  cr_assert_str_eq(nearest_name("dropuot", names, 5), "dropout"); // swapped neighbours
  cr_assert_str_eq(nearest_name("softmx", names, 5), "softmax");
  cr_assert_str_eq(nearest_name("dens", names, 5), "dense");
  cr_assert_str_eq(nearest_name("sun", names, 5), "sum");
  cr_assert_null(nearest_name("x", names, 5));
  cr_assert_null(nearest_name("convolution", names, 5));
}

// Not inlined: gcc 12 takes the stream's buffer for the address of `text`.
__attribute__((noinline)) static char *rendered(const Session *s, bool json, bool color) {
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  if (json)
    diags_print_json(&s->diags, out);
  else
    diags_print(&s->diags, out, color);
  fclose(out);
  return text;
}

static void check_rendered(const Session *s, bool json, const char *expected) {
  char *text = rendered(s, json, false);
  cr_assert_str_eq(text, expected, "got:\n%s", text);
  free(text);
}

static Session *session_with(const char *text, int *source) {
  Session *s = session_new();
  *source = source_add(&s->sources, "p.reg", text, (int)strlen(text));
  return s;
}

Test(base, diagnostics_as_text) {
  int f;
  Session *s = session_with("let a = 1\n\tlet \xC3\xA9 = dens(3)\n", &f);
  Diag *d = diag_emit(&s->diags, DIAG_unknown_name, (Span){f, 20, 24}, "dens");
  diag_note(d, (Span){f, 4, 5}, "first seen here");
  diag_hint(d, "did you mean `%s`?", "dense");
  check_rendered(s, false,
                 "p.reg:2:10: error: unknown name `dens` [unknown_name]\n"
                 "    2 |     let \xC3\xA9 = dens(3)\n"
                 "      |             ^^^^\n"
                 "p.reg:1:5: note: first seen here\n"
                 "    1 | let a = 1\n"
                 "      |     ^\n"
                 "hint: did you mean `dense`?\n");
  session_free(s);
}

Test(base, diagnostics_as_json) {
  int f;
  Session *s = session_with("let a = \"\xFF\n", &f);
  diag_emit(&s->diags, DIAG_unknown_name, (Span){f, 4, 5}, "q\"\n\xFF");
  check_rendered(
      s, true,
      "{\"file\":\"p.reg\",\"line\":1,\"column\":5,\"end_line\":1,\"end_column\":6,\"severity\":\"error\","
      "\"name\":\"unknown_name\",\"message\":\"unknown name `q\\\"\\n\\ufffd`\",\"notes\":[]}\n");
  session_free(s);
}

Test(base, long_lines_are_cut_around_the_caret) {
  char text[1001];
  memset(text, 'a', 1000);
  text[1000] = '\0';
  int f;
  Session *s = session_with(text, &f);
  diag_emit(&s->diags, DIAG_unknown_name, (Span){f, 500, 503}, "aaa");
  char *out = rendered(s, false, false);
  char *line = strchr(out, '\n') + 1, *carets = strchr(line, '\n') + 1;
  cr_assert_lt(carets - line, 140);
  cr_assert_not_null(strstr(line, "..."));
  cr_assert_not_null(strstr(carets, "^^^\n"));
  cr_assert_eq(strchr(carets, '^') - carets, 8 + 3 + 60); // gutter, dots, the cells kept before the caret
  free(out);
  session_free(s);
}

Test(base, repeats_and_allowed_warnings_are_dropped) {
  int f;
  Session *s = session_with("let a = 1\n", &f);
  Span here = {f, 4, 5};
  diag_emit(&s->diags, DIAG_unknown_name, here, "a");
  cr_assert_not_null(diag_emit(&s->diags, DIAG_unknown_name, here, "a"));
  s->diags.allowed[DIAG_unused_definition] = 1;
  cr_assert_not_null(diag_emit(&s->diags, DIAG_unused_definition, here, "a"));
  cr_assert_eq(s->diags.list.len, 1);
  cr_assert_eq(s->diags.errors, 1);
  cr_assert_eq(s->diags.warnings, 0);
  s->diags.warnings_are_errors = true;
  diag_emit(&s->diags, DIAG_selects_on_test, here);
  cr_assert_eq(s->diags.errors, 2);
  session_free(s);
}

Test(base, every_diagnostic_has_a_name_and_an_explanation) {
  for (int i = 0; i < DIAG_COUNT; i++) {
    cr_assert_eq(diag_find(diag_name((DiagId)i)), i);
    cr_assert_gt(strlen(diag_explanation((DiagId)i)), 20);
  }
  cr_assert_eq(diag_find("no_such_diagnostic"), -1);
}
