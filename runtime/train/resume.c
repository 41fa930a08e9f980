// A run goes on. In: the checkpoint of its folder. Out: the store, the training that was under way and the
// place in the stages as they were; nothing in the folder changes. A file that is damaged, or of another run,
// is REG_BAD_DATA, and what differs is told.
#include "train/checkpoint.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Resume {
  Run *r;
  const char *path;
  reg_saved saved;
  uint64_t meta[META_ROWS];
  Table then[TABLES], now[TABLES];
  Heap heap;
} Resume;

static int refuse(const Resume *c, const char *why) {
  reg_fail(c->r->st, REG_BAD_DATA, "checkpoint_bad", "%s: %s", c->path, why);
  reg_hint(c->r->st, "start anew without --resume, or with another --out");
  return c->r->st->code;
}

static bool take_table(const Resume *c, const char *name, int64_t rows, uint64_t *values) {
  const reg_saved_tensor *t = reg_saved_find(&c->saved, name);
  if (!t || t->dtype != REG_F32 || t->count != rows * OF_ROW) return false;
  memset(values, 0, (size_t)rows * sizeof *values);
  for (int64_t i = 0; i < rows * OF_ROW; i++) {
    float x = ((const float *)t->values)[i];
    if (!(x >= 0 && x <= 65535 && x == (float)(int)x)) return false;
    values[i / OF_ROW] |= (uint64_t)x << 16 * (i % OF_ROW);
  }
  return true;
}

// -- is it of this run?

static void add_item(Text *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_item(Text *list, const char *fmt, ...) {
  va_list args;
  if (list->used) reg_text_add(list, ", ");
  va_start(args, fmt);
  reg_text_vformat(list, fmt, args);
  va_end(args);
}

static const uint64_t *training_row(const Table *tables, int i) {
  return &tables[TABLE_TRAININGS].values[i * TRAIN_ROWS];
}

// The first training that differs in what the column says.
static void compare_trainings(const Resume *c, int column, const char *format, Text *list) {
  for (int i = 0; i < c->r->program->ntrains; i++) {
    const uint64_t then = training_row(c->then, i)[column], now = training_row(c->now, i)[column];
    if (then == now) continue;
    char text[80];
    snprintf(text, sizeof text, format, (unsigned long long)then, (unsigned long long)now);
    add_item(list, "%s", text);
    return;
  }
}

// More epochs are no other training as long as it is the one under way.
static void compare_epochs(const Resume *c, Text *list) {
  for (int i = 0; i < c->r->program->ntrains; i++) {
    const uint64_t *then = training_row(c->then, i), *now = training_row(c->now, i);
    const bool own = (uint64_t)i + 1 == c->meta[META_TRAIN];
    if (then[TRAIN_EPOCHS] != now[TRAIN_EPOCHS] && then[TRAIN_ACTS] > (own ? 1 : 0))
      add_item(list, "the epochs of `%s`, which is over (%llu then, %llu now)", c->r->program->trains[i].name,
               (unsigned long long)then[TRAIN_EPOCHS], (unsigned long long)now[TRAIN_EPOCHS]);
  }
}

static void compare_settings(const Resume *c, Text *list) {
  for (int64_t i = 0; i < c->now[TABLE_SETTINGS].rows; i++) {
    double then, now;
    memcpy(&then, &c->then[TABLE_SETTINGS].values[i], sizeof then);
    memcpy(&now, &c->now[TABLE_SETTINGS].values[i], sizeof now);
    if (memcmp(&then, &now, sizeof then) != 0)
      add_item(list, "`%s` (%.9g then, %.9g now)", c->r->program->settings[i].name, then, now);
  }
}

static bool same_table(const Resume *c, TableKind k) {
  const size_t bytes = (size_t)c->now[k].rows * sizeof(uint64_t);
  return !bytes || !memcmp(c->then[k].values, c->now[k].values, bytes);
}

// The tables as they were: known where the program's text is the same.
static int take_tables(Resume *c) {
  Run *r = c->r;
  const uint64_t train = c->meta[META_TRAIN], depth = c->meta[META_DEPTH];
  if (train > (uint64_t)r->program->ntrains || depth == 0 || depth > INT16_MAX)
    return refuse(c, "it is damaged: it is at no place of the program");
  for (int i = 0; i < 2; i++) {
    int code = checkpoint_tables(r, NULL, (int64_t)depth, &c->heap, i ? c->then : c->now);
    if (code) return code;
  }
  c->then[TABLE_SUMS].rows = train ? 2 + r->program->trains[train - 1].nterms : 0;
  c->then[TABLE_SUMS].values = reg_heap_take(&c->heap, (size_t)c->then[TABLE_SUMS].rows * sizeof(uint64_t));
  if (!c->then[TABLE_SUMS].values) return reg_no_memory(r->st, 0);
  for (int i = 0; i < TABLES; i++)
    if (!take_table(c, c->then[i].name, c->then[i].rows, c->then[i].values))
      return refuse(c, "it is damaged: a table is missing or of another size");
  return REG_OK;
}

static int compare(Resume *c) {
  static const char *const what[] = {[META_PROGRAM] = "the program's text",
                                     [META_BESIDES] =
                                         "definitions that --set replaces, or files that it uses",
                                     [META_OPTIMIZE] = "the optimization (-O%llu then, -O%llu now)",
                                     [META_PRECISION] = "the precision (f%llu then, f%llu now)"};
  uint64_t own[META_ROWS] = {0};
  const uint64_t *meta = c->meta;
  char differences[300], words[400];
  Text list = reg_text_in(differences, sizeof differences), text = reg_text_in(words, sizeof words);
  checkpoint_identity(c->r, own);
  if (meta[META_VERSION] != own[META_VERSION])
    return refuse(c, "the checkpoint is of another version of the format");
  const bool same = meta[META_PROGRAM] == own[META_PROGRAM] && meta[META_BESIDES] == own[META_BESIDES];
  int code = same ? take_tables(c) : REG_OK;
  if (code) return code;
  if (same) compare_trainings(c, TRAIN_BATCH, "the batch (%llu rows then, %llu now)", &list);
  for (int i = META_PROGRAM; i <= META_PRECISION; i++)
    if (meta[i] != own[i]) add_item(&list, what[i], (unsigned long long)meta[i], (unsigned long long)own[i]);
  if (same && !same_table(c, TABLE_DATA)) add_item(&list, "the data");
  if (same) compare_trainings(c, TRAIN_SEED, "the seed (%llu then, %llu now)", &list);
  if (same) compare_epochs(c, &list);
  if (same) compare_settings(c, &list);
  if (!list.used) return REG_OK;
  reg_text_format(&text, "the checkpoint is of a run that differs in %s", differences);
  return refuse(c, words);
}

static int compare_length(Resume *c, const reg_train *p) {
  char words[120];
  if (c->meta[META_EPOCH] <= (uint64_t)p->epochs && c->meta[META_BEST_EPOCH] <= c->meta[META_EPOCH])
    return REG_OK;
  snprintf(words, sizeof words, "the checkpoint is behind epoch %llu, this training is for %lld",
           (unsigned long long)c->meta[META_EPOCH], (long long)p->epochs);
  return refuse(c, words);
}

// -- what it holds

static bool same_shape(const reg_saved_tensor *s, const reg_tensor *t) {
  return s->rank == t->rank && memcmp(s->dim, t->dim, sizeof(int64_t) * (size_t)t->rank) == 0;
}

// Numbers of each epoch: there is room for more in a longer training.
static bool is_history(const Resume *c, int index) {
  const uint64_t train = c->meta[META_TRAIN];
  const reg_train *p = train ? &c->r->program->trains[train - 1] : NULL;
  for (int i = 0; p && i < p->nresults; i++)
    if (p->results[i].history && p->results[i].value == index) return true;
  return false;
}

static int read_stored(Resume *c, int index, const reg_saved_tensor *s) {
  const reg_tensor *t = &c->r->program->store[index];
  const bool shorter = is_history(c, index) && s->rank == 1 && s->count < t->count;
  if (!same_shape(s, t) && !shorter) return refuse(c, "a tensor is missing or has another shape");
  void *to = store_take(c->r, index);
  if (!to) return c->r->st->code;
  if (s->dtype == t->dtype)
    reg_floats_copy(to, t->dtype, s->values, s->dtype, s->count);
  else
    for (int64_t i = 0; i < s->count; i++)
      reg_number_put(to, t->dtype, i, reg_float_at(s->values, s->dtype, i));
  for (int64_t i = s->count; i < t->count; i++) reg_number_put(to, t->dtype, i, NAN);
  return REG_OK;
}

static int read_store(Resume *c, int *found) {
  int code = REG_OK;
  for (int i = 0; i < c->r->program->nstore && !code; i++) {
    const char *name = checkpoint_store_name(&c->heap, c->r, i);
    if (!name) return reg_no_memory(c->r->st, 0);
    const reg_saved_tensor *s = reg_saved_find(&c->saved, name);
    if (s) code = read_stored(c, i, s);
    *found += s != NULL;
  }
  return code;
}

static int read_states(Resume *c, Training *t, int *found) {
  const size_t room = (size_t)(2 * (t->plan->nparams + t->plan->nstates));
  Entry *entries = reg_heap_take(&c->heap, room * sizeof *entries);
  if (!entries) return reg_no_memory(c->r->st, room * sizeof *entries);
  const int n = checkpoint_entries(t, entries);
  for (int i = 0; i < n; i++) {
    const char *name = checkpoint_name(&c->heap, &entries[i]);
    if (!name) return reg_no_memory(c->r->st, 0);
    const reg_saved_tensor *s = reg_saved_find(&c->saved, name);
    if (!s || !same_shape(s, entries[i].tensor) || s->dtype != entries[i].tensor->dtype)
      return refuse(c, "a tensor is missing or has another shape");
    memcpy(entries[i].values, s->values, reg_tensor_bytes(entries[i].tensor));
  }
  *found += n;
  return REG_OK;
}

// A training that had ended, and has more epochs now, goes on; one that was stopped early had its end.
static bool is_done(const Resume *c, const reg_train *p) {
  const uint64_t then = training_row(c->then, (int)c->meta[META_TRAIN] - 1)[TRAIN_EPOCHS];
  const bool longer = (uint64_t)p->epochs > then && c->meta[META_EPOCH] == then;
  return c->meta[META_DONE] && !longer;
}

static int read_training(Resume *c, int *found) {
  Run *r = c->r;
  const int index = (int)c->meta[META_TRAIN] - 1;
  const reg_train *p = &r->program->trains[index];
  Training *t = &r->trainings[index];
  int code = compare_length(c, p);
  if (!code) code = training_new(r, index);
  if (code) return code;
  const uint64_t *meta = c->meta;
  const int64_t within = (int64_t)(meta[META_STEP] - meta[META_BEGAN]);
  const int64_t then = (int64_t)training_row(c->then, index)[TRAIN_EPOCHS];
  t->resumed = true;
  t->epoch = (int32_t)meta[META_EPOCH];
  t->step = (int32_t)meta[META_STEP];
  t->began = (int64_t)meta[META_BEGAN];
  t->best_epoch = (int64_t)meta[META_BEST_EPOCH];
  t->has_best = meta[META_HAS_BEST] != 0;
  memcpy(&t->best_value, &meta[META_BEST_VALUE], sizeof(double));
  t->done = is_done(c, p);
  t->epochs_before = then == p->epochs ? 0 : then;
  const bool over = t->epoch == p->epochs;
  if (over && p->sample == REG_SAMPLE_KEPT ? within != 0
      : over                               ? t->step != (int64_t)t->total
                                           : within < 0 || within >= t->per_epoch)
    return refuse(c, "the checkpoint is at a step that its epoch has not");
  for (int i = 0; i < c->then[TABLE_SUMS].rows; i++)
    memcpy(checkpoint_sum(t, i), &c->then[TABLE_SUMS].values[i], sizeof(double));
  for (int64_t i = 0; i < within; i++) t->rows_done += step_rows(t, i);
  r->lines = (int64_t)meta[t->done ? META_LINES : META_TRAIN_LINES];
  r->under_way = t;
  return read_states(c, t, found);
}

static bool is_loop(const reg_stage *s) { return s->kind == REG_STAGE_REPEAT || s->kind == REG_STAGE_WHILE; }

// The places lead down the program's stages, to the training under way where there is one.
static bool leads_down(const Resume *c) {
  const reg_stage *list = c->r->stages;
  int n = c->r->nstages;
  const int depth = (int)c->meta[META_DEPTH];
  for (int i = 0; i < depth; i++) {
    const Place *at = &c->r->places[i];
    const bool last = i + 1 == depth;
    if (at->stage < 0 || at->stage > n || (at->stage == n && !last)) return false;
    const reg_stage *s = &list[at->stage];
    if (last && c->meta[META_TRAIN])
      return at->stage < n && s->kind == REG_STAGE_TRAIN && s->index == (int)c->meta[META_TRAIN] - 1;
    if (last) return at->turn == (at->stage < n && s->kind == REG_STAGE_SWEEP ? at->turn != 0 : 0);
    if (s->kind == REG_STAGE_IF ? at->turn != 1 && at->turn != 2 : !is_loop(s) || at->turn < 1) return false;
    n = s->kind == REG_STAGE_IF && at->turn == 2 ? s->nelse : s->nbody;
    list = s->kind == REG_STAGE_IF && at->turn == 2 ? s->otherwise : s->body;
  }
  return false;
}

static int read_place(Resume *c) {
  Run *r = c->r;
  const int depth = (int)c->meta[META_DEPTH];
  int code = places_room(r, depth);
  for (int i = 0; i < depth && !code; i++)
    memcpy(&r->places[i], &c->then[TABLE_PLACES].values[i * PLACE_ROWS], sizeof r->places[i]);
  if (!code && !leads_down(c)) code = refuse(c, "it is damaged: it is at no place of the program");
  r->returning = depth;
  return code;
}

// A number that was found, and for which this program is not compiled.
static int compare_known(Resume *c) {
  Run *r = c->r;
  int code = REG_OK;
  for (int i = 0; i < r->program->nknowns; i++) {
    memcpy(&r->known[i], &c->then[TABLE_KNOWN].values[i], sizeof(double));
    if (r->known[i] == 0 || r->known[i] == r->program->knowns[i].value) continue;
    if (!r->options->known) return refuse(c, "it is of a program that is compiled for other numbers");
    r->options->known(r->options->known_user, i, r->known[i], r->folder ? r->folder : "");
    code = REG_AGAIN;
  }
  return code;
}

static int set_back(Resume *c) {
  Run *r = c->r;
  bool damaged = false;
  int found = 0, code = read_place(c);
  if (!code) code = read_store(c, &found);
  r->lines = (int64_t)c->meta[META_LINES];
  if (!code && c->meta[META_TRAIN]) code = read_training(c, &found);
  if (!code) code = words_read(r, &c->saved, &found, &damaged);
  if (code) return code;
  if (damaged || c->saved.count != found + TABLES + 1)
    return refuse(c, "it has tensors that the program has not");
  for (int i = 0; i < r->program->ntrains; i++)
    r->trainings[i].acts = (int64_t)training_row(c->then, i)[TRAIN_ACTS];
  for (int i = 0; i < r->program->nevaluates; i++)
    r->evaluations[i].acts = (int64_t)c->then[TABLE_EVALUATIONS].values[i];
  for (int i = 0; i < r->program->nsweeps; i++) r->sweep_acts[i] = (int64_t)c->then[TABLE_SWEEPS].values[i];
  r->lost = (int64_t)c->meta[META_LOST];
  for (int i = 0; i < 3; i++) r->ended[i] = (int64_t)c->meta[META_ENDED + i];
  return REG_OK;
}

static int read_file(Resume *c) {
  int code = reg_safetensors_read(c->path, &c->saved, c->r->st);
  if (code) return code;
  if (!take_table(c, "meta", META_ROWS, c->meta))
    return refuse(c, "this is no checkpoint, or one of another version");
  code = compare(c);
  if (code) return code;
  if (checkpoint_checksum(c->saved.count, c->saved.tensors, c->meta) != c->meta[META_SUM])
    return refuse(c, "it is damaged: its checksum does not fit");
  code = compare_known(c);
  return code ? code : set_back(c);
}

int checkpoint_read(Run *r) {
  Resume c = {.r = r, .path = r->checkpoint};
  const int code = access(c.path, F_OK) == 0 ? read_file(&c) : REG_OK;
  reg_saved_free(&c.saved);
  reg_heap_free(&c.heap);
  return code;
}
