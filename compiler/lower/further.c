// Data of a training besides those of its epochs, `on digits, u = unlabeled(batch: 32)`: each step reads a
// batch of them. In: the head of a `train`. Out: their names, whose fields are ports of the step's graph, and
// what is wrong with how it reads them.
#include "train.h"
#include <string.h>

// As many rows as the training's batches have, or all where they are fewer.
static bool batch_of(Cx *cx, const LowerTrain *t, const Ast *batch, int64_t rows, LowerFurther *f) {
  f->batch = t->batch < rows ? t->batch : rows;
  if (!batch) return true;
  if (!whole_number(cx, t->ast, batch, "batch", f->name, 1, &f->batch)) return false;
  if (f->batch <= rows) return true;
  diag_emit(&cx->s->diags, DIAG_out_of_range, batch->span, "batch", f->name,
            arena_printf(cx->a, "at most the %lld row%s that it has", (long long)rows, rows == 1 ? "" : "s"),
            arena_printf(cx->a, "%lld", (long long)f->batch));
  return false;
}

static bool is_field(Cx *cx, const LowerTrain *t, const Ast *name) {
  const reg_dataset *set = cx->l->datasets.data[t->data];
  for (int i = 0; i < set->nfields; i++) {
    if (strcmp(set->fields[i].name, name->name) != 0) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_duplicate_definition, name->name_span, name->name);
    diag_hint(d, "`%s` is a field of `%s`", name->name, t->data_name);
    return true;
  }
  return false;
}

static bool add(Cx *cx, LowerTrain *t, const Ast *ast, int first) {
  const Ast *batch, *data = further_data(ast, &batch);
  const Value v = eval_data(cx, env_new(cx, NULL, "", ""), data);
  const reg_part *train, *valid;
  if (is_field(cx, t, ast) || v.kind != V_DATA || !training_parts(cx, &v, data->span, &train, &valid))
    return false;
  LowerFurther *f = ARENA_NEW(cx->a, LowerFurther);
  *f = (LowerFurther){.name = ast->name,
                      .part = train->name,
                      .valid_part = valid ? valid->name : NULL,
                      .data = v.data->dataset,
                      .first = first,
                      .at = ast->name_span};
  vec_push(cx->a, t->further, f);
  return batch_of(cx, t, batch, train->nrows, f);
}

bool further_find(Cx *cx, LowerTrain *t) {
  bool ok = true;
  for (int i = 2, first = 0; i < t->ast->nkids && ok; i++) {
    if (t->ast->kids[i]->kind != AST_FURTHER) continue;
    ok = add(cx, t, t->ast->kids[i], first);
    if (ok) first += cx->l->datasets.data[t->further.data[t->further.len - 1]->data]->nfields;
  }
  return ok;
}

void further_names(Cx *cx, Env *env) {
  for (int i = 0; i < cx->t->further.len; i++) {
    const LowerFurther *f = cx->t->further.data[i];
    DataValue *data = ARENA_NEW(cx->a, DataValue);
    *data = (DataValue){f->name, f->data, f->part, f};
    env_set(cx, env, f->name, (Value){.kind = V_DATA, .data = data, .span = f->at});
  }
}

// Its first field that the graph reads; NULL: none.
static const Node *read_of(const Lowered *l, const LowerFurther *f, const Graph *g) {
  const int fields = l->datasets.data[f->data]->nfields;
  for (int i = 0; i < g->inputs.len; i++) {
    const Node *in = g->inputs.data[i];
    if (is_port(in, REG_SLOT_FURTHER) && in->port.index >= f->first && in->port.index < f->first + fields)
      return in;
  }
  return NULL;
}

void warn_further(Lowered *l, const LowerTrain *t, const Graph *step) {
  for (int i = 0; i < t->further.len; i++)
    if (!read_of(l, t->further.data[i], step))
      diag_emit(&l->session->diags, DIAG_unused_definition, t->further.data[i]->at, t->further.data[i]->name);
}

bool further_validates(Lowered *l, const LowerTrain *t, const Graph *validates) {
  bool ok = true;
  for (int i = 0; i < t->further.len; i++) {
    const LowerFurther *f = t->further.data[i];
    const Node *in = f->valid_part ? NULL : read_of(l, f, validates);
    if (!in) continue;
    Diag *d = diag_emit(&l->session->diags, DIAG_not_validated, in->origin, f->name);
    diag_note(d, f->at, "`%s` has no validation part", f->name);
    diag_hint(d, "a penalty is no part of the validation loss: `penalize : 0.1 * ...`");
    ok = false;
  }
  return ok;
}
