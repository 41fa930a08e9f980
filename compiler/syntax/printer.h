// The printer behind ast_text (one line) and ast_format (the author's line breaks and comments kept).
// Internal.
#ifndef SYNTAX_PRINTER_H
#define SYNTAX_PRINTER_H
#include "ast.h"

typedef struct Printer {
  StrBuf out;
  const Source *source; // NULL: everything on one line, no comments
  bool written;         // names as they were written
  const Comment *comments;
  int ncomments, next; // comments[next..] are not printed yet
  int indent;          // of the statement or list element being printed, in columns
  int line_indent;     // of the current line
} Printer;

void print_text(Printer *p, const char *s);
void print_newline(Printer *p, int indent);
// Did the author break the line between two offsets?
bool print_has_break(const Printer *p, int from, int to);
// Comments that start before `offset`: the first behind the current line if it stood so, the others on lines
// of their own.
void print_comments(Printer *p, int offset, int indent);
// An expression that stands where the grammar takes `level` or tighter: in parentheses if it is looser.
void print_expression(Printer *p, const Ast *a, int level);
void print_value(Printer *p, const Ast *a); // where the grammar has an `expr`
// Everything but items and blocks: statements, declarations, expressions.
void print_node(Printer *p, const Ast *a);
void print_head(Printer *p, const Ast *def); // a definition up to its body
void print_block(Printer *p, const Ast *block);
void print_stages(Printer *p, const Ast *stages);
#endif
