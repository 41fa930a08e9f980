// See program_image.h. Each structure is copied as it is and its pointers are set anew, one line each; a
// member added to runtime/include/reg/program.h that is a pointer needs its line here.
#include "program_image.h"
#include <stddef.h>
#include <string.h>

typedef struct Writer {
  Image *m;
  SymbolOf symbol;
  void *user;
} Writer;

#define AT(base, type, member) ((base) + (int64_t)offsetof(type, member))
// Sets the member of the structure copied to `base`.
#define POINT(w, base, type, member, target) image_pointer((w)->m, AT(base, type, member), target)
#define TEXT(w, base, type, member, text)    POINT(w, base, type, member, image_text((w)->m, text))

static int64_t texts(const Writer *w, const char *const *list, int64_t n) {
  if (!list || n == 0) return -1;
  const int64_t at = image_put(w->m, list, (size_t)n * sizeof *list);
  for (int64_t i = 0; i < n; i++)
    image_pointer(w->m, at + i * (int64_t)sizeof *list, image_text(w->m, list[i]));
  return at;
}

static int64_t tensors(const Writer *w, const reg_tensor *list, int n) {
  if (n == 0) return -1;
  const int64_t at = image_put(w->m, list, (size_t)n * sizeof *list);
  for (int i = 0; i < n; i++) {
    const int64_t to = at + i * (int64_t)sizeof *list;
    const void *initial = list[i].initial;
    TEXT(w, to, reg_tensor, name, list[i].name);
    POINT(w, to, reg_tensor, initial, initial ? image_put(w->m, initial, reg_tensor_bytes(&list[i])) : -1);
  }
  return at;
}

static int64_t traces(const Writer *w, const reg_function *f) {
  if (f->ntrace == 0) return -1;
  const int64_t at = image_put(w->m, f->trace, (size_t)f->ntrace * sizeof *f->trace);
  for (int i = 0; i < f->ntrace; i++)
    TEXT(w, at + i * (int64_t)sizeof *f->trace, reg_trace, what, f->trace[i].what);
  return at;
}

static int64_t function(Writer *w, const reg_function *f) {
  const char *symbol = f ? w->symbol(w->user, f) : NULL;
  if (!symbol) return -1;
  const int64_t at = image_put(w->m, f, sizeof *f);
  TEXT(w, at, reg_function, name, f->name);
  image_symbol(w->m, AT(at, reg_function, fn), symbol);
  POINT(w, at, reg_function, slots, image_put(w->m, f->slots, (size_t)f->nslots * sizeof *f->slots));
  POINT(w, at, reg_function, trace, traces(w, f));
  POINT(w, at, reg_function, source, -1);
  return at;
}

// A list as it is, or -1 where it is empty.
#define LIST(w, list, n) ((n) ? image_put((w)->m, list, (size_t)(n) * sizeof *(list)) : -1)

static int64_t stages(const Writer *w, const reg_stage *list, int n) {
  const int64_t at = LIST(w, list, n);
  for (int i = 0; i < n; i++) {
    const int64_t to = at + i * (int64_t)sizeof *list;
    TEXT(w, to, reg_stage, place, list[i].place);
    POINT(w, to, reg_stage, body, stages(w, list[i].body, list[i].nbody));
    POINT(w, to, reg_stage, otherwise, stages(w, list[i].otherwise, list[i].nelse));
  }
  return at;
}

static void fill_train(Writer *w, int64_t at, const reg_train *t) {
  TEXT(w, at, reg_train, name, t->name);
  TEXT(w, at, reg_train, model, t->model);
  TEXT(w, at, reg_train, data_name, t->data_name);
  POINT(w, at, reg_train, models, texts(w, t->models, t->nmodels));
  TEXT(w, at, reg_train, doc, t->doc);
  TEXT(w, at, reg_train, train_part, t->train_part);
  TEXT(w, at, reg_train, valid_part, t->valid_part);
  TEXT(w, at, reg_train, watch, t->watch);
  TEXT(w, at, reg_train, epochs_fixed, t->epochs_fixed);
  POINT(w, at, reg_train, params, tensors(w, t->params, t->nparams));
  POINT(w, at, reg_train, states, tensors(w, t->states, t->nstates));
  POINT(w, at, reg_train, terms, texts(w, t->terms, t->nterms));
  POINT(w, at, reg_train, schedules, texts(w, t->schedules, t->nschedules));
  POINT(w, at, reg_train, metrics, texts(w, t->metrics, t->nmetrics));
  POINT(w, at, reg_train, init, function(w, t->init));
  POINT(w, at, reg_train, start, function(w, t->start));
  POINT(w, at, reg_train, step, function(w, t->step));
  POINT(w, at, reg_train, step_last, function(w, t->step_last));
  POINT(w, at, reg_train, step_trace, function(w, t->step_trace));
  POINT(w, at, reg_train, step_last_trace, function(w, t->step_last_trace));
  POINT(w, at, reg_train, valid, function(w, t->valid));
  POINT(w, at, reg_train, valid_last, function(w, t->valid_last));
  POINT(w, at, reg_train, valid_metrics, function(w, t->valid_metrics));
  POINT(w, at, reg_train, predict, function(w, t->predict));
  POINT(w, at, reg_train, results, LIST(w, t->results, t->nresults));
  POINT(w, at, reg_train, each_epoch, stages(w, t->each_epoch, t->neach_epoch));
}

static int64_t metrics(const Writer *w, const reg_evaluate *e) {
  if (e->nmetrics == 0) return -1;
  const int64_t at = image_put(w->m, e->metric, (size_t)e->nmetrics * sizeof *e->metric);
  for (int i = 0; i < e->nmetrics; i++)
    TEXT(w, at + i * (int64_t)sizeof *e->metric, reg_metric, name, e->metric[i].name);
  return at;
}

static void fill_evaluate(Writer *w, int64_t at, const reg_evaluate *e) {
  TEXT(w, at, reg_evaluate, model, e->model);
  TEXT(w, at, reg_evaluate, data_name, e->data_name);
  TEXT(w, at, reg_evaluate, part, e->part);
  POINT(w, at, reg_evaluate, predict, function(w, e->predict));
  POINT(w, at, reg_evaluate, predict_last, function(w, e->predict_last));
  POINT(w, at, reg_evaluate, metrics, function(w, e->metrics));
  POINT(w, at, reg_evaluate, metric, metrics(w, e));
}

// -- data: what was learned and what is expected, no rows

static bool function_reads_classes(const reg_function *f, int field) {
  for (int i = 0; f && i < f->nslots; i++) {
    const reg_slot *s = &f->slots[i];
    if (s->kind == REG_SLOT_FIELD && s->index == field && s->dtype == REG_I32) return true;
  }
  return false;
}

// Only then it matters which classes the data have.
static bool reads_classes(const reg_program *p, int data, int field) {
  for (int i = 0; i < p->ntrains; i++) {
    const reg_train *t = &p->trains[i];
    const reg_function *list[] = {t->step, t->step_last, t->valid, t->valid_last, t->valid_metrics};
    for (int k = 0; k < 5 && t->data == data; k++)
      if (function_reads_classes(list[k], field)) return true;
  }
  for (int i = 0; i < p->nevaluates; i++) {
    const reg_evaluate *e = &p->evaluates[i];
    if (e->data == data && function_reads_classes(e->metrics, field)) return true;
  }
  return false;
}

static int64_t fields(const Writer *w, const reg_dataset *d, const reg_program *p, int data) {
  reg_field *list = ARENA_ARRAY(w->m->arena, reg_field, d->nfields);
  memcpy(list, d->fields, (size_t)d->nfields * sizeof *list);
  for (int i = 0; i < d->nfields; i++)
    if (!reads_classes(p, data, i)) list[i].nclasses = 0;
  const int64_t at = image_put(w->m, list, (size_t)d->nfields * sizeof *list);
  for (int i = 0; i < d->nfields; i++) {
    const reg_field *f = &list[i];
    const int64_t to = at + i * (int64_t)sizeof *f;
    TEXT(w, to, reg_field, name, f->name);
    POINT(w, to, reg_field, values, -1);
    POINT(w, to, reg_field, classes, -1);
    POINT(w, to, reg_field, class_names, texts(w, (const char *const *)f->class_names, f->nclasses));
    POINT(w, to, reg_field, why, -1);
  }
  return at;
}

static int64_t parts(const Writer *w, const reg_dataset *d) {
  const int64_t at = image_put(w->m, d->parts, (size_t)d->nparts * sizeof *d->parts);
  for (int i = 0; i < d->nparts; i++) {
    const int64_t to = at + i * (int64_t)sizeof *d->parts;
    TEXT(w, to, reg_part, name, d->parts[i].name);
    POINT(w, to, reg_part, rows, -1);
  }
  return at;
}

static int64_t dataset(const Writer *w, const reg_program *p, int data) {
  const reg_dataset *d = p->datasets[data];
  const int64_t at = image_put(w->m, d, sizeof *d), width = d->fields[0].width;
  POINT(w, at, reg_dataset, fields, fields(w, d, p, data));
  POINT(w, at, reg_dataset, parts, parts(w, d));
  POINT(w, at, reg_dataset, columns, texts(w, d->columns, width));
  POINT(w, at, reg_dataset, shift, image_put(w->m, d->shift, (size_t)width * sizeof *d->shift));
  POINT(w, at, reg_dataset, factor, image_put(w->m, d->factor, (size_t)width * sizeof *d->factor));
  POINT(w, at, reg_dataset, memory, -1);
  return at;
}

static int64_t columns(const Writer *w, const reg_data_op *op) {
  if (op->ncolumns == 0) return -1;
  const int64_t at = image_put(w->m, op->columns, (size_t)op->ncolumns * sizeof *op->columns);
  for (int i = 0; i < op->ncolumns; i++) {
    const int64_t to = at + i * (int64_t)sizeof *op->columns;
    TEXT(w, to, reg_data_column, name, op->columns[i].name);
    TEXT(w, to, reg_data_column, classes_of, op->columns[i].classes_of);
  }
  return at;
}

static int64_t plans(Writer *w, const reg_program *p) {
  if (p->ndatasets == 0) return -1;
  const int64_t at = image_put(w->m, p->plans, (size_t)p->ndatasets * sizeof *p->plans);
  for (int i = 0; i < p->ndatasets; i++) {
    const reg_data_plan *plan = &p->plans[i];
    const int64_t ops = image_put(w->m, plan->ops, (size_t)plan->nops * sizeof *plan->ops);
    POINT(w, at + i * (int64_t)sizeof *plan, reg_data_plan, ops, ops);
    POINT(w, at + i * (int64_t)sizeof *plan, reg_data_plan, earlier, -1);
    for (int k = 0; k < plan->nops; k++) {
      const int64_t to = ops + k * (int64_t)sizeof *plan->ops;
      TEXT(w, to, reg_data_op, path, plan->ops[k].path);
      TEXT(w, to, reg_data_op, target, plan->ops[k].target);
      TEXT(w, to, reg_data_op, field, plan->ops[k].field);
      TEXT(w, to, reg_data_op, stratify, plan->ops[k].stratify);
      TEXT(w, to, reg_data_op, source_part, plan->ops[k].source_part);
      POINT(w, to, reg_data_op, fn, function(w, plan->ops[k].fn));
      POINT(w, to, reg_data_op, columns, columns(w, &plan->ops[k]));
      for (int n = 0; n < 4; n++)
        image_pointer(w->m, AT(to, reg_data_op, part_names) + n * (int64_t)sizeof(char *),
                      n < plan->ops[k].nparts ? image_text(w->m, plan->ops[k].part_names[n]) : -1);
    }
  }
  return at;
}

// Room for `n` pointers, all NULL.
static int64_t pointers(const Writer *w, int n) {
  static void *const none;
  const int64_t at = image_put(w->m, &none, sizeof none);
  for (int i = 8; i < n; i += 8) image_put(w->m, &none, sizeof none);
  return at;
}

static int64_t settings(const Writer *w, const reg_program *p) {
  if (p->nsettings == 0) return -1;
  const int64_t at = image_put(w->m, p->settings, (size_t)p->nsettings * sizeof *p->settings);
  for (int i = 0; i < p->nsettings; i++) {
    TEXT(w, at + i * (int64_t)sizeof *p->settings, reg_setting, name, p->settings[i].name);
    TEXT(w, at + i * (int64_t)sizeof *p->settings, reg_setting, doc, p->settings[i].doc);
    TEXT(w, at + i * (int64_t)sizeof *p->settings, reg_setting, fixed, p->settings[i].fixed);
  }
  return at;
}

static int64_t applies(Writer *w, const reg_program *p) {
  const int64_t at = LIST(w, p->applies, p->napplies);
  for (int i = 0; i < p->napplies; i++) {
    const int64_t to = at + i * (int64_t)sizeof *p->applies;
    TEXT(w, to, reg_apply, name, p->applies[i].name);
    POINT(w, to, reg_apply, function, function(w, p->applies[i].function));
  }
  return at;
}

static int64_t reports(const Writer *w, const reg_program *p) {
  const int64_t at = LIST(w, p->reports, p->nreports);
  for (int i = 0; i < p->nreports; i++) {
    const reg_report *r = &p->reports[i];
    const int64_t to = at + i * (int64_t)sizeof *r, pieces = LIST(w, r->pieces, r->npieces);
    for (int k = 0; k < r->npieces; k++)
      TEXT(w, pieces + k * (int64_t)sizeof *r->pieces, reg_piece, text, r->pieces[k].text);
    POINT(w, to, reg_report, pieces, pieces);
    POINT(w, to, reg_report, values, LIST(w, r->values, r->nvalues));
    POINT(w, to, reg_report, paths, texts(w, r->paths, r->nvalues));
  }
  return at;
}

static int64_t assertions(const Writer *w, const reg_program *p) {
  const int64_t at = LIST(w, p->assertions, p->nassertions);
  for (int i = 0; i < p->nassertions; i++) {
    const reg_assertion *a = &p->assertions[i];
    const int64_t to = at + i * (int64_t)sizeof *a;
    TEXT(w, to, reg_assertion, text, a->text);
    TEXT(w, to, reg_assertion, place, a->place);
    for (int k = 0; k < 2; k++)
      image_pointer(w->m, AT(to, reg_assertion, side_texts) + k * (int64_t)sizeof(char *),
                    k < a->nsides ? image_text(w->m, a->side_texts[k]) : -1);
  }
  return at;
}

static int64_t saves(const Writer *w, const reg_program *p) {
  const int64_t at = LIST(w, p->saves, p->nsaves);
  for (int i = 0; i < p->nsaves; i++) {
    const int64_t to = at + i * (int64_t)sizeof *p->saves;
    TEXT(w, to, reg_save, path, p->saves[i].path);
    POINT(w, to, reg_save, tensors, LIST(w, p->saves[i].tensors, p->saves[i].ntensors));
  }
  return at;
}

static int64_t program(Writer *w, const reg_program *p) {
  const int64_t at = image_put(w->m, p, sizeof *p);
  TEXT(w, at, reg_program, source_name, p->source_name);
  TEXT(w, at, reg_program, source, p->source);
  TEXT(w, at, reg_program, besides, p->besides);
  POINT(w, at, reg_program, datasets, pointers(w, p->ndatasets));
  POINT(w, at, reg_program, dataset_names, texts(w, p->dataset_names, p->ndatasets));
  POINT(w, at, reg_program, dataset_docs, texts(w, p->dataset_docs, p->ndatasets));
  POINT(w, at, reg_program, plans, plans(w, p));
  POINT(w, at, reg_program, settings, settings(w, p));
  POINT(w, at, reg_program, resolve, -1);
  POINT(w, at, reg_program, user, -1);
  POINT(w, at, reg_program, store, tensors(w, p->store, p->nstore));
  POINT(w, at, reg_program, applies, applies(w, p));
  POINT(w, at, reg_program, reports, reports(w, p));
  POINT(w, at, reg_program, assertions, assertions(w, p));
  POINT(w, at, reg_program, saves, saves(w, p));
  POINT(w, at, reg_program, stages, stages(w, p->stages, p->nstages));
  const int64_t trains = image_put(w->m, p->trains, (size_t)p->ntrains * sizeof *p->trains);
  POINT(w, at, reg_program, trains, trains);
  for (int i = 0; i < p->ntrains; i++) fill_train(w, trains + i * (int64_t)sizeof *p->trains, &p->trains[i]);
  const int64_t evaluates = image_put(w->m, p->evaluates, (size_t)p->nevaluates * sizeof *p->evaluates);
  POINT(w, at, reg_program, evaluates, evaluates);
  for (int i = 0; i < p->nevaluates; i++)
    fill_evaluate(w, evaluates + i * (int64_t)sizeof *p->evaluates, &p->evaluates[i]);
  return at;
}

void image_binary(Image *m, const reg_binary *b, SymbolOf symbol, void *user) {
  Writer w = {.m = m, .symbol = symbol, .user = user};
  const int64_t at = image_put(m, b, sizeof *b);
  const int64_t programs = pointers(&w, b->nprograms);
  for (int i = 0; i < b->nprograms; i++) {
    const int64_t one = program(&w, b->programs[i]);
    image_pointer(m, programs + i * (int64_t)sizeof(void *), one);
    if (i == 0) POINT(&w, at, reg_binary, program, one);
  }
  POINT(&w, at, reg_binary, programs, programs);
  const int64_t expected = pointers(&w, b->program->ndatasets);
  for (int i = 0; i < b->program->ndatasets; i++)
    image_pointer(m, expected + i * (int64_t)sizeof(void *), dataset(&w, b->program, i));
  POINT(&w, at, reg_binary, expected, expected);
  TEXT(&w, at, reg_binary, name, b->name);
  TEXT(&w, at, reg_binary, doc, b->doc);
  TEXT(&w, at, reg_binary, compiler, b->compiler);
  TEXT(&w, at, reg_binary, cpu, b->cpu);
}

static int64_t values(const Writer *w, const reg_tensor *t, void *const *from, int n) {
  const int64_t at = pointers(w, n);
  for (int i = 0; i < n; i++)
    if (from[i])
      image_pointer(w->m, at + i * (int64_t)sizeof(void *),
                    image_put(w->m, from[i], reg_tensor_bytes(&t[i])));
  return at;
}

// Only what reg_model_predict reads: one training with its `predict`.
void image_model(Image *m, const reg_model *model, SymbolOf symbol, void *user) {
  Writer w = {.m = m, .symbol = symbol, .user = user};
  reg_train t = {.name = model->train->name,
                 .model = model->train->model,
                 .nmodels = model->train->nmodels,
                 .models = model->train->models,
                 .nparams = model->train->nparams,
                 .params = model->train->params,
                 .nstates = model->train->nstates,
                 .states = model->train->states,
                 .predict = model->train->predict};
  const reg_program settings_only = {.nsettings = model->program->nsettings, .dtype = model->program->dtype};
  const int64_t at = image_put(m, model, sizeof *model), train = image_put(m, &t, sizeof t),
                with = image_put(m, &settings_only, sizeof settings_only);
  POINT(&w, with, reg_program, settings, settings(&w, model->program));
  fill_train(&w, train, &t);
  POINT(&w, at, reg_model, program, with);
  POINT(&w, at, reg_model, train, train);
  POINT(&w, at, reg_model, data, dataset(&w, model->program, model->train->data));
  POINT(&w, at, reg_model, params, values(&w, t.params, model->params, t.nparams));
  POINT(&w, at, reg_model, states, values(&w, t.states, model->states, t.nstates));
}
