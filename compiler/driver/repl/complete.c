// What may stand at the cursor. In: an entry up to the cursor. Out: whole words that begin as the last one
// does: commands and their arguments, files, parts of models and data behind a dot, names of parameters
// inside a call, names, keywords.
#include "../../sema/builtins.h"
#include "../../syntax/tokens.h"
#include "repl.h"
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Adds a word that begins as `typed` does.
static void offer(Candidates *c, const char *typed, const char *word) {
  if (strncmp(word, typed, strlen(typed)) != 0) return;
  for (int i = 0; i < c->list.len; i++)
    if (!strcmp(c->list.data[i], word)) return;
  vec_push(c->arena, c->list, arena_strdup(c->arena, word));
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Folders, and files whose names end in one of the given ways; NULL: all.
static void offer_files(Candidates *c, const char *typed, const char *const *ends) {
  const char *slash = strrchr(typed, '/');
  const char *folder = slash ? arena_strndup(c->arena, typed, (size_t)(slash - typed) + 1) : "";
  DIR *d = opendir(*folder ? folder : ".");
  for (struct dirent *e; d && (e = readdir(d));) {
    if (e->d_name[0] == '.' && (!slash || slash[1] != '.')) continue;
    const char *path = arena_printf(c->arena, "%s%s", folder, e->d_name);
    struct stat st;
    bool is_folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    bool fits = is_folder || !ends;
    for (int i = 0; ends && ends[i]; i++) fits |= text_ends_in(path, ends[i]);
    if (fits) offer(c, typed, is_folder ? arena_printf(c->arena, "%s/", path) : path);
  }
  if (d) closedir(d);
}

static void offer_list(Candidates *c, const char *typed, const char *const *words) {
  for (; *words; words++) offer(c, typed, *words);
}

static void offer_items(const Repl *r, Candidates *c, const char *typed, bool acting) {
  for (int i = 0; i < r->items.len; i++) {
    const ReplItem *item = &r->items.data[i];
    if (item->name && item->kind != AST_CHECK && (!acting || item_acts(item))) offer(c, typed, item->name);
  }
}

static void offer_names(const Repl *r, Candidates *c, const char *typed) {
  for (int i = 0; i < r->items.len; i++)
    if (r->items.data[i].kind == AST_DEF) offer(c, typed, r->items.data[i].name);
  for (int i = 0; i < r->values.len; i++) {
    const char *name = r->values.data[i].name;
    offer(c, typed, arena_strndup(c->arena, name, strcspn(name, " .")));
  }
  Session *s = session_new();
  int n;
  Program none = {.session = s};
  map_init(&none.defs, s->arena);
  map_init(&none.library, s->arena);
  const char **names = sema_names(&none, s->arena, PLACE_ANY, &n);
  for (int i = 0; i < n; i++) offer(c, typed, names[i]);
  session_free(s);
}

static void offer_keywords(Candidates *c, const char *typed) {
  bool item;
  const char *word;
  for (int i = 0; (word = keyword_text(i, &item)); i++) offer(c, typed, word);
  static const char *const clauses[] = {"batch", "epochs", "steps", "seed", "allow", NULL};
  offer_list(c, typed, clauses);
}

// -- behind a dot

// The path up to the first dot behind what is typed.
static void offer_step(Candidates *c, const char *typed, const char *path) {
  size_t n = strlen(typed);
  if (strncmp(path, typed, n) != 0) return;
  offer(c, typed, arena_strndup(c->arena, path, n + strcspn(path + n, ".")));
}

static void offer_data(Candidates *c, const char *typed, const char *root, const reg_dataset *d) {
  for (int i = 0; i < d->nparts; i++) {
    const char *part = arena_printf(c->arena, "%s.%s", root, d->parts[i].name);
    offer_step(c, typed, part);
    for (int k = 0; k < d->nfields; k++)
      offer_step(c, typed, arena_printf(c->arena, "%s.%s", part, d->fields[k].name));
  }
  for (int k = 0; k < d->nfields; k++)
    offer_step(c, typed, arena_printf(c->arena, "%s.%s", root, d->fields[k].name));
}

static bool offer_parts_of(Repl *r, Candidates *c, const char *typed, const char *root, WorkTrains trains) {
  Work w;
  const Ast *e = work_open(r, &w, &r->items, trains, NULL, true) ? work_expression(r, &w, root, true) : NULL;
  const LowerExpression *v = e ? work_lowered(&w, e) : NULL;
  if (v && v->data >= 0) offer_data(c, typed, root, w.p.lowered->datasets.data[v->data]);
  for (int i = 0; v && i < v->params.len; i++) {
    const char *path = v->params.data[i].path, *role = strrchr(path, '.');
    offer_step(c, typed, path);
    if (role) offer_step(c, typed, arena_printf(c->arena, "%s.*%s", root, role));
  }
  work_close(&w);
  return v != NULL;
}

// `e.accuracy` of a result, `start.hidden` of a tree of parameters.
static void offer_value(const Repl *r, Candidates *c, const char *typed, const char *root) {
  const size_t n = strlen(root);
  for (int i = 0; i < r->values.len; i++) {
    const char *name = r->values.data[i].name, *path = strchr(name, ' ');
    if (strncmp(name, root, n) != 0) continue;
    if (name[n] == '.') offer_step(c, typed, name);
    if (name[n] == ' ' && (path = strchr(path, '.')))
      offer_step(c, typed, arena_printf(c->arena, "%s%s", root, path));
  }
}

static void offer_parts(Repl *r, Candidates *c, const char *typed) {
  const char *root = arena_strndup(c->arena, typed, strcspn(typed, "."));
  const ReplItem *d = item_find(r, AST_DEF, root);
  offer_value(r, c, typed, root);
  if (!d || (d->op != KIND_MODEL && d->op != KIND_DATA)) return;
  if (!offer_parts_of(r, c, typed, root, TRAINS_ALL)) offer_parts_of(r, c, typed, root, TRAINS_NONE);
}

// -- inside a call

static bool is_word(char ch) { return isalnum((unsigned char)ch) || ch == '_'; }

// The name before the innermost open parenthesis; NULL where there is none.
static const char *open_call(Arena *a, const char *text, int end) {
  int depth = 0;
  for (int i = end - 1; i >= 0; i--) {
    if (strchr(")]}", text[i])) depth++;
    if (!strchr("([{", text[i])) continue;
    if (depth-- > 0) continue;
    if (text[i] != '(') return NULL;
    int stop = i;
    while (stop > 0 && text[stop - 1] == ' ') stop--;
    int start = stop;
    while (start > 0 && is_word(text[start - 1])) start--;
    return start < stop ? arena_strndup(a, text + start, (size_t)(stop - start)) : NULL;
  }
  return NULL;
}

static void offer_parameters(Repl *r, Candidates *c, const char *typed, const char *callee) {
  Work w;
  int b = builtin_find(callee);
  if (work_open(r, &w, &r->items, TRAINS_NONE, NULL, true)) {
    const Def *d = sema_find(w.p.program, callee);
    const Ast *ps = d ? d->ast->kids[0] : NULL;
    for (int i = 0; ps && i < ps->nkids; i++)
      offer(c, typed, arena_printf(c->arena, "%s: ", ps->kids[i]->name));
    if (d) b = -1;
  }
  work_close(&w);
  if (b < 0) return;
  Signature s = builtin_signature((Builtin)b);
  for (int i = 0; i < s.n; i++) offer(c, typed, arena_printf(c->arena, "%s: ", s.param[i].name));
}

static void complete_expression(Repl *r, Candidates *c, const char *text) {
  int end = (int)strlen(text), start = end, quotes = 0;
  const char *line = strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
  for (const char *q = line; *q; q++) quotes += *q == '"';
  if (quotes % 2) { // inside a string: a file
    c->start = (int)(strrchr(text, '"') - text) + 1;
    offer_files(c, text + c->start, NULL);
    return;
  }
  while (start > 0 && (is_word(text[start - 1]) || strchr(".*", text[start - 1]))) start--;
  while (start < end && text[start] == '.') start++;
  c->start = start;
  const char *typed = text + start;
  if (strchr(typed, '.')) {
    offer_parts(r, c, typed);
    return;
  }
  const char *callee = open_call(c->arena, text, start);
  if (callee) offer_parameters(r, c, typed, callee);
  if (!*typed && c->list.len) return; // directly behind a parenthesis or comma: the parameters alone
  offer_names(r, c, typed);
  offer_keywords(c, typed);
}

// -- commands

static void complete_argument(Repl *r, Candidates *c, const char *text, const char *kind) {
  static const char *const stages[] = {"graph", "kernels", "llvm", "asm", NULL};
  static const char *const reset[] = {"all", NULL};
  const char *blank = strrchr(text, ' ');
  int last = blank ? (int)(blank - text) + 1 : 0;
  bool first = text + strcspn(text, " ") + strspn(text + strcspn(text, " "), " ") >= text + last;
  c->start = last;
  const char *typed = text + last;
  if (!strcmp(kind, "command"))
    for (int i = 0; command_name(i); i++) offer(c, typed, command_name(i));
  else if (!strcmp(kind, "file"))
    offer_files(c, typed, (const char *const[]){".reg", ".safetensors", NULL});
  else if (!strcmp(kind, "own") || !strcmp(kind, "train"))
    offer_items(r, c, typed, *kind == 't');
  else if (!strcmp(kind, "name"))
    offer_names(r, c, typed);
  else if (!strcmp(kind, "reset"))
    offer_list(c, typed, reset);
  else if (!strcmp(kind, "stage") && first)
    offer_list(c, typed, stages);
  else if (!strcmp(kind, "set")) {
    static const char *const options[] = {"seed=", "threads=", "optimize=", "steps=", NULL};
    for (int i = 0; i < r->items.len; i++)
      if (r->items.data[i].op == KIND_LET || r->items.data[i].op == KIND_SCHEDULE)
        offer(c, typed, arena_printf(c->arena, "%s=", r->items.data[i].name));
    offer_list(c, typed, options);
  } else if (*kind) {
    complete_expression(r, c, text);
  }
}

void complete_text(Repl *r, Candidates *c, const char *text) {
  int blanks = (int)strspn(text, " \t");
  const char *word = text + blanks + 1;
  if (text[blanks] != ':') {
    complete_expression(r, c, text);
  } else if (!word[strcspn(word, " \t")]) {
    c->start = blanks + 1;
    c->commands = true;
    for (int i = 0; command_name(i); i++) offer(c, word, command_name(i));
  } else {
    const char *name = arena_strndup(c->arena, word, strcspn(word, " \t"));
    complete_argument(r, c, text, command_completes(name));
  }
  if (c->list.len) qsort(c->list.data, (size_t)c->list.len, sizeof *c->list.data, by_name);
}
