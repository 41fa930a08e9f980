// Data sets that were made, by what they are called: data of a name are read once. In: the name, and what was
// read while they were made. Out: which they are. Data that read the number of an axis of the sweep around,
// by its name or by that of the `let` for which it stands, are others in runs with another one.
#include "made.h"
#include "stages.h"
#include <string.h>

Making made_begin(Lowered *l) {
  l->making++;
  return (Making){l->axis_reads.len};
}

void made_end(Lowered *l, Making m) {
  l->making--;
  if (!l->making) l->axis_reads.len = m.first;
}

static const LowerAxis *axis_called(const Lowered *l, const char *name) {
  const Held *h = held_find(l->scope, name);
  return h ? h->swept : NULL;
}

void made_reads(Lowered *l, const char *name) {
  const LowerAxis *x = l->making ? axis_called(l, name) : NULL;
  if (l->making) vec_push(l->session->arena, l->axis_reads, ((AxisRead){name, x, x ? x->now : 0}));
}

AxisReads made_since(const Lowered *l, Making m) {
  AxisReads out = {0};
  for (int i = m.first; i < l->axis_reads.len; i++) {
    const AxisRead *r = &l->axis_reads.data[i];
    int k = 0;
    while (k < out.len && (strcmp(out.data[k].name, r->name) || out.data[k].axis != r->axis)) k++;
    if (k == out.len) vec_push(l->session->arena, out, *r);
  }
  return out;
}

bool made_still(Lowered *l, const AxisReads *reads) {
  for (int i = 0; i < reads->len; i++) {
    const AxisRead *r = &reads->data[i];
    if (axis_called(l, r->name) != r->axis || (r->axis && r->axis->now != r->now)) return false;
  }
  for (int i = 0; i < reads->len; i++) made_reads(l, reads->data[i].name);
  return true;
}

const DataMade *made_find(Lowered *l, const char *name) {
  for (int i = 0; i < l->made.len; i++)
    if (!strcmp(l->made.data[i].name, name) && made_still(l, &l->made.data[i].reads)) return &l->made.data[i];
  return NULL;
}

bool made_as(const Lowered *l, int dataset, const char *name) {
  int i = 0;
  while (l->made.data[i].dataset != dataset) i++;
  return !strcmp(l->made.data[i].name, name);
}

static bool is_taken(const Lowered *l, const char *name) {
  int i = 0;
  while (i < l->dataset_names.len && strcmp(l->dataset_names.data[i], name) != 0) i++;
  return i < l->dataset_names.len;
}

void made_failed(Lowered *l, const char *name) {
  vec_push(l->session->arena, l->made, ((DataMade){name, made_since(l, (Making){0}), -1}));
}

int made_put(Lowered *l, const char *name, reg_dataset *set, reg_data_plan plan) {
  Arena *a = l->session->arena;
  const AxisReads reads = made_since(l, (Making){0});
  const char *as = name;
  bool swept = false;
  for (int i = 0; i < reads.len; i++) swept |= reads.data[i].axis != NULL;
  for (int k = 2; swept && is_taken(l, as); k++) as = arena_printf(a, "%s_%d", name, k);
  vec_push(a, l->datasets, set);
  vec_push(a, l->dataset_names, as);
  vec_push(a, l->plans, plan);
  vec_push(a, l->made, ((DataMade){name, reads, l->datasets.len - 1}));
  return l->datasets.len - 1;
}

void made_forget(Lowered *l, int first) {
  for (int i = first; i < l->made.len; i++)
    if (l->made.data[i].dataset < 0) l->made.data[i].name = "";
}
