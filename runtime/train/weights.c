// weights.safetensors, written and read. In: a plan's parameters and states. Out: a file with all that
// predictions need, by name; or the tensors filled in from one, all or none.
#include "io/json.h"
#include "reg/file.h"
#include "reg/safetensors.h"
#include "train/internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// The tensors of a plan's weights, those of the models that it trains: parameters, then the states of layers.
typedef struct Weights {
  int count;
  reg_tensor *tensors;
  void **values;
} Weights;

static bool is_root(const char *model, const char *name) {
  const size_t n = strlen(model);
  return !strncmp(model, name, n) && name[n] == '.';
}

bool reg_trains_model(const reg_train *t, const char *model) {
  for (int i = 0; i < t->nmodels; i++)
    if (!strcmp(t->models[i], model)) return true;
  return false;
}

bool reg_trains_tensor(const reg_train *t, const char *name) {
  for (int i = 0; i < t->nmodels; i++)
    if (is_root(t->models[i], name)) return true;
  return false;
}

// Is it a tensor of the model, or of any that the plan trains?
static bool is_of(const reg_train *p, const char *model, const char *name) {
  return model ? is_root(model, name) : reg_trains_tensor(p, name);
}

static int weights_new(const reg_train *p, const char *model, void *const *params, void *const *states,
                       Weights *w, reg_status *st) {
  size_t room = (size_t)(p->nparams + p->nstates) + 1;
  *w = (Weights){0, calloc(room, sizeof *w->tensors), calloc(room, sizeof *w->values)};
  if (!w->tensors || !w->values) return reg_no_memory(st, room * sizeof *w->tensors);
  for (int i = 0; i < p->nparams; i++) {
    if (!is_of(p, model, p->params[i].name)) continue;
    w->tensors[w->count] = p->params[i];
    w->values[w->count++] = params[i];
  }
  for (int i = 0; i < p->nstates; i++) {
    if (!p->states[i].layer || !is_of(p, model, p->states[i].name)) continue;
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
    saved[i] = (reg_saved_tensor){
        .name = t->name, .dtype = t->dtype, .rank = t->rank, .count = t->count, .values = w->values[i]};
    memcpy(saved[i].dim, t->dim, sizeof saved[i].dim);
  }
  int code = reg_safetensors_write(path, w->count, saved, st);
  free(saved);
  return code;
}

int reg_weights_write(const reg_train *plan, void *const *params, void *const *states, const char *path,
                      reg_status *st) {
  Weights w;
  int code = weights_new(plan, NULL, params, states, &w, st);
  if (!code) code = save(&w, path, st);
  weights_free(&w);
  return code;
}

// Of a training that acts several times each time has a file, from the second on with its number.
static char *file_in(const reg_program *p, const reg_train *t, int64_t act, const char *folder) {
  char *path = NULL, number[24] = "";
  if (act > 1) snprintf(number, sizeof number, "-%lld", (long long)act);
  int length = p->ntrains == 1 ? asprintf(&path, "%s/weights%s.safetensors", folder, number)
                               : asprintf(&path, "%s/weights-%s%s.safetensors", folder, t->name, number);
  return length < 0 ? NULL : path;
}

static char *last_file_in(const reg_program *p, const reg_train *t, const char *folder) {
  char *path = file_in(p, t, 1, folder);
  for (int64_t act = 2; path; act++) {
    char *next = file_in(p, t, act, folder);
    if (next && access(next, F_OK) != 0) {
      free(next);
      break;
    }
    free(path);
    path = next;
  }
  return path;
}

bool is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static char *file_of(const reg_program *p, const reg_train *t, int64_t act, const char *path) {
  if (!is_folder(path)) return strdup(path);
  return act ? file_in(p, t, act, path) : last_file_in(p, t, path);
}

int weights_save(const Training *t) {
  const Run *r = t->run;
  if (!r->folder) return REG_OK;
  char *path = file_in(r->program, t->plan, t->acts, r->folder);
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
  char words[LISTED];
  Text text; // in words
} List;

static void list_new(List *l) {
  l->count = 0;
  l->text = reg_text_in(l->words, sizeof l->words);
}

// Room for the next entry of the list, behind a comma.
static Text *list_next(List *l) {
  if (l->count++ > 0 && l->count <= SHOWN) reg_text_add(&l->text, ", ");
  return l->count <= SHOWN ? &l->text : NULL;
}

static void list_tell(const List *l, const char *what, Text *text) {
  if (!l->count) return;
  reg_text_format(text, "%s%s: %s", text->used ? "; " : "", what, l->words);
  if (l->count > SHOWN) reg_text_format(text, " and %d more", l->count - SHOWN);
}

// "[64, 128]"
static void put_shape(Text *t, int rank, const int64_t *dim) {
  reg_text_add(t, "[");
  for (int i = 0; i < rank; i++) reg_text_format(t, i ? ", %lld" : "%lld", (long long)dim[i]);
  reg_text_add(t, "]");
}

static bool same_shape(const reg_saved_tensor *a, const reg_tensor *b) {
  return a->rank == b->rank && memcmp(a->dim, b->dim, sizeof(int64_t) * (size_t)b->rank) == 0;
}

static void list_tensor(List *l, const char *name, int rank, const int64_t *dim) {
  Text *t = list_next(l);
  if (!t) return;
  reg_text_format(t, "`%.60s` ", name);
  put_shape(t, rank, dim);
}

static void list_shapes(List *l, const reg_tensor *wanted, const reg_saved_tensor *have) {
  Text *t = list_next(l);
  if (!t) return;
  reg_text_format(t, "`%.60s` is ", wanted->name);
  put_shape(t, have->rank, have->dim);
  reg_text_add(t, ", expected ");
  put_shape(t, wanted->rank, wanted->dim);
}

// A file may hold other models besides.
static bool of_another(const char *name, int count, const reg_tensor *wanted) {
  const size_t n = strcspn(name, ".");
  for (int i = 0; i < count; i++)
    if (!strncmp(wanted[i].name, name, n) && wanted[i].name[n] == '.') return false;
  return true;
}

static int compare(const reg_saved *s, int count, const reg_tensor *wanted, const char *path,
                   reg_status *st) {
  List missing, shapes, unknown;
  char words[400];
  Text text = reg_text_in(words, sizeof words);
  list_new(&missing);
  list_new(&shapes);
  list_new(&unknown);
  for (int i = 0; i < count; i++) {
    const reg_saved_tensor *have = reg_saved_find(s, wanted[i].name);
    if (!have)
      list_tensor(&missing, wanted[i].name, wanted[i].rank, wanted[i].dim);
    else if (!same_shape(have, &wanted[i]))
      list_shapes(&shapes, &wanted[i], have);
  }
  for (int i = 0; i < s->count; i++) {
    int k = 0;
    while (k < count && strcmp(wanted[k].name, s->tensors[i].name) != 0) k++;
    const bool others = !missing.count && of_another(s->tensors[i].name, count, wanted);
    if (k == count && !others)
      list_tensor(&unknown, s->tensors[i].name, s->tensors[i].rank, s->tensors[i].dim);
  }
  list_tell(&missing, "missing", &text);
  list_tell(&shapes, "of another shape", &text);
  list_tell(&unknown, "not in the model", &text);
  return *words ? reg_fail(st, REG_BAD_DATA, "weights_bad", "%s: %s", path, words) : REG_OK;
}

// Doubles that would be read as floats, and are infinite then.
static int check_range(const reg_saved *s, int count, const reg_tensor *wanted, const char *path,
                       reg_status *st) {
  for (int i = 0; i < count; i++) {
    const reg_saved_tensor *have = reg_saved_find(s, wanted[i].name);
    if (!reg_floats_fit(have->values, have->dtype, wanted[i].dtype, have->count))
      return reg_fail(st, REG_BAD_DATA, "weights_bad",
                      "%s: tensor `%.80s`: it holds a number that is too large for a 32-bit float", path,
                      have->name);
  }
  return REG_OK;
}

// Weights that are no numbers predict none.
static int check_numbers(const reg_saved *s, const char *path, reg_status *st) {
  for (int i = 0; i < s->count; i++)
    for (int64_t k = 0; k < s->tensors[i].count; k++)
      if (isnan(reg_float_at(s->tensors[i].values, s->tensors[i].dtype, k)))
        return reg_fail(st, REG_BAD_DATA, "weights_bad", "%s: tensor `%.80s` holds NaN, at element %lld",
                        path, s->tensors[i].name, (long long)k);
  return REG_OK;
}

// Whether one of these doubles is none of the floats that they become.
static bool is_rounded(const reg_saved_tensor *have, reg_dtype as) {
  bool all = true;
  for (int64_t i = 0; i < have->count && have->dtype == REG_F64 && as == REG_F32; i++) {
    const double x = ((const double *)have->values)[i];
    all = all && (double)(float)x == x;
  }
  return !all;
}

int reg_tensors_read(int count, const reg_tensor *wanted, void *const *values, const char *path,
                     reg_status *st) {
  reg_saved saved;
  int code = reg_safetensors_read(path, &saved, st);
  if (code) return code;
  code = compare(&saved, count, wanted, path, st);
  if (!code) code = check_numbers(&saved, path, st);
  if (!code) code = check_range(&saved, count, wanted, path, st);
  for (int i = 0; i < count && !code; i++) {
    const reg_saved_tensor *have = reg_saved_find(&saved, wanted[i].name);
    reg_floats_copy(values[i], wanted[i].dtype, have->values, have->dtype, have->count);
    if (!is_rounded(have, wanted[i].dtype)) continue;
    reg_fail(st, REG_OK, "weights_rounded", "%s: its doubles are rounded to the program's 32-bit floats",
             path);
    if (st)
      snprintf(st->hint, sizeof st->hint,
               "`precision f64` in the program, or --dtype f64, keeps their digits");
  }
  reg_saved_free(&saved);
  return code;
}

static int read_model(const reg_train *plan, const char *model, void *const *params, void *const *states,
                      const char *path, reg_status *st) {
  Weights w;
  int code = weights_new(plan, model, params, states, &w, st);
  if (!code) code = reg_tensors_read(w.count, w.tensors, w.values, path, st);
  weights_free(&w);
  return code;
}

int reg_weights_read(const reg_train *plan, void *const *params, void *const *states, const char *path,
                     reg_status *st) {
  return read_model(plan, NULL, params, states, path, st);
}

void reg_weights_loaded(const reg_train *t, void *const *states) {
  for (int i = 0; i < t->nstates; i++)
    if (t->states[i].initial) memcpy(states[i], t->states[i].initial, reg_tensor_bytes(&t->states[i]));
}

int reg_weights_load(const reg_program *p, const reg_train *whose, int64_t act, const reg_train *t,
                     const char *model, const char *path, void *const *params, void *const *states,
                     reg_status *st) {
  char *file = file_of(p, whose, act, path);
  int code = file ? read_model(t, model, params, states, file, st) : reg_no_memory(st, strlen(path));
  free(file);
  if (!code) reg_weights_loaded(t, states);
  if (code == REG_BAD_DATA && p->nknowns && st && !*st->hint)
    reg_hint(st,
             "where a run has found another `%s`, its folder tells that: `--weights DIR`; else `--set %s=N`",
             p->knowns[0].name, p->knowns[0].name);
  return code;
}

// -- numbers that a run has found

static void note_numbers(Json *j, void (*note)(void *user, const char *name, double value), void *user) {
  if (!json_enter(j, '{')) return;
  for (bool first = true; json_more(j, '}', &first);) {
    char name[256];
    Text key = reg_text_in(name, sizeof name);
    int64_t value;
    json_key(j, &key);
    if (json_integer(j, &value) && !key.failed) note(user, name, (double)value);
  }
}

void reg_weights_known(const char *weights, void (*note)(void *user, const char *name, double value),
                       void *user) {
  const char *slash = is_folder(weights) ? weights + strlen(weights) : strrchr(weights, '/');
  const int length = slash ? (int)(slash - weights) : 1;
  Text path = {0};
  size_t size;
  reg_status st = {0};
  reg_text_format(&path, "%.*s/run.json", length, slash ? weights : ".");
  char *bytes = path.failed ? NULL : reg_file_read(path.data, &size, "run_missing", &st);
  reg_text_free(&path);
  if (!bytes) return; // weights of no run
  Json j = json_of(bytes, size);
  if (json_enter(&j, '{'))
    for (bool first = true; json_more(&j, '}', &first);) {
      char name[32];
      Text key = reg_text_in(name, sizeof name);
      json_key(&j, &key);
      if (!key.failed && !strcmp(name, "known"))
        note_numbers(&j, note, user);
      else
        json_skip(&j);
    }
  free(bytes);
}
