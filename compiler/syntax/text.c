// Expressions and declarations as text. In: a node. Out: text that parses to the same tree: parentheses stand
// where the grammar's levels ask for them and nowhere else.
#include "printer.h"
#include <ctype.h>
#include <string.h>

// The grammar's levels, loosest first.
enum {
  LEVEL_WHOLE,
  LEVEL_EXPR,
  LEVEL_UNTIL,
  LEVEL_ARROW,
  LEVEL_PIPE,
  LEVEL_OR,
  LEVEL_AND,
  LEVEL_NOT,
  LEVEL_COMPARISON,
  LEVEL_SPAN,
  LEVEL_SHIFT,
  LEVEL_SUM,
  LEVEL_PRODUCT,
  LEVEL_UNARY,
  LEVEL_POWER,
  LEVEL_POSTFIX,
  LEVEL_ATOM
};

// `D where C |> f`, whose pipe takes D.
static bool filtered(const Ast *a) {
  while (a->kind == AST_PIPE) a = a->kids[0];
  return a->kind == AST_WHERE;
}

static int level_of(const Ast *a) {
  switch (a->kind) {
  case AST_WHERE:
  case AST_WITH: return LEVEL_WHOLE;
  case AST_IF:
  case AST_EACH:
  case AST_REPEAT:
  case AST_FOR:
  case AST_WHILE:
  case AST_LEAST:
  case AST_NEW:
  case AST_DERIVE: return LEVEL_EXPR;
  case AST_UNTIL: return LEVEL_UNTIL;
  case AST_ARROW: return LEVEL_ARROW;
  case AST_PIPE: return filtered(a) ? LEVEL_WHOLE : LEVEL_PIPE;
  case AST_RANGE: return LEVEL_SPAN;
  case AST_AT:
  case AST_EXCEPT: return LEVEL_SHIFT;
  case AST_AS: return LEVEL_POSTFIX;
  case AST_UNARY: return a->op == OPR_WHERE ? LEVEL_EXPR : a->op == OPR_NOT ? LEVEL_NOT : LEVEL_UNARY;
  case AST_BINARY:
    switch (a->op) {
    case OPR_OR: return LEVEL_OR;
    case OPR_AND: return LEVEL_AND;
    case OPR_ADD:
    case OPR_SUB: return LEVEL_SUM;
    case OPR_MUL:
    case OPR_DIV:
    case OPR_MATMUL: return LEVEL_PRODUCT;
    case OPR_POW: return LEVEL_POWER;
    default: return LEVEL_COMPARISON;
    }
  default: return LEVEL_ATOM;
  }
}

void print_text(Printer *p, const char *s) { strbuf_add(&p->out, s); }

void print_newline(Printer *p, int indent) {
  strbuf_addf(&p->out, "\n%*s", indent, "");
  p->line_indent = indent;
}

bool print_has_break(const Printer *p, int from, int to) {
  return p->source && from < to && memchr(p->source->text + from, '\n', (size_t)(to - from));
}

void print_comments(Printer *p, int offset, int indent) {
  bool first = true;
  for (; p->next < p->ncomments && p->comments[p->next].span.start < offset; p->next++, first = false) {
    const Comment *c = &p->comments[p->next];
    if (first && !c->own_line)
      print_text(p, "  ");
    else
      print_newline(p, indent);
    print_text(p, c->text);
  }
}

// The line break that the author made between two offsets, or `otherwise`.
static void break_or(Printer *p, int from, int to, const char *otherwise) {
  if (!print_has_break(p, from, to)) {
    print_text(p, otherwise);
    return;
  }
  print_comments(p, to, p->indent + 2);
  print_newline(p, p->indent + 2);
}

void ast_put_string(StrBuf *b, const char *s) {
  strbuf_add(b, "\"");
  for (; *s; s++) {
    if (*s == '\n')
      strbuf_add(b, "\\n");
    else if (*s == '\t')
      strbuf_add(b, "\\t");
    else {
      if (*s == '"' || *s == '\\') strbuf_add(b, "\\");
      strbuf_addn(b, s, 1);
    }
  }
  strbuf_add(b, "\"");
}

static void print_number(Printer *p, const Ast *a) {
  print_text(p, a->text);
  if (!a->name) return;
  if (strcmp(a->name, "%") != 0) print_text(p, " ");
  print_text(p, a->name);
}

static bool plain_number(const Ast *a) {
  return a->kind == AST_NUM && !a->name && strspn(a->text, "0123456789.") == strlen(a->text);
}

static bool plain_bound(const Ast *a) {
  return plain_number(a) || (a->kind == AST_UNARY && a->op == OPR_NEG && plain_number(a->kids[0]));
}

// Elements between brackets: on one line, or one a line where the author broke the line behind the opening
// bracket.
static void print_elements(Printer *p, const char *open, Ast *const *kids, int n, const char *close, int from,
                           int to) {
  print_text(p, open);
  if (n && print_has_break(p, from, kids[0]->span.start)) {
    int outer = p->line_indent, saved = p->indent;
    p->indent = outer + 2;
    for (int i = 0; i < n; i++) {
      print_comments(p, kids[i]->span.start, outer + 2);
      print_newline(p, outer + 2);
      print_value(p, kids[i]);
      if (i + 1 < n) print_text(p, ",");
    }
    print_comments(p, to, outer + 2);
    p->indent = saved;
    print_newline(p, outer);
  } else {
    for (int i = 0; i < n; i++) {
      if (i) print_text(p, ", ");
      print_value(p, kids[i]);
    }
  }
  print_text(p, close);
}

static void print_infix(Printer *p, const Ast *a, const char *op, int left, int right) {
  print_expression(p, a->kids[0], left);
  print_text(p, op);
  break_or(p, a->kids[0]->span.end, a->kids[1]->span.start, " ");
  print_expression(p, a->kids[1], right);
}

// Behind `^` a minus needs no parentheses.
static void print_exponent(Printer *p, const Ast *a) {
  if (a->kind == AST_UNARY && a->op == OPR_NEG) {
    print_text(p, "-");
    print_exponent(p, a->kids[0]);
  } else
    print_expression(p, a, LEVEL_POWER);
}

static bool is_fraction(const Ast *a) {
  return a->kind == AST_BINARY && a->op == OPR_DIV && plain_number(a->kids[0]) && plain_number(a->kids[1]);
}

// The level that the first operand of a chain's link must have.
static int first_level(const Ast *a) {
  const int level = level_of(a);
  return level == LEVEL_POWER ? LEVEL_POSTFIX : level == LEVEL_COMPARISON ? level + 1 : level;
}

// A link of a chain without its first operand.
static void print_link(Printer *p, const Ast *a) {
  const int from = a->kids[0]->span.end, to = a->kids[1]->span.start;
  if (a->kind == AST_PIPE) {
    break_or(p, from, to, " ");
    print_text(p, "|> ");
    print_expression(p, a->kids[1], LEVEL_POSTFIX);
  } else if (a->op == OPR_POW) {
    print_text(p, "^");
    print_exponent(p, a->kids[1]);
  } else if (is_fraction(a)) {
    print_text(p, "/");
    print_number(p, a->kids[1]);
  } else {
    strbuf_addf(&p->out, " %s", opr_text((Opr)a->op));
    break_or(p, from, to, " ");
    print_expression(p, a->kids[1], level_of(a) + 1);
  }
}

static void print_chain(Printer *p, const Ast *a) {
  const Ast **links = ast_links(p->out.arena, a);
  const int n = a->links;
  for (int i = 1; i < n; i++)
    if (level_of(links[i]) < first_level(links[i - 1])) print_text(p, "(");
  print_expression(p, links[n - 1]->kids[0], first_level(links[n - 1]));
  for (int i = n - 1; i >= 0; i--) {
    print_link(p, links[i]);
    if (i && level_of(links[i]) < first_level(links[i - 1])) print_text(p, ")");
  }
}

static void print_range(Printer *p, const Ast *a) {
  const Ast *from = a->kids[0], *to = a->kids[1];
  const bool length = to && to->kind == AST_UNARY && to->op == OPR_ADD;
  bool spaced = from && to && !length && !(plain_bound(from) && plain_bound(to));
  if (from) print_expression(p, from, LEVEL_SHIFT);
  print_text(p, spaced ? " .. " : "..");
  if (to) print_expression(p, to, LEVEL_SHIFT);
}

static void print_column(Printer *p, const Ast *a) {
  strbuf_addf(&p->out, "%s =", a->name);
  break_or(p, a->name_span.end, a->kids[0]->span.start, " ");
  print_value(p, a->kids[0]);
  if (!a->kids[1]) return;
  print_text(p, " in ");
  print_node(p, a->kids[1]);
}

static void print_where(Printer *p, const Ast *a) {
  print_node(p, a->kids[0]);
  break_or(p, a->kids[0]->span.end, a->kids[1]->span.start, " ");
  print_text(p, "where ");
  print_expression(p, a->kids[1], LEVEL_OR);
}

static void print_table(Printer *p, const Ast *a) {
  print_elements(p, "table(", a->kids + 1, a->nkids - 1, ")", a->span.start, a->kids[0]->span.start);
  print_text(p, " ");
  print_node(p, a->kids[0]);
}

static void print_with(Printer *p, const Ast *a) {
  print_node(p, a->kids[0]);
  for (int i = 1; i < a->nkids; i++) {
    if (i > 1) print_text(p, ",");
    break_or(p, a->kids[i - 1]->span.end, a->kids[i]->span.start, " ");
    if (i == 1) print_text(p, "with ");
    print_node(p, a->kids[i]);
  }
}

static void print_list(Printer *p, const Ast *list) {
  for (int i = 0; i < list->nkids; i++) {
    if (i) print_text(p, ", ");
    print_expression(p, list->kids[i], LEVEL_EXPR);
  }
}

static void print_derived(Printer *p, const Ast *a) {
  print_node(p, a->kids[0]);
  break_or(p, a->kids[0]->span.end, a->kids[1]->span.start, " ");
  print_text(p, "with ");
  print_list(p, a->kids[1]);
  print_text(p, " in ");
  print_list(p, a->kids[2]);
  print_text(p, " as ");
  print_node(p, a->kids[3]);
}

static void print_conditional(Printer *p, const Ast *a) {
  for (const Ast *last = NULL; a; last = a, a = ast_next_link(a)) {
    if (last) break_or(p, last->kids[1]->span.end, a->span.start, " ");
    print_text(p, last ? "else if " : "if ");
    print_expression(p, a->kids[0], LEVEL_EXPR);
    break_or(p, a->kids[0]->span.end, a->kids[1]->span.start, " ");
    print_text(p, "then ");
    print_expression(p, a->kids[1], LEVEL_EXPR);
    if (ast_next_link(a)) continue;
    break_or(p, a->kids[1]->span.end, a->kids[2]->span.start, " ");
    print_text(p, "else ");
    print_expression(p, a->kids[2], LEVEL_EXPR);
  }
}

static void print_until(Printer *p, const Ast *a) {
  print_expression(p, a->kids[0], LEVEL_ARROW);
  print_text(p, " until ");
  print_expression(p, a->kids[1], LEVEL_ARROW);
  break_or(p, a->kids[1]->span.end, a->kids[2]->span.start, " ");
  print_text(p, "then ");
  print_expression(p, a->kids[2], LEVEL_EXPR);
}

void print_expression(Printer *p, const Ast *a, int level) {
  bool parentheses = level_of(a) < level;
  if (parentheses) print_text(p, "(");
  print_node(p, a);
  if (parentheses) print_text(p, ")");
}

void print_value(Printer *p, const Ast *a) { print_expression(p, a, LEVEL_EXPR); }

static void print_paramdecl(Printer *p, const Ast *a) {
  print_text(p, a->name);
  if (a->op == OPR_ARROW) {
    print_text(p, " -> ");
    print_text(p, a->kids[2]->name);
  }
  if (a->kids[0]) {
    print_text(p, ": ");
    print_value(p, a->kids[0]);
  }
  if (a->kids[1]) {
    print_text(p, " = ");
    print_value(p, a->kids[1]);
  }
}

static void print_param(Printer *p, const Ast *a) {
  strbuf_addf(&p->out, "param %s: ", a->name);
  print_value(p, a->kids[0]);
  if (a->kids[3]) strbuf_addf(&p->out, " as %s", a->kids[3]->name);
  strbuf_addf(&p->out, " %s ", opr_text((Opr)a->op));
  print_value(p, a->kids[1]);
  if (a->kids[2]) {
    print_text(p, " if ");
    print_value(p, a->kids[2]);
  }
}

static void print_state(Printer *p, const Ast *a) {
  strbuf_addf(&p->out, "%s %s", a->num != 0 ? "carry" : "state", a->name);
  if (a->kids[2]) {
    print_text(p, "[");
    print_node(p, a->kids[2]);
    print_text(p, "]");
  }
  if (a->kids[0]) {
    print_text(p, ": ");
    print_value(p, a->kids[0]);
  }
  strbuf_addf(&p->out, " %s ", opr_text((Opr)a->op));
  print_value(p, a->kids[1]);
}

static void print_assignment(Printer *p, const Ast *a) {
  print_text(p, a->name);
  print_text(p, a->kind == AST_ASSIGN ? " <-" : " =");
  break_or(p, a->name_span.end, a->kids[0]->span.start, " ");
  print_value(p, a->kids[0]);
}

static void print_wrong(Printer *p, const Ast *a) {
  if (p->source)
    strbuf_addn(&p->out, p->source->text + a->span.start, (size_t)(a->span.end - a->span.start));
  else
    print_text(p, "?");
}

static void print_two(Printer *p, const Ast *a, const char *first, const char *second) {
  print_text(p, first);
  print_value(p, a->kids[0]);
  print_text(p, second);
  print_value(p, a->kids[1]);
}

// Loops, and what binds several names.
static void print_loop(Printer *p, const Ast *a) {
  const Ast *names = a->kids[0];
  switch (a->kind) {
  case AST_UNPACK: print_list(p, names); break;
  case AST_LOCAL:
    strbuf_addf(&p->out, "%s(", a->name);
    print_list(p, names);
    print_text(p, ")");
    break;
  case AST_EACH:
  case AST_FOR:
    print_text(p, a->kind == AST_FOR ? "for " : "each ");
    print_list(p, names);
    print_text(p, " in ");
    print_list(p, a->kids[1]);
    if (a->kind == AST_FOR && a->kids[2]) print_text(p, " along "), print_value(p, a->kids[2]);
    print_text(p, a->kind == AST_FOR ? " " : " : ");
    print_value(p, a->kids[a->nkids - 1]);
    return;
  case AST_LEAST:
    strbuf_addf(&p->out, "minimize %s from ", a->name);
    print_value(p, a->kids[0]);
    print_text(p, " by "), print_value(p, a->kids[1]);
    print_text(p, " for "), print_value(p, a->kids[2]);
    print_text(p, " : "), print_value(p, a->kids[3]);
    return;
  case AST_STACK:
    print_text(p, "stack ");
    if (names) print_list(p, names), print_text(p, " in ");
    print_list(p, a->kids[1]);
    strbuf_addf(&p->out, " as %s ", a->name);
    print_value(p, a->kids[2]);
    return;
  case AST_WHILE:
    if (a->kids[1])
      print_two(p, a, "while ", a->num != 0 ? ", up to " : ", at most ");
    else
      print_text(p, "while "), print_node(p, a->kids[0]);
    print_text(p, " ");
    print_value(p, a->kids[2]);
    return;
  default:
    print_text(p, "repeat ");
    if (a->name) // else `as` would belong to its end
      print_expression(p, names, LEVEL_POSTFIX);
    else
      print_value(p, names);
    if (a->name) strbuf_addf(&p->out, " as %s", a->name);
    print_text(p, " ");
    print_value(p, a->kids[1]);
    return;
  }
  print_text(p, " = ");
  print_value(p, a->kids[1]);
}

static void print_with_text(Printer *p, const Ast *a, const char *word, const char *before) {
  print_text(p, word);
  print_node(p, a->kids[0]);
  if (!a->text) return;
  print_text(p, before);
  ast_put_string(&p->out, a->text);
}

void print_head(Printer *p, const Ast *def) {
  print_text(p, def_title(p->out.arena, def));
  if (def->kids[3] && def->op == KIND_MODEL) {
    print_text(p, "[");
    print_node(p, def->kids[3]);
    print_text(p, "]");
  }
  if (def->kids[0]) print_node(p, def->kids[0]);
  if (def->kids[1]) {
    print_text(p, " -> ");
    print_node(p, def->kids[1]);
  }
  if (def->op == KIND_METRIC && def->num != 0) print_text(p, def->num > 0 ? " higher" : " lower");
  if (def->kids[3] && def->op == KIND_OPTIMIZER) strbuf_addf(&p->out, " for %s", def->kids[3]->name);
  if (ast_trait(def)) strbuf_addf(&p->out, " is %s", ast_trait(def));
}

static void print_type(Printer *p, const Ast *a) {
  if (a->name) print_text(p, a->name);
  if (a->name && a->kids[0]) print_text(p, " ");
  if (a->kids[0]) print_value(p, a->kids[0]);
  if (a->kids[1]) print_text(p, " "), print_value(p, a->kids[1]);
  if (a->kids[2]) print_text(p, " of "), print_value(p, a->kids[2]);
}

void print_node(Printer *p, const Ast *a) {
  int from = a->nkids && a->kids[0] ? a->kids[0]->span.end : a->span.start;
  switch (a->kind) {
  case AST_NUM: print_number(p, a); break;
  case AST_STR: ast_put_string(&p->out, a->name); break;
  case AST_BOOL: print_text(p, a->num != 0 ? "true" : "false"); break;
  case AST_NAME: print_text(p, p->written && a->text ? a->text : a->name); break;
  case AST_FIELD:
    print_expression(p, a->kids[0], LEVEL_ATOM);
    strbuf_addf(&p->out, ".%s", a->name);
    break;
  case AST_INDEX:
    print_expression(p, a->kids[0], LEVEL_ATOM);
    print_elements(p, "[", a->kids + 1, a->nkids - 1, "]", from, a->span.end);
    break;
  case AST_CALL:
    print_expression(p, a->kids[0], LEVEL_ATOM);
    print_elements(p, "(", a->kids + 1, a->nkids - 1, ")", from, a->span.end);
    break;
  case AST_ARG:
    if (a->name) strbuf_addf(&p->out, "%s: ", a->name);
    print_value(p, a->kids[0]);
    break;
  case AST_UNARY:
    print_text(p, a->op == OPR_WHERE ? "where "
                  : a->op == OPR_NOT ? "not "
                  : a->op == OPR_ADD ? "+"
                  : a->op == OPR_LE  ? "<="
                                     : "-");
    print_expression(p, a->kids[0], a->op == OPR_ADD || a->op == OPR_LE ? LEVEL_SHIFT : level_of(a));
    break;
  case AST_ARROW: print_infix(p, a, " ->", LEVEL_PIPE, LEVEL_PIPE); break;
  case AST_RANGE: print_range(p, a); break;
  case AST_UNTIL: print_until(p, a); break;
  case AST_IF: print_conditional(p, a); break;
  case AST_BINARY:
  case AST_PIPE: print_chain(p, a); break;
  case AST_AS:
    print_expression(p, a->kids[0], LEVEL_ATOM);
    strbuf_addf(&p->out, " as %s", a->name);
    break;
  case AST_WHERE: print_where(p, a); break;
  case AST_WITH: print_with(p, a); break;
  case AST_COLUMN: print_column(p, a); break;
  case AST_TABLE: print_table(p, a); break;
  case AST_NEW:
    print_text(p, "new ");
    print_node(p, a->kids[0]);
    break;
  case AST_DERIVE: print_derived(p, a); break;
  case AST_LIST: print_elements(p, "[", a->kids, a->nkids, "]", a->span.start, a->span.end); break;
  case AST_ELLIPSIS: strbuf_addf(&p->out, "%s..", a->name ? a->name : ""); break;
  case AST_EXCEPT: print_infix(p, a, " except", LEVEL_SHIFT, LEVEL_SUM); break;
  case AST_AT: print_infix(p, a, " at", LEVEL_SHIFT, LEVEL_SUM); break;
  case AST_LIKE:
    print_text(p, "like ");
    print_value(p, a->kids[0]);
    break;
  case AST_BLOCK: print_block(p, a); break;
  case AST_BIND:
  case AST_FURTHER:
  case AST_ASSIGN: print_assignment(p, a); break;
  case AST_PARAM: print_param(p, a); break;
  case AST_STATE: print_state(p, a); break;
  case AST_TUPLE: print_elements(p, "(", a->kids, a->nkids, ")", a->span.start, a->span.end); break;
  case AST_UNPACK:
  case AST_LOCAL:
  case AST_EACH:
  case AST_REPEAT:
  case AST_FOR:
  case AST_LEAST:
  case AST_STACK:
  case AST_WHILE: print_loop(p, a); break;
  case AST_APPLY:
    print_two(p, a, "apply ", " with ");
    if (a->kids[2]) print_text(p, " when "), print_value(p, a->kids[2]);
    break;
  case AST_PARAMS: print_elements(p, "(", a->kids, a->nkids, ")", a->span.start, a->span.end); break;
  case AST_PARAMDECL: print_paramdecl(p, a); break;
  case AST_TYPE: print_type(p, a); break;
  case AST_EACH_EPOCH:
    print_text(p, "each epoch ");
    print_node(p, a->kids[0]);
    break;
  case AST_STAGES: print_stages(p, a); break;
  case AST_WHEN:
    print_text(p, "if ");
    print_node(p, a->kids[0]);
    print_text(p, " ");
    print_node(p, a->kids[1]);
    if (a->kids[2]) print_text(p, " else "), print_node(p, a->kids[2]);
    break;
  case AST_SWEEP:
    print_text(p, "sweep ");
    print_list(p, a->kids[0]);
    if (a->kids[1]) print_text(p, " by "), print_value(p, a->kids[1]);
    if (a->name) strbuf_addf(&p->out, " as %s", a->name);
    print_text(p, " ");
    print_node(p, a->kids[2]);
    break;
  case AST_AXIS:
    strbuf_addf(&p->out, "%s in ", a->name);
    print_value(p, a->kids[0]);
    break;
  case AST_VARIANT:
    print_text(p, a->op == OPR_SUB ? "without " : "with ");
    print_node(p, a->kids[0]);
    break;
  case AST_GIVE: print_two(p, a, "", " <- "); break;
  case AST_REPORT: print_with_text(p, a, "report ", " as "); break;
  case AST_ASSERT: print_with_text(p, a, "assert ", ""); break;
  case AST_SAVE: print_with_text(p, a, "save ", " to "); break;
  case AST_DEF: print_head(p, a); break;
  case AST_CHECK: print_two(p, a, "check ", " : "); break;
  case AST_USE:
    print_text(p, "use ");
    ast_put_string(&p->out, a->name);
    break;
  case AST_PRECISION: strbuf_addf(&p->out, "precision %s", a->name); break;
  default: print_wrong(p, a); break;
  }
}

static char *text_of(Arena *a, const Ast *e, bool written) {
  Printer p = {.out = {.arena = a}, .written = written};
  print_text(&p, "");
  print_node(&p, e);
  return p.out.data;
}

char *ast_text(Arena *a, const Ast *e) { return text_of(a, e, false); }
char *ast_written(Arena *a, const Ast *e) { return text_of(a, e, true); }
