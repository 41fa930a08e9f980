// The formatter. In: a parsed file with its comments. Out: its canonical text: two blanks of indentation, one
// statement a line but for those that the author put behind `;`, at most one blank line in a row; the
// author's breaks before `|>`, behind operators and behind opening brackets are kept, and so is every
// comment, in order. Formatting the result changes nothing.
#include "printer.h"
#include <string.h>

enum { CLAUSE_WIDTH = 8, WIDEST_TARGET = 48 };

static int line_end(const Source *s, int offset) {
  const char *end = memchr(s->text + offset, '\n', (size_t)(s->len - offset));
  return end ? (int)(end - s->text) : s->len;
}

static bool blank_line_before(const Source *s, int offset) {
  while (offset > 0 && s->text[offset - 1] != '\n') offset--;
  for (int i = offset - 2; i >= 0; i--) {
    if (s->text[i] == '\n') return true;
    if (!strchr(" \t\r\f\v", s->text[i])) return false;
  }
  return false;
}

// Starts a line for what stands at `offset`, with a blank one before it where the author left some.
static void start_line(Printer *p, int offset, int indent, bool *first) {
  if (!*first && blank_line_before(p->source, offset)) print_text(p, "\n");
  if (*first && !p->out.len)
    p->line_indent = indent; // the file's first line
  else
    print_newline(p, indent);
  *first = false;
}

static void comment_lines(Printer *p, int offset, int indent, bool *first) {
  for (; p->next < p->ncomments && p->comments[p->next].span.start < offset; p->next++) {
    start_line(p, p->comments[p->next].span.start, indent, first);
    print_text(p, p->comments[p->next].text);
  }
}

// The end of a node's line: its trailing comment, and comments inside it that found no place.
static void finish_line(Printer *p, const Ast *a, int indent) {
  print_comments(p, line_end(p->source, a->span.end), indent);
}

static void print_line(Printer *p, const Ast *a, int indent, bool *first) {
  comment_lines(p, a->span.start, indent, first);
  start_line(p, a->span.start, indent, first);
  p->indent = indent;
  print_node(p, a);
}

// Comments between the start and the end of a stretch of the source?
static bool comments_within(const Printer *p, int from, int to) {
  for (int i = p->next; i < p->ncomments && p->comments[i].span.start < to; i++)
    if (p->comments[i].span.start >= from) return true;
  return false;
}

// Is a statement behind another, after `;`?
static bool on_one_line(const Printer *p, const Ast *a, const Ast *b) {
  return !print_has_break(p, a->span.end, b->span.start);
}

void print_block(Printer *p, const Ast *block) {
  if (!p->source) {
    print_text(p, "{ ... }");
    return;
  }
  int from = block->span.start, to = block->span.end, outer = p->line_indent, saved = p->indent;
  if (!print_has_break(p, from, to) && !comments_within(p, from, to)) {
    print_text(p, "{");
    for (int i = 0; i < block->nkids; i++) {
      print_text(p, i ? "; " : " ");
      print_node(p, block->kids[i]);
    }
    print_text(p, " }");
    return;
  }
  print_text(p, "{");
  int brace_line = line_end(p->source, from);
  if (block->nkids && brace_line < block->kids[0]->span.start) print_comments(p, brace_line, outer + 2);
  bool first = true;
  for (int i = 0; i < block->nkids; i++) {
    const bool same_line = i && on_one_line(p, block->kids[i - 1], block->kids[i]);
    if (same_line) {
      print_text(p, "; ");
      print_node(p, block->kids[i]);
    } else
      print_line(p, block->kids[i], outer + 2, &first);
    if (i + 1 == block->nkids || !on_one_line(p, block->kids[i], block->kids[i + 1]))
      finish_line(p, block->kids[i], outer + 2);
  }
  comment_lines(p, to - 1, outer + 2, &first);
  p->indent = saved;
  print_newline(p, outer);
  print_text(p, "}");
}

static void print_names(Printer *p, const Ast *list) {
  for (int i = 0; i < list->nkids; i++) {
    if (i) print_text(p, ", ");
    print_node(p, list->kids[i]);
  }
}

static void print_target(Printer *p, const Ast *penalize) {
  if (!penalize->kids[0]->nkids) return;
  print_names(p, penalize->kids[0]);
  print_text(p, " in ");
  print_names(p, penalize->kids[1]);
}

static int target_width(Arena *a, const Ast *penalize) {
  Printer flat = {.out = {.arena = a}};
  print_target(&flat, penalize);
  return flat.out.len;
}

// The colons of a training's penalties stand below each other, unless one is far to the right.
static int colon_column(Arena *a, const Ast *train, int from) {
  int widest = 0;
  for (int i = from; i < train->nkids; i++) {
    int width = train->kids[i]->kind == AST_PENALIZE ? target_width(a, train->kids[i]) : 0;
    if (width > widest) widest = width;
  }
  return widest <= WIDEST_TARGET ? widest : 0;
}

static void print_penalize(Printer *p, const Ast *a, int column) {
  int width = target_width(p->out.arena, a);
  strbuf_addf(&p->out, "%-*s ", CLAUSE_WIDTH, "penalize");
  print_target(p, a);
  strbuf_addf(&p->out, "%*s : ", column > width ? column - width : 0, "");
  print_value(p, a->kids[2]);
  if (a->name) strbuf_addf(&p->out, " by %s", a->name);
}

static void print_selectors(Printer *p, const Ast *a, int from) {
  for (int i = from; i < a->nkids; i++) {
    if (i > from) print_text(p, ", ");
    print_node(p, a->kids[i]);
  }
}

static void print_update(Printer *p, const Ast *a) {
  const bool optimize = a->op == OPR_NONE;
  strbuf_addf(&p->out, "%-*s ", CLAUSE_WIDTH, optimize ? "optimize" : "minimize");
  if (optimize) print_node(p, a->kids[0]);
  if (optimize && a->kids[3]->nkids > 1) print_text(p, " for "), print_selectors(p, a->kids[3], 1);
  for (int i = 3; i < a->nkids && !optimize; i++) {
    if (i > 3) print_text(p, ", ");
    print_node(p, a->kids[i]->kids[0]);
    print_text(p, " over ");
    print_selectors(p, a->kids[i], 1);
  }
  if (!optimize) print_text(p, " by "), print_node(p, a->kids[0]);
  if (a->name) strbuf_addf(&p->out, " as %s", a->name);
  if (a->kids[1]) print_text(p, " each "), print_node(p, a->kids[1]);
  if (a->kids[2]) print_text(p, " when "), print_node(p, a->kids[2]);
}

static void print_sample(Printer *p, const Ast *a) {
  strbuf_addf(&p->out, "%-*s ", CLAUSE_WIDTH, "sample");
  if (!a->nkids) print_text(p, "in ");
  if (a->name) print_text(p, a->name);
  if (a->name && a->nkids) print_text(p, " ");
  if (a->nkids) print_value(p, a->kids[0]);
  if (a->nkids && a->kids[1]) print_text(p, ", "), print_node(p, a->kids[1]), print_text(p, " rows");
}

static void print_clause(Printer *p, const Ast *a, int column) {
  if (a->kind == AST_PENALIZE)
    print_penalize(p, a, column);
  else if (a->kind == AST_UPDATE)
    print_update(p, a);
  else if (a->kind == AST_CONSTRAIN) {
    print_text(p, "constrain ");
    print_target(p, a);
    print_text(p, " : ");
    print_value(p, a->kids[2]);
  } else if (a->kind == AST_FREEZE) {
    strbuf_addf(&p->out, "%-*s ", CLAUSE_WIDTH, "freeze");
    print_selectors(p, a, 0);
  } else if (a->kind == AST_SOLVE) {
    strbuf_addf(&p->out, "%-*s to gap ", CLAUSE_WIDTH, "solve");
    print_value(p, a->kids[0]);
    if (a->kids[1]) print_text(p, ", at most "), print_value(p, a->kids[1]);
  } else if (a->kind == AST_STOP) {
    strbuf_addf(&p->out, "%-*s when ", CLAUSE_WIDTH, "stop");
    print_value(p, a->kids[0]);
    if (a->kids[1]) print_text(p, " stalls for "), print_value(p, a->kids[1]);
    if (a->num != 0) print_text(p, ", keep best");
  } else if (a->kind == AST_CLAUSE && strcmp(a->name, "allow") == 0 && a->kids[0]->kind == AST_NAME)
    strbuf_addf(&p->out, "allow(%s)", a->kids[0]->name);
  else if (a->kind == AST_LOG) {
    strbuf_addf(&p->out, "%-*s %s = ", CLAUSE_WIDTH, "log", a->name);
    print_value(p, a->kids[0]);
  } else if (a->kind == AST_SAMPLE)
    print_sample(p, a);
  else if (a->kind == AST_CLAUSE) {
    strbuf_addf(&p->out, "%-*s ", CLAUSE_WIDTH, a->name);
    print_value(p, a->kids[0]);
  } else
    print_node(p, a);
}

static bool has_recipe(const Ast *a) {
  return a->kind == AST_TRAIN && a->nkids > 2 && a->kids[2]->kind == AST_RECIPE;
}

// What is of the head stands before them: a recipe, further data.
static int first_clause(const Ast *a) {
  int i = has_recipe(a) ? 3 : 2;
  while (i < a->nkids && a->kids[i]->kind == AST_FURTHER) i++;
  return i;
}

static void print_opening(Printer *p, const Ast *a, const char *word) {
  if (a->kind == AST_EVALUATE && a->name) strbuf_addf(&p->out, "%s = ", a->name);
  strbuf_addf(&p->out, "%s ", word);
  if (a->kind == AST_TRAIN)
    print_names(p, a->kids[0]);
  else
    print_node(p, a->kids[0]);
  if (a->kids[1]) print_text(p, " on ");
  const int clauses = first_clause(a);
  const bool named = a->kind == AST_TRAIN && a->name, recipe = has_recipe(a);
  const Ast *last = recipe        ? a->kids[2]
                    : clauses > 2 ? a->kids[clauses - 1]
                    : a->kids[1]  ? a->kids[1]
                                  : a->kids[0];
  if (a->kids[1] && (named || clauses > 2))
    print_value(p, a->kids[1]); // else `as` would belong to its end
  else if (a->kids[1])
    print_node(p, a->kids[1]);
  for (int i = recipe ? 3 : 2; i < clauses; i++) print_text(p, ", "), print_node(p, a->kids[i]);
  if (recipe) print_text(p, " with "), print_node(p, a->kids[2]->kids[0]);
  if (named) strbuf_addf(&p->out, " as %s", a->name);
  if (a->kind == AST_TRAIN && a->num != 0) return;
  print_text(p, " {");
  int next = a->nkids > clauses ? a->kids[clauses]->span.start : a->span.end - 1;
  int end = line_end(p->source, last->span.end);
  print_comments(p, end < next ? end : next, p->line_indent + 2);
}

// Behind `{`.
static void print_clauses(Printer *p, const Ast *a, int from) {
  const int outer = p->line_indent;
  bool first = true;
  int column = colon_column(p->out.arena, a, from);
  for (int i = from; i < a->nkids; i++) {
    const Ast *clause = a->kids[i];
    comment_lines(p, clause->span.start, outer + 2, &first);
    start_line(p, clause->span.start, outer + 2, &first);
    p->indent = outer + 2;
    print_clause(p, clause, column);
    finish_line(p, clause, outer + 2);
  }
  comment_lines(p, a->span.end - 1, outer + 2, &first);
  print_newline(p, outer);
  print_text(p, "}");
}

static void print_train(Printer *p, const Ast *a) {
  print_opening(p, a, "train");
  if (a->num == 0) print_clauses(p, a, first_clause(a));
}

static void print_recipe(Printer *p, const Ast *a) {
  const Ast *body = a->kids[2];
  print_head(p, a);
  print_text(p, " {");
  const int next = body->nkids ? body->kids[0]->span.start : body->span.end - 1;
  const int end = line_end(p->source, body->span.start);
  print_comments(p, end < next ? end : next, 2);
  print_clauses(p, body, 0);
}

static void print_evaluate(Printer *p, const Ast *a) {
  const int outer = p->line_indent;
  print_opening(p, a, "evaluate");
  bool lines = print_has_break(p, a->kids[1]->span.end, a->span.end) ||
               comments_within(p, a->kids[1]->span.end, a->span.end),
       first = true;
  for (int i = 2; i < a->nkids; i++) {
    if (lines) {
      print_line(p, a->kids[i], outer + 2, &first);
      int end = line_end(p->source, a->kids[i]->span.end);
      int next = i + 1 < a->nkids ? a->kids[i + 1]->span.start : a->span.end;
      print_comments(p, end < next ? end : next, outer + 2);
    } else {
      print_text(p, i > 2 ? ", " : " ");
      print_node(p, a->kids[i]);
    }
  }
  if (lines) {
    comment_lines(p, a->span.end - 1, outer + 2, &first);
    print_newline(p, outer);
  } else
    print_text(p, " ");
  print_text(p, "}");
}

static void print_definition(Printer *p, const Ast *a) {
  const Ast *body = a->kids[2];
  if (a->op == KIND_MODEL && a->num != 0) { // a parameter of its own
    Ast param = *body->kids[0];
    param.name = a->name;
    print_node(p, &param);
    return;
  }
  const int outer = p->line_indent;
  print_head(p, a);
  if (body->kind == AST_BLOCK || body->kind == AST_STAGES) {
    print_text(p, " ");
    print_node(p, body);
    return;
  }
  print_text(p, " =");
  int head_end = a->kids[3]   ? a->kids[3]->span.end
                 : a->kids[1] ? a->kids[1]->span.end
                 : a->kids[0] ? a->kids[0]->span.end
                              : a->name_span.end;
  if (print_has_break(p, head_end, body->span.start)) {
    print_comments(p, body->span.start, outer + 2);
    print_newline(p, outer + 2);
  } else
    print_text(p, " ");
  if (a->op == KIND_DATA)
    print_node(p, body);
  else
    print_value(p, body);
}

static void print_items(Printer *p, const Ast *of, int indent, bool *first) {
  for (int i = 0; i < of->nkids; i++) {
    const Ast *item = of->kids[i];
    comment_lines(p, item->span.start, indent, first);
    start_line(p, item->span.start, indent, first);
    p->indent = indent;
    if (item->kind == AST_TRAIN)
      print_train(p, item);
    else if (item->kind == AST_EVALUATE)
      print_evaluate(p, item);
    else if (item->kind == AST_DEF && item->op == KIND_RECIPE && item->kids[2]->kind == AST_CLAUSES)
      print_recipe(p, item);
    else if (item->kind == AST_DEF)
      print_definition(p, item);
    else
      print_node(p, item);
    finish_line(p, item, indent);
  }
}

void print_stages(Printer *p, const Ast *stages) {
  if (!p->source) {
    print_text(p, "{ ... }");
    return;
  }
  const int outer = p->line_indent, saved = p->indent;
  print_text(p, "{");
  const int brace_line = line_end(p->source, stages->span.start);
  if (stages->nkids && brace_line < stages->kids[0]->span.start) print_comments(p, brace_line, outer + 2);
  bool first = true;
  print_items(p, stages, outer + 2, &first);
  comment_lines(p, stages->span.end - 1, outer + 2, &first);
  p->indent = saved;
  print_newline(p, outer);
  print_text(p, "}");
}

char *ast_format(Arena *a, const Session *s, const Parse *parse) {
  const Ast *file = parse->file;
  Printer p = {.out = {.arena = a},
               .source = source_get(&s->sources, file->span.source),
               .comments = parse->comments.data,
               .ncomments = parse->comments.len};
  print_text(&p, "");
  bool first = true;
  print_items(&p, file, 0, &first);
  comment_lines(&p, file->span.end, 0, &first);
  if (p.out.len) print_text(&p, "\n");
  return p.out.data;
}
