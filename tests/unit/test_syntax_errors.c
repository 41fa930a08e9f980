// Mistakes: wording, places, recovery; and inputs that must not hurt.
#include "compiler/syntax/ast.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static Parse *parse_text(Session *s, const char *text, int length) {
  return parse_source(s, source_add(&s->sources, "t.reg", text, length));
}

// `expected`: one `line:column text` for each diagnostic, each ended by a line end.
static void check_errors(const char *text, const char *expected) {
  Session *s = session_new();
  parse_text(s, text, (int)strlen(text));
  StrBuf got = {.arena = s->arena};
  strbuf_add(&got, "");
  for (int i = 0; i < s->diags.list.len; i++) {
    const Diag *d = s->diags.list.data[i];
    int line, column;
    source_position(source_get(&s->sources, d->span.source), d->span.start, &line, &column);
    strbuf_addf(&got, "%d:%d %s\n", line, column, d->text);
  }
  cr_assert_str_eq(got.data, expected, "got:\n%s", got.data);
  session_free(s);
}

Test(syntax_errors, expected_lists_are_grouped) {
  check_errors("let a = 1 +)\n", "1:12 unexpected `)`, expected an expression\n");
  check_errors("let a = f(x y)\n", "1:13 unexpected name `y`, expected `,`, `:`, `)` or an operator\n");
  check_errors("let 3 = x\n", "1:5 unexpected number `3`, expected a name\n");
  check_errors("fn f(x: ) = x\n", "1:9 unexpected `)`, expected a type\n");
  check_errors("x = 3\n", "");
  check_errors("modle x = 3\n", "1:1 unexpected name `modle`, expected a definition or a statement\n");
  check_errors("fn f(x) = if x then x\n",
               "1:22 unexpected end of the line, expected `else` or an operator\n");
  check_errors("fn f(x) {\n  param 3\n  x\n}\n", "2:9 unexpected number `3`, expected a name\n");
  check_errors("train net on d {\n  penalize w in : 3\n}\n", "2:17 unexpected `:`, expected a selector\n");
}

Test(syntax_errors, every_line_is_read_after_a_mistake) {
  check_errors("let a = )\n"
               "let b = 2 2\n"
               "fn f(x) {\n"
               "  y = * 3\n"
               "  z = g(1,\n"
               "    2 3,\n"
               "    4)\n"
               "  y +\n"
               "}\n"
               "train net on {\n"
               "  loss f(x)\n"
               "  batch batch batch\n"
               "  epochs [3\n"
               "}\n"
               "let c = 3\n"
               "model = 3\n",
               "1:9 unexpected `)`, expected an expression\n"
               "2:11 unexpected number `2`, expected the end of the line or an operator\n"
               "4:9 unexpected number `3`, expected `.` or `.*`\n"
               "6:7 unexpected number `3`, expected `,`, `)` or an operator\n"
               "8:6 unexpected end of the line, expected an expression\n"
               "10:14 unexpected `{`, expected an expression\n"
               "12:15 unexpected name `batch`, expected the end of the line or an operator\n"
               "13:10 `[` is never closed\n"
               "16:7 unexpected `=`, expected a name\n");
}

Test(syntax_errors, an_open_brace_ends_at_the_next_item) {
  check_errors("fn f(x) {\n  x + 1\n\nlet a = 3 3\n",
               "1:9 `{` is never closed\n"
               "4:11 unexpected number `3`, expected the end of the line or an operator\n");
}

Test(syntax_errors, a_wrong_definition_keeps_its_name) {
  Session *s = session_new();
  const char *text = "data d = csv(\"a\" 3)\nfn f(x) {\n  y = (1\n  y\n}\n";
  const Parse *p = parse_text(s, text, (int)strlen(text));
  cr_assert_eq(s->diags.errors, 2);
  cr_assert_eq(p->file->nkids, 2);
  cr_assert_str_eq(p->file->kids[0]->name, "d");
  cr_assert_eq(p->file->kids[0]->kids[2]->kind, AST_ERROR);
  const Ast *block = p->file->kids[1]->kids[2];
  cr_assert_eq(block->kind, AST_BLOCK);
  cr_assert_str_eq(block->kids[0]->name, "y");
  session_free(s);
}

Test(syntax_errors, hints) {
  Session *s = session_new();
  const char *text = "optimiser o for w { w <- 1 }\nlet a = if x = 3 then 1 else 2\n";
  parse_text(s, text, (int)strlen(text));
  cr_assert_eq(s->diags.list.len, 2);
  cr_assert_str_eq(s->diags.list.data[0]->notes.data[0].text, "did you mean `optimizer`?");
  cr_assert_not_null(strstr(s->diags.list.data[1]->notes.data[0].text, "compares"));
  session_free(s);
}

static void check_span(const Ast *a, int start, int end) {
  cr_assert(a->span.start == start && a->span.end == end, "%d..%d", a->span.start, a->span.end);
}

Test(syntax_errors, spans_are_exact) {
  Session *s = session_new();
  const char *text = "let abc = (x + 12) * f(y).z\n";
  const Parse *p = parse_text(s, text, (int)strlen(text));
  const Ast *def = p->file->kids[0], *product = def->kids[2];
  check_span(def, 0, 27);
  cr_assert(def->name_span.start == 4 && def->name_span.end == 7);
  check_span(product, 10, 27);
  check_span(product->kids[0], 11, 17);
  check_span(product->kids[0]->kids[1], 15, 17);
  check_span(product->kids[1], 21, 27);
  cr_assert(product->kids[1]->name_span.start == 26);
  session_free(s);
}

Test(syntax_errors, odd_bytes) {
  check_errors("\xEF\xBB\xBFlet a = 1\r\nlet b = 2", "");
  check_errors("let a = \xFF 1\n", "1:9 unexpected character (byte 0xFF)\n");
  check_errors("let a = \xC3\xA9 + 1\n",
               "1:9 unexpected character `\xC3\xA9`\n1:11 unexpected `+`, expected an expression\n");
  Session *s = session_new();
  parse_text(s, "let a = 1 # \0\n\0", 15);
  cr_assert_eq(s->diags.errors, 2);
  session_free(s);
  check_errors("", "");
  check_errors("# only a comment", "");
}

static char *repeated(const char *before, const char *piece, int n, const char *after) {
  size_t length = strlen(piece), start = strlen(before);
  char *text = malloc(start + length * (size_t)n + strlen(after) + 1);
  strcpy(text, before);
  for (int i = 0; i < n; i++) memcpy(text + start + length * (size_t)i, piece, length);
  strcpy(text + start + length * (size_t)n, after);
  return text;
}

static void check_refused(const char *before, const char *piece, int n, const char *after, DiagId id) {
  char *text = repeated(before, piece, n, after);
  Session *s = session_new();
  const Parse *p = parse_text(s, text, (int)strlen(text));
  int found = 0;
  for (int i = 0; i < s->diags.list.len; i++) found += s->diags.list.data[i]->id == id;
  cr_assert_geq(found, 1, "%s%s...", before, piece);
  cr_assert_leq(s->diags.list.len, 101);
  cr_assert_leq(p->file->depth, AST_MAX_DEPTH + 1);
  session_free(s);
  free(text);
}

Test(syntax_errors, depth_and_size_are_bounded) {
  check_refused("let a = ", "(", 1000000, "", DIAG_nesting_too_deep);
  check_refused("let a = ", "[", 1000000, "", DIAG_nesting_too_deep);
  check_refused("let a = ", "- ", 200000, "1\n", DIAG_nesting_too_deep);
  check_refused("let a = 1", " + 1", 200000, "\n", DIAG_nesting_too_deep);
  check_refused("let a = x", "^x", 200000, "\n", DIAG_nesting_too_deep);
  check_refused("let a = ", "if a then ", 200000, "\n", DIAG_nesting_too_deep);
  check_refused("let a = x", ".x", 200000, "\n", DIAG_nesting_too_deep);
  check_refused("fn f(x) {\n", "repeat 2 {\n", 5000, "", DIAG_nesting_too_deep);
  check_refused("", "let = 3\n", 5000, "", DIAG_syntax);
  check_refused("", "$ ", 5000, "", DIAG_bad_character);
}

Test(syntax_errors, other_encodings_are_named) {
  Session *s = session_new();
  const struct {
    const char *bytes;
    int length;
    bool wrong;
  } cases[] = {{"\xFF\xFEl\0e\0t\0", 8, true},
               {"\xFE\xFF\0l\0e\0t", 8, true},
               {"l\0e\0t\0", 6, true},
               {"let a = 1\rlet b = 2\r", 20, true},
               {"let a = 1\r\nlet b = 2\r\n", 22, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const int before = s->diags.errors;
    parse_text(s, cases[i].bytes, cases[i].length);
    cr_assert_eq(s->diags.errors - before, cases[i].wrong, "case %zu", i);
    if (cases[i].wrong) cr_assert_eq(s->diags.list.data[s->diags.list.len - 1]->id, DIAG_bad_encoding);
  }
  session_free(s);
}
