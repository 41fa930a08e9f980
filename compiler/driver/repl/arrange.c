// Where a new text's items stand among the kept ones. In: these and those. Out: the program of both that is
// right.
#include "repl.h"
#include <string.h>

bool item_is(const ReplItem *a, AstKind kind, const char *name) {
  return a->kind == kind && a->name && name && !strcmp(a->name, name);
}

static bool binds(const ReplItem *item, const char *name, size_t n) {
  for (const char *b = item->binds; *b; b += strcspn(b, ","), b += strspn(b, ", "))
    if (n == strcspn(b, ",") && !strncmp(b, name, n)) return true;
  return false;
}

bool item_binds(const ReplItem *item, const char *name) { return binds(item, name, strlen(name)); }

// A new definition or training takes the place of the kept one of its kind and name; of evaluations only of
// one that sees the same weights. Other statements come behind what there is.
static bool replaces(const ReplItems *old, int i, const ReplItem *new) {
  if (!item_is(&old->data[i], new->kind, new->name)) return false;
  for (int k = i + 1; k < old->len && new->kind == AST_EVALUATE; k++)
    if (item_acts(&old->data[k]) && old->data[k].kind != AST_EVALUATE) return false;
  return !item_acts(new) ? new->kind != AST_CHECK : new->kind == AST_TRAIN || new->kind == AST_EVALUATE;
}

// Kept items and new ones, those without a place of their own behind them. Checks are not kept, except of
// files.
static void merged(Arena *a, const ReplItems *old, const ReplItems *new, ReplItems *out) {
  bool *placed = ARENA_ARRAY(a, bool, new->len + 1);
  for (int i = 0; i < old->len; i++) {
    int at = 0;
    while (at < new->len && (placed[at] || !replaces(old, i, &new->data[at]))) at++;
    if (at < new->len) placed[at] = true;
    vec_push(a, *out, at < new->len ? new->data[at] : old->data[i]);
  }
  for (int k = 0; k < new->len; k++)
    if (!placed[k]) vec_push(a, *out, new->data[k]);
}

// -- a statement that is right only where kept ones make room for it

static bool names_any(const Ast *e, const ReplItem *item) {
  bool found = e && e->kind == AST_NAME && item_binds(item, e->name);
  for (int i = 0; e && i < e->nkids && !found; i++) found = names_any(e->kids[i], item);
  return found;
}

static bool reads(const ReplItem *item, const ReplItem *bound) {
  Session *s = session_new();
  const Ast *file = parse_source(s, source_add(&s->sources, "", item->unit->text, item->unit->len))->file;
  const bool found = names_any(file->kids[item->index], bound);
  session_free(s);
  return found;
}

static bool binds_the_same(const ReplItem *a, const ReplItem *b) {
  if (b->kind == AST_TRAIN && item_is(a, AST_TRAIN, b->name)) return true;
  for (const char *name = b->binds; *name; name += strcspn(name, ","), name += strspn(name, ", "))
    if (binds(a, name, strcspn(name, ","))) return true;
  return false;
}

typedef enum Way { IN_PLACE, AT_END, AT_END_ALONE } Way;

// Kept items without those that bind what new ones bind anew: the new ones stand in the place of the first of
// these, or behind all, with AT_END_ALONE also without those that read what is gone. false: nothing is gone.
static bool renewed(Arena *a, const ReplItems *old, const ReplItems *new, Way way, ReplItems *out,
                    ReplItems *gone) {
  bool placed = false;
  *out = *gone = (ReplItems){0};
  for (int i = 0; i < new->len; i++)
    if (!item_acts(&new->data[i])) return false;
  for (int i = 0; i < old->len; i++) {
    bool goes = false;
    for (int k = 0; k < new->len &&item_acts(&old->data[i]); k++)
      goes |= binds_the_same(&old->data[i], &new->data[k]);
    const bool place = goes && !placed && way == IN_PLACE;
    for (int k = 0; k < gone->len && way == AT_END_ALONE && item_acts(&old->data[i]) && !goes; k++)
      goes = reads(&old->data[i], &gone->data[k]);
    for (int k = 0; k < new->len &&place; k++) vec_push(a, *out, new->data[k]);
    placed |= place;
    if (goes)
      vec_push(a, *gone, old->data[i]);
    else
      vec_push(a, *out, old->data[i]);
  }
  for (int k = 0; k < new->len && !placed; k++) vec_push(a, *out, new->data[k]);
  return gone->len > 0;
}

static void tell(const ReplItem *item, bool stays) {
  if (stays)
    reg_shown_line(stderr, "note: `%s` was made of what is bound anew; `:run %s` makes it again", item->name,
                   item->name);
  else
    reg_shown_line(stderr, "note: `%s` is kept no more: it reads a name that is now of another kind or shape",
                   item->name);
}

// Of what reads names that are bound anew: what is not kept, or has a value of before.
static void tell_readers(const ReplItems *gone, const ReplItems *all, const ReplItems *new) {
  for (int i = 0; i < gone->len; i++) {
    bool anew = false;
    for (int k = 0; k < new->len; k++) anew |= binds_the_same(&gone->data[i], &new->data[k]);
    if (!anew) tell(&gone->data[i], false);
    for (int k = 0; k < all->len && anew; k++)
      if (*all->data[k].binds &&
          all->data[k].unit != new->data[0].unit &&reads(&all->data[k], &gone->data[i]))
        tell(&all->data[k], true);
  }
}

bool items_arrange(Repl *r, Arena *a, const ReplItems *new, ReplItems *all) {
  ReplItems out, gone;
  merged(a, &r->items, new, all);
  if (!renewed(a, &r->items, new, IN_PLACE, &out, &gone) || items_accepted(r, all, true))
    return items_accepted(r, all, false);
  for (int way = IN_PLACE; way <= AT_END_ALONE; way++) {
    renewed(a, &r->items, new, (Way)way, &out, &gone);
    if (!items_accepted(r, &out, true)) continue;
    if (!r->options.given[OPT_QUIET]) tell_readers(&gone, &out, new);
    *all = out;
    break;
  }
  return items_accepted(r, all, false);
}
