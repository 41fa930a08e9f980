// See reg/weights.h. A file's tensors are found by name, in any order.
#include "reg/weights.h"
#include "io/file.h"
#include "reg/safetensors.h"
#include "train/internal.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Parameters, then the model's states.
typedef struct Entries {
  int count;
  const reg_tensor **tensor;
  float **values;
} Entries;

static int entries_of(const reg_train *t, float *const *params, float *const *states, Heap *heap, Entries *e,
                      reg_status *st) {
  const size_t room = (size_t)(t->nparams + t->nstates + 1);
  *e = (Entries){.tensor = reg_heap_take(heap, room * sizeof *e->tensor),
                 .values = reg_heap_take(heap, room * sizeof *e->values)};
  if (!e->tensor || !e->values) return reg_no_memory(st, room * sizeof *e->tensor);
  for (int i = 0; i < t->nparams; i++) {
    e->tensor[e->count] = &t->params[i];
    e->values[e->count++] = params[i];
  }
  for (int i = 0; i < t->nstates; i++) {
    if (!t->states[i].of_model) continue;
    e->tensor[e->count] = &t->states[i];
    e->values[e->count++] = states[i];
  }
  return REG_OK;
}

char *reg_weights_path(const reg_program *p, const reg_train *t, const char *folder) {
  char *path = NULL;
  int length = p->ntrains == 1 ? asprintf(&path, "%s/weights.safetensors", folder)
                               : asprintf(&path, "%s/weights-%s.safetensors", folder, t->name);
  return length < 0 ? NULL : path;
}

int reg_weights_write(const reg_train *t, float *const *params, float *const *states, const char *path,
                      reg_status *st) {
  Heap heap = {0};
  Entries e;
  int code = entries_of(t, params, states, &heap, &e, st);
  reg_saved_tensor *tensors = code ? NULL : reg_heap_take(&heap, (size_t)(e.count + 1) * sizeof *tensors);
  if (!code && !tensors) code = reg_no_memory(st, (size_t)e.count * sizeof *tensors);
  for (int i = 0; !code && i < e.count; i++) {
    const reg_tensor *shape = e.tensor[i];
    tensors[i] = (reg_saved_tensor){
        .name = shape->name, .rank = shape->rank, .count = shape->count, .values = e.values[i]};
    memcpy(tensors[i].dim, shape->dim, sizeof tensors[i].dim);
  }
  if (!code) code = reg_safetensors_write(path, e.count, tensors, st);
  reg_heap_free(&heap);
  return code;
}

int weights_save(const Training *t) {
  const Run *r = t->run;
  if (!r->folder) return REG_OK;
  char *path = reg_weights_path(r->program, t->plan, r->folder);
  int code = path ? reg_weights_write(t->plan, t->now.params, t->now.states, path, r->st)
                  : reg_no_memory(r->st, strlen(r->folder));
  free(path);
  return code;
}

// -- reading

static void shape_text(int rank, const int64_t *dim, char out[96]) {
  size_t used = 1;
  snprintf(out, 96, "[");
  for (int i = 0; i < rank && used < 80; i++)
    used += (size_t)snprintf(out + used, 96 - used, "%s%lld", i ? ", " : "", (long long)dim[i]);
  snprintf(out + used, 96 - used, "]");
}

// Complaints, one after the other, as many as the text holds.
typedef struct Complaints {
  char text[400];
  int count;
} Complaints;

static void complain(Complaints *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(Complaints *c, const char *fmt, ...) {
  size_t used = strlen(c->text);
  va_list ap;
  char one[300];
  va_start(ap, fmt);
  vsnprintf(one, sizeof one, fmt, ap);
  va_end(ap);
  c->count++;
  if (used + strlen(one) + 3 < sizeof c->text)
    snprintf(c->text + used, sizeof c->text - used, "%s%s", used ? "; " : "", one);
}

static const reg_saved_tensor *find(const reg_saved *s, const char *name) {
  for (int i = 0; i < s->count; i++)
    if (!strcmp(s->tensors[i].name, name)) return &s->tensors[i];
  return NULL;
}

static void compare(const Entries *e, const reg_saved *s, Complaints *c) {
  char want[96], have[96];
  for (int i = 0; i < e->count; i++) {
    const reg_tensor *t = e->tensor[i];
    const reg_saved_tensor *from = find(s, t->name);
    if (!from) {
      complain(c, "`%.100s` is missing", t->name);
    } else if (from->rank != t->rank || memcmp(from->dim, t->dim, sizeof(int64_t) * (size_t)t->rank) != 0) {
      shape_text(t->rank, t->dim, want);
      shape_text(from->rank, from->dim, have);
      complain(c, "`%.100s` is %s instead of %s", t->name, have, want);
    }
  }
  for (int k = 0; k < s->count; k++) {
    int i = 0;
    while (i < e->count && strcmp(e->tensor[i]->name, s->tensors[k].name) != 0) i++;
    if (i == e->count) complain(c, "`%.100s` is no tensor of the model", s->tensors[k].name);
  }
}

static int read_file(const reg_train *t, const char *path, const Entries *e, reg_status *st) {
  reg_saved saved = {0};
  Complaints c = {0};
  int code = reg_safetensors_read(path, &saved, st);
  if (code) {
    snprintf(st->name, sizeof st->name, code == REG_MISSING_INPUT ? "weights_missing" : "weights_bad");
    return code;
  }
  compare(e, &saved, &c);
  if (c.count) {
    code = reg_fail(st, REG_BAD_DATA, "weights_bad", "%.80s: %s", path, c.text);
    reg_hint(st, "the file must hold the %d tensors of `%s`; mistakes: %d", e->count, t->model, c.count);
  }
  for (int i = 0; !code && i < e->count; i++)
    memcpy(e->values[i], find(&saved, e->tensor[i]->name)->values,
           (size_t)e->tensor[i]->count * sizeof(float));
  reg_saved_free(&saved);
  return code;
}

int reg_weights_read(const reg_program *p, const reg_train *t, const char *path, float *const *params,
                     float *const *states, reg_status *st) {
  struct stat info;
  Heap heap = {0};
  Entries e;
  const bool folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
  char *inside = folder ? reg_weights_path(p, t, path) : NULL;
  int code = folder && !inside ? reg_no_memory(st, strlen(path)) : REG_OK;
  if (!code) code = entries_of(t, params, states, &heap, &e, st);
  if (!code) code = read_file(t, inside ? inside : path, &e, st);
  reg_heap_free(&heap);
  free(inside);
  return code;
}
