// What statements have named, between entries. In: the store of a run at its end. Out: the store of the next
// one at its start, inputs of expressions. A tensor is found by its name and, in a tree, its path; where the
// program has changed so that its shape is another one, it has no value any more.
#include "repl.h"
#include <stdlib.h>
#include <string.h>

void repl_tell(const Repl *r, reg_status *st) {
  if (!strcmp(st->name, "no_value"))
    snprintf(st->hint, sizeof st->hint,
             "`:run` runs the kept statements in their order, `:run NAME` those of one name");
  tell_status(&r->options, st);
}

void repl_tell_no_value(const Repl *r, const char *name) {
  reg_status st = {0};
  reg_fail(&st, REG_ASSERTION, "no_value", "`%s` has no value: no statement that gives it one has run", name);
  repl_tell(r, &st);
}

bool repl_binds(const Repl *r, const char *name) {
  bool found = false;
  for (int i = 0; i < r->items.len && !found; i++) found = item_binds(&r->items.data[i], name);
  for (int i = 0; i < r->values.len && !found; i++) // by a side of an `if`
    found = strlen(name) == strcspn(r->values.data[i].name, " .") &&
            !strncmp(r->values.data[i].name, name, strlen(name));
  return found;
}

static bool is_of(const ReplTensor *t, const LowerName *n) {
  const size_t length = strlen(n->name);
  return !strncmp(t->name, n->name, length) &&
         (*n->path ? t->name[length] == ' ' && !strcmp(t->name + length + 1, n->path) : !t->name[length]);
}

static const LowerName *name_of(const Lowered *l, int stored) {
  for (int i = 0; i < l->names.len; i++)
    if (l->names.data[i].stored == stored) return &l->names.data[i];
  return NULL;
}

static bool fits(const ReplTensor *t, const Lowered *l, int stored) {
  const LowerTensor *now = &l->store.data[stored];
  const bool floats = now->dtype == DT_F32 || now->dtype == DT_F64;
  const bool kept_floats = t->dtype == REG_F32 || t->dtype == REG_F64;
  return shape_equal(t->shape, now->shape) && floats == kept_floats;
}

const ReplTensor *repl_value(const Repl *r, const Lowered *l, int stored) {
  const LowerName *n = name_of(l, stored);
  for (int i = 0; n && i < r->values.len; i++)
    if (is_of(&r->values.data[i], n)) return fits(&r->values.data[i], l, stored) ? &r->values.data[i] : NULL;
  return NULL;
}

static void drop(Repl *r, int i) {
  free(r->values.data[i].name);
  free(r->values.data[i].values);
  r->values.data[i] = r->values.data[--r->values.len];
}

void repl_values_forget(Repl *r, const Lowered *l) {
  for (int i = r->values.len - 1; i >= 0; i--) {
    bool bound = false;
    for (int k = 0; l && k < l->names.len && !bound; k++)
      bound = is_of(&r->values.data[i], &l->names.data[k]) &&
              fits(&r->values.data[i], l, l->names.data[k].stored);
    if (!bound) drop(r, i);
  }
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const ReplTensor *)a)->name, ((const ReplTensor *)b)->name);
}

// -- the store of a run

const void *repl_store_kept(void *user, int stored) {
  const Repl *r = user;
  const ProgramTable *t = r->table;
  const LowerTensor *now = &t->pipeline->lowered->store.data[stored];
  const reg_tensor *to = &t->program.store[stored];
  const ReplTensor *from = now->param || now->layer
                               ? repl_weights_tensor(r, now->layer, now->name, now->shape)
                               : repl_value(r, t->pipeline->lowered, stored);
  if (!from || from->dtype == to->dtype) return from ? from->values : NULL;
  if (!reg_floats_fit(from->values, from->dtype, to->dtype, to->count)) return NULL;
  void *out = arena_alloc(t->pipeline->arena, reg_tensor_bytes(to) + 1);
  reg_floats_copy(out, to->dtype, from->values, from->dtype, to->count);
  return out;
}

void repl_store_keep(void *user, int stored, const void *values) {
  Repl *r = user;
  const Lowered *l = r->table->pipeline->lowered;
  const LowerTensor *now = &l->store.data[stored];
  const LowerName *n = name_of(l, stored);
  const reg_tensor *t = &r->table->program.store[stored];
  if (now->param || now->layer) repl_weights_put(r, t, values);
  if (!n) return;
  for (int i = r->values.len - 1; i >= 0; i--)
    if (is_of(&r->values.data[i], n)) drop(r, i);
  char *name =
      *n->path ? arena_printf(r->table->pipeline->arena, "%s %s", n->name, n->path) : (char *)n->name;
  vec_push(r->arena, r->values, repl_tensor(name, t, values));
  qsort(r->values.data, (size_t)r->values.len, sizeof *r->values.data, by_name);
}

// -- shown

static const char *type_text(reg_dtype t) {
  static const DType types[] = {
      [REG_F32] = DT_F32, [REG_I32] = DT_I32, [REG_BOOL] = DT_BOOL, [REG_F64] = DT_F64};
  return dtype_text(types[t]);
}

// "x: [3] f32", "start: a tree; tensors: 4", "e: accuracy, loss": what a result has.
void repl_list_value(const Repl *r, FILE *out, const char *before, const char *name) {
  const size_t n = strlen(name);
  Arena *a = arena_new();
  StrBuf parts = {.arena = a};
  const ReplTensor *one = NULL;
  int count = 0;
  for (int i = 0; i < r->values.len; i++) {
    const ReplTensor *t = &r->values.data[i];
    if (strncmp(t->name, name, n) != 0 || !strchr(" .", t->name[n])) continue;
    strbuf_addf(&parts, "%s%s", count++ ? ", " : "", t->name + n + (t->name[n] != '\0'));
    one = t;
  }
  if (one && one->name[n] == '.')
    reg_shown_line(out, "%s%s: %s", before, name, parts.data);
  else if (one && one->name[n])
    reg_shown_line(out, "%s%s: a tree; tensors: %d", before, name, count);
  else if (one)
    reg_shown_line(out, "%s%s: %s %s", before, name, shape_text(a, one->shape), type_text(one->dtype));
  arena_free(a);
}

void repl_list_values(const Repl *r) {
  Arena *a = arena_new();
  const char *last = "";
  for (int i = 0; i < r->values.len; i++) {
    const char *name = r->values.data[i].name, *root = arena_strndup(a, name, strcspn(name, " ."));
    if (!strncmp(name, "tree of ", 8)) continue; // of a model that a statement keeps
    if (strcmp(root, last) != 0) repl_list_value(r, stdout, "  value    ", root);
    last = root;
  }
  arena_free(a);
}
