// What a session keeps: definitions and statements as texts with the names they were typed or loaded under.
// In: new texts. Out: a compilation of all kept ones for each entry. A text takes effect as a whole or not at
// all.
#include "../program_table.h"
#include "repl.h"
#include <stdlib.h>
#include <string.h>

// -- data, loaded once for each plan

enum { DATA_KEPT = 20 }; // entries that a data set outlives without being used

// A function that makes data is what its graph says.
reg_dataset *repl_data(void *user, const reg_data_plan *plan, reg_status *st) {
  Repl *r = user;
  Arena *a = arena_new();
  const char *key = plan_key(a, plan);
  reg_dataset *set = NULL;
  for (int i = 0; i < r->data.len && !set; i++)
    if (!strcmp(r->data.data[i].key, key)) {
      r->data.data[i].used = r->entries;
      set = r->data.data[i].set;
    }
  if (!set && (set = reg_data_load(plan, st)))
    vec_push(r->arena, r->data, ((ReplData){strdup(key), set, r->entries}));
  arena_free(a);
  return set;
}

static void free_unused_data(Repl *r, int64_t before) {
  int n = 0;
  for (int i = 0; i < r->data.len; i++) {
    ReplData d = r->data.data[i];
    if (d.used < before) {
      reg_data_free(d.set);
      free(d.key);
    } else {
      r->data.data[n++] = d;
    }
  }
  r->data.len = n;
}

void repl_free_data(Repl *r) { free_unused_data(r, INT64_MAX); }

// -- one entry's compilation

static bool wanted(const ReplItem *i, WorkTrains trains) {
  return i->kind == AST_DEF || i->kind == AST_PRECISION || (trains == TRAINS_ALL && item_acts(i));
}

// The tree of a unit in this compilation; each is parsed once.
static Parse *unit_parse(const Repl *r, Work *w, Map *parsed, const ReplUnit *u) {
  const char *key = arena_printf(w->p.arena, "%p", (const void *)u);
  Parse *parse = map_get(parsed, key);
  if (parse) return parse;
  int source = source_add(&w->session->sources, u->name, u->text, u->len);
  if (u->batch == r->fresh && !w->first_source) w->first_source = source;
  parse = parse_source(w->session, source);
  map_put(parsed, key, parse);
  return parse;
}

// An item's tree; a training has its item's name.
static Ast *item_ast(const Repl *r, Work *w, Map *parsed, const ReplItem *item) {
  Ast *tree = unit_parse(r, w, parsed, item->unit)->file->kids[item->index];
  if (item->kind != AST_TRAIN || tree->name) return tree;
  Ast *named = ARENA_NEW(w->p.arena, Ast);
  *named = *tree;
  named->name = item->name;
  return named;
}

static Parse *joined(const Repl *r, Work *w, const ReplItems *items, WorkTrains trains,
                     const ReplItem *const *more) {
  Arena *a = w->p.arena;
  Map parsed;
  map_init(&parsed, a);
  Ast *file = ARENA_NEW(a, Ast);
  for (int i = 0; i < items->len; i++)
    if (*items->data[i].binds) trains = TRAINS_ALL;
  *file = (Ast){.kind = AST_FILE, .kids = ARENA_ARRAY(a, Ast *, items->len + 4)};
  for (int i = 0; i < items->len; i++)
    if (wanted(&items->data[i], trains)) file->kids[file->nkids++] = item_ast(r, w, &parsed, &items->data[i]);
  for (int i = 0; more && i < 2 && more[i]; i++) file->kids[file->nkids++] = item_ast(r, w, &parsed, more[i]);
  Parse *p = ARENA_NEW(a, Parse);
  p->file = file;
  return p;
}

int work_report(Work *w) {
  Diags *ds = &w->session->diags;
  int n = w->p.reported;
  for (int i = n; i < ds->list.len; i++) {
    Diag *d = ds->list.data[i];
    bool earlier = d->severity == SEV_WARNING && d->span.source && d->span.source < w->first_source;
    if (earlier)
      ds->warnings--; // and it stays told
    else
      ds->list.data[n++] = d;
  }
  ds->list.len = n;
  return pipeline_report(&w->p);
}

static bool told(Work *w, bool quiet) {
  return (quiet ? w->session->diags.errors > 0 : work_report(w) != EXIT_OK);
}

bool work_open(Repl *r, Work *w, const ReplItems *items, WorkTrains trains, const ReplItem *const *more,
               bool quiet) {
  free_unused_data(r, r->entries - DATA_KEPT);
  *w = (Work){.session = session_new()};
  pipeline_init(&w->p, w->session, &r->options);
  w->session->diags.allowed[DIAG_unused_definition] = 1;
  w->p.load = repl_data;
  w->p.load_user = r;
  w->p.apart = true;
  w->p.path = "repl";
  w->p.text = "";
  w->p.parse = joined(r, w, items, trains, more);
  if (!w->first_source) w->first_source = w->session->sources.list.len;
  if (told(w, quiet)) return false;
  pipeline_names(&w->p);
  if (told(w, quiet)) return false;
  int data_code = pipeline_elaborate(&w->p);
  return !told(w, quiet) && !data_code;
}

void work_close(Work *w) {
  if (!w->session) return;
  pipeline_free(&w->p);
  session_free(w->session);
  w->session = NULL;
}

const Ast *work_expression(Repl *r, Work *w, const char *text, bool quiet) {
  Session *s = w->session;
  const char *name = arena_printf(w->p.arena, "[%d]", r->entries);
  const Ast *e = parse_expression(s, source_add(&s->sources, name, text, (int)strlen(text)));
  if (told(w, quiet) || !e) return NULL;
  sema_check_expression(w->p.program, e, NULL, 0);
  return told(w, quiet) ? NULL : e;
}

const LowerExpression *work_lowered(Work *w, const Ast *e) {
  return lower_expression(w->p.lowered, &(LowerAsked){.expression = e, .between = true});
}

// -- items

static bool refers(const ReplItems *items, const ReplUnit *u) {
  for (int i = 0; i < items->len; i++)
    if (items->data[i].unit == u) return true;
  return false;
}

static void free_units(const ReplItems *from, const ReplItems *kept) {
  for (int i = 0; i < from->len; i++) {
    ReplUnit *u = from->data[i].unit;
    bool again = false;
    for (int k = 0; k < i; k++) again |= from->data[k].unit == u;
    if (again || refers(kept, u)) continue;
    for (int k = i + 1; k < from->len; k++)
      if (from->data[k].unit == u) from->data[k].unit = NULL;
    from->data[i].unit = NULL;
    arena_free(u->arena);
  }
}

void items_changed(Repl *r, const ReplItems *items) {
  Arena *a = arena_new();
  ReplItems copy = {0};
  for (int i = 0; i < items->len; i++) vec_push(a, copy, items->data[i]);
  free_units(&r->items, &copy);
  if (r->items_arena) arena_free(r->items_arena);
  r->items_arena = a;
  r->items = copy;
}

const ReplItem *item_find(const Repl *r, AstKind kind, const char *name) {
  for (int i = r->items.len - 1; i >= 0; i--)
    if (item_is(&r->items.data[i], kind, name)) return &r->items.data[i];
  return NULL;
}

static const char *names_text(Arena *a, const Ast *list) {
  StrBuf b = {.arena = a};
  for (int i = 0; i < list->nkids; i++) strbuf_addf(&b, "%s%s", i ? ", " : "", list->kids[i]->name);
  return b.data;
}

static const char *item_name(Arena *a, const Ast *item) {
  switch (item->kind) {
  case AST_DEF: return item->name ? arena_strdup(a, item->name) : NULL;
  case AST_TRAIN: return arena_strdup(a, item->name ? item->name : item->kids[0]->kids[0]->name);
  case AST_BIND: return arena_strdup(a, item->name);
  case AST_UNPACK: return names_text(a, item->kids[0]);
  case AST_CALL:
  case AST_GIVE: return ast_text(a, item->kids[0]);
  case AST_EVALUATE:
    if (item->name) return arena_strdup(a, item->name);
    return arena_printf(a, "%s on %s", ast_text(a, item->kids[0]), ast_text(a, item->kids[1]));
  case AST_PRECISION: return "precision";
  default: return ast_kind_name(item->kind);
  }
}

// Repeats of an unnamed training have a number.
static const char *numbered(Arena *a, const ReplItems *before, const Ast *item) {
  const char *base = item_name(a, item), *name = base;
  bool taken = item->kind == AST_TRAIN && !item->name;
  for (int number = 2; taken; number++) {
    taken = false;
    for (int i = 0; i < before->len; i++) taken |= item_is(&before->data[i], AST_TRAIN, name);
    if (taken) name = arena_printf(a, "%s%d", base, number);
  }
  return name;
}

// One text's units (with the files it uses) and their items. Syntax is checked here.
typedef struct Gathered {
  Repl *r;
  Arena *arena;
  ReplItems items; // new ones, in order
  int depth;
} Gathered;

static bool gather(Gathered *g, const char *name, const char *text, int len, bool file);

static bool gather_file(Gathered *g, const char *path) {
  int len;
  const char *why;
  for (int i = 0; i < g->items.len; i++)
    if (!strcmp(g->items.data[i].unit->name, path)) return true; // read already
  char *text = source_read(g->arena, path, &len, &why);
  if (!text) {
    reg_shown_line(stderr, "cannot read `%s`: %s", path, why);
    return false;
  }
  if (g->depth == 64) {
    reg_shown_line(stderr, "`use` goes in a circle: %s", path);
    return false;
  }
  g->depth++;
  bool ok = gather(g, path, text, len, true);
  g->depth--;
  return ok;
}

static bool gather(Gathered *g, const char *name, const char *text, int len, bool file) {
  Session *s = session_new();
  Pipeline p;
  pipeline_init(&p, s, &g->r->options);
  p.source = source_add(&s->sources, name, text, len);
  Parse *parse = parse_source(s, p.source);
  bool ok = pipeline_report(&p) == EXIT_OK;
  ReplUnit *u = NULL;
  for (int i = 0; ok && i < parse->file->nkids; i++) {
    const Ast *item = parse->file->kids[i];
    if (!item || item->kind == AST_ERROR) continue;
    if (item->kind == AST_USE) {
      const char *slash = file ? strrchr(name, '/') : NULL;
      bool from = slash && item->name[0] != '/';
      ok = gather_file(
          g, arena_printf(g->arena, "%.*s%s", from ? (int)(slash - name) + 1 : 0, name, item->name));
      continue;
    }
    if (!u) {
      Arena *a = arena_new();
      u = ARENA_NEW(a, ReplUnit);
      *u = (ReplUnit){a, arena_strdup(a, name), arena_strndup(a, text, (size_t)len), len, g->r->batches};
    }
    ReplItem new = {u, i, item->kind, item->op, numbered(u->arena, &g->items, item), ""};
    const bool named = item->kind == AST_BIND || item->kind == AST_UNPACK ||
                       ((item->kind == AST_EVALUATE || item->kind == AST_TRAIN) && item->name);
    if (named) new.binds = new.name;
    vec_push(g->arena, g->items, new);
  }
  pipeline_free(&p);
  session_free(s);
  return ok;
}

bool items_accepted(Repl *r, const ReplItems *all, bool quiet) {
  Work w;
  bool ok = work_open(r, &w, all, TRAINS_ALL, NULL, quiet);
  for (int i = 0; ok && i < all->len; i++)
    if (all->data[i].kind == AST_DEF && all->data[i].unit->batch == r->fresh)
      lower_definition(w.p.lowered, all->data[i].name);
  ok = ok && !told(&w, quiet);
  if (ok && !quiet) repl_values_forget(r, w.p.lowered);
  work_close(&w);
  return ok;
}

static bool act(Repl *r, const ReplItem *item) {
  if (item->kind == AST_CHECK) return repl_check(r, item);
  for (int i = 0; i < r->items.len && item_acts(item); i++) {
    const ReplItem *kept = &r->items.data[i];
    if (kept->unit == item->unit && kept->index == item->index) return repl_act(r, kept);
  }
  return true;
}

static void tell_definitions(const Repl *r, const ReplItems *new, const ReplItems *old) {
  if (!r->tty || r->options.given[OPT_QUIET]) return;
  for (int i = 0; i < new->len; i++) {
    if (new->data[i].kind != AST_DEF) continue;
    bool again = false;
    for (int k = 0; k < old->len; k++) again |= item_is(&old->data[k], AST_DEF, new->data[i].name);
    const bool named = stands_beside((DefKind) new->data[i].op); // by its kind already
    reg_shown_line(stderr, "%s%s%s%s", named ? "" : def_kind_name((DefKind) new->data[i].op),
                   named ? "" : " ", new->data[i].name, again ? " (replaced)" : "");
  }
}

static void tell_values(const Repl *r, const ReplItems *new) {
  if (!r->tty || r->options.given[OPT_QUIET]) return;
  for (int i = 0; i < new->len; i++)
    if (new->data[i].kind == AST_BIND) repl_list_value(r, stderr, "", new->data[i].name);
}

// Checks that were typed now do not, nor does a statement that could not act, unless a training, which can be
// gone on with, or an evaluation.
static bool stays(const Repl *r, const ReplItem *item, const ReplItem *failed) {
  if (item->kind == AST_CHECK) return item->unit->batch != r->batches;
  const bool this = failed && item->unit == failed->unit && item->index >= failed->index;
  return !this || !item_acts(item) || item->kind == AST_TRAIN || item->kind == AST_EVALUATE;
}

static bool take(Gathered *g, bool load) {
  Repl *r = g->r;
  ReplItems all = {0}, before = {0}, kept = {0};
  for (int i = 0; i < r->items.len; i++) vec_push(g->arena, before, r->items.data[i]);
  if (!items_arrange(r, g->arena, &g->items, &all)) {
    free_units(&g->items, &r->items);
    return false;
  }
  if (!load) tell_definitions(r, &g->items, &before);
  items_changed(r, &all);
  bool ok = true;
  r->stopped = false;
  int done = 0;
  for (; done < g->items.len && ok && !load && !r->stopped; done++) ok = act(r, &g->items.data[done]);
  if (load) return ok;
  if (ok) tell_values(r, &g->items);
  for (int i = 0; i < r->items.len; i++)
    if (stays(r, &r->items.data[i], ok ? NULL : &g->items.data[done - 1]))
      vec_push(g->arena, kept, r->items.data[i]);
  items_changed(r, &kept);
  return ok;
}

bool repl_items(Repl *r, const char *name, const char *text, int len, bool load) {
  r->batches++;
  r->fresh = r->batches;
  Gathered g = {.r = r, .arena = arena_new()};
  bool ok = gather(&g, name, text, len, load);
  if (ok)
    ok = take(&g, load);
  else
    free_units(&g.items, &r->items);
  r->fresh = -1;
  arena_free(g.arena);
  return ok;
}

bool repl_load_file(Repl *r, const char *path) {
  Arena *a = arena_new();
  int len;
  const char *why;
  char *text = source_read(a, path, &len, &why);
  bool ok = text && repl_items(r, path, text, len, true);
  if (!text) reg_shown_line(stderr, "cannot read `%s`: %s", path, why);
  arena_free(a);
  return ok;
}

bool repl_drop(Repl *r, const char *name) {
  Arena *a = arena_new();
  ReplItems kept = {0};
  for (int i = 0; i < r->items.len; i++)
    if (!item_binds(&r->items.data[i], name) &&
        (!r->items.data[i].name || strcmp(r->items.data[i].name, name) != 0))
      vec_push(a, kept, r->items.data[i]);
  bool found = kept.len < r->items.len;
  bool ok = found && items_accepted(r, &kept, false);
  if (!found) reg_shown_line(stderr, "there is no `%s`; `:list` shows what there is", name);
  if (ok) items_changed(r, &kept);
  arena_free(a);
  return ok;
}

bool repl_set(Repl *r, const char *name, const char *value) {
  int n = r->options.sets.len, at = 0;
  while (at < n && strcmp(r->options.sets.data[at].name, name) != 0) at++;
  SemaSet new = {arena_strdup(r->arena, name), arena_strdup(r->arena, value)};
  SemaSet old = at < n ? r->options.sets.data[at] : new;
  if (at < n)
    r->options.sets.data[at] = new;
  else
    vec_push(r->arena, r->options.sets, new);
  if (items_accepted(r, &r->items, false)) return true;
  r->options.sets.data[at] = old;
  r->options.sets.len = n;
  return false;
}

void repl_reset(Repl *r, bool all) {
  repl_weights_forget(r, NULL);
  curves_free(&r->curves);
  if (!all) return;
  repl_values_forget(r, NULL);
  ReplItems none = {0};
  items_changed(r, &none);
  r->options.sets.len = 0;
  free(r->last_call);
  r->last_call = NULL;
}
