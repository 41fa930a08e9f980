// Whether the data of an evaluation fit its model. In: a training and other data than it had. Out: what
// differs, reported.
#include "train.h"
#include <string.h>

static bool reads_classes(const LowerTrain *t, int field) {
  for (int k = 0; k < t->build->graphs.len; k++) {
    const Graph *g = t->build->graphs.data[k].graph;
    for (int i = 0; g && i < g->inputs.len; i++) {
      const Node *in = g->inputs.data[i];
      if (is_port(in, REG_SLOT_FIELD) && in->port.index == field && in->dtype == DT_I32) return true;
    }
  }
  return false;
}

// What makes the model read something else than it was trained on, or NULL.
static const char *difference(Cx *cx, const LowerTrain *t, const reg_dataset *a, const reg_dataset *b) {
  const int64_t width = a->fields[0].width;
  if (b->fields[0].width != width)
    return arena_printf(cx->a, "it has %lld columns beside the target, not %lld",
                        (long long)b->fields[0].width, (long long)width);
  for (int64_t j = 0; j < width; j++)
    if (strcmp(a->columns[j], b->columns[j]))
      return arena_printf(cx->a, "its column %lld is `%.60s`, not `%.60s`", (long long)j + 1, b->columns[j],
                          a->columns[j]);
  if (a->target < 0 || b->target < 0) return NULL;
  const reg_field *want = &a->fields[a->target], *have = &b->fields[b->target];
  if (!reads_classes(t, a->target)) return NULL;
  if (have->nclasses != want->nclasses)
    return arena_printf(cx->a, "`%s` has %lld classes, not %lld", have->name, (long long)have->nclasses,
                        (long long)want->nclasses);
  for (int64_t c = 0; c < want->nclasses; c++)
    if (strcmp(have->class_names[c], want->class_names[c]))
      return arena_printf(cx->a, "class %lld of `%s` is `%.60s`, not `%.60s`", (long long)c, have->name,
                          have->class_names[c], want->class_names[c]);
  return NULL;
}

static bool same_text(const char *a, const char *b) { return a == b || (a && b && !strcmp(a, b)); }

static bool same_texts(const char *const *a, const char *const *b, int n) {
  bool same = true;
  for (int i = 0; i < n && same; i++) same = same_text(a[i], b[i]);
  return same;
}

// Whether equal rows of files become equal rows of x; of data that are made of no file it is not known.
static bool prepared_alike(const reg_dataset *a, const reg_dataset *b) {
  const size_t bytes = (size_t)a->fields[0].width * sizeof(double);
  bool same = !memcmp(a->shift, b->shift, bytes) && !memcmp(a->factor, b->factor, bytes);
  same = same && a->ncurves == b->ncurves;
  for (int i = 0; i < a->ncurves && same; i++) {
    const reg_curve *x = &a->curves[i], *y = &b->curves[i];
    same = x->kind == y->kind && x->column == y->column && x->first == y->first && x->second == y->second &&
           x->low == y->low && x->high == y->high && x->nedges == y->nedges &&
           !(x->nedges && memcmp(x->edges, y->edges, (size_t)x->nedges * sizeof *x->edges));
  }
  for (int i = 0; i < a->nsources && a->nsources == b->nsources && same; i++) {
    const reg_source *x = &a->sources[i], *y = &b->sources[i];
    same = same_text(x->name, y->name) && x->kind == y->kind && x->nlevels == y->nlevels &&
           same_texts(x->levels, y->levels, x->nlevels);
  }
  return same;
}

bool data_agree(Cx *cx, const LowerTrain *t, int data, Span at) {
  const Lowered *l = cx->l;
  const reg_dataset *a = l->datasets.data[t->data], *b = l->datasets.data[data];
  const char *names[] = {l->dataset_names.data[data], l->dataset_names.data[t->data]};
  const char *called = *names[1] == '(' ? "NAME" : names[1];
  const char *hint = "rows in a file of their own may be a part of the training's data: "
                     "`data %s = … with test = csv(…)`";
  const char *what = a == b ? NULL : difference(cx, t, a, b);
  if (what) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_data_differs, at, names[0], names[1], t->model, what);
    diag_hint(d, hint, called);
  } else if (a != b && !prepared_alike(a, b)) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_scaled_otherwise, at, names[0], names[1], t->model);
    diag_hint(d, hint, called);
  }
  return !what;
}
