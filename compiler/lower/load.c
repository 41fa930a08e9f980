// Loaded models: `let teacher = load("net.safetensors", as: net)`. The program's model gives the structure, a
// weights file the tensors, which are no parameters: inputs of the graphs that keep their first values, known
// as states `teacher.LAYER.NAME`.
#include "train.h"
#include <string.h>

bool is_load(Cx *cx, const Def *d) {
  const Ast *body = d->kind == KIND_LET ? d->ast->kids[2] : NULL;
  return body && body->kind == AST_CALL && body->kids[0]->kind == AST_NAME &&
         !strcmp(body->kids[0]->name, builtin_info[B_LOAD].name) &&
         !sema_find(cx->l->program, body->kids[0]->name);
}

// The model that `as:` names, or the only one of the program.
static Def *structure(Cx *cx, const Ast *load) {
  const Ast *as = call_arg(load, "as", 1);
  const Program *p = cx->l->program;
  Def *only = as && as->kind == AST_NAME ? sema_find(cx->l->program, as->name) : NULL;
  if (only && only->kind == KIND_MODEL) return only;
  if (as) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, as->span, "a model",
              only ? arena_printf(cx->a, "the %s `%s`", def_kind_name(only->kind), only->name)
                   : arena_printf(cx->a, "`%s`", ast_text(cx->a, as)));
    return NULL;
  }
  int models = 0;
  for (int i = 0; i < p->defs.len; i++) {
    Def *d = p->defs.entries[i].value;
    if (d->kind == KIND_MODEL && ++models) only = d;
  }
  if (models == 1) return only;
  Diag *d = diag_emit(&cx->s->diags, DIAG_missing_argument, load->span, "load", "as");
  diag_hint(d, "`as: MODEL` says which of the program's models the file holds");
  return NULL;
}

static bool told(const Lowered *l, const Ast *load) {
  for (int i = 0; i < l->unreadable.len; i++)
    if (l->unreadable.data[i] == load) return true;
  return false;
}

Value loaded_model(Cx *cx, const Def *d) {
  const Ast *load = d->ast->kids[2], *path = call_arg(load, "path", 0);
  ModelValue *m = map_get(&cx->models, d->name);
  if (told(cx->l, load)) return v_fail();
  if (m) return (Value){.kind = V_MODEL, .model = m, .span = load->span};
  Def *model = NULL;
  if (!cx->t)
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, load->span, "a loaded model", "outside of a `train`");
  else if (!path || path->kind != AST_STR)
    diag_emit(&cx->s->diags, DIAG_missing_argument, load->span, "load", "path");
  else
    model = structure(cx, load);
  if (!model) {
    vec_push(cx->a, cx->l->unreadable, load);
    return v_fail();
  }
  m = ARENA_NEW(cx->a, ModelValue);
  *m = (ModelValue){.name = d->name, .def = model, .path = d->name, .load = load};
  map_init(&m->named, cx->a);
  map_put(&cx->models, d->name, m);
  return (Value){.kind = V_MODEL, .model = m, .span = load->span};
}

StateRef *loaded_tensor(Cx *cx, const char *name, Shape s, Span at) {
  StateRef *ref = map_get(&cx->states, name);
  if (ref && shape_equal(ref->shape, s)) return ref;
  if (ref) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_shape_mismatch, at, arena_printf(cx->a, "`%s`", name),
                        shape_text(cx->a, ref->shape), shape_text(cx->a, s));
    diag_note(d, ref->origin, "first made here");
    return NULL;
  }
  if (cx->known && !train_state(cx->t, name)) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, cx->at.source ? cx->at : at,
                        arena_printf(cx->a, "the loaded model `%.*s`", (int)strcspn(name, "."), name),
                        arena_printf(cx->a, "here: the steps of `%s` do not call it", cx->t->name));
    diag_hint(d, "its tensors are those that the training has");
    return NULL;
  }
  ref = ARENA_NEW(cx->a, StateRef);
  *ref =
      (StateRef){.name = name, .index = state_index(cx, name, s), .shape = s, .origin = at, .loaded = true};
  ref->node = ref->input = state_input(cx, ref);
  map_put(&cx->states, name, ref);
  return ref;
}

static bool report(Cx *cx, const ModelValue *m, const reg_status *st) {
  int id = diag_find(st->name);
  Diag *d = diag_emit(&cx->s->diags, DIAG_weights_bad, m->load->span, st->text);
  if (id >= 0) d->id = (DiagId)id;
  cx->l->exit_code = st->code;
  vec_push(cx->a, cx->l->unreadable, m->load);
  return false;
}

bool loaded_values(Cx *cx, const ModelValue *m) {
  if (cx->known || cx->mode != MODE_TRAIN) return true; // known since the training was discovered
  StateRef **refs = ARENA_ARRAY(cx->a, StateRef *, cx->states.len + 1);
  reg_tensor *wanted = ARENA_ARRAY(cx->a, reg_tensor, cx->states.len + 1);
  void **values = ARENA_ARRAY(cx->a, void *, cx->states.len + 1);
  size_t prefix = strlen(m->path);
  int n = 0;
  bool known = true;
  for (int i = 0; i < cx->states.len; i++) {
    StateRef *ref = cx->states.entries[i].value;
    if (!ref->loaded || strncmp(ref->name, m->path, prefix) != 0 || ref->name[prefix] != '.') continue;
    wanted[n] = (reg_tensor){.name = arena_printf(cx->a, "%s%s", m->def->name, ref->name + prefix),
                             .dtype = lower_floats(cx->l),
                             .rank = ref->shape.rank,
                             .count = shape_count(ref->shape)};
    memcpy(wanted[n].dim, ref->shape.dim, sizeof(int64_t) * (size_t)ref->shape.rank);
    known = known && ref->initial;
    refs[n++] = ref;
  }
  if (known) return true;
  for (int i = 0; i < n; i++) values[i] = arena_alloc(cx->a, reg_tensor_bytes(&wanted[i]) + 1);
  reg_status st = {0};
  const char *path = program_file(cx, m->load->span, call_arg(m->load, "path", 0)->name);
  if (cx->l->host.tensors(cx->l->host.user, path, n, wanted, values, &st)) return report(cx, m, &st);
  for (int i = 0; i < n; i++) refs[i]->initial = values[i];
  return true;
}
