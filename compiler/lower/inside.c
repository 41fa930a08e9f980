// Values inside of a call. In: the scopes of the bodies that a model's call elaborated, its own, those of its
// layers, of the turns of its stacks and of the models that it calls. Out: `z.hidden.x` of `z = net(x)`: what
// a name was bound to in that call. Holds: scopes of a loop's turns are none of them, for no turn's values
// are values outside.
#include "../base/words.h"
#include "model.h"
#include <string.h>

Inside *inside_begin(Cx *cx, const char *path) {
  Inside *in = ARENA_NEW(cx->a, Inside);
  *in = (Inside){.path = path, .outer = cx->inside, .turns = cx->turns, .frame = cx->frame};
  cx->inside = in;
  return in;
}

void inside_add(Cx *cx, const Env *env) {
  Inside *in = cx->inside;
  if (in && in->turns == cx->turns && in->frame == cx->frame) vec_push(cx->a, in->scopes, env);
}

Value inside_end(Cx *cx, Inside *in, const Env *own, Value v) {
  inside_add(cx, own);
  cx->inside = in->outer;
  for (int i = 0; i < in->scopes.len; i++) inside_add(cx, in->scopes.data[i]);
  if (v.kind != V_FAIL) v.inside = in;
  return v;
}

const Value *inside_as(Cx *cx, const Inside *in, const char *name) {
  const Env *own = in && in->scopes.len ? in->scopes.data[in->scopes.len - 1] : NULL;
  return own ? map_get(&own->names, arena_printf(cx->a, "as %s", name)) : NULL;
}

// One named value, by its whole path: `net.hidden.x`.
typedef struct Named {
  const char *path;
  const Value *value;
} Named;
typedef VEC(Named) NamedList;

static bool is_known(const NamedList *list, const char *path) {
  bool found = false;
  for (int i = 0; i < list->len && !found; i++) found = !strcmp(list->data[i].path, path);
  return found;
}

// What has a name in the call, the model's own scope first. A layer's result with `as` comes before what else
// has its name.
static void add_names(Cx *cx, const Env *env, NamedList *list) {
  for (int as = 1; as >= 0; as--)
    for (int i = 0; i < env->names.len; i++) {
      const char *name = env->names.entries[i].key;
      if (strncmp(name, "as ", 3) == 0 ? !as : as) continue;
      const char *path = arena_printf(cx->a, "%s.%s", env->path, name + 3 * as);
      if (!is_known(list, path)) vec_push(cx->a, *list, ((Named){path, env->names.entries[i].value}));
    }
}

static NamedList names_inside(Cx *cx, const Inside *in) {
  NamedList list = {0};
  const int own = in->scopes.len - 1;
  if (own >= 0) add_names(cx, in->scopes.data[own], &list);
  for (int i = 0; i < own; i++) add_names(cx, in->scopes.data[i], &list);
  return list;
}

// The part of a path behind the model's own name; of another model that it calls, all.
static size_t behind(const Inside *in, const char *path) {
  const size_t n = strlen(in->path);
  return !strncmp(path, in->path, n) && path[n] == '.' ? n + 1 : 0;
}

// What stands behind the root and its dot.
static const char *selector_rest(Cx *cx, const Ast *e) {
  return ast_text(cx->a, e) + strlen(ast_text(cx->a, selector_root(e))) + 1;
}

static Value unknown(Cx *cx, const Value *base, const Ast *e, const NamedList *list) {
  const Inside *in = base->inside;
  const char *rest = selector_rest(cx, e);
  Diag *d = diag_emit(&cx->s->diags, DIAG_unknown_field, e->span, value_text(cx, base), rest);
  const char **names = ARENA_ARRAY(cx->a, const char *, list->len + 1);
  StrBuf told = {.arena = cx->a};
  for (int i = 0; i < list->len; i++) {
    names[i] = list->data[i].path + behind(in, list->data[i].path);
    if (!strchr(names[i], '.')) strbuf_addf(&told, "%s%s", told.len ? ", " : "", names[i]);
  }
  if (told.len) diag_note(d, (Span){0}, "the call of `%s` names %s", in->path, told.data);
  const char *near = nearest_name(rest, names, list->len);
  if (near) diag_hint(d, "did you mean `%s.%s`?", ast_text(cx->a, selector_root(e)), near);
  return v_fail();
}

Value inside_field(Cx *cx, const Value *base, const Ast *e) {
  static const ModelValue any = {.name = "*"};
  const NamedList list = names_inside(cx, base->inside);
  const char *rest = selector_rest(cx, e);
  Segment segments[MAX_SEGMENTS + 1];
  const int n = selector_segments(cx, e, &any, segments);
  if (n == 0) return v_fail();
  Tree *t = tree_new(cx, list.len);
  t->n = 0;
  for (int i = 0; i < list.len; i++) {
    const char *path = list.data[i].path;
    const size_t from = behind(base->inside, path);
    Value v = *list.data[i].value;
    v.span = e->span;
    if (!strcmp(path + from, rest)) return v;
    if (v.kind == V_TENSOR && path_matches(cx, segments + 1, n - 1, path, from))
      t->leaf[t->n++] = (Leaf){path, v.node};
  }
  return t->n ? v_tree(t, e->span) : unknown(cx, base, e, &list);
}
