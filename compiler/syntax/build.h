// What the grammar's actions call, one function each, and what parser, scanner and token filter share.
// Internal to syntax/ and grammar/.
#ifndef SYNTAX_BUILD_H
#define SYNTAX_BUILD_H
#include "ast.h"

typedef struct Token {
  int kind; // TOK_… of the grammar; 0 at the end of the source
  Span span;
  const char *text; // names and numbers as written, strings decoded
  double num;
  bool percent;        // a number with `%` directly behind it
  bool newline_before; // the first token on its line
  bool made;           // stands for something that the source lacks (a missing `)`)
} Token;

typedef VEC(Ast *) AstList;

// One parse. The tree lies in the session's arena.
typedef struct ParseContext {
  Session *session;
  Arena *arena;
  const Source *text;
  int source;
  Parse *parse;
  AstList items;   // of the file, in order
  Ast *expression; // parse_expression's result
  Token token;     // the one that the parser looks at
  int mistakes;    // syntax errors so far
  bool panic;      // the parser met a mistake: tokens are to be skipped to a place where it can go on
  bool branching;  // the last mistake stood where `then` or `else` was awaited
  bool too_deep;   // nesting_too_deep was reported
  bool give_up;    // too many mistakes, or too deep to go on
  // What the first mistake makes of the text, and what a mistake at the present token would make of it: at
  // the end of the source the text may only be unfinished.
  ParseExtent extent, extent_here;
  bool at_end;                 // the present token stands for the end of the source
  const struct Tokens *tokens; // the filter that hands tokens on
} ParseContext;

// Scanner side.
Span span_at(const ParseContext *p, int start, int length);
void comment_add(ParseContext *p, int start, int length);
void number_token(ParseContext *p, Token *t, const char *text, int length);
void string_token(ParseContext *p, Token *t, const char *text, int length, bool closed);
void bad_number(ParseContext *p, Token *t, const char *text, int length);
// Zero bytes are reported wherever they stand, also in comments and strings: texts end at them.
void no_zero_bytes(ParseContext *p, const char *text, int start, int length);
// The first of the mistakes decides.
void extent_note(ParseContext *p, ParseExtent e);
void bad_characters(ParseContext *p, Span span, const char *text, int length);
// A sign of foreign.def at the start of `text`, or characters that start no token: reported. `*length`: what
// was taken; the result is the token to go on with, or 0.
int foreign_token(ParseContext *p, Token *t, const char *text, int *length);
// A text in single quotes; false where the first is no quote but stands behind an operand.
bool foreign_quotes(ParseContext *p, Token *t, const char *text, int length);

// Is the word behind a number its unit? Else it is reported.
bool unit_follows(ParseContext *p, const Token *number, const Token *word);

// `expected` are the grammar's names of tokens.
void syntax_error(ParseContext *p, const char *const *expected, int n);
// What to write there instead, where it is known what was meant.
void syntax_hint(ParseContext *p, Diag *d, const Token *wrong, const char *const *expected, int n);
int expected_index(const char *const *expected, int n, const char *name); // -1: it is not among them
void too_deep(ParseContext *p, Span span);
void too_long(ParseContext *p, Span span); // a chain

// Lists.
AstList *list_new(ParseContext *p, Ast *first); // empty where `first` is NULL
AstList *list_add(ParseContext *p, AstList *list, Ast *a);

// Expressions.
Ast *ast_error(ParseContext *p, Span span);
Ast *ast_number(ParseContext *p, Span span, Token t, const Token *unit); // unit may be NULL
Ast *ast_string(ParseContext *p, Span span, Token t);
Ast *ast_bool(ParseContext *p, Span span, bool value);
Ast *ast_name(ParseContext *p, Span span, Token t);
Ast *ast_star(ParseContext *p, Span span); // the `*` that starts a selector
Ast *ast_field(ParseContext *p, Span span, Ast *of, Span name_span, const char *name);
Ast *ast_index(ParseContext *p, Span span, Ast *of, AstList *indices);
Ast *ast_call(ParseContext *p, Span span, Ast *callee, AstList *args);
Ast *ast_call_of(ParseContext *p, Span span, Ast *callee, AstList *args); // (callee)(args)
Ast *ast_arg(ParseContext *p, Span span, const Token *name, Ast *value);  // name may be NULL
Ast *ast_unary(ParseContext *p, Span span, Opr op, Ast *a);
Ast *ast_binary(ParseContext *p, Span span, Opr op, Ast *a, Ast *b);
Ast *ast_pair(ParseContext *p, Span span, AstKind kind, Ast *a, Ast *b); // ARROW, PIPE, EXCEPT, AT
Ast *ast_range(ParseContext *p, Span span, Ast *from, Ast *to);          // either may be NULL; both: ELLIPSIS
Ast *ast_triple(ParseContext *p, Span span, AstKind kind, Ast *a, Ast *b, Ast *c); // IF, UNTIL
Ast *ast_with(ParseContext *p, Span span, Ast *a, AstList *parts);
Ast *ast_new(ParseContext *p, Span span, Ast *of);
Ast *ast_derive(ParseContext *p, Span span, Ast *of, AstList *names, AstList *selectors, Ast *seen);
Ast *ast_column(ParseContext *p, Span span, Token name, Ast *value, Ast *part); // part may be NULL
Ast *ast_table(ParseContext *p, Span span, AstList *args, Ast *block);
Ast *ast_as(ParseContext *p, Span span, Ast *a, Token name);
Ast *ast_list(ParseContext *p, Span span, AstList *elements);
Ast *ast_like(ParseContext *p, Span span, Ast *a);

// Statements.
Ast *ast_block(ParseContext *p, Span span, AstList *statements);
Ast *ast_bind(ParseContext *p, Span span, AstKind kind, Token name, Ast *value); // BIND, ASSIGN
// `role`: NAME, or NULL where it goes by the shape.
Ast *ast_param(ParseContext *p, Span span, Token name, Ast *shape, Ast *role, Opr how, Ast *value,
               Ast *condition);
Ast *ast_state(ParseContext *p, Span span, Token name, Ast *row, Ast *shape, Opr how, Ast *value);
Ast *ast_carry(ParseContext *p, Span span, Token name, Ast *shape, Ast *value);
Ast *ast_repeat(ParseContext *p, Span span, Ast *count, Ast *block);
Ast *ast_sweep(ParseContext *p, Span span, AstList *axes, Ast *trials, Ast *block);
Ast *ast_variant(ParseContext *p, Span span, Opr op, Ast *of);
Ast *ast_for(ParseContext *p, Span span, AstList *names, AstList *sources, Ast *along, Ast *block);
Ast *ast_while(ParseContext *p, Span span, Ast *condition, Token at, Token most, Ast *bound, Ast *block);
// names NULL: the one source is the number of turns. `as NAME` is parsed as the end of the last source.
Ast *ast_stack(ParseContext *p, Span span, AstList *names, AstList *sources, Ast *block);
// minimize name from start by optimizer for times : value
Ast *ast_least(ParseContext *p, Span span, Token name, Token from, Ast *start, Ast *optimizer, Ast *times,
               Ast *value);
Ast *ast_each(ParseContext *p, Span span, AstList *names, AstList *sources, Ast *value);
Ast *ast_tuple(ParseContext *p, Span span, AstList *values);
Ast *ast_unpack(ParseContext *p, Span span, Ast *first, AstList *rest, Ast *value);
Ast *ast_set(ParseContext *p, Span span, Ast *target, Ast *value); // BIND or LOCAL
Ast *ast_each_epoch(ParseContext *p, Span span, Ast *stages);
Ast *ast_stages(ParseContext *p, Span span, AstList *statements);
Ast *ast_result(ParseContext *p, Span span, Ast *target, Ast *evaluate);               // target = evaluate …
Ast *ast_text_of(ParseContext *p, Span span, AstKind kind, Ast *a, const Token *text); // REPORT, ASSERT, SAVE
Ast *ast_apply(ParseContext *p, Span span, Ast *base, Ast *gradient, Ast *when);

// Declarations and items.
Ast *ast_params(ParseContext *p, Span span, AstList *params);
Ast *ast_paramdecl(ParseContext *p, Span span, Token name, Ast *type, Ast *value);
Ast *ast_paramdecl_arrow(ParseContext *p, Span span, Token from, Token to, Ast *type);
Ast *ast_type(ParseContext *p, Span span, const Token *name, Ast *range);          // either may be NULL
Ast *ast_labels(ParseContext *p, Span span, Token name, Ast *shape, Ast *classes); // likewise
Ast *ast_def(ParseContext *p, Span span, DefKind kind, const Token *name, Ast *params, Ast *result, Ast *body,
             Ast *target);
// Several models of one structure: `model g[7] = new net`.
Ast *ast_metric(ParseContext *p, Span span, DefKind kind, const Token *name, Ast *params, Ast *result,
                Token sense, Ast *body);
Ast *ast_is(ParseContext *p, Ast *def, const Token *trait); // `is TRAIT`, before the body
Ast *ast_models(ParseContext *p, Span span, DefKind kind, const Token *name, Ast *count, Ast *body);
// A parameter of its own: a model of nothing, whose value it is.
Ast *ast_own_param(ParseContext *p, Span span, Token name, Ast *shape, Ast *role, Opr how, Ast *value);
Ast *ast_clauses(ParseContext *p, Span span, AstList *clauses);
// data NULL: it has none, else the first is that of the epochs; recipe NULL: it uses none; clauses NULL:
// without braces.
Ast *ast_train(ParseContext *p, Span span, AstList *models, AstList *data, Ast *recipe, AstList *clauses);
Ast *ast_as_train(Ast *train, const Token *name);
Ast *ast_clause(ParseContext *p, Span span, Token name, Ast *value);
Ast *ast_optimize(ParseContext *p, Span span, Ast *optimizer, AstList *selectors, Ast *each, Ast *when);
Ast *ast_objective(ParseContext *p, Span span, Ast *value,
                   Ast *over); // over NULL: `value` is one more selector
Ast *ast_minimize(ParseContext *p, Span span, AstList *objectives, Ast *optimizer, Ast *each, Ast *when);
// The `##` lines directly before an offset, joined by line ends, their markers and one blank removed; or
// NULL.
const char *doc_before(ParseContext *p, int offset); // parse.c
DefKind kind_beside(Token word);                     // "prox", "conjugate", "response"
Ast *ast_solve(ParseContext *p, Span span, Token to, Ast *gap, const Token *at, const Token *most,
               Ast *passes);
Ast *ast_freeze(ParseContext *p, Span span, AstList *selectors);
Ast *ast_beside_call(ParseContext *p, Span span, Token word, Token of, AstList *args);
Ast *ast_constrain(ParseContext *p, Span span, AstList *names, AstList *sources, Ast *value);
Ast *ast_penalize(ParseContext *p, Span span, AstList *names, AstList *selectors, Ast *value,
                  const Token *by);
Ast *ast_stop(ParseContext *p, Span span, Ast *watched, Ast *patience, bool keep_best);
Ast *ast_sample(ParseContext *p, Span span, Token order);
Ast *ast_sample_of(ParseContext *p, Span span, const char *how, Ast *e, Ast *rows);
Ast *drawn_rows(ParseContext *p, Ast *count, Token unit); // `5000 rows`
Ast *ast_evaluate(ParseContext *p, Span span, Ast *model, Ast *data, AstList *metrics);
Ast *ast_check(ParseContext *p, Span span, Ast *value, Ast *condition);
Ast *ast_use(ParseContext *p, Span span, Token path);
Ast *ast_precision(ParseContext *p, Span span, Token word);
Ast *ast_inner_precision(ParseContext *p, Span span); // in a body: reported
void ast_item(ParseContext *p, Ast *item);            // appends it to the file
void ast_expression(ParseContext *p, Ast *e);
#endif
