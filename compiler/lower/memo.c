// What was computed is not computed again. In: a definition and the values of its arguments. Out: the value
// that the same call had before. Holds: only calls that draw nothing, declare nothing and assign nothing are
// kept, so that a second call could not have had another value; two calls are the same where all arguments
// are the same values.
#include "value.h"
#include <string.h>

enum { MOST_ITEMS = 64 }; // of a list in a key

static bool add_value(StrBuf *b, const Value *v);

static void add_dims(StrBuf *b, const Value *v) {
  if (v->size) strbuf_addf(b, "%p;", (const void *)v->size);
  for (int i = 0; v->dims && i < v->node->shape.rank; i++)
    if (v->dims[i]) strbuf_addf(b, "%d%p;", i, (const void *)v->dims[i]);
}

static bool add_args(StrBuf *b, const BoundArg *args, int n) {
  for (int i = 0; i < n; i++) {
    strbuf_addf(b, "%s:", args[i].name ? args[i].name : "");
    if (!add_value(b, args[i].value)) return false;
  }
  strbuf_add(b, ")");
  return true;
}

// The value as text, different for different values; false where a call with it is not kept.
static bool add_value(StrBuf *b, const Value *v) {
  strbuf_addf(b, "%d ", (int)v->kind);
  switch (v->kind) {
  case V_NUM:
  case V_BOOL:
    strbuf_addf(b, "%a %d %d,", v->num, (int)v->unit, v->live ? v->live->id : -1);
    add_dims(b, v);
    return true;
  case V_TEXT: strbuf_addf(b, "%zu %s,", strlen(v->text), v->text); return true;
  case V_TENSOR:
    strbuf_addf(b, "%d %lld %p,", v->node->id, (long long)v->classes, (const void *)v->words);
    add_dims(b, v);
    return true;
  case V_FIELD:
    strbuf_addf(b, "%d %p %d,", v->field, (const void *)v->data, v->rows ? v->rows->id : -1);
    return true;
  case V_BUILTIN: strbuf_addf(b, "%d,", (int)v->builtin); return true;
  case V_FN: strbuf_addf(b, "%p(", (const void *)v->fn->def); return add_args(b, v->fn->args, v->fn->nargs);
  case V_TREE:
    for (int i = 0; i < v->tree->n; i++)
      strbuf_addf(b, "%d %s,", v->tree->leaf[i].node->id, v->tree->leaf[i].path);
    return true;
  case V_RANGE:
  case V_LIST:
    strbuf_addf(b, "%p[", (const void *)v->made);
    for (int i = 0; i < v->nitems && i < MOST_ITEMS; i++)
      if (!add_value(b, &v->items[i])) return false;
    return v->nitems <= MOST_ITEMS;
  case V_NONE: return true;
  default: return false;
  }
}

// NULL: the call is not kept.
static const char *key_of(Cx *cx, const Def *d, const BoundArg *args, int nargs) {
  StrBuf b = {.arena = cx->a};
  if (cx->given) return NULL;
  const bool kept = d->kind == KIND_FN || d->kind == KIND_PENALTY || d->kind == KIND_LOSS ||
                    d->kind == KIND_METRIC || d->kind == KIND_SCHEDULE || d->kind == KIND_LET;
  strbuf_addf(&b, "%p %d %a(", (const void *)d, cx->training, cx->active_from);
  return kept && add_args(&b, args, nargs) ? b.data : NULL;
}

const Value *memo_find(Cx *cx, const Def *d, const BoundArg *args, int nargs, Memo *m) {
  *m = (Memo){.key = key_of(cx, d, args, nargs), .before = cx->effects};
  return m->key ? map_get(&cx->calls, m->key) : NULL;
}

Value memo_keep(Cx *cx, const Def *d, const Memo *m, Value v) {
  // A `let` names one value, also where that is drawn.
  const bool let = d->kind == KIND_LET;
  if (!m->key || v.kind == V_FAIL || (cx->effects != m->before && !let)) return v;
  Value *copy = ARENA_NEW(cx->a, Value);
  *copy = v = let ? named(cx, v) : v;
  map_put(&cx->calls, m->key, copy);
  return v;
}

void memo_forget(Cx *cx) {
  map_init(&cx->calls, cx->a);
  for (int i = 0; i < cx->models.len; i++) {
    const ModelValue *m = cx->models.entries[i].value;
    while (m && !m->at) m = m->of;
    if (m) cx->models.entries[i].value = NULL;
  }
}
