// Loaded models: `let teacher = load("net.safetensors", as: net)`, or the call in the place of a model. The
// program's model gives the structure, a weights file the tensors, which are no parameters: inputs of the
// graphs that keep their first values, known as states `teacher.LAYER.NAME`; outside of trainings, constants.
#include "train.h"
#include <string.h>

bool is_load(Cx *cx, const Def *d) {
  const bool may = d->kind == KIND_LET || (d->kind == KIND_MODEL && !d->ast->kids[0]);
  return may && calls_load(cx->l, d->ast->kids[2]);
}

bool calls_load(const Lowered *l, const Ast *e) {
  return e->kind == AST_CALL && e->kids[0]->kind == AST_NAME &&
         !strcmp(e->kids[0]->name, builtin_info[B_LOAD].name) && !sema_find(l->program, e->kids[0]->name);
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
    if (d->kind == KIND_MODEL && !d->own && ++models) only = d;
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

ModelValue *loaded_model(Cx *cx, const char *name, const Ast *load) {
  const Ast *path = call_arg(load, "path", 0);
  ModelValue *m = map_get(&cx->models, name);
  if (told(cx->l, load)) return NULL;
  if (m) return m;
  Def *model = NULL;
  if (!path || path->kind != AST_STR)
    diag_emit(&cx->s->diags, DIAG_missing_argument, load->span, "load", "path");
  else
    model = structure(cx, load);
  ModelValue *of = model ? model_value(cx, model) : NULL;
  if (of && (of->nitems || model_is_still(of))) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, load->span, "one model with parameters", model_text(cx, of));
    of = NULL;
  }
  if (!of) {
    vec_push(cx->a, cx->l->unreadable, load);
    return NULL;
  }
  m = model_over(cx, name, of);
  m->load = load;
  map_put(&cx->models, name, m);
  return m;
}

// Whether the loaded tensors are states of the training; else they are constants of the graph.
static bool of_training(const Cx *cx, const char *name) {
  return cx->t && !cx->view && !cx->stored && (!cx->known || train_state(cx->t, name));
}

StateRef *loaded_tensor(Cx *cx, const char *path, Shape s, Span at) {
  const char *name = model_path(cx, cx->loaded, path);
  StateRef *ref = map_get(&cx->states, name);
  if (ref && shape_equal(ref->shape, s)) return ref;
  if (ref) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_shape_mismatch, at, arena_printf(cx->a, "`%s`", name),
                        shape_text(cx->a, ref->shape), shape_text(cx->a, s));
    diag_note(d, ref->origin, "first made here");
    return NULL;
  }
  ref = ARENA_NEW(cx->a, StateRef);
  *ref = (StateRef){.name = name, .file = path, .shape = s, .origin = at, .loaded = true};
  ref->constant = !of_training(cx, name);
  if (!ref->constant) {
    ref->index = state_index(cx, name, s);
    ref->node = ref->input = state_input(cx, ref);
  } else {
    ref->node = ref->input = graph_const(cx->g, 0, s); // until the file is read
  }
  map_put(&cx->states, name, ref);
  return ref;
}

static bool report(Cx *cx, const ModelValue *m, const reg_status *st) {
  int id = diag_find(st->name);
  diag_error(&cx->s->diags, id < 0 ? DIAG_weights_bad : (DiagId)id, m->load->span, st->text);
  cx->l->exit_code = st->code;
  vec_push(cx->a, cx->l->unreadable, m->load);
  return false;
}

static Node *constant_of(Cx *cx, const reg_tensor *t, const void *values, Shape s) {
  double *data = ARENA_ARRAY(cx->a, double, t->count + 1);
  for (int64_t i = 0; i < t->count; i++) data[i] = reg_float_at(values, t->dtype, i);
  return graph_tensor(cx->g, data, DT_F32, s);
}

bool loaded_values(Cx *cx, const ModelValue *m, bool *constants) {
  StateRef **refs = ARENA_ARRAY(cx->a, StateRef *, cx->states.len + 1);
  reg_tensor *wanted = ARENA_ARRAY(cx->a, reg_tensor, cx->states.len + 1);
  void **values = ARENA_ARRAY(cx->a, void *, cx->states.len + 1);
  const size_t prefix = strlen(m->name);
  int n = 0;
  bool known = true;
  *constants = false;
  for (int i = 0; i < cx->states.len; i++) {
    StateRef *ref = cx->states.entries[i].value;
    if (!ref->loaded || strncmp(ref->name, m->name, prefix) != 0 || ref->name[prefix] != '.') continue;
    wanted[n] = (reg_tensor){.name = ref->file,
                             .dtype = lower_floats(cx->l),
                             .rank = ref->shape.rank,
                             .count = shape_count(ref->shape)};
    memcpy(wanted[n].dim, ref->shape.dim, sizeof(int64_t) * (size_t)ref->shape.rank);
    // Of a training they are known since it was discovered.
    known = known && (ref->initial || (!ref->constant && (cx->known || cx->mode != MODE_TRAIN)));
    refs[n++] = ref;
  }
  if (known) return true;
  for (int i = 0; i < n; i++) values[i] = arena_alloc(cx->a, reg_tensor_bytes(&wanted[i]) + 1);
  reg_status st = {0};
  const char *path = program_file(cx, m->load->span, call_arg(m->load, "path", 0)->name);
  if (cx->l->host.tensors(cx->l->host.user, path, n, wanted, values, &st)) return report(cx, m, &st);
  if (st.text[0])
    diag_hint(diag_emit(&cx->s->diags, DIAG_weights_rounded, m->load->span, st.text), "%s", st.hint);
  for (int i = 0; i < n; i++) {
    refs[i]->initial = values[i];
    *constants |= refs[i]->constant;
    if (refs[i]->constant)
      refs[i]->node = refs[i]->input = constant_of(cx, &wanted[i], values[i], refs[i]->shape);
  }
  return true;
}
