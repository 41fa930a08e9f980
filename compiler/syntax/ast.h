// The syntax tree: one node type, layouts in ast.def. Nodes live in an arena and are never changed after
// parsing.
#ifndef SYNTAX_AST_H
#define SYNTAX_AST_H
#include "../base/session.h"

typedef enum AstKind {
#define AST(kind, name, layout) AST_##kind,
#include "ast.def"
#undef AST
  AST_KINDS
} AstKind;
#define AST_LAST_EXPR AST_ERROR

// Operators (Ast.op of UNARY, BINARY, PARAM, PARAMDECL).
typedef enum Opr {
  OPR_NONE,
  OPR_ADD,
  OPR_SUB,
  OPR_MUL,
  OPR_DIV,
  OPR_MATMUL,
  OPR_POW,
  OPR_LT,
  OPR_LE,
  OPR_GT,
  OPR_GE,
  OPR_EQ,
  OPR_NE,
  OPR_AND,
  OPR_OR,
  OPR_NEG,
  OPR_NOT,
  OPR_WHERE, // x[where m]
  OPR_TILDE,
  OPR_SET,
  OPR_ARROW
} Opr;

// Kinds of definitions (Ast.op of DEF).
typedef enum DefKind {
  KIND_DATA,
  KIND_MODEL,
  KIND_LAYER,
  KIND_FN,
  KIND_PENALTY,
  KIND_LOSS,
  KIND_SCHEDULE,
  KIND_OPTIMIZER,
  KIND_METRIC,
  KIND_PROX,
  KIND_CONJUGATE,
  KIND_RESPONSE,
  KIND_LET,
  KIND_PROCEDURE,
  KIND_RECIPE,
  KIND_COUNT
} DefKind;

typedef struct Ast Ast;
struct Ast {
  AstKind kind;
  int op;
  Span span;      // the whole construct
  Span name_span; // the name alone, where there is one
  const char *name;
  const char *text; // numbers, and names that stand for others: as written
  const char
      *doc; // doc comment (`##` lines joined by '\n', markers and one blank removed), DEF and FILE only
  double num;
  Ast **kids;
  int nkids;
  int depth; // levels of the tree from here down, at most AST_MAX_DEPTH, where the links of a chain are one
  int links; // of the chain that starts here
};

// Deeper programs are refused by the parser (nesting_too_deep), and longer chains.
enum { AST_MAX_DEPTH = 500, AST_MAX_LINKS = 20000 };

// Chains are lists written as nested nodes: `a + b + c` and `a |> f |> g` along their first kid, `if … else
// if …` along their last. Who recurses over trees with large frames goes along them in a loop. The next link,
// or NULL.
const Ast *ast_next_link(const Ast *a);
// The links of a chain, from the outermost; their number is in a->links.
const Ast **ast_links(Arena *arena, const Ast *a);
// Whether a clause of a training is a line: it gives a name, or a state, a value for the clauses behind it.
bool ast_is_line(const Ast *clause);

// A comment, for the formatter. Comments are kept beside the tree, in order.
typedef struct Comment {
  Span span;
  const char *text; // from `#` to the end of the line
  bool own_line;    // nothing but blanks before it on its line
} Comment;

typedef struct Parse {
  Ast *file; // AST_FILE, also after errors (with what could be parsed)
  VEC(Comment) comments;
} Parse;

// Parses one source. Mistakes go to the session's diagnostics (all of them: recovery at line ends and
// braces).
Parse *parse_source(Session *s, int source);
// Parses one expression (`regc eval`); NULL after a mistake.
Ast *parse_expression(Session *s, int source);

// How far a text is: for a prompt that asks for more lines until a construct is complete.
typedef enum ParseExtent {
  PARSE_WHOLE,        // right as it stands
  PARSE_OPEN_BRACKET, // the beginning of something right: a bracket is open at its end
  PARSE_OPEN_LINE, // likewise: its last line goes on (an operator or comma at the end, `if` without `then`)
  PARSE_WRONG      // no further text makes it right
} ParseExtent;
typedef enum ParseForm { PARSE_FILE, PARSE_EXPRESSION } ParseForm;
// Decided by the first mistake: at the end of the text or before. Reports nothing and keeps nothing. `items`,
// where given, is the number of items of a PARSE_FILE that are no expression alone. A whole text could still
// go on where the next line starts with
// `|>`; whoever asks decides about that.
ParseExtent parse_extent(const char *text, int len, ParseForm form, int *items);

bool text_is_name(const char *text); // can be written as a name anywhere
const char *ast_kind_name(AstKind k);
const char *opr_text(Opr o); // "+", "@", …
// `prox NAME`, `conjugate NAME` and `response NAME` stand beside another definition; their names have their
// kind in front.
static inline bool stands_beside(DefKind k) {
  return k == KIND_PROX || k == KIND_CONJUGATE || k == KIND_RESPONSE;
}
// Behind the kind in such a name; NULL: it is none.
const char *beside_what(const char *name);
const char *def_title(Arena *a, const Ast *def); // "penalty l1"
const char *ast_trait(const Ast *def);           // of a definition what it is said to be; NULL
const char *def_kind_name(DefKind k);            // "data", "penalty", …
void ast_print(FILE *out, const Ast *a);         // --emit=ast: one node a line, indented
// The formatter: canonical text with comments kept; formatting its own output changes nothing.
char *ast_format(Arena *a, const Session *s, const Parse *p);
// One expression or definition on one line, for messages and `regc doc`.
char *ast_text(Arena *a, const Ast *e);
char *ast_written(Arena *a,
                  const Ast *e); // the same, with names of a block's definitions as they were written
void ast_put_string(StrBuf *b, const char *s); // a string of the language, in its quotes
#endif
