// The tree of every production, as ast_print shows it.
#include "compiler/syntax/ast.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void check_tree(const char *text, const char *expected) {
  Session *s = session_new();
  const Parse *parse = parse_source(s, source_add(&s->sources, "t.reg", text, (int)strlen(text)));
  cr_assert_eq(s->diags.errors, 0, "rejected: %s", s->diags.list.len ? s->diags.list.data[0]->text : "");
  char *tree = NULL;
  size_t size;
  FILE *out = open_memstream(&tree, &size);
  ast_print(out, parse->file);
  fclose(out);
  cr_assert_str_eq(tree, expected, "got:\n%s", tree);
  free(tree);
  session_free(s);
}

Test(syntax_tree, precedence_of_arithmetic) {
  check_tree("let a = -x^2 + b * c @ d - (e - f) / 2\n", "FILE\n"
                                                         "  DEF let a\n"
                                                         "    -\n"
                                                         "    -\n"
                                                         "    BINARY -\n"
                                                         "      BINARY +\n"
                                                         "        UNARY -\n"
                                                         "          BINARY ^\n"
                                                         "            NAME x\n"
                                                         "            NUM 2\n"
                                                         "        BINARY @\n"
                                                         "          BINARY *\n"
                                                         "            NAME b\n"
                                                         "            NAME c\n"
                                                         "          NAME d\n"
                                                         "      BINARY /\n"
                                                         "        BINARY -\n"
                                                         "          NAME e\n"
                                                         "          NAME f\n"
                                                         "        NUM 2\n");
}

Test(syntax_tree, power_is_right_associative) {
  check_tree("let a = x^-y^2\n", "FILE\n"
                                 "  DEF let a\n"
                                 "    -\n"
                                 "    -\n"
                                 "    BINARY ^\n"
                                 "      NAME x\n"
                                 "      UNARY -\n"
                                 "        BINARY ^\n"
                                 "          NAME y\n"
                                 "          NUM 2\n");
}

Test(syntax_tree, logic_and_comparison) {
  check_tree("let a = not x < 1 or y and z != 2\n", "FILE\n"
                                                    "  DEF let a\n"
                                                    "    -\n"
                                                    "    -\n"
                                                    "    BINARY or\n"
                                                    "      UNARY not\n"
                                                    "        BINARY <\n"
                                                    "          NAME x\n"
                                                    "          NUM 1\n"
                                                    "      BINARY and\n"
                                                    "        NAME y\n"
                                                    "        BINARY !=\n"
                                                    "          NAME z\n"
                                                    "          NUM 2\n");
}

Test(syntax_tree, conditional_and_until) {
  check_tree("let a = if t then 1 until 20 epochs then 0 until 30% then 2 else 3\n", "FILE\n"
                                                                                     "  DEF let a\n"
                                                                                     "    -\n"
                                                                                     "    -\n"
                                                                                     "    IF\n"
                                                                                     "      NAME t\n"
                                                                                     "      UNTIL\n"
                                                                                     "        NUM 1\n"
                                                                                     "        NUM 20 epochs\n"
                                                                                     "        UNTIL\n"
                                                                                     "          NUM 0\n"
                                                                                     "          NUM 30 %\n"
                                                                                     "          NUM 2\n"
                                                                                     "      NUM 3\n");
}

Test(syntax_tree, pipe_and_names) {
  check_tree("let a = x |> net.enc(3) as h |> relu\n", "FILE\n"
                                                       "  DEF let a\n"
                                                       "    -\n"
                                                       "    -\n"
                                                       "    PIPE\n"
                                                       "      PIPE\n"
                                                       "        NAME x\n"
                                                       "        AS h\n"
                                                       "          CALL\n"
                                                       "            FIELD enc\n"
                                                       "              NAME net\n"
                                                       "            ARG\n"
                                                       "              NUM 3\n"
                                                       "      NAME relu\n");
}

Test(syntax_tree, arrow_and_named_arguments) {
  check_tree("let a = ramp(0 -> 1, over: 10 epochs, like: x, in: train,)\n", "FILE\n"
                                                                             "  DEF let a\n"
                                                                             "    -\n"
                                                                             "    -\n"
                                                                             "    CALL\n"
                                                                             "      NAME ramp\n"
                                                                             "      ARG\n"
                                                                             "        ARROW\n"
                                                                             "          NUM 0\n"
                                                                             "          NUM 1\n"
                                                                             "      ARG over\n"
                                                                             "        NUM 10 epochs\n"
                                                                             "      ARG like\n"
                                                                             "        NAME x\n"
                                                                             "      ARG in\n"
                                                                             "        NAME train\n");
}

Test(syntax_tree, ranges_and_indices) {
  check_tree("let a = x[1, 2.., ..3, .., -1] + (1 .. n)\n", "FILE\n"
                                                            "  DEF let a\n"
                                                            "    -\n"
                                                            "    -\n"
                                                            "    BINARY +\n"
                                                            "      INDEX\n"
                                                            "        NAME x\n"
                                                            "        NUM 1\n"
                                                            "        RANGE\n"
                                                            "          NUM 2\n"
                                                            "        RANGE\n"
                                                            "          -\n"
                                                            "          NUM 3\n"
                                                            "        ELLIPSIS\n"
                                                            "        UNARY -\n"
                                                            "          NUM 1\n"
                                                            "      RANGE\n"
                                                            "        NUM 1\n"
                                                            "        NAME n\n");
}

Test(syntax_tree, literals) {
  check_tree("let a = [[1, -2.5], [true, \"q\\\"\\n\"]]\n", "FILE\n"
                                                            "  DEF let a\n"
                                                            "    -\n"
                                                            "    -\n"
                                                            "    LIST\n"
                                                            "      LIST\n"
                                                            "        NUM 1\n"
                                                            "        UNARY -\n"
                                                            "          NUM 2.5\n"
                                                            "      LIST\n"
                                                            "        BOOL true\n"
                                                            "        STR \"q\\\"\\n\"\n");
}

Test(syntax_tree, selectors) {
  check_tree("let a = f(net.*.weight except *.bias, net.block[2..].*)\n", "FILE\n"
                                                                          "  DEF let a\n"
                                                                          "    -\n"
                                                                          "    -\n"
                                                                          "    CALL\n"
                                                                          "      NAME f\n"
                                                                          "      ARG\n"
                                                                          "        EXCEPT\n"
                                                                          "          FIELD weight\n"
                                                                          "            FIELD *\n"
                                                                          "              NAME net\n"
                                                                          "          FIELD bias\n"
                                                                          "            NAME *\n"
                                                                          "      ARG\n"
                                                                          "        FIELD *\n"
                                                                          "          INDEX\n"
                                                                          "            FIELD block\n"
                                                                          "              NAME net\n"
                                                                          "            RANGE\n"
                                                                          "              NUM 2\n");
}

Test(syntax_tree, at_takes_a_sum) {
  check_tree("let g = grad(e at w + d, w)\n", "FILE\n"
                                              "  DEF let g\n"
                                              "    -\n"
                                              "    -\n"
                                              "    CALL\n"
                                              "      NAME grad\n"
                                              "      ARG\n"
                                              "        AT\n"
                                              "          NAME e\n"
                                              "          BINARY +\n"
                                              "            NAME w\n"
                                              "            NAME d\n"
                                              "      ARG\n"
                                              "        NAME w\n");
}

Test(syntax_tree, declared_parameters) {
  check_tree("fn f(a, b = 1, c: int 1.., d: rate, e: 0..1, k: [batch.., i] = 0, p -> q, like: time 0 "
             "steps..) -> [.., 2 * i] = a\n",
             "FILE\n"
             "  DEF fn f\n"
             "    PARAMS\n"
             "      PARAMDECL a\n"
             "      PARAMDECL b\n"
             "        -\n"
             "        NUM 1\n"
             "      PARAMDECL c\n"
             "        TYPE int\n"
             "          RANGE\n"
             "            NUM 1\n"
             "      PARAMDECL d\n"
             "        TYPE rate\n"
             "      PARAMDECL e\n"
             "        TYPE\n"
             "          RANGE\n"
             "            NUM 0\n"
             "            NUM 1\n"
             "      PARAMDECL k\n"
             "        LIST\n"
             "          ELLIPSIS batch\n"
             "          NAME i\n"
             "        NUM 0\n"
             "      PARAMDECL -> p\n"
             "        -\n"
             "        -\n"
             "        NAME q\n"
             "      PARAMDECL like\n"
             "        TYPE time\n"
             "          RANGE\n"
             "            NUM 0 steps\n"
             "    LIST\n"
             "      ELLIPSIS\n"
             "      BINARY *\n"
             "        NUM 2\n"
             "        NAME i\n"
             "    NAME a\n");
}

Test(syntax_tree, statements) {
  check_tree("layer l(x) {\n"
             "  param w: [i, 2] ~ normal(0, 1)\n"
             "  param b: [] = 0 if bias\n"
             "  state m: like w = 0\n"
             "  state t[sample]: [c] = 0\n"
             "  state n = 1\n"
             "  n <- n + 1\n"
             "  repeat 3 { m <- m / 2 }\n"
             "  apply base with g\n"
             "  stop(x)\n"
             "}\n",
             "FILE\n"
             "  DEF layer l\n"
             "    PARAMS\n"
             "      PARAMDECL x\n"
             "    -\n"
             "    BLOCK\n"
             "      PARAM ~ w\n"
             "        LIST\n"
             "          NAME i\n"
             "          NUM 2\n"
             "        CALL\n"
             "          NAME normal\n"
             "          ARG\n"
             "            NUM 0\n"
             "          ARG\n"
             "            NUM 1\n"
             "      PARAM = b\n"
             "        LIST\n"
             "        NUM 0\n"
             "        NAME bias\n"
             "      STATE m\n"
             "        LIKE\n"
             "          NAME w\n"
             "        NUM 0\n"
             "      STATE t\n"
             "        LIST\n"
             "          NAME c\n"
             "        NUM 0\n"
             "        NAME sample\n"
             "      STATE n\n"
             "        -\n"
             "        NUM 1\n"
             "      ASSIGN n\n"
             "        BINARY +\n"
             "          NAME n\n"
             "          NUM 1\n"
             "      REPEAT\n"
             "        NUM 3\n"
             "        BLOCK\n"
             "          ASSIGN m\n"
             "            BINARY /\n"
             "              NAME m\n"
             "              NUM 2\n"
             "      APPLY\n"
             "        NAME base\n"
             "        NAME g\n"
             "      CALL\n"
             "        NAME stop\n"
             "        ARG\n"
             "          NAME x\n");
}

Test(syntax_tree, optimizer_target) {
  check_tree("optimizer o(lr = 0.1) for w { w <- w - lr }\n", "FILE\n"
                                                              "  DEF optimizer o\n"
                                                              "    PARAMS\n"
                                                              "      PARAMDECL lr\n"
                                                              "        -\n"
                                                              "        NUM 0.1\n"
                                                              "    -\n"
                                                              "    BLOCK\n"
                                                              "      ASSIGN w\n"
                                                              "        BINARY -\n"
                                                              "          NAME w\n"
                                                              "          NAME lr\n"
                                                              "    NAME w\n");
}

Test(syntax_tree, training) {
  check_tree("train net on digits as first {\n"
             "  loss f(x)\n"
             "  penalize w, v in net.*.weight, net.a : l2(w - v) by prox\n"
             "  allow(name)\n"
             "  stop when valid.loss stalls for 8 epochs, keep best\n"
             "  stop when valid.loss stalls for 8 epochs\n"
             "}\n",
             "FILE\n"
             "  TRAIN first\n"
             "    NAME net\n"
             "    NAME digits\n"
             "    CLAUSE loss\n"
             "      CALL\n"
             "        NAME f\n"
             "        ARG\n"
             "          NAME x\n"
             "    PENALIZE prox\n"
             "      LIST\n"
             "        NAME w\n"
             "        NAME v\n"
             "      LIST\n"
             "        FIELD weight\n"
             "          FIELD *\n"
             "            NAME net\n"
             "        FIELD a\n"
             "          NAME net\n"
             "      CALL\n"
             "        NAME l2\n"
             "        ARG\n"
             "          BINARY -\n"
             "            NAME w\n"
             "            NAME v\n"
             "    CLAUSE allow\n"
             "      NAME name\n"
             "    STOP keep best\n"
             "      FIELD loss\n"
             "        NAME valid\n"
             "      NUM 8 epochs\n"
             "    STOP\n"
             "      FIELD loss\n"
             "        NAME valid\n"
             "      NUM 8 epochs\n");
}

Test(syntax_tree, evaluation_check_and_use) {
  check_tree("evaluate net on digits.test {\n"
             "  accuracy, ece\n"
             "  confusion(bins: 3)\n"
             "}\n"
             "check f(x) : value == 0\n"
             "use \"a.reg\"\n",
             "FILE\n"
             "  EVALUATE\n"
             "    NAME net\n"
             "    FIELD test\n"
             "      NAME digits\n"
             "    NAME accuracy\n"
             "    NAME ece\n"
             "    CALL\n"
             "      NAME confusion\n"
             "      ARG bins\n"
             "        NUM 3\n"
             "  CHECK\n"
             "    CALL\n"
             "      NAME f\n"
             "      ARG\n"
             "        NAME x\n"
             "    BINARY ==\n"
             "      NAME value\n"
             "      NUM 0\n"
             "  USE \"a.reg\"\n");
}

Test(syntax_tree, lines_go_on) {
  check_tree("let a = x +\n"
             "  y\n"
             "  |> f(1,\n"
             "       2)\n"
             "let b = if c\n"
             "  then 1\n"
             "  else 2\n",
             "FILE\n"
             "  DEF let a\n"
             "    -\n"
             "    -\n"
             "    PIPE\n"
             "      BINARY +\n"
             "        NAME x\n"
             "        NAME y\n"
             "      CALL\n"
             "        NAME f\n"
             "        ARG\n"
             "          NUM 1\n"
             "        ARG\n"
             "          NUM 2\n"
             "  DEF let b\n"
             "    -\n"
             "    -\n"
             "    IF\n"
             "      NAME c\n"
             "      NUM 1\n"
             "      NUM 2\n");
}

Test(syntax_tree, documentation) {
  check_tree("## The file.\n"
             "\n"
             "# no doc\n"
             "\n"
             "## First.\n"
             "##  Second.\n"
             "let a = 1\n"
             "## not a doc\n"
             "\n"
             "let b = 2\n",
             "FILE doc=\"The file.\"\n"
             "  DEF let a doc=\"First.\\n Second.\"\n"
             "    -\n"
             "    -\n"
             "    NUM 1\n"
             "  DEF let b\n"
             "    -\n"
             "    -\n"
             "    NUM 2\n");
}

Test(syntax_tree, contextual_words_are_names) {
  check_tree("fn f(state, on, as, param) {\n"
             "  param = state + on\n"
             "  data = train.for * at\n"
             "  state <- repeat\n"
             "  param\n"
             "}\n",
             "FILE\n"
             "  DEF fn f\n"
             "    PARAMS\n"
             "      PARAMDECL state\n"
             "      PARAMDECL on\n"
             "      PARAMDECL as\n"
             "      PARAMDECL param\n"
             "    -\n"
             "    BLOCK\n"
             "      BIND param\n"
             "        BINARY +\n"
             "          NAME state\n"
             "          NAME on\n"
             "      BIND data\n"
             "        BINARY *\n"
             "          FIELD for\n"
             "            NAME train\n"
             "          NAME at\n"
             "      ASSIGN state\n"
             "        NAME repeat\n"
             "      NAME param\n");
}
