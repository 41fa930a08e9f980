// Weights between trainings. In: what reg_run hands over at a training's end, or a .safetensors file. Out:
// the start of the next training, inputs of expressions, a file. Where the program has changed, tensors are
// taken over that still have their name and shape.
#include "reg/safetensors.h"
#include "repl.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// -- keeping

static void *needed(void *block) {
  if (!block) ice("repl", "out of memory");
  return block;
}

static void free_tensors(ReplTensor *t, int n) {
  for (int i = 0; i < n; i++) {
    free(t[i].name);
    free(t[i].values);
  }
  free(t);
}

static void best_forget(ReplWeights *w) {
  for (int i = 0; w->best && i < w->nparams; i++) free(w->best[i]);
  for (int i = 0; w->best && i < w->nstates; i++) free(w->best_states[i]);
  free(w->best);
  free(w->best_states);
  w->best = w->best_states = NULL;
  w->has_best = false;
}

static void weights_free(ReplWeights *w) {
  best_forget(w);
  free_tensors(w->params, w->nparams);
  free_tensors(w->states, w->nstates);
  free(w->train);
  free(w->model);
  free(w->file);
  free(w);
}

void repl_weights_forget(Repl *r, const char *train) {
  int n = 0;
  for (int i = 0; i < r->weights.len; i++) {
    ReplWeights *w = r->weights.data[i];
    if (!train || !strcmp(w->train, train))
      weights_free(w);
    else
      r->weights.data[n++] = w;
  }
  r->weights.len = n;
}

static void *copied(const void *values, size_t bytes) {
  void *out = needed(malloc(bytes + 1));
  if (bytes) memcpy(out, values, bytes);
  return out;
}

ReplTensor repl_tensor(const char *name, const reg_tensor *t, const void *values) {
  ReplTensor out = {.name = needed(strdup(name)),
                    .shape.rank = t->rank,
                    .layer = t->layer,
                    .dtype = t->dtype,
                    .values = copied(values, reg_tensor_bytes(t))};
  memcpy(out.shape.dim, t->dim, sizeof(int64_t) * (size_t)t->rank);
  return out;
}

static ReplTensor *kept_tensors(int n, const reg_tensor *tensors, void *const *values) {
  ReplTensor *out = needed(calloc((size_t)n + 1, sizeof *out));
  for (int i = 0; i < n; i++) out[i] = repl_tensor(tensors[i].name, &tensors[i], values[i]);
  return out;
}

static void **copies(int n, const reg_tensor *tensors, void *const *values) {
  void **out = needed(calloc((size_t)n + 1, sizeof *out));
  for (int i = 0; i < n; i++) out[i] = copied(values[i], reg_tensor_bytes(&tensors[i]));
  return out;
}

// What statements have given to models that a training has trained since.
static void given_forget(Repl *r, const reg_train *t) {
  int n = 0;
  for (int i = 0; i < r->weights.len; i++) {
    ReplWeights *w = r->weights.data[i];
    if (!*w->train && !w->file && reg_trains_model(t, w->model))
      weights_free(w);
    else
      r->weights.data[n++] = w;
  }
  r->weights.len = n;
}

void repl_weights_end(void *user, const reg_weights *w) {
  Repl *r = user;
  const reg_train *t = w->train;
  const bool stopped = r->trains && (!strcmp(w->reason, "interrupted") || !strcmp(w->reason, "steps"));
  if (!strcmp(w->reason, "failed")) return;
  ReplWeights *k = needed(calloc(1, sizeof *k));
  *k = (ReplWeights){.train = needed(strdup(t->name)),
                     .model = needed(strdup(t->model)),
                     .nparams = t->nparams,
                     .nstates = t->nstates,
                     .finished = !stopped,
                     .has_best = stopped && w->has_best,
                     .best_value = w->best_value,
                     .best_epoch = w->best_epoch,
                     .epoch = w->epoch,
                     .step = w->step,
                     .per_epoch = w->per_epoch,
                     .epochs = t->epochs,
                     .stamp = ++r->stamp};
  bool best = !stopped && w->best && w->has_best;
  k->params = kept_tensors(t->nparams, t->params, best ? w->best : w->params);
  k->states = kept_tensors(t->nstates, t->states, best ? w->best_states : w->states);
  if (k->has_best && w->best) {
    k->best = copies(t->nparams, t->params, w->best);
    k->best_states = copies(t->nstates, t->states, w->best_states);
  }
  repl_weights_forget(r, t->name);
  given_forget(r, t);
  vec_push(r->arena, r->weights, k);
}

static ReplWeights *given_weights(Repl *r, const char *model) {
  ReplWeights *w = needed(calloc(1, sizeof *w));
  *w = (ReplWeights){.train = needed(strdup("")), .model = needed(strdup(model)), .finished = true};
  vec_push(r->arena, r->weights, w);
  return w;
}

// Of the name in front of a tensor's: `ema(net, decay: 0.9)` is one.
static int model_length(const char *tensor) {
  const char *closed = strrchr(tensor, ')');
  return (int)((closed ? closed : tensor) - tensor + (ptrdiff_t)strcspn(closed ? closed : tensor, "."));
}

// A training ends where a statement changes what it trains.
void repl_weights_put(Repl *r, const reg_tensor *t, const void *values) {
  char model[256];
  snprintf(model, sizeof model, "%.*s", model_length(t->name), t->name);
  if (r->trains) return; // its end has told
  ReplWeights *w = repl_weights_of_model(r, model);
  if (!w) w = given_weights(r, model);
  const bool state = t->layer && !w->file;
  ReplTensor **list = state ? &w->states : &w->params;
  int *n = state ? &w->nstates : &w->nparams, at = 0;
  while (at < *n && strcmp((*list)[at].name, t->name) != 0) at++;
  ReplTensor new = repl_tensor(t->name, t, values), old = {0};
  if (at < *n) old = (*list)[at];
  const bool same = old.values && old.dtype == new.dtype &&shape_equal(old.shape, new.shape) &&
                    !memcmp(old.values, new.values, reg_tensor_bytes(t));
  if (!same) {
    best_forget(w);
    w->finished = true;
    w->stamp = ++r->stamp;
  }
  if (at == *n) *list = needed(realloc(*list, (size_t)++*n * sizeof **list));
  (*list)[at] = new;
  free(old.name);
  free(old.values);
}

// -- finding

ReplWeights *repl_weights_latest(const Repl *r) {
  ReplWeights *found = NULL;
  for (int i = 0; i < r->weights.len; i++)
    if (!found || r->weights.data[i]->stamp > found->stamp) found = r->weights.data[i];
  return found;
}

static const ReplTensor *named(const ReplTensor *t, int n, const char *name) {
  for (int i = 0; i < n; i++)
    if (!strcmp(t[i].name, name)) return &t[i];
  return NULL;
}

static bool any_of(const ReplTensor *t, int count, const char *model) {
  const size_t n = strlen(model);
  for (int i = 0; i < count; i++)
    if (!strncmp(t[i].name, model, n) && t[i].name[n] == '.') return true;
  return false;
}

// Has it a tensor of this model? What follows another has states only.
static bool is_of_model(const ReplWeights *w, const char *model) {
  return any_of(w->params, w->nparams, model) || any_of(w->states, w->nstates, model);
}

ReplWeights *repl_weights_of_model(const Repl *r, const char *model) {
  ReplWeights *found = NULL;
  for (int i = 0; i < r->weights.len; i++) {
    ReplWeights *w = r->weights.data[i];
    if (is_of_model(w, model) && (!found || w->stamp > found->stamp)) found = w;
  }
  return found;
}

const ReplTensor *repl_weights_tensor(const Repl *r, bool state, const char *name, Shape shape) {
  char model[256];
  snprintf(model, sizeof model, "%.*s", model_length(name), name);
  const ReplWeights *w = repl_weights_of_model(r, model);
  if (!w) return NULL;
  const bool among_states = state && !w->file; // a file does not tell them apart
  const ReplTensor *t =
      among_states ? named(w->states, w->nstates, name) : named(w->params, w->nparams, name);
  return t && shape_equal(t->shape, shape) ? t : NULL;
}

// -- the start of a training

static Shape shape_from(const reg_tensor *t) {
  Shape s = {.rank = t->rank};
  memcpy(s.dim, t->dim, sizeof(int64_t) * (size_t)t->rank);
  return s;
}

static int take_over(int n, const reg_tensor *to, void *const *values, int nfrom, const ReplTensor *from,
                     const char *only) {
  int taken = 0;
  for (int i = 0; i < n; i++) {
    const ReplTensor *t = named(from, nfrom, to[i].name);
    bool meant = !only || (!strncmp(to[i].name, only, strlen(only)) && to[i].name[strlen(only)] == '.');
    if (!t || !meant || !shape_equal(t->shape, shape_from(&to[i])) ||
        !reg_floats_fit(t->values, t->dtype, to[i].dtype, to[i].count))
      continue;
    reg_floats_copy(values[i], to[i].dtype, t->values, t->dtype, to[i].count);
    taken++;
  }
  return taken;
}

// Goes on in the middle only where that is the same training: all tensors fit and passes are not over.
static bool goes_on(const ReplWeights *k, const reg_weights *w) {
  const reg_train *t = w->train;
  bool fits = !strcmp(k->train, t->name) && k->nparams == t->nparams && k->nstates == t->nstates;
  for (int i = 0; i < t->nparams && fits; i++) {
    const ReplTensor *p = named(k->params, k->nparams, t->params[i].name);
    fits = p && p->dtype == t->params[i].dtype && shape_equal(p->shape, shape_from(&t->params[i]));
  }
  for (int i = 0; i < t->nstates && fits; i++) {
    const ReplTensor *p = named(k->states, k->nstates, t->states[i].name);
    fits = p && p->dtype == t->states[i].dtype && shape_equal(p->shape, shape_from(&t->states[i]));
  }
  return fits && !k->finished && k->epoch < t->epochs;
}

// The best tensors so far, by name; shapes are known to fit.
static void put_back(int n, const reg_tensor *to, void *const *values, int nfrom, const ReplTensor *from,
                     void *const *best) {
  for (int i = 0; i < n; i++)
    for (int k = 0; k < nfrom; k++)
      if (!strcmp(from[k].name, to[i].name)) memcpy(values[i], best[k], reg_tensor_bytes(&to[i]));
}

static void set_place(const ReplWeights *k, reg_weights *w) {
  const reg_train *t = w->train;
  w->epoch = k->epoch;
  w->step = k->per_epoch == w->per_epoch ? k->step : k->epoch * w->per_epoch;
  w->has_best = k->has_best && k->best && w->best;
  w->best_value = k->best_value;
  w->best_epoch = w->has_best || !w->best ? k->best_epoch : 0;
  if (!w->has_best) return;
  put_back(t->nparams, t->params, w->best, k->nparams, k->params, k->best);
  put_back(t->nstates, t->states, w->best_states, k->nstates, k->states, k->best_states);
}

static void tell(const Repl *r, const char *text) {
  if (!r->options.given[OPT_QUIET]) reg_shown_line(stderr, "%s", text);
}

// A further model of the head has the weights that it was last trained to.
static int take_model(const Repl *r, const ReplWeights *first, reg_weights *w, const char *model) {
  const reg_train *t = w->train;
  const ReplWeights *k = repl_weights_of_model(r, model);
  if (!k || k == first) return 0;
  if (!k->file) take_over(t->nstates, t->states, w->states, k->nstates, k->states, model);
  return take_over(t->nparams, t->params, w->params, k->nparams, k->params, model);
}

int repl_weights_begin(void *user, reg_weights *w) {
  Repl *r = user;
  const reg_train *t = w->train;
  const ReplWeights *k = repl_weights_of_model(r, t->model);
  if (!k || !r->trains) return REG_OK; // the store has them
  bool on = goes_on(k, w);
  const char *layers =
      on ? NULL : t->model; // a new training's optimizer starts anew, running means of layers do not
  int params = take_over(t->nparams, t->params, w->params, k->nparams, k->params, NULL);
  for (int i = 1; i < t->nmodels; i++) params += take_model(r, k, w, t->models[i]);
  if (k->file)
    take_over(t->nstates, t->states, w->states, k->nparams, k->params, layers);
  else
    take_over(t->nstates, t->states, w->states, k->nstates, k->states, layers);
  char text[256], fits[64] = "";
  if (params < t->nparams) snprintf(fits, sizeof fits, " (%d of %d tensors fit)", params, t->nparams);
  if (on) {
    set_place(k, w);
    snprintf(text, sizeof text, "goes on after step %lld, epoch %lld of %lld; `:reset` would start anew",
             (long long)w->step, (long long)w->epoch, (long long)t->epochs);
  } else {
    snprintf(text, sizeof text, "starts from the %s weights%s; `:reset` would start anew",
             k->file ? "loaded" : "kept", fits);
  }
  tell(r, text);
  return REG_OK;
}

void repl_weights_tell(const Repl *r, const reg_train *t) {
  int fit = 0;
  char text[128];
  for (int i = 0; i < t->nparams; i++)
    fit += repl_weights_tensor(r, false, t->params[i].name, shape_from(&t->params[i])) != NULL;
  snprintf(text, sizeof text, "the kept weights do not fit the model (%d of %d tensors fit)", fit,
           t->nparams);
  if (fit < t->nparams)
    tell(r, repl_weights_of_model(r, t->model) ? text : "nothing is trained yet: these are initial values");
}

// -- files

static reg_saved_tensor saved_tensor(const ReplTensor *p) {
  reg_saved_tensor t = {.name = p->name,
                        .dtype = p->dtype,
                        .rank = p->shape.rank,
                        .count = shape_count(p->shape),
                        .values = p->values};
  memcpy(t.dim, p->shape.dim, sizeof(int64_t) * (size_t)p->shape.rank);
  return t;
}

bool repl_weights_save(Repl *r, const char *path) {
  const ReplWeights *w = repl_weights_latest(r);
  if (!w) {
    fputs("nothing is trained yet\n", stderr);
    return false;
  }
  reg_saved_tensor *t = needed(calloc((size_t)(w->nparams + w->nstates) + 1, sizeof *t));
  int n = 0;
  for (int i = 0; i < w->nparams; i++) t[n++] = saved_tensor(&w->params[i]);
  for (int i = 0; i < w->nstates; i++)
    if (w->states[i].layer) t[n++] = saved_tensor(&w->states[i]);
  reg_status st = {0};
  int code = reg_safetensors_write(path, n, t, &st);
  free(t);
  if (code)
    tell_status(&r->options, &st);
  else if (r->tty)
    reg_shown_line(stderr, "%s: %d tensors of `%s`", path, n, w->file ? w->file : w->train);
  return !code;
}

static ReplWeights *from_file(const reg_saved *saved, const char *path) {
  ReplWeights *w = needed(calloc(1, sizeof *w));
  w->train = needed(strdup(""));
  w->file = needed(strdup(path));
  w->nparams = saved->count;
  w->params = needed(calloc((size_t)saved->count + 1, sizeof *w->params));
  for (int i = 0; i < saved->count; i++) {
    const reg_saved_tensor *t = &saved->tensors[i];
    w->params[i].name = needed(strdup(t->name));
    w->params[i].shape.rank = t->rank;
    memcpy(w->params[i].shape.dim, t->dim, sizeof(int64_t) * (size_t)t->rank);
    w->params[i].dtype = t->dtype;
    w->params[i].values = copied(t->values, (size_t)t->count * reg_dtype_bytes(t->dtype));
  }
  const size_t n = saved->count ? (size_t)model_length(saved->tensors[0].name) : 0;
  w->model = needed(strndup(saved->count ? saved->tensors[0].name : "", n));
  w->finished = true;
  return w;
}

// One tensor of a model against those of a file.
static void compare_tensor(Arena *a, const ReplWeights *w, const char *model, const char *path, Shape shape,
                           bool *used) {
  const size_t n = strlen(model);
  const ReplTensor *t = named(w->params, w->nparams, path);
  if (strncmp(path, model, n) != 0 || path[n] != '.') return;
  if (t) used[t - w->params] = true;
  if (!t)
    reg_shown_line(stderr, "  missing: %s %s", path, shape_text(a, shape));
  else if (!shape_equal(t->shape, shape))
    reg_shown_line(stderr, "  other shape: %s is %s, the model has %s", path, shape_text(a, t->shape),
                   shape_text(a, shape));
}

// What a file's tensors and the parameters of the models that are defined now have not in common.
static void compare(Repl *r, const ReplWeights *w) {
  Work work;
  if (!work_open(r, &work, &r->items, TRAINS_ALL, NULL, true)) {
    work_close(&work);
    return;
  }
  Arena *a = work.p.arena;
  bool *used = ARENA_ARRAY(a, bool, w->nparams + 1);
  for (int i = 0; i < r->items.len; i++) {
    const ReplItem *item = &r->items.data[i];
    if (item->kind != AST_DEF || item->op != KIND_MODEL || !is_of_model(w, item->name)) continue;
    const Ast *e = work_expression(r, &work, item->name, true);
    const LowerExpression *v = e ? work_lowered(&work, e) : NULL;
    for (int k = 0; v && k < v->params.len; k++)
      compare_tensor(a, w, item->name, v->params.data[k].path, v->params.data[k].shape, used);
    for (int k = 0; v && k < v->states.len; k++)
      compare_tensor(a, w, item->name, v->states.data[k].name, v->states.data[k].shape, used);
  }
  for (int i = 0; i < w->nparams; i++)
    if (!used[i])
      reg_shown_line(stderr, "  no model has: %s %s", w->params[i].name, shape_text(a, w->params[i].shape));
  work_close(&work);
}

bool repl_weights_load(Repl *r, const char *path) {
  reg_saved saved = {0};
  reg_status st = {0};
  if (reg_safetensors_read(path, &saved, &st)) {
    tell_status(&r->options, &st);
    return false;
  }
  ReplWeights *w = from_file(&saved, path);
  reg_saved_free(&saved);
  // A training goes on from the latest weights of its model: those of the file.
  for (int i = r->weights.len - 1; i >= 0; i--)
    if (r->weights.data[i]->file || is_of_model(w, r->weights.data[i]->model)) {
      weights_free(r->weights.data[i]);
      for (int k = i; k + 1 < r->weights.len; k++) r->weights.data[k] = r->weights.data[k + 1];
      r->weights.len--;
    }
  w->stamp = ++r->stamp;
  vec_push(r->arena, r->weights, w);
  if (r->tty) reg_shown_line(stderr, "%s: %d tensors", path, w->nparams);
  compare(r, w);
  return true;
}
