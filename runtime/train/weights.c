// weights.safetensors, written and read. In: a plan's parameters and states. Out: a file with all that
// predictions need, by name; or the tensors filled in from one, all or none.
#include "reg/safetensors.h"
#include "train/internal.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// The tensors of a plan's weights: parameters, then the states of layers.
typedef struct Weights {
  int count;
  reg_tensor *tensors;
  float **values;
} Weights;

static int weights_new(const reg_train *p, float *const *params, float *const *states, Weights *w,
                       reg_status *st) {
  size_t room = (size_t)(p->nparams + p->nstates) + 1;
  *w = (Weights){0, calloc(room, sizeof *w->tensors), calloc(room, sizeof *w->values)};
  if (!w->tensors || !w->values) return reg_no_memory(st, room * sizeof *w->tensors);
  for (int i = 0; i < p->nparams; i++) {
    w->tensors[w->count] = p->params[i];
    w->values[w->count++] = params[i];
  }
  for (int i = 0; i < p->nstates; i++) {
    if (!p->states[i].layer) continue;
    w->tensors[w->count] = p->states[i];
    w->values[w->count++] = states[i];
  }
  return REG_OK;
}

static void weights_free(Weights *w) {
  free(w->tensors);
  free(w->values);
}

// -- writing

static int save(const Weights *w, const char *path, reg_status *st) {
  reg_saved_tensor *saved = calloc((size_t)w->count + 1, sizeof *saved);
  if (!saved) return reg_no_memory(st, (size_t)w->count * sizeof *saved);
  for (int i = 0; i < w->count; i++) {
    const reg_tensor *t = &w->tensors[i];
    saved[i] =
        (reg_saved_tensor){.name = t->name, .rank = t->rank, .count = t->count, .values = w->values[i]};
    memcpy(saved[i].dim, t->dim, sizeof saved[i].dim);
  }
  int code = reg_safetensors_write(path, w->count, saved, st);
  free(saved);
  return code;
}

int reg_weights_write(const reg_train *plan, float *const *params, float *const *states, const char *path,
                      reg_status *st) {
  Weights w;
  int code = weights_new(plan, params, states, &w, st);
  if (!code) code = save(&w, path, st);
  weights_free(&w);
  return code;
}

static char *file_in(const reg_program *p, const reg_train *t, const char *folder) {
  char *path = NULL;
  int length = p->ntrains == 1 ? asprintf(&path, "%s/weights.safetensors", folder)
                               : asprintf(&path, "%s/weights-%s.safetensors", folder, t->name);
  return length < 0 ? NULL : path;
}

static char *file_of(const reg_program *p, const reg_train *t, const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode) ? file_in(p, t, path) : strdup(path);
}

int weights_save(const Training *t) {
  const Run *r = t->run;
  if (!r->folder) return REG_OK;
  char *path = file_in(r->program, t->plan, r->folder);
  int code = path ? reg_weights_write(t->plan, t->now.params, t->now.states, path, r->st)
                  : reg_no_memory(r->st, strlen(r->folder));
  free(path);
  return code;
}

// -- reading

// One kind of disagreement between a file and a plan: how many tensors, the first of them in words.
enum { SHOWN = 3, LISTED = 160 };
typedef struct List {
  int count;
  char text[LISTED];
} List;

static void list_add(List *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void list_add(List *l, const char *fmt, ...) {
  if (l->count++ >= SHOWN) return;
  size_t used = strlen(l->text);
  va_list args;
  va_start(args, fmt);
  if (l->count > 1) used += (size_t)snprintf(l->text + used, sizeof l->text - used, ", ");
  vsnprintf(l->text + used, sizeof l->text - used, fmt, args);
  va_end(args);
}

static void list_tell(const List *l, const char *what, char *text, size_t size) {
  size_t used = strlen(text);
  if (!l->count || used >= size) return;
  snprintf(text + used, size - used, "%s%s: %s", used ? "; " : "", what, l->text);
  used = strlen(text);
  if (l->count > SHOWN) snprintf(text + used, size - used, " and %d more", l->count - SHOWN);
}

// "[64, 128]"
static const char *shape_text(int rank, const int64_t *dim, char *out, size_t size) {
  size_t used = (size_t)snprintf(out, size, "[");
  for (int i = 0; i < rank && used < size; i++)
    used += (size_t)snprintf(out + used, size - used, i ? ", %lld" : "%lld", (long long)dim[i]);
  if (used < size) snprintf(out + used, size - used, "]");
  return out;
}

static const reg_saved_tensor *find(const reg_saved *s, const char *name) {
  for (int i = 0; i < s->count; i++)
    if (!strcmp(s->tensors[i].name, name)) return &s->tensors[i];
  return NULL;
}

static bool same_shape(const reg_saved_tensor *a, const reg_tensor *b) {
  return a->rank == b->rank && memcmp(a->dim, b->dim, sizeof(int64_t) * (size_t)b->rank) == 0;
}

static int compare(const reg_saved *s, int count, const reg_tensor *wanted, const char *path,
                   reg_status *st) {
  List missing = {0}, shapes = {0}, unknown = {0};
  char expected[48], found[48], text[400] = "";
  for (int i = 0; i < count; i++) {
    const reg_tensor *w = &wanted[i];
    const reg_saved_tensor *have = find(s, w->name);
    shape_text(w->rank, w->dim, expected, sizeof expected);
    if (!have)
      list_add(&missing, "`%.60s` %s", w->name, expected);
    else if (!same_shape(have, w))
      list_add(&shapes, "`%.60s` is %s, expected %s", w->name,
               shape_text(have->rank, have->dim, found, sizeof found), expected);
  }
  for (int i = 0; i < s->count; i++) {
    int k = 0;
    while (k < count && strcmp(wanted[k].name, s->tensors[i].name) != 0) k++;
    if (k == count)
      list_add(&unknown, "`%.60s` %s", s->tensors[i].name,
               shape_text(s->tensors[i].rank, s->tensors[i].dim, found, sizeof found));
  }
  list_tell(&missing, "missing", text, sizeof text);
  list_tell(&shapes, "of another shape", text, sizeof text);
  list_tell(&unknown, "not in the model", text, sizeof text);
  return *text ? reg_fail(st, REG_BAD_DATA, "weights_bad", "%s: %s", path, text) : REG_OK;
}

int reg_tensors_read(int count, const reg_tensor *wanted, float *const *values, const char *path,
                     reg_status *st) {
  reg_saved saved;
  int code = reg_safetensors_read(path, &saved, st);
  if (code) return code;
  code = compare(&saved, count, wanted, path, st);
  for (int i = 0; i < count && !code; i++)
    if (wanted[i].count)
      memcpy(values[i], find(&saved, wanted[i].name)->values, (size_t)wanted[i].count * sizeof(float));
  reg_saved_free(&saved);
  return code;
}

int reg_weights_read(const reg_train *plan, float *const *params, float *const *states, const char *path,
                     reg_status *st) {
  Weights w;
  int code = weights_new(plan, params, states, &w, st);
  if (!code) code = reg_tensors_read(w.count, w.tensors, w.values, path, st);
  weights_free(&w);
  return code;
}

void reg_weights_loaded(const reg_train *t, float *const *states) {
  for (int i = 0; i < t->nstates; i++)
    if (t->states[i].initial)
      memcpy(states[i], t->states[i].initial, (size_t)t->states[i].count * sizeof(float));
}

int reg_weights_load(const reg_program *p, const reg_train *t, const char *path, float *const *params,
                     float *const *states, reg_status *st) {
  char *file = file_of(p, t, path);
  int code = file ? reg_weights_read(t, params, states, file, st) : reg_no_memory(st, strlen(path));
  free(file);
  if (!code) reg_weights_loaded(t, states);
  return code;
}
