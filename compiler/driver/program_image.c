// See program_image.h. Each structure is copied as it is and its pointers are set anew, by the rows of the
// tables that declare it (reg/data.def, reg/program.def).
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

static int64_t texts(Writer *w, const char *const *list, int64_t n) {
  if (!list || n == 0) return -1;
  const int64_t at = image_put(w->m, list, (size_t)n * sizeof *list);
  for (int64_t i = 0; i < n; i++)
    image_pointer(w->m, at + i * (int64_t)sizeof *list, image_text(w->m, list[i]));
  return at;
}

static void texts_inside(Writer *w, int64_t at, const char *const *list, int room, int n) {
  for (int i = 0; i < room; i++)
    image_pointer(w->m, at + i * (int64_t)sizeof *list, i < n ? image_text(w->m, list[i]) : -1);
}

// `n` values as they are, or -1.
static int64_t values(Writer *w, const void *from, size_t bytes) {
  return from && bytes ? image_put(w->m, from, bytes) : -1;
}

// Room for `n` pointers, all NULL.
static int64_t pointers(Writer *w, int n) {
  static void *const none;
  const int64_t at = image_put(w->m, &none, sizeof none);
  for (int i = 8; i < n; i += 8) image_put(w->m, &none, sizeof none);
  return at;
}

static int64_t function(Writer *w, const reg_function *f);

// -- structures of the tables: for each, point_NAME sets the pointers of the copy of x at `at`, and put_NAME
// lays out a list

#define STRUCT(name) static int64_t put_##name(Writer *w, const name *list, int64_t n);
#include "reg/structures_rest.h"
// the rows
#include "reg/data.def"
#include "reg/program.def"
#include "reg/structures_end.h"

#define HERE(member)        (at + (int64_t)((const char *)&x->member - (const char *)x))
#define SET(member, target) image_pointer(w->m, HERE(member), target);
#define STRUCT(name)                                                                                         \
  static void point_##name(Writer *w, int64_t at, const name *x) {                                           \
    (void)w, (void)at, (void)x;
#define VALUE(type, member)
#define VALUES(type, member, n)
#define TEXT(member)                   SET(member, image_text(w->m, x->member))
#define TEXTS(member, count)           SET(member, texts(w, x->member, x->count))
#define TEXTS_INSIDE(member, n, count) texts_inside(w, HERE(member), x->member, n, x->count);
#define LIST(type, member, count)      SET(member, put_##type(w, x->member, x->count))
#define CHANGING(type, member, count)  LIST(type, member, count)
#define NUMBERS(type, member, count)   SET(member, values(w, x->member, (size_t)x->count * sizeof(type)))
#define BYTES(member, bytes)           SET(member, values(w, x->member, bytes))
#define FUNCTION(member)               SET(member, function(w, x->member))
#define CODE(type, member)
#define ROOM(type, member, count) SET(member, pointers(w, x->count))
#define PROCESS(type, member)     SET(member, -1)
#define END(name)                                                                                            \
  }                                                                                                          \
  __attribute__((unused)) static int64_t put_##name(Writer *w, const name *list, int64_t n) {                \
    const int64_t at = values(w, list, (size_t)n * sizeof *list);                                            \
    for (int64_t i = 0; at >= 0 && i < n; i++) point_##name(w, at + i * (int64_t)sizeof *list, &list[i]);    \
    return at;                                                                                               \
  }
#include "reg/data.def"
#include "reg/program.def"
#include "reg/structures_end.h"

static int64_t function(Writer *w, const reg_function *f) {
  const char *symbol = f ? w->symbol(w->user, f) : NULL;
  if (!symbol) return -1;
  const int64_t at = put_reg_function(w, f, 1);
  image_symbol(w->m, AT(at, reg_function, fn), symbol);
  return at;
}

// -- data: what was learned and what is expected, no rows

static bool function_reads_classes(const reg_function *f, reg_slot_kind kind, int field) {
  for (int i = 0; f && i < f->nslots; i++) {
    const reg_slot *s = &f->slots[i];
    if (s->kind == kind && s->index == field && s->dtype == REG_I32) return true;
  }
  return false;
}

// Of what is made of these data.
static bool plan_reads_classes(const reg_data_plan *plan, int data, int field) {
  for (int i = 0; i < plan->nops; i++) {
    const reg_data_op *op = &plan->ops[i];
    const int from = op->kind == REG_DATA_COLUMNS ? plan->ops[0].from : op->from;
    if (op->fn && from == data && function_reads_classes(op->fn, REG_SLOT_FIELD, field)) return true;
    for (int k = 0; k < op->nothers; k++)
      if (op->others[k].data == data && op->others[k].field == field) return true;
  }
  return false;
}

static bool further_reads_classes(const reg_program *p, const reg_train *t, const reg_function *f, int data,
                                  int field) {
  for (int i = 0, first = 0; i < t->nfurther; first += p->datasets[t->further[i++].data]->nfields)
    if (t->further[i].data == data && function_reads_classes(f, REG_SLOT_FURTHER, first + field)) return true;
  return false;
}

// Only then it matters which classes the data have.
static bool reads_classes(const reg_program *p, int data, int field) {
  for (int i = 0; i < p->ntrains; i++) {
    const reg_train *t = &p->trains[i];
    const reg_function *list[] = {t->step, t->step_last, t->valid, t->valid_last, t->valid_metrics};
    for (int k = 0; k < 5; k++)
      if ((t->data == data && function_reads_classes(list[k], REG_SLOT_FIELD, field)) ||
          further_reads_classes(p, t, list[k], data, field))
        return true;
  }
  for (int i = 0; i < p->ndatasets; i++)
    if (plan_reads_classes(&p->plans[i], data, field)) return true;
  for (int i = 0; i < p->napplies; i++)
    for (int k = 0; k < p->applies[i].ncolumns; k++)
      if (p->applies[i].columns[k].data == data && p->applies[i].columns[k].field == field) return true;
  for (int i = 0; i < p->nevaluates; i++) {
    const reg_evaluate *e = &p->evaluates[i];
    if (e->data == data && function_reads_classes(e->metrics, REG_SLOT_FIELD, field)) return true;
  }
  return false;
}

static int64_t fields(Writer *w, const reg_dataset *d, const reg_program *p, int data) {
  reg_field *list = ARENA_ARRAY(w->m->arena, reg_field, d->nfields);
  memcpy(list, d->fields, (size_t)d->nfields * sizeof *list);
  for (int i = 0; i < d->nfields; i++)
    if (!reads_classes(p, data, i)) list[i].nclasses = 0;
  const int64_t at = image_put(w->m, list, (size_t)d->nfields * sizeof *list);
  for (int i = 0; i < d->nfields; i++) {
    const reg_field *f = &list[i];
    const int64_t to = at + i * (int64_t)sizeof *f;
    POINT(w, to, reg_field, name, image_text((w)->m, f->name));
    POINT(w, to, reg_field, values, -1);
    POINT(w, to, reg_field, classes, -1);
    POINT(w, to, reg_field, class_names, texts(w, (const char *const *)f->class_names, f->nclasses));
    POINT(w, to, reg_field, why, -1);
  }
  return at;
}

static int64_t parts(Writer *w, const reg_dataset *d) {
  const int64_t at = image_put(w->m, d->parts, (size_t)d->nparts * sizeof *d->parts);
  for (int i = 0; i < d->nparts; i++) {
    const int64_t to = at + i * (int64_t)sizeof *d->parts;
    POINT(w, to, reg_part, name, image_text((w)->m, d->parts[i].name));
    POINT(w, to, reg_part, rows, -1);
  }
  return at;
}

static int64_t dataset(Writer *w, const reg_program *p, int data) {
  const reg_dataset *d = p->datasets[data];
  const int64_t at = image_put(w->m, d, sizeof *d), width = d->fields[0].width;
  POINT(w, at, reg_dataset, fields, fields(w, d, p, data));
  POINT(w, at, reg_dataset, parts, parts(w, d));
  POINT(w, at, reg_dataset, columns, texts(w, d->columns, width));
  POINT(w, at, reg_dataset, shift, image_put(w->m, d->shift, (size_t)width * sizeof *d->shift));
  POINT(w, at, reg_dataset, factor, image_put(w->m, d->factor, (size_t)width * sizeof *d->factor));
  POINT(w, at, reg_dataset, curves, d->ncurves ? put_reg_curve(w, d->curves, d->ncurves) : -1);
  POINT(w, at, reg_dataset, sources, d->nsources ? put_reg_source(w, d->sources, d->nsources) : -1);
  POINT(w, at, reg_dataset, texts, d->ntexts ? put_reg_tokenizer(w, d->texts, d->ntexts) : -1);
  POINT(w, at, reg_dataset, lags, d->nlags ? put_reg_lag(w, d->lags, d->nlags) : -1);
  POINT(w, at, reg_dataset, series, d->series ? put_reg_series(w, d->series, 1) : -1);
  POINT(w, at, reg_dataset, form, d->form ? put_reg_csv_form(w, d->form, 1) : -1);
  POINT(w, at, reg_dataset, images, d->images ? put_reg_image_form(w, d->images, 1) : -1);
  POINT(w, at, reg_dataset, memory, -1);
  return at;
}

bool program_reads_images(const reg_program *p) {
  for (int i = 0; i < p->ndatasets; i++)
    if (p->plans[i].nops && p->plans[i].ops[0].kind == REG_DATA_IMAGES) return true;
  return false;
}

void image_binary(Image *m, const reg_binary *b, SymbolOf symbol, void *user) {
  Writer w = {.m = m, .symbol = symbol, .user = user};
  const int64_t at = image_put(m, b, sizeof *b);
  const int64_t programs = pointers(&w, b->nprograms);
  for (int i = 0; i < b->nprograms; i++) {
    const int64_t one = put_reg_program(&w, b->programs[i], 1);
    image_pointer(m, programs + i * (int64_t)sizeof(void *), one);
    if (i == 0) POINT(&w, at, reg_binary, program, one);
  }
  POINT(&w, at, reg_binary, programs, programs);
  const int64_t expected = pointers(&w, b->program->ndatasets);
  for (int i = 0; i < b->program->ndatasets; i++)
    image_pointer(m, expected + i * (int64_t)sizeof(void *), dataset(&w, b->program, i));
  POINT(&w, at, reg_binary, expected, expected);
  POINT(&w, at, reg_binary, name, image_text((&w)->m, b->name));
  POINT(&w, at, reg_binary, doc, image_text((&w)->m, b->doc));
  POINT(&w, at, reg_binary, compiler, image_text((&w)->m, b->compiler));
  POINT(&w, at, reg_binary, cpu, image_text((&w)->m, b->cpu));
  if (program_reads_images(b->program)) image_symbol(m, AT(at, reg_binary, images), "table_read_images");
}

static int64_t banks(Writer *w, const reg_tensor *t, void *const *from, int n) {
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
  const reg_program settings = {.nsettings = model->program->nsettings,
                                .settings = model->program->settings,
                                .dtype = model->program->dtype};
  const int64_t at = image_put(m, model, sizeof *model), train = put_reg_train(&w, &t, 1),
                with = put_reg_program(&w, &settings, 1);
  POINT(&w, at, reg_model, program, with);
  POINT(&w, at, reg_model, train, train);
  POINT(&w, at, reg_model, data, dataset(&w, model->program, model->train->data));
  POINT(&w, at, reg_model, params, banks(&w, t.params, model->params, t.nparams));
  POINT(&w, at, reg_model, states, banks(&w, t.states, model->states, t.nstates));
}
