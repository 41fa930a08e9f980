// regc doc: definitions of the library (and of -f FILE) with their documentation; without a name the list of
// all, by folder.
#include "../base/words.h"
#include "../sema/builtins.h"
#include "../sema/library.h"
#include "pipeline.h"
#include <string.h>

static Parse *parse_file(Session *s, const char *name, const char *text, int len) {
  return parse_source(s, source_add(&s->sources, name, text, len));
}

static const Ast *find_definition(const Parse *p, const char *name) {
  for (int i = 0; i < p->file->nkids; i++) {
    const Ast *a = p->file->kids[i];
    if (a->kind == AST_DEF && a->name && !strcmp(a->name, name)) return a;
  }
  return NULL;
}

// Which library file defines a name; -1: none.
static int library_file(const char *name) {
  for (const LibraryName *n = library_names; n->name; n++)
    if (!strcmp(n->name, name)) return n->file;
  return -1;
}

static void print_definition(Session *s, const Ast *def, const reg_terminal *t) {
  const Source *source = source_get(&s->sources, def->span.source);
  int line, column;
  source_position(source, def->span.start, &line, &column);
  printf("%s%s%s  (", t->color ? "\033[1m" : "", def_title(s->arena, def), t->color ? "\033[0m" : "");
  reg_shown(stdout, source->name);
  printf(":%d)\n\n", line);
  if (def->doc) {
    reg_shown_lines(stdout, def->doc, strlen(def->doc));
    fputs("\n\n", stdout);
  }
  reg_shown_lines(stdout, source->text + def->span.start, (size_t)(def->span.end - def->span.start));
  putchar('\n');
}

// The library's page has under "### NAME" a block: the head, then an example that the tests run; NULL: it has
// none.
static const char *example_of(Arena *a, const char *name) {
  const char *title = arena_printf(a, "\n### %s\n\n```text\n", name), *at = strstr(library_page, title);
  const char *end = at ? strstr(at + strlen(title), "\n```") : NULL,
             *head = end ? strchr(at + strlen(title), '\n') : NULL;
  return head && head < end ? arena_strndup(a, head + 1, (size_t)(end - head - 1)) : NULL;
}

static void print_example(Session *s, const char *name) {
  const char *text = example_of(s->arena, name);
  if (!text) return;
  fputs("\nexample\n  ", stdout);
  reg_shown_lines(stdout, text, strlen(text));
  putchar('\n');
}

static void print_builtin(Builtin b) {
  const BuiltinInfo *i = &builtin_info[b];
  printf(i->signature ? "builtin %s(%s)\n\n%s\n" : "builtin %s%.0s\n\n%s\n", i->name,
         i->signature ? i->signature : "", i->description);
}

// Up to a full stop before a blank or line end, or to an empty line; on one line.
static const char *first_sentence(Arena *a, const char *doc) {
  char *text = arena_strdup(a, doc);
  for (char *c = text; *c; c++) {
    if (*c == '\n' && c[1] == '\n') *c = 0;
    if (*c == '.' && (c[1] == ' ' || c[1] == '\n')) c[1] = 0;
    if (*c == '\n') *c = ' ';
    if (!*c) break;
  }
  return text;
}

// "layers" of "stdlib/layers/dense.reg"
static const char *folder_of(Arena *a, const char *file) {
  const char *start = strchr(file, '/') ? strchr(file, '/') + 1 : file;
  const char *end = strrchr(file, '/');
  return end > start ? arena_strndup(a, start, (size_t)(end - start)) : "";
}

static void list_file(Session *s, const LibraryFile *f) {
  const Parse *p = parse_file(s, f->name, f->text, f->len);
  for (int i = 0; i < p->file->nkids; i++) {
    const Ast *a = p->file->kids[i];
    if (a->kind != AST_DEF) continue;
    printf("  %-20s %s\n", a->name, first_sentence(s->arena, a->doc ? a->doc : ""));
  }
}

// Files come sorted by folder from the build.
void document_library(Session *s) {
  const char *folder = NULL;
  for (const LibraryFile *f = library_files; f->name; f++) {
    const char *its = folder_of(s->arena, f->name);
    if (!folder || strcmp(folder, its) != 0) printf("%s%s\n", folder ? "\n" : "", its);
    folder = its;
    list_file(s, f);
  }
  printf("\nbuilt in\n");
  for (int b = 0; b < B_COUNT_; b++)
    printf("  %-20s %s\n", builtin_info[b].name, builtin_info[b].description);
}

static int unknown(Session *s, const char *name, const Parse *own) {
  VEC(const char *) names = {0};
  for (const LibraryName *n = library_names; n->name; n++) vec_push(s->arena, names, n->name);
  for (int b = 0; b < B_COUNT_; b++) vec_push(s->arena, names, builtin_info[b].name);
  for (int i = 0; own && i < own->file->nkids; i++)
    if (own->file->kids[i]->kind == AST_DEF) vec_push(s->arena, names, own->file->kids[i]->name);
  const Word *word = word_find(name, ~0u, names.data, names.len);
  const char *near = word ? word->here : nearest_name(name, names.data, names.len);
  reg_shown_line(stderr,
                 near ? "regc: no definition `%s`; did you mean `%s`?" : "regc: no definition `%s`%.0s", name,
                 near ? near : "");
  if (word && !near) fprintf(stderr, "  hint: %s\n", word->sentence);
  return EXIT_USAGE;
}

// A penalty with its proximal operator, a loss with its conjugate and response.
static void print_with_operator(Session *s, const Parse *file, const Ast *def, const reg_terminal *t) {
  static const DefKind kinds[] = {KIND_PROX, KIND_CONJUGATE, KIND_RESPONSE};
  print_definition(s, def, t);
  for (int i = 0; i < 3; i++) {
    const Ast *beside =
        find_definition(file, arena_printf(s->arena, "%s %s", def_kind_name(kinds[i]), def->name));
    if (beside) putchar('\n'), print_definition(s, beside, t);
  }
}

int document_name(Session *s, const Options *o, const char *name, const Parse *own) {
  const Parse *in = own;
  const Ast *def = own ? find_definition(own, name) : NULL;
  int file = def ? -1 : library_file(name);
  if (file >= 0) {
    const LibraryFile *f = &library_files[file];
    in = parse_file(s, f->name, f->text, f->len);
    def = find_definition(in, name);
  }
  if (def) {
    print_with_operator(s, in, def, &o->out);
    if (file >= 0) print_example(s, name);
    if (file >= 0 && builtin_find(name) >= 0)
      putchar('\n'), print_builtin((Builtin)builtin_find(name)); // a step
  } else if (builtin_find(name) >= 0) {
    print_builtin((Builtin)builtin_find(name));
  } else {
    return unknown(s, name, own);
  }
  return EXIT_OK;
}

int cmd_doc(Session *s, const Options *o) {
  Pipeline p;
  pipeline_init(&p, s, o);
  int code = EXIT_OK;
  if (o->value[OPT_FILE]) {
    code = pipeline_read(&p, o->value[OPT_FILE]);
    if (!code) p.parse = parse_source(s, p.source);
    if (!code) code = pipeline_report(&p);
  }
  if (!code && !o->arguments.len) document_library(s);
  for (int i = 0; i < o->arguments.len && !code; i++) {
    if (i) putchar('\n');
    code = document_name(s, o, o->arguments.data[i], p.parse);
  }
  pipeline_free(&p);
  return code;
}
