// What a session keeps, listed and written. In: the kept items. Out: lines for a person, or a program that
// means the same wherever it is written.
#include "repl.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// An item in a parse of its own unit.
static const Ast *item_tree(Session *s, const ReplItem *i) {
  return parse_source(s, source_add(&s->sources, i->unit->name, i->unit->text, i->unit->len))
      ->file->kids[i->index];
}

// The path in csv("..."), which is relative to the file that it stands in.
static const Ast *data_path_of(const Ast *e) {
  if (!e) return NULL;
  bool csv = e->kind == AST_CALL && e->kids[0]->kind == AST_NAME && !strcmp(e->kids[0]->name, "csv");
  for (int i = 1; csv && i < e->nkids; i++) {
    const Ast *arg = e->kids[i];
    bool path = arg->name ? !strcmp(arg->name, "path") : i == 1;
    if (path && arg->kids[0]->kind == AST_STR) return arg->kids[0];
  }
  for (int i = 0; i < e->nkids; i++) {
    const Ast *found = data_path_of(e->kids[i]);
    if (found) return found;
  }
  return NULL;
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

static void write_string(FILE *f, const char *text) {
  fputc('"', f);
  for (; *text; text++) fprintf(f, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
  fputc('"', f);
}

static void write_item(FILE *f, const ReplItem *item, const char *to) {
  Session *s = session_new();
  const Ast *tree = item_tree(s, item);
  for (const char *c = tree->doc; c && *c;) {
    int n = (int)strcspn(c, "\n");
    fprintf(f, n ? "## %.*s\n" : "##\n", n, c);
    c += n + (c[n] == '\n');
  }
  const char *text = item->unit->text;
  int at = tree->span.start;
  const Ast *path = tree->kind == AST_DEF && tree->op == KIND_DATA ? data_path_of(tree) : NULL;
  const char *moved = path ? moved_path(s->arena, path->name, item->unit->name, to) : NULL;
  if (moved) {
    fprintf(f, "%.*s", path->span.start - at, text + at);
    write_string(f, moved);
    at = path->span.end;
  }
  fprintf(f, "%.*s\n", tree->span.end - at, text + at);
  session_free(s);
}

static bool write_items(const Repl *r, FILE *f, const char *to) {
  for (int i = 0; i < r->items.len; i++) {
    if (i) fputc('\n', f);
    write_item(f, &r->items.data[i], to);
  }
  return fflush(f) == 0 && !ferror(f);
}

bool repl_save_items(const Repl *r, const char *path) {
  Arena *a = arena_new();
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  bool ok = f && write_items(r, f, path);
  if (f) ok = fclose(f) == 0 && ok;
  ok = ok && text_write(a, path, text);
  if (!ok) {
    fprintf(stderr, "cannot write `%s`: %s\n", path, strerror(errno));
  } else if (r->tty) {
    if (r->options.sets.len) fputs("note: values of `:set` are not written\n", stderr);
    fprintf(stderr, "%s: definitions and statements: %d\n", path, r->items.len);
  }
  free(text);
  arena_free(a);
  return ok;
}

// The first line of an item, and the file or entry that it came from.
static void list_item(const Repl *r, const ReplItem *item) {
  Session *s = session_new();
  const Ast *tree = item_tree(s, item);
  const char *text = item->unit->text + tree->span.start;
  int len = tree->span.end - tree->span.start, line = (int)strcspn(text, "\n");
  const char *more = line >= len ? "" : r->options.out.utf8 ? " …" : " ...";
  printf("  %-8s %.*s%s\n", item->unit->name[0] == '[' ? item->unit->name : "file", line < len ? line : len,
         text, more);
  session_free(s);
}

static void list_weights(const ReplWeights *w) {
  int64_t n = 0;
  for (int k = 0; k < w->nparams; k++) n += shape_count(w->params[k].shape);
  printf("  weights  %s: %lld parameters, ", w->file ? w->file : w->train, (long long)n);
  if (w->file)
    puts("loaded");
  else
    printf("%s after %lld steps (epoch %lld of %lld)\n", w->finished ? "finished" : "stopped",
           (long long)w->step, (long long)w->epoch, (long long)w->epochs);
}

void repl_list(const Repl *r) {
  for (int i = 0; i < r->items.len; i++) list_item(r, &r->items.data[i]);
  for (int i = 0; i < r->options.sets.len; i++)
    printf("  :set     %s=%s\n", r->options.sets.data[i].name, r->options.sets.data[i].value);
  for (int i = 0; i < r->weights.len; i++) list_weights(r->weights.data[i]);
}
