// Whether a text is whole, could become whole with more lines, or is wrong: what a prompt asks after each
// line.
#include "compiler/syntax/ast.h"
#include <criterion/criterion.h>
#include <string.h>

static const char *const names[] = {"whole", "open in a bracket", "open in a line", "wrong"};

static void check_extent(const char *text, ParseForm form, ParseExtent expected) {
  ParseExtent found = parse_extent(text, (int)strlen(text), form, NULL);
  cr_assert_eq(found, expected, "`%s` is %s, expected %s", text, names[found], names[expected]);
}

static void file_is(const char *text, ParseExtent expected) { check_extent(text, PARSE_FILE, expected); }
static void expression_is(const char *text, ParseExtent expected) {
  check_extent(text, PARSE_EXPRESSION, expected);
}

Test(syntax_extent, whole_texts) {
  expression_is("1 + 2", PARSE_WHOLE);
  expression_is("[1,\n 2]", PARSE_WHOLE);
  expression_is("x\n  |> f(2)", PARSE_WHOLE);
  expression_is("if a then 1 else 2  # why", PARSE_WHOLE);
  file_is("let a = 3", PARSE_WHOLE);
  file_is("model net(x: [3]) -> [2] {\n  x |> dense(2)\n}", PARSE_WHOLE);
  file_is("train net on d {\n  loss mse(net(x), y)\n}\nevaluate net on d.test { mse }\n", PARSE_WHOLE);
  file_is("", PARSE_WHOLE);
  file_is("# a comment ( [ {", PARSE_WHOLE);
}

Test(syntax_extent, brackets_are_open) {
  expression_is("f(", PARSE_OPEN_BRACKET);
  expression_is("f(1 +", PARSE_OPEN_BRACKET);
  expression_is("[1, 2", PARSE_OPEN_BRACKET);
  expression_is("[[1, 2],", PARSE_OPEN_BRACKET);
  file_is("model net(x: [3]) -> [2] {", PARSE_OPEN_BRACKET);
  file_is("model net(x: [3]) -> [2] {\n  h = x |>\n", PARSE_OPEN_BRACKET);
  file_is("train net on d {\n  penalize w in net.*.weight :", PARSE_OPEN_BRACKET);
  file_is("data d = csv(\"a.csv\",", PARSE_OPEN_BRACKET);
}

Test(syntax_extent, lines_are_open) {
  expression_is("1 +", PARSE_OPEN_LINE);
  expression_is("1 +  # and what", PARSE_OPEN_LINE);
  expression_is("x |>", PARSE_OPEN_LINE);
  expression_is("not", PARSE_OPEN_LINE);
  expression_is("if a", PARSE_OPEN_LINE);
  expression_is("if a then 1", PARSE_OPEN_LINE);
  expression_is("0.1 until 3 epochs", PARSE_OPEN_LINE);
  file_is("let a =", PARSE_OPEN_LINE);
  file_is("fn f(x) =\n", PARSE_OPEN_LINE);
  file_is("schedule s = 0.1 until 3 epochs", PARSE_OPEN_LINE);
}

Test(syntax_extent, wrong_texts) {
  expression_is(")", PARSE_WRONG);
  expression_is("}", PARSE_WRONG);
  expression_is("1 2", PARSE_WRONG);
  expression_is("f(1 2", PARSE_WRONG);
  expression_is("f(]", PARSE_WRONG);
  expression_is("\"never closed", PARSE_WRONG);
  expression_is("[1, \"never closed", PARSE_WRONG);
  expression_is("$", PARSE_WRONG);
  expression_is("", PARSE_WRONG);
  file_is("let", PARSE_WRONG);
  file_is("let a", PARSE_WRONG);
  file_is("train net on d", PARSE_WRONG);
  file_is("model net(x: [3]) -> [2] {\n  h = = 3\n", PARSE_WRONG);
  file_is("let a = f(\nlet b = 2", PARSE_WRONG);
}

// A mistake in front is no reason to ask for more, whatever is open behind it.
Test(syntax_extent, the_first_mistake_decides) {
  file_is("let a = = 3\nlet b = (", PARSE_WRONG);
  expression_is("1 1 (", PARSE_WRONG);
}

Test(syntax_extent, items_are_counted) {
  int items = -1;
  cr_assert_eq(parse_extent("let a = 1\nlet b = 2", 19, PARSE_FILE, &items), PARSE_WHOLE);
  cr_assert_eq(items, 2);
  cr_assert_eq(parse_extent("# nothing", 9, PARSE_FILE, &items), PARSE_WHOLE);
  cr_assert_eq(items, 0);
}
