// Checkpoints: all that the next step depends on, in one .safetensors file that appears whole or not at all.
// In: a training between two steps. Out: the file, or a training set back to that moment, which then goes on
// in the same bits: the order of rows follows from seed and epoch, batches from it and the step, random draws
// from seed and step.
//
// Tensors: `param NAME`, `state NAME`, `best NAME` (what weights hold, at the best epoch so far), `meta` and
// `sums`: rows of four numbers of 16 bits, low ones first, each row one 64-bit value; of `meta` in the order
// of MetaRow, of `sums` the bits of the epoch's sums so far: loss, objective, each term.
#include "reg/safetensors.h"
#include "train/internal.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef enum MetaRow {
  META_VERSION,
  META_PROGRAM, // hash of the program's text
  META_BESIDES, // of the files that it uses, and of replaced definitions
  META_BATCH,
  META_OPTIMIZE,  // how hard the compiler tried: other bits
  META_PRECISION, // bits of a number
  META_DATA,      // hash of the data's checksum
  META_SEED,
  META_EPOCHS, // planned passes: there may be more when it goes on
  META_BEFORE, // META_SUM of the model's training before it: where it started
  META_EPOCH,  // finished passes
  META_STEP,   // finished updates
  META_BEST_EPOCH,
  META_HAS_BEST,
  META_BEST_VALUE, // bits of the double
  META_DONE,       // the training has ended
  META_SUM,        // of all the tensors and the rows above: a damaged file is not gone on from
  META_ROWS
} MetaRow;

enum { CHECKPOINT_VERSION = 6, OF_ROW = 4 }; // OF_ROW: numbers that hold one 64-bit value
static const double SECONDS_BETWEEN = 1;     // unless the options say otherwise
static const double MOST_SHARE = 0.05;       // of the time, for writing them

static char *checkpoint_path(const Run *r, const reg_train *p) {
  char *path = NULL;
  int length = r->program->ntrains == 1 ? asprintf(&path, "%s/checkpoint.safetensors", r->folder)
                                        : asprintf(&path, "%s/checkpoint-%s.safetensors", r->folder, p->name);
  return length < 0 ? NULL : path;
}

static uint64_t hash_of(const char *text) { return text ? reg_fnv1a(text, strlen(text)) : 0; }

// What must be the same for the same bits, the rows up to META_SEED.
static void identity(const Run *r, const reg_train *p, uint64_t meta[META_ROWS]) {
  const reg_program *program = r->program;
  meta[META_VERSION] = CHECKPOINT_VERSION;
  meta[META_PROGRAM] = hash_of(program->source);
  meta[META_BESIDES] = hash_of(program->besides);
  meta[META_BATCH] = (uint64_t)p->batch;
  meta[META_OPTIMIZE] = (uint64_t)program->optimize;
  meta[META_PRECISION] = 8 * reg_dtype_bytes(program->dtype);
  meta[META_DATA] = hash_of(program->datasets[p->data]->checksum);
  meta[META_SEED] = r->options->has_seed ? r->options->seed : p->seed;
}

// The tensors of a checkpoint, in the order of the file's description; `values` NULL where there is no best
// yet.
typedef struct Entry {
  const char *kind;
  const reg_tensor *tensor;
  void *values;
} Entry;

static int entries_of(const Training *t, Entry *out) {
  const reg_train *p = t->plan;
  int n = 0;
  for (int i = 0; i < p->nparams; i++) out[n++] = (Entry){"param", &p->params[i], t->now.params[i]};
  for (int i = 0; i < p->nstates; i++) out[n++] = (Entry){"state", &p->states[i], t->now.states[i]};
  for (int i = 0; i < p->nparams && p->keep_best && t->has_best; i++)
    out[n++] = (Entry){"best", &p->params[i], t->best.params[i]};
  for (int i = 0; i < p->nstates && p->keep_best && t->has_best; i++)
    if (p->states[i].layer) out[n++] = (Entry){"best", &p->states[i], t->best.states[i]};
  return n;
}

static char *entry_name(Heap *heap, const Entry *e) {
  size_t size = strlen(e->kind) + strlen(e->tensor->name) + 2;
  char *name = reg_heap_take(heap, size);
  if (name) snprintf(name, size, "%s %s", e->kind, e->tensor->name);
  return name;
}

// Tensors without elements lie at one place, in no order: so sums of each, which have none either.
static uint64_t mix(uint64_t sum, const void *bytes, size_t count) {
  return sum * 0x9e3779b97f4a7c15 ^ reg_fnv1a(bytes, count);
}

static uint64_t checksum(int count, const reg_saved_tensor *tensors, const uint64_t meta[META_ROWS]) {
  uint64_t sum = reg_fnv1a(meta, META_SUM * sizeof *meta);
  for (int i = 0; i < count; i++) {
    const reg_saved_tensor *t = &tensors[i];
    if (!strcmp(t->name, "meta")) continue;
    uint64_t own = mix(0, t->name, strlen(t->name));
    own = mix(own, t->dim, (size_t)t->rank * sizeof *t->dim);
    sum += mix(own, t->values, (size_t)t->count * reg_dtype_bytes(t->dtype));
  }
  return sum;
}

static void put_rows(const uint64_t *values, int64_t n, float *rows) {
  for (int64_t i = 0; i < n * OF_ROW; i++)
    rows[i] = (float)(values[i / OF_ROW] >> 16 * (i % OF_ROW) & 0xffff);
}

static bool take_rows(const reg_saved_tensor *rows, int64_t n, uint64_t *values) {
  if (!rows || rows->dtype != REG_F32 || rows->count != n * OF_ROW) return false;
  memset(values, 0, (size_t)n * sizeof *values);
  for (int64_t i = 0; i < n * OF_ROW; i++) {
    float x = ((const float *)rows->values)[i];
    if (!(x >= 0 && x <= 65535 && x == (float)(int)x)) return false;
    values[i / OF_ROW] |= (uint64_t)x << 16 * (i % OF_ROW);
  }
  return true;
}

static reg_saved_tensor rows_tensor(const char *name, int64_t n, const float *rows) {
  return (reg_saved_tensor){.name = name, .rank = 2, .dim = {n, OF_ROW}, .count = n * OF_ROW, .values = rows};
}

// The epoch's sums so far, at their places.
static double *sum_at(Training *t, int i) {
  return i == 0 ? &t->loss_sum : i == 1 ? &t->objective_sum : &t->term_sum[i - 2];
}

// The numbers that may be changed.
static int settings_tensor(const reg_program *p, Heap *heap, reg_saved_tensor *out) {
  uint64_t *bits = reg_heap_take(heap, (size_t)p->nsettings * sizeof *bits);
  float *rows = reg_heap_take(heap, (size_t)(p->nsettings * OF_ROW) * sizeof *rows);
  if (!bits || !rows) return -1;
  for (int i = 0; i < p->nsettings; i++) memcpy(&bits[i], &p->settings[i].value, sizeof *bits);
  put_rows(bits, p->nsettings, rows);
  *out = rows_tensor("settings", p->nsettings, rows);
  return 0;
}

static int save(Training *t, bool done, Heap *heap, const char *path) {
  const reg_train *p = t->plan;
  const int nsums = 2 + p->nterms;
  size_t room = (size_t)(2 * (p->nparams + p->nstates) + 3);
  Entry *entries = reg_heap_take(heap, room * sizeof *entries);
  reg_saved_tensor *tensors = reg_heap_take(heap, room * sizeof *tensors);
  uint64_t *sums = reg_heap_take(heap, (size_t)nsums * sizeof *sums);
  float *sum_rows = reg_heap_take(heap, (size_t)(nsums * OF_ROW) * sizeof *sum_rows);
  if (!entries || !tensors || !sums || !sum_rows) return reg_no_memory(t->run->st, room * sizeof *tensors);
  int n = entries_of(t, entries);
  for (int i = 0; i < n; i++) {
    const reg_tensor *shape = entries[i].tensor;
    tensors[i] = (reg_saved_tensor){.name = entry_name(heap, &entries[i]),
                                    .dtype = shape->dtype,
                                    .rank = shape->rank,
                                    .count = shape->count,
                                    .values = entries[i].values};
    memcpy(tensors[i].dim, shape->dim, sizeof tensors[i].dim);
    if (!tensors[i].name) return reg_no_memory(t->run->st, 0);
  }
  for (int i = 0; i < nsums; i++) memcpy(&sums[i], sum_at(t, i), sizeof *sums);
  put_rows(sums, nsums, sum_rows);
  tensors[n++] = rows_tensor("sums", nsums, sum_rows);
  if (settings_tensor(t->run->program, heap, &tensors[n++])) return reg_no_memory(t->run->st, 0);
  uint64_t meta[META_ROWS] = {0};
  float rows[META_ROWS * OF_ROW];
  identity(t->run, p, meta);
  meta[META_EPOCHS] = (uint64_t)p->epochs;
  meta[META_BEFORE] = t->before;
  meta[META_EPOCH] = (uint64_t)t->epoch;
  meta[META_STEP] = (uint64_t)t->step;
  meta[META_BEST_EPOCH] = (uint64_t)t->best_epoch;
  meta[META_HAS_BEST] = t->has_best;
  memcpy(&meta[META_BEST_VALUE], &t->best_value, sizeof(double));
  meta[META_DONE] = done;
  meta[META_SUM] = t->sum = checksum(n, tensors, meta);
  put_rows(meta, META_ROWS, rows);
  tensors[n++] = rows_tensor("meta", META_ROWS, rows);
  return reg_safetensors_write(path, n, tensors, t->run->st);
}

int checkpoint_write(Training *t, bool done) {
  if (!t->run->folder) return REG_OK;
  const double begun = reg_now();
  char *path = checkpoint_path(t->run, t->plan);
  Heap heap = {0};
  int code = path ? save(t, done, &heap, path) : reg_no_memory(t->run->st, 0);
  reg_heap_free(&heap);
  free(path);
  t->checkpointed = reg_now();
  t->checkpoint_cost = t->checkpointed - begun;
  return code;
}

// Without --checkpoint, large weights are written less often.
static bool is_due(const Training *t) {
  const reg_run_options *o = t->run->options;
  const bool start = t->step == (int64_t)t->epoch * t->per_epoch;
  const double own = t->checkpoint_cost / MOST_SHARE;
  double between = own > SECONDS_BETWEEN ? own : SECONDS_BETWEEN;
  if (o->has_checkpoint_seconds) between = o->checkpoint_seconds;
  if (between <= 0) return start && t->step > 0; // every epoch
  return reg_now() - t->checkpointed >= between;
}

int checkpoint_step(Training *t) {
  volatile int *asked = t->run->options->checkpoint_now;
  if (!t->run->folder) return REG_OK;
  if (asked && *asked)
    *asked = 0;
  else if (!is_due(t))
    return REG_OK;
  return checkpoint_write(t, false);
}

// -- reading

static bool read_meta(const reg_saved *s, uint64_t meta[META_ROWS]) {
  return take_rows(reg_saved_find(s, "meta"), META_ROWS, meta);
}

static int refuse(Run *r, const char *path, const char *why) {
  reg_fail(r->st, REG_BAD_DATA, "checkpoint_bad", "%s: %s", path, why);
  reg_hint(r->st, "start anew without --resume, or with another --out");
  return r->st->code;
}

static void add_item(Text *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_item(Text *list, const char *fmt, ...) {
  va_list args;
  if (list->used) reg_text_add(list, ", ");
  va_start(args, fmt);
  reg_text_vformat(list, fmt, args);
  va_end(args);
}

static int compare_settings(Run *r, const reg_saved *s, Text *list) {
  const reg_program *p = r->program;
  uint64_t *then = calloc((size_t)p->nsettings + 1, sizeof *then);
  if (!then) return reg_no_memory(r->st, (size_t)p->nsettings * sizeof *then);
  const bool known = take_rows(reg_saved_find(s, "settings"), p->nsettings, then);
  for (int i = 0; i < p->nsettings && known; i++) {
    double before;
    memcpy(&before, &then[i], sizeof before);
    if (memcmp(&before, &p->settings[i].value, sizeof before) != 0)
      add_item(list, "`%s` (%.9g then, %.9g now)", p->settings[i].name, before, p->settings[i].value);
  }
  free(then);
  return REG_OK;
}

// REG_OK where the checkpoint is of this training, which may be a longer one; else what differs is told, with
// both values where they say something.
static int compare(Run *r, const reg_train *p, const reg_saved *s, const uint64_t meta[META_ROWS],
                   const char *path) {
  static const char *const what[] = {[META_PROGRAM] = "the program's text",
                                     [META_BESIDES] =
                                         "definitions that --set replaces, or files that it uses",
                                     [META_BATCH] = "the batch (%llu rows then, %llu now)",
                                     [META_OPTIMIZE] = "the optimization (-O%llu then, -O%llu now)",
                                     [META_PRECISION] = "the precision (f%llu then, f%llu now)",
                                     [META_DATA] = "the data",
                                     [META_SEED] = "the seed (%llu then, %llu now)"};
  uint64_t own[META_ROWS] = {0};
  char differences[300], words[400];
  Text list = reg_text_in(differences, sizeof differences), text = reg_text_in(words, sizeof words);
  identity(r, p, own);
  if (meta[META_VERSION] != own[META_VERSION])
    return refuse(r, path, "the checkpoint is of another version of the format");
  for (int i = META_PROGRAM; i <= META_SEED; i++)
    if (meta[i] != own[i]) add_item(&list, what[i], (unsigned long long)meta[i], (unsigned long long)own[i]);
  int code = meta[META_PROGRAM] == own[META_PROGRAM] ? compare_settings(r, s, &list) : REG_OK;
  if (code) return code;
  if (list.used) {
    reg_text_format(&text, "the checkpoint is of a run that differs in %s", differences);
    return refuse(r, path, words);
  }
  if (meta[META_EPOCH] <= (uint64_t)p->epochs && meta[META_BEST_EPOCH] <= meta[META_EPOCH]) return REG_OK;
  reg_text_format(&text, "the checkpoint is behind epoch %llu, this training is for %lld",
                  (unsigned long long)meta[META_EPOCH], (long long)p->epochs);
  return refuse(r, path, words);
}

// The file's tensors for the entries, in their order.
static int match(Training *t, const reg_saved *s, const char *path, int n, const Entry *entries,
                 const reg_saved_tensor **from, Heap *heap) {
  for (int i = 0; i < n; i++) {
    const reg_tensor *shape = entries[i].tensor;
    const char *name = entry_name(heap, &entries[i]);
    if (!name) return reg_no_memory(t->run->st, 0);
    from[i] = reg_saved_find(s, name);
    if (!from[i] || from[i]->dtype != shape->dtype || from[i]->rank != shape->rank ||
        memcmp(from[i]->dim, shape->dim, sizeof(int64_t) * (size_t)shape->rank) != 0)
      return refuse(t->run, path, "a tensor is missing or has another shape");
  }
  return REG_OK;
}

static int fill(Training *t, const reg_saved *s, const char *path, Heap *heap) {
  const reg_train *p = t->plan;
  const int nsums = 2 + p->nterms;
  const size_t room = (size_t)(2 * (p->nparams + p->nstates) + 1);
  Entry *entries = reg_heap_take(heap, room * sizeof *entries);
  const reg_saved_tensor **from = reg_heap_take(heap, room * sizeof *from);
  uint64_t *sums = reg_heap_take(heap, (size_t)nsums * sizeof *sums);
  if (!entries || !from || !sums) return reg_no_memory(t->run->st, room * sizeof *entries);
  const int n = entries_of(t, entries), code = match(t, s, path, n, entries, from, heap);
  if (code) return code;
  if (s->count != n + 3 || !take_rows(reg_saved_find(s, "sums"), nsums, sums))
    return refuse(t->run, path, "it has tensors that the program has not");
  for (int i = 0; i < nsums; i++) memcpy(sum_at(t, i), &sums[i], sizeof *sums);
  for (int i = 0; i < n; i++) memcpy(entries[i].values, from[i]->values, reg_tensor_bytes(entries[i].tensor));
  return REG_OK;
}

// Opens the training's checkpoint: 0 with *found false where there is none.
static int open_checkpoint(Run *r, const reg_train *p, reg_saved *saved, uint64_t meta[META_ROWS],
                           char **path, bool *found) {
  *found = false;
  *path = r->folder ? checkpoint_path(r, p) : NULL;
  if (r->folder && !*path) return reg_no_memory(r->st, 0);
  if (!r->folder || access(*path, F_OK) != 0) return REG_OK;
  int code = reg_safetensors_read(*path, saved, r->st);
  if (code) return code;
  if (!reg_saved_find(saved, "meta") || !read_meta(saved, meta))
    code = refuse(r, *path, "this is no checkpoint, or one of another version");
  else
    code = compare(r, p, saved, meta, *path);
  if (!code && checksum(saved->count, saved->tensors, meta) != meta[META_SUM])
    code = refuse(r, *path, "it is damaged: its checksum does not fit");
  if (code) reg_saved_free(saved);
  *found = !code;
  return code;
}

// A training that had ended, and has more epochs now, goes on; one that was stopped early had its end.
static bool is_done(const reg_train *p, const uint64_t meta[META_ROWS]) {
  const bool longer = (uint64_t)p->epochs > meta[META_EPOCHS] && meta[META_EPOCH] == meta[META_EPOCHS];
  return meta[META_DONE] && !longer;
}

int checkpoint_peek(Run *r, const reg_train *p, const Reached *before, Reached *reached) {
  reg_saved saved = {0};
  uint64_t meta[META_ROWS] = {0};
  char *path;
  bool found;
  int code = open_checkpoint(r, p, &saved, meta, &path, &found);
  *reached = (Reached){0};
  if (found && (before ? before->settled && before->sum == meta[META_BEFORE] : !meta[META_BEFORE])) {
    const int64_t most = r->options->max_steps;
    const bool done = is_done(p, meta);
    *reached = (Reached){.there = true,
                         .settled = done || (most && (int64_t)meta[META_STEP] >= most),
                         .done = done,
                         .epoch = (int64_t)meta[META_EPOCH],
                         .sum = meta[META_SUM]};
  }
  if (found) reg_saved_free(&saved);
  free(path);
  return code;
}

static int set_back(Training *t, const reg_saved *saved, const uint64_t meta[META_ROWS], const char *path) {
  const reg_train *p = t->plan;
  const int64_t within = (int64_t)meta[META_STEP] - (int64_t)meta[META_EPOCH] * t->per_epoch;
  t->epoch = (int32_t)meta[META_EPOCH];
  t->step = (int32_t)meta[META_STEP];
  t->best_epoch = (int64_t)meta[META_BEST_EPOCH];
  t->has_best = meta[META_HAS_BEST] != 0;
  memcpy(&t->best_value, &meta[META_BEST_VALUE], sizeof(double));
  t->done = is_done(p, meta);
  t->sum = meta[META_SUM];
  t->epochs_before = (int64_t)meta[META_EPOCHS] == p->epochs ? 0 : (int64_t)meta[META_EPOCHS];
  if (within < 0 || within >= (t->epoch < p->epochs ? t->per_epoch : 1))
    return refuse(t->run, path, "the checkpoint is at a step that its epoch has not");
  Heap heap = {0};
  int code = fill(t, saved, path, &heap);
  reg_heap_free(&heap);
  for (int64_t i = 0; i < within && !code; i++) t->rows_done += step_rows(t, i);
  return code;
}

int checkpoint_read(Training *t, bool *found) {
  reg_saved saved = {0};
  uint64_t meta[META_ROWS] = {0};
  char *path;
  bool there;
  int code = open_checkpoint(t->run, t->plan, &saved, meta, &path, &there);
  *found = there && meta[META_BEFORE] == t->before;
  if (*found) code = set_back(t, &saved, meta, path);
  if (there) reg_saved_free(&saved);
  free(path);
  return code;
}
