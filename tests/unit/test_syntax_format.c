// The formatter: canonical text, comments, stability over all programs of the repository; ast_text.
#include "compiler/syntax/ast.h"
#include <criterion/criterion.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

static const char *format(Session *s, const char *text, const Parse **parse) {
  const Parse *p = parse_source(s, source_add(&s->sources, "t.reg", text, (int)strlen(text)));
  cr_assert_eq(s->diags.errors, 0, "%s\nrejected: %s", text,
               s->diags.errors ? s->diags.list.data[0]->text : "");
  if (parse) *parse = p;
  return ast_format(s->arena, s, p);
}

static void check_format(const char *text, const char *expected) {
  Session *s = session_new();
  const char *once = format(s, text, NULL);
  cr_assert_str_eq(once, expected, "got:\n%s", once);
  cr_assert_str_eq(format(s, once, NULL), once);
  session_free(s);
}

static char *tree(const Ast *file) {
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  ast_print(out, file);
  fclose(out);
  return text;
}

Test(syntax_format, parentheses_follow_the_levels) {
  check_format("let a = ((a + (b * c)) - ((d - e)))\n", "let a = a + b * c - (d - e)\n");
  check_format("let a = (-x)^2 + -(x^2) + x^(-y) + (x^y)^z\n", "let a = (-x)^2 + -x^2 + x^-y + (x^y)^z\n");
  check_format("let a = not (a and b) or (c or d)\n", "let a = not (a and b) or (c or d)\n");
  check_format("let a = (if b then c else d) + (e until 10% then f)\n",
               "let a = (if b then c else d) + (e until 10% then f)\n");
  check_format("let a = f(x |> g) * (x |> g).y\n", "let a = f(x |> g) * (x |> g).y\n");
}

Test(syntax_format, spacing) {
  check_format("let a=1 / 16*b[ 1 .. 3,2 .. ]\n", "let a = 1/16 * b[1..3, 2..]\n");
  check_format("let r = 1e-3..10\n", "let r = 1e-3 .. 10\n");
  check_format("schedule s(from->to,over:time=20   epochs) = 70%\n",
               "schedule s(from -> to, over: time = 20 epochs) = 70%\n");
}

Test(syntax_format, breaks_of_the_author_are_kept) {
  check_format(
      "data d = csv(\"a\")\n     |> scale(1/16)  # to 0..1\n     |> split(\n  train: 70%,\n    valid: 30%)\n",
      "data d = csv(\"a\")\n  |> scale(1/16)  # to 0..1\n  |> split(\n    train: 70%,\n    valid: 30%\n  "
      ")\n");
  check_format("let a = b +\nc\n", "let a = b +\n  c\n");
  check_format(
      "data d = csv(\"a\",target:\"b c\" as b)|>f # one\nwith test=csv(\"t\"),\nvalid = v\n",
      "data d = csv(\"a\", target: \"b c\" as b) |> f  # one\n  with test = csv(\"t\"),\n  valid = v\n");
  check_format("data d = a with test = b, valid = c\n", "data d = a with test = b, valid = c\n");
  check_format("fn f(x) { x }\n", "fn f(x) { x }\n");
  check_format("fn f(x) { y=x;y ; }\n", "fn f(x) { y = x; y }\n");
  check_format("fn f(x) {\n a=x;; b=a; # two\n\n repeat 2 {a=b;b=a}\n a\n}\n",
               "fn f(x) {\n  a = x; b = a  # two\n\n  repeat 2 { a = b; b = a }\n  a\n}\n");
  check_format(
      "fn f(x) { 1+(repeat 3 as i{x*i}) + (each t in x:t)^2; sum(for t in x along 0 {t}) }\n",
      "fn f(x) { 1 + (repeat 3 as i { x * i }) + (each t in x : t)^2; sum(for t in x along 0 { t }) }\n");
  check_format("train n on d {epochs 2;batch 3;}\n", "train n on d {\n  epochs   2\n  batch    3\n}\n");
  check_format("fn f(x) {\n\n\n x }\n", "fn f(x) {\n  x\n}\n");
}

Test(syntax_format, clauses_and_colons_are_aligned) {
  check_format("train net on d {\n  loss f\n\n  penalize w in a : l2(w)\n"
               "  penalize w in net.b:l1(w) by prox\n  stop when x stalls for 3 epochs\n}\n",
               "train net on d {\n  loss     f\n\n  penalize w in a     : l2(w)\n"
               "  penalize w in net.b : l1(w) by prox\n  stop     when x stalls for 3 epochs\n}\n");
}

Test(syntax_format, comments_stay) {
  check_format("# top\n\n\n\n## doc\nlet a = 1    # behind\n# below\nfn f(x) { # at the brace\n# inside\n  x "
               "# last\n  # end\n}\n# file end",
               "# top\n\n## doc\nlet a = 1  # behind\n# below\nfn f(x) {  # at the brace\n  # inside\n  x  # "
               "last\n  # end\n}\n# file end\n");
  check_format("let a = f(1, # one\n  2, # two\n  3)\n", "let a = f(1, 2, 3)  # one\n# two\n");
}

static int check_stable(const char *path) {
  FILE *in = fopen(path, "rb");
  cr_assert_not_null(in, "%s", path);
  static char text[1 << 20];
  text[fread(text, 1, sizeof text - 1, in)] = '\0';
  fclose(in);
  Session *s = session_new();
  const Parse *first, *second;
  const char *once = format(s, text, &first), *twice = format(s, once, &second);
  cr_assert_str_eq(once, twice, "%s", path);
  cr_assert_eq(first->comments.len, second->comments.len, "%s", path);
  char *tree1 = tree(first->file), *tree2 = tree(second->file);
  cr_assert_str_eq(tree1, tree2, "%s", path);
  free(tree1);
  free(tree2);
  session_free(s);
  return 1;
}

Test(syntax_format, stable_on_every_program) {
  const char *patterns[] = {SOURCE_DIR "/tests/fuzz/corpus/*.reg", SOURCE_DIR "/examples/*.reg",
                            SOURCE_DIR "/stdlib/*/*.reg"};
  int files = 0;
  for (int i = 0; i < 3; i++) {
    glob_t found;
    if (glob(patterns[i], 0, NULL, &found) == 0)
      for (size_t k = 0; k < found.gl_pathc; k++) files += check_stable(found.gl_pathv[k]);
    globfree(&found);
  }
  cr_assert_geq(files, 5);
}

static void check_text(const char *text, const char *expected) {
  Session *s = session_new();
  const Ast *e = parse_expression(s, source_add(&s->sources, "e", text, (int)strlen(text)));
  cr_assert_not_null(e);
  cr_assert_str_eq(ast_text(s->arena, e), expected);
  session_free(s);
}

Test(syntax_format, one_line_texts) {
  check_text("f(a,\n  b: 2 epochs) |>\n g", "f(a, b: 2 epochs) |> g");
  check_text("1e-4*l2( w )", "1e-4 * l2(w)");
  Session *s = session_new();
  const char *text = "layer dense(x: [.., i], units: int 1..) -> [.., units] { x }\n";
  const Parse *p = parse_source(s, source_add(&s->sources, "e", text, (int)strlen(text)));
  cr_assert_str_eq(ast_text(s->arena, p->file->kids[0]),
                   "layer dense(x: [.., i], units: int 1..) -> [.., units]");
  session_free(s);
}

Test(syntax_format, expressions_alone) {
  Session *s = session_new();
  cr_assert_null(parse_expression(s, source_add(&s->sources, "e", "1 +", 3)));
  cr_assert_null(parse_expression(s, source_add(&s->sources, "e", "1\n2", 3)));
  cr_assert_null(parse_expression(s, source_add(&s->sources, "e", "", 0)));
  session_free(s);
}

// Chains are printed link by link: parentheses stand where a link is looser than the one around it.
Test(syntax_format, chains_keep_their_parentheses) {
  check_format("let a = ((1 + 2) * 3 - 4)^2 |> f(1) |> g\n", "let a = ((1 + 2) * 3 - 4)^2 |> f(1) |> g\n");
  check_format("let a = ((x |> f) + 1) @ y < 3 and not (a or b)\n",
               "let a = ((x |> f) + 1) @ y < 3 and not (a or b)\n");
  check_format("let a = ((1)) - (2 - 3) - 4 / 5 / 6\n", "let a = 1 - (2 - 3) - 4/5 / 6\n");
  check_format("let a = (x^2)^3 + x^(2^3)\n", "let a = (x^2)^3 + x^2^3\n");
  check_format("let a = if a then b else if c then d else (if e then f else g)\n",
               "let a = if a then b else if c then d else if e then f else g\n");
}
