// What a session keeps, listed and written. In: the kept items. Out: lines for a person, or a program that
// means the same wherever it is written.
#include "../../sema/builtins.h"
#include "reg/file.h"
#include "repl.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// An item in a parse of its own unit.
static const Ast *item_tree(Session *s, const ReplItem *i) {
  return parse_source(s, source_add(&s->sources, i->unit->name, i->unit->text, i->unit->len))
      ->file->kids[i->index];
}

// The files that data is read from, whose paths are relative to the file that they stand in: a path, `"y.npy"
// as kind`, or a list of these; NULL: the i-th argument of e is none.
static const Ast *data_path_of(const Ast *e, int i) {
  const int b = e->kind == AST_CALL && e->kids[0]->kind == AST_NAME ? builtin_find(e->kids[0]->name) : -1;
  if (i == 0 || !is_source(b)) return NULL;
  const Ast *arg = e->kids[i];
  const char *second = b == B_IDX ? "labels" : b == B_NPY ? "target" : NULL;
  const bool all = b == B_NPY, // are files
      path = arg->name ? all || !strcmp(arg->name, "path") || (second && !strcmp(arg->name, second))
                       : i == 1 || (i == 2 && second);
  return path ? arg->kids[0] : NULL;
}

static const char *folder_of(Arena *a, const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? arena_strndup(a, path, (size_t)(slash - path) + 1) : "";
}

// The path as it must be written in a file of another folder: from the root. NULL where it can stay.
static const char *moved_path(Arena *a, const char *path, const char *from, const char *to) {
  const char *old = folder_of(a, from), *new = folder_of(a, to);
  if (path[0] == '/' || !strcmp(old, new)) return NULL;
  char *whole = realpath(arena_printf(a, "%s%s", old, path), NULL);
  if (!whole) return NULL;
  const char *out = arena_strdup(a, whole);
  free(whole);
  return out;
}

typedef struct Copy { // of an item's text, of which [0, at) is done
  StrBuf *out;
  Arena *arena;
  const ReplItem *item;
  const char *to;
  int at;
} Copy;

static void copy_until(Copy *c, int end) {
  strbuf_addn(c->out, c->item->unit->text + c->at, (size_t)(end - c->at));
  c->at = end;
}

static void copy_files(Copy *c, const Ast *e) {
  for (int i = 0; e && e->kind == AST_LIST && i < e->nkids; i++) copy_files(c, e->kids[i]);
  if (e && e->kind == AST_AS) e = e->kids[0];
  const char *moved =
      e && e->kind == AST_STR ? moved_path(c->arena, e->name, c->item->unit->name, c->to) : NULL;
  if (!moved) return;
  copy_until(c, e->span.start);
  ast_put_string(c->out, moved);
  c->at = e->span.end;
}

static void copy_paths(Copy *c, const Ast *e) {
  if (!e) return;
  for (int i = 0; i < e->nkids; i++) {
    copy_files(c, data_path_of(e, i));
    copy_paths(c, e->kids[i]);
  }
}

static void put_item(StrBuf *b, const ReplItem *item, const char *to) {
  Session *s = session_new();
  const Ast *tree = item_tree(s, item);
  for (const char *c = tree->doc; c && *c;) {
    int n = (int)strcspn(c, "\n");
    strbuf_addf(b, n ? "## %.*s\n" : "##\n", n, c);
    c += n + (c[n] == '\n');
  }
  Copy c = {b, s->arena, item, to, tree->span.start};
  if (tree->kind == AST_DEF && tree->op == KIND_DATA) copy_paths(&c, tree);
  copy_until(&c, tree->span.end);
  strbuf_add(b, "\n");
  session_free(s);
}

bool repl_save_items(const Repl *r, const char *path) {
  Arena *a = arena_new();
  StrBuf b = {.arena = a};
  reg_status st = {0};
  strbuf_add(&b, "");
  for (int i = 0; i < r->items.len; i++) {
    if (i) strbuf_add(&b, "\n");
    put_item(&b, &r->items.data[i], path);
  }
  if (reg_file_write(path, b.data, (size_t)b.len, &st)) {
    tell_status(&r->options, &st);
  } else if (r->tty) {
    if (r->options.sets.len) fputs("note: values of `:set` are not written\n", stderr);
    reg_shown_line(stderr, "%s: definitions and statements: %d", path, r->items.len);
  }
  arena_free(a);
  return !st.code;
}

// The first line of an item, and the file or entry that it came from.
static void list_item(const Repl *r, const ReplItem *item) {
  Session *s = session_new();
  const Ast *tree = item_tree(s, item);
  const char *text = item->unit->text + tree->span.start;
  int len = tree->span.end - tree->span.start, line = (int)strcspn(text, "\n");
  const char *more = line >= len ? "" : r->options.out.utf8 ? " …" : " ...";
  reg_shown_line(stdout, "  %-8s %.*s%s", item->unit->name[0] == '[' ? item->unit->name : "file",
                 line < len ? line : len, text, more);
  session_free(s);
}

static void list_weights(const ReplWeights *w) {
  int64_t n = 0;
  for (int k = 0; k < w->nparams; k++) n += shape_count(w->params[k].shape);
  fputs("  weights  ", stdout);
  reg_shown(stdout, w->file ? w->file : *w->train ? w->train : w->model);
  printf(": %lld parameters, ", (long long)n);
  if (w->file)
    puts("loaded");
  else if (!*w->train)
    puts("given by statements");
  else
    printf("%s after %lld steps (epoch %lld of %lld)\n", w->finished ? "finished" : "stopped",
           (long long)w->step, (long long)w->epoch, (long long)w->epochs);
}

void repl_list(const Repl *r) {
  for (int i = 0; i < r->items.len; i++) list_item(r, &r->items.data[i]);
  for (int i = 0; i < r->options.sets.len; i++)
    reg_shown_line(stdout, "  :set     %s=%s", r->options.sets.data[i].name, r->options.sets.data[i].value);
  repl_list_values(r);
  for (int i = 0; i < r->weights.len; i++) list_weights(r->weights.data[i]);
}
