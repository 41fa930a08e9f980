// Names of kinds and operators, and the tree as text: one node a line, indented, fields in the order of
// ast.def.
#include "ast.h"
#include "text/text.h"
#include <string.h>

const char *ast_kind_name(AstKind k) {
  static const char *const names[AST_KINDS] = {
#define AST(kind, name, layout) name,
#include "ast.def"
#undef AST
  };
  return names[k];
}

// The kid that a chain of this kind goes on with.
static int next_kid(AstKind k) { return k == AST_BINARY || k == AST_PIPE ? 0 : k == AST_IF ? 2 : -1; }

const Ast *ast_next_link(const Ast *a) {
  const int i = next_kid(a->kind);
  const Ast *next = i >= 0 ? a->kids[i] : NULL;
  return next && next_kid(next->kind) == i ? next : NULL;
}

bool ast_is_line(const Ast *c) {
  return c->kind == AST_BIND || c->kind == AST_UNPACK || c->kind == AST_STATE || c->kind == AST_ASSIGN;
}

const Ast **ast_links(Arena *arena, const Ast *a) {
  const Ast **links = ARENA_ARRAY(arena, const Ast *, a->links);
  for (int i = 0; a; a = ast_next_link(a)) links[i++] = a;
  return links;
}

const char *opr_text(Opr o) {
  static const char *const texts[] = {
      [OPR_NONE] = "",    [OPR_ADD] = "+",   [OPR_SUB] = "-",       [OPR_MUL] = "*",   [OPR_DIV] = "/",
      [OPR_MATMUL] = "@", [OPR_POW] = "^",   [OPR_LT] = "<",        [OPR_LE] = "<=",   [OPR_GT] = ">",
      [OPR_GE] = ">=",    [OPR_EQ] = "==",   [OPR_NE] = "!=",       [OPR_AND] = "and", [OPR_OR] = "or",
      [OPR_NEG] = "-",    [OPR_NOT] = "not", [OPR_WHERE] = "where", [OPR_TILDE] = "~", [OPR_SET] = "=",
      [OPR_ARROW] = "->",
  };
  return texts[o];
}

const char *ast_trait(const Ast *def) { return def->nkids > 4 ? def->kids[4]->name : NULL; }

const char *def_kind_name(DefKind k) {
  static const char *const names[KIND_COUNT] = {
      [KIND_DATA] = "data",         [KIND_MODEL] = "model",
      [KIND_LAYER] = "layer",       [KIND_FN] = "fn",
      [KIND_PENALTY] = "penalty",   [KIND_LOSS] = "loss",
      [KIND_SCHEDULE] = "schedule", [KIND_OPTIMIZER] = "optimizer",
      [KIND_METRIC] = "metric",     [KIND_PROX] = "prox",
      [KIND_LET] = "let",           [KIND_PROCEDURE] = "procedure",
      [KIND_RECIPE] = "recipe",     [KIND_CONJUGATE] = "conjugate",
      [KIND_RESPONSE] = "response",
  };
  return names[k];
}

const char *beside_what(const char *name) {
  const char *blank = strchr(name, ' ');
  return blank ? blank + 1 : NULL;
}

const char *def_title(Arena *a, const Ast *def) {
  if (stands_beside((DefKind)def->op)) return def->name;
  return arena_printf(a, "%s %s", def_kind_name((DefKind)def->op), def->name);
}

static const char *kind_tag(AstKind k) {
  static const char *const tags[AST_KINDS] = {
#define AST(kind, name, layout) #kind,
#include "ast.def"
#undef AST
  };
  return tags[k];
}

static void print_quoted(FILE *out, const char *s) {
  fputc('"', out);
  for (size_t n = strlen(s); n;) {
    const ShownChar c = reg_shown_char(s, n);
    if (*s == '\n' || *s == '\t')
      fputs(*s == '\n' ? "\\n" : "\\t", out);
    else
      fprintf(out, "%s%.*s", *s == '"' || *s == '\\' ? "\\" : "", (int)c.count, c.bytes);
    s += c.taken;
    n -= c.taken;
  }
  fputc('"', out);
}

static void print_head(FILE *out, const Ast *a, int level) {
  fprintf(out, "%*s", 2 * level, "");
  if (!a) { // a kid that this node lacks
    fputs("-\n", out);
    return;
  }
  fputs(kind_tag(a->kind), out);
  if (a->kind == AST_DEF)
    fprintf(out, " %s", def_kind_name((DefKind)a->op));
  else if (a->op)
    fprintf(out, " %s", opr_text((Opr)a->op));
  if (a->kind == AST_NUM) fprintf(out, " %s", a->text);
  if (a->kind == AST_BOOL) fputs(a->num != 0 ? " true" : " false", out);
  if (a->kind == AST_DEF && a->op == KIND_METRIC && a->num != 0)
    fputs(a->num > 0 ? " higher" : " lower", out);
  if (a->kind == AST_STOP && a->num != 0) fputs(" keep best", out);
  if (a->name) {
    fputc(' ', out);
    if (a->kind == AST_STR || a->kind == AST_USE)
      print_quoted(out, a->name);
    else
      fputs(a->name, out);
  }
  if (a->doc) {
    fputs(" doc=", out);
    print_quoted(out, a->doc);
  }
  fputc('\n', out);
}

static void print_node(FILE *out, const Ast *a, int level);

// A chain along the first kids.
static void print_chain(FILE *out, const Ast *a, int level) {
  Arena *arena = arena_new();
  const Ast **links = ast_links(arena, a);
  for (int i = 0; i < a->links; i++) print_head(out, links[i], level + i);
  print_node(out, links[a->links - 1]->kids[0], level + a->links);
  for (int i = a->links - 1; i >= 0; i--) print_node(out, links[i]->kids[1], level + i + 1);
  arena_free(arena);
}

static void print_node(FILE *out, const Ast *a, int level) {
  for (; a && a->kind == AST_IF && ast_next_link(a); a = a->kids[2], level++) {
    print_head(out, a, level);
    print_node(out, a->kids[0], level + 1);
    print_node(out, a->kids[1], level + 1);
  }
  if (a && (a->kind == AST_BINARY || a->kind == AST_PIPE)) {
    print_chain(out, a, level);
    return;
  }
  print_head(out, a, level);
  int n = a ? a->nkids : 0; // missing kids at the end are not shown
  while (n > 0 && !a->kids[n - 1]) n--;
  for (int i = 0; i < n; i++) print_node(out, a->kids[i], level + 1);
}

void ast_print(FILE *out, const Ast *a) { print_node(out, a, 0); }
