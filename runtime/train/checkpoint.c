// Checkpoints: all that the next step depends on, in one .safetensors file that appears whole or not at all.
// In: a run between two steps of a training, or between two stages. Out: the file. A run set back to that
// moment goes on in the same bits: the order of rows follows from seed and epoch, batches from it and the
// step, random draws from seed, turns of loops and step.
#include "train/checkpoint.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double SECONDS_BETWEEN = 1; // unless the options say otherwise
static const double MOST_SHARE = 0.05;   // of the time, for writing them

static uint64_t hash_of(const char *text) { return text ? reg_fnv1a(text, strlen(text)) : 0; }

void checkpoint_identity(const Run *r, uint64_t meta[META_ROWS]) {
  const reg_program *program = r->program;
  meta[META_VERSION] = CHECKPOINT_VERSION;
  meta[META_PROGRAM] = hash_of(program->source);
  meta[META_BESIDES] = hash_of(program->besides);
  meta[META_OPTIMIZE] = (uint64_t)program->optimize;
  meta[META_PRECISION] = 8 * reg_dtype_bytes(program->dtype);
}

double *checkpoint_sum(Training *t, int i) {
  return i == 0 ? &t->loss_sum : i == 1 ? &t->objective_sum : &t->term_sum[i - 2];
}

static void fill_tables(Run *r, Training *t, Table out[TABLES]) {
  const reg_program *p = r->program;
  for (int i = 0; i < p->ntrains; i++) {
    uint64_t *row = &out[TABLE_TRAININGS].values[i * TRAIN_ROWS];
    row[TRAIN_BATCH] = (uint64_t)p->trains[i].batch;
    row[TRAIN_EPOCHS] = (uint64_t)p->trains[i].epochs;
    row[TRAIN_SEED] = r->options->has_seed ? r->options->seed : p->trains[i].seed;
    row[TRAIN_ACTS] = (uint64_t)r->trainings[i].acts;
  }
  for (int i = 0; i < p->nevaluates; i++) out[TABLE_EVALUATIONS].values[i] = (uint64_t)r->evaluations[i].acts;
  for (int i = 0; i < p->nsweeps; i++) out[TABLE_SWEEPS].values[i] = (uint64_t)r->sweep_acts[i];
  for (int i = 0; i < p->ndatasets; i++) out[TABLE_DATA].values[i] = hash_of(p->datasets[i]->checksum);
  for (int i = 0; i < p->nknowns; i++) memcpy(&out[TABLE_KNOWN].values[i], &r->known[i], sizeof(double));
  for (int i = 0; i < p->nsettings; i++)
    memcpy(&out[TABLE_SETTINGS].values[i], &p->settings[i].value, sizeof(double));
  for (int i = 0; i < out[TABLE_SUMS].rows; i++)
    memcpy(&out[TABLE_SUMS].values[i], checkpoint_sum(t, i), sizeof(double));
}

int checkpoint_tables(Run *r, Training *t, int64_t depth, Heap *heap, Table out[TABLES]) {
  const reg_program *p = r->program;
  const Table empty[TABLES] = {{"trainings", (int64_t)p->ntrains * TRAIN_ROWS, NULL},
                               {"evaluations", p->nevaluates, NULL},
                               {"sweeps", p->nsweeps, NULL},
                               {"data", p->ndatasets, NULL},
                               {"known", p->nknowns, NULL},
                               {"settings", p->nsettings, NULL},
                               {"places", depth * PLACE_ROWS, NULL},
                               {"sums", t ? 2 + t->plan->nterms : 0, NULL}};
  for (int i = 0; i < TABLES; i++) {
    out[i] = empty[i];
    out[i].values = reg_heap_take(heap, (size_t)out[i].rows * sizeof *out[i].values);
    if (!out[i].values) return reg_no_memory(r->st, (size_t)out[i].rows * sizeof *out[i].values);
  }
  fill_tables(r, t, out);
  return REG_OK;
}

int checkpoint_entries(const Training *t, Entry *out) {
  const reg_train *p = t->plan;
  int n = 0;
  for (int i = 0; i < p->nstates; i++)
    if (p->states[i].stored < 0) out[n++] = (Entry){"state", &p->states[i], t->now.states[i]};
  for (int i = 0; i < p->nparams && p->keep_best && t->has_best; i++)
    out[n++] = (Entry){"best", &p->params[i], t->best.params[i]};
  for (int i = 0; i < p->nstates && p->keep_best && t->has_best; i++)
    if (p->states[i].layer) out[n++] = (Entry){"best", &p->states[i], t->best.states[i]};
  return n;
}

char *checkpoint_name(Heap *heap, const Entry *e) {
  const size_t size = strlen(e->kind) + strlen(e->tensor->name) + 2;
  char *name = reg_heap_take(heap, size);
  if (name) snprintf(name, size, "%s %s", e->kind, e->tensor->name);
  return name;
}

char *checkpoint_store_name(Heap *heap, const Run *r, int index) {
  const char *own = r->program->store[index].name;
  const size_t size = strlen(own) + 24;
  char *name = reg_heap_take(heap, size);
  if (name) snprintf(name, size, "store %d %s", index, own);
  return name;
}

// Tensors without elements lie at one place, in no order: so sums of each, which have none either.
static uint64_t mix(uint64_t sum, const void *bytes, size_t count) {
  return sum * 0x9e3779b97f4a7c15 ^ reg_fnv1a(bytes, count);
}

uint64_t checkpoint_checksum(int count, const reg_saved_tensor *tensors, const uint64_t meta[META_ROWS]) {
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

static int put_table(Run *r, Heap *heap, const Table *table, reg_saved_tensor *out) {
  const int64_t n = table->rows * OF_ROW;
  float *rows = reg_heap_take(heap, (size_t)n * sizeof *rows);
  if (!rows) return reg_no_memory(r->st, (size_t)n * sizeof *rows);
  for (int64_t i = 0; i < n; i++) rows[i] = (float)(table->values[i / OF_ROW] >> 16 * (i % OF_ROW) & 0xffff);
  *out = (reg_saved_tensor){
      .name = table->name, .rank = 2, .dim = {table->rows, OF_ROW}, .count = n, .values = rows};
  return REG_OK;
}

static int put_tables(Run *r, Training *t, Heap *heap, reg_saved_tensor *out) {
  Table tables[TABLES];
  int code = checkpoint_tables(r, t, r->depth, heap, tables);
  for (int i = 0; i < r->depth && !code; i++)
    memcpy(&tables[TABLE_PLACES].values[i * PLACE_ROWS], &r->places[i], PLACE_ROWS * sizeof(uint64_t));
  for (int i = 0; i < TABLES && !code; i++) code = put_table(r, heap, &tables[i], &out[i]);
  return code;
}

static int put_store(Run *r, Heap *heap, reg_saved_tensor *out, int *n) {
  int code = REG_OK;
  for (int i = 0; i < r->program->nstore && !code; i++) {
    if (!r->store[i]) continue;
    reg_saved_tensor *to = &out[(*n)++];
    code = store_saved(r, i, heap, to);
    to->name = checkpoint_store_name(heap, r, i);
    if (!to->name) code = reg_no_memory(r->st, 0);
  }
  return code;
}

static int put_training(Training *t, Heap *heap, reg_saved_tensor *out, int *n) {
  const size_t room = (size_t)(2 * (t->plan->nparams + t->plan->nstates));
  Entry *entries = reg_heap_take(heap, room * sizeof *entries);
  if (!entries) return reg_no_memory(t->run->st, room * sizeof *entries);
  const int count = checkpoint_entries(t, entries);
  for (int i = 0; i < count; i++) {
    const reg_tensor *shape = entries[i].tensor;
    out[*n] = (reg_saved_tensor){.name = checkpoint_name(heap, &entries[i]),
                                 .dtype = shape->dtype,
                                 .rank = shape->rank,
                                 .count = shape->count,
                                 .values = entries[i].values};
    memcpy(out[*n].dim, shape->dim, sizeof out[*n].dim);
    if (!out[(*n)++].name) return reg_no_memory(t->run->st, 0);
  }
  return REG_OK;
}

static void fill_meta(const Run *r, const Training *t, uint64_t meta[META_ROWS]) {
  checkpoint_identity(r, meta);
  meta[META_LINES] = (uint64_t)r->told;
  meta[META_DEPTH] = (uint64_t)r->depth;
  meta[META_LOST] = (uint64_t)r->lost;
  for (int i = 0; i < 3; i++) meta[META_ENDED + i] = (uint64_t)r->ended[i];
  if (!t) return;
  meta[META_TRAIN] = (uint64_t)(t - r->trainings) + 1;
  meta[META_EPOCH] = (uint64_t)t->epoch;
  meta[META_STEP] = (uint64_t)t->step;
  meta[META_BEST_EPOCH] = (uint64_t)t->best_epoch;
  meta[META_HAS_BEST] = t->has_best;
  memcpy(&meta[META_BEST_VALUE], &t->best_value, sizeof(double));
  meta[META_DONE] = t->done;
  meta[META_BEGAN] = (uint64_t)t->began;
  meta[META_TRAIN_LINES] = (uint64_t)(t->lines ? t->lines : r->told);
}

static int save(Run *r, Heap *heap) {
  Training *t = r->under_way;
  const size_t room = (size_t)(r->program->nstore + TABLES + 1 + words_count(r)) +
                      (size_t)(t ? 2 * (t->plan->nparams + t->plan->nstates) : 0);
  reg_saved_tensor *tensors = reg_heap_take(heap, room * sizeof *tensors);
  if (!tensors) return reg_no_memory(r->st, room * sizeof *tensors);
  int n = 0, code = put_store(r, heap, tensors, &n);
  if (!code && t) code = put_training(t, heap, tensors, &n);
  if (!code) code = words_put(r, heap, tensors, &n);
  if (!code) code = put_tables(r, t, heap, &tensors[n]);
  if (code) return code;
  n += TABLES;
  uint64_t meta[META_ROWS] = {0};
  fill_meta(r, t, meta);
  meta[META_SUM] = checkpoint_checksum(n, tensors, meta);
  code = put_table(r, heap, &(Table){"meta", META_ROWS, meta}, &tensors[n++]);
  return code ? code : reg_safetensors_write(r->checkpoint, n, tensors, r->st);
}

// -- files of runs of sweeps

typedef struct Needless {
  char *path;
  struct Needless *next;
} Needless;

int checkpoint_needless(Run *r, const char *path) {
  Needless *one = malloc(sizeof *one);
  if (one) *one = (Needless){strdup(path), r->needless};
  if (!one || !one->path) {
    free(one);
    return reg_no_memory(r->st, strlen(path));
  }
  r->needless = one;
  return REG_OK;
}

void checkpoint_clear(Run *r, bool files) {
  while (r->needless) {
    Needless *one = r->needless;
    r->needless = one->next;
    if (files) unlink(one->path);
    free(one->path);
    free(one);
  }
}

int checkpoint_write(Run *r) {
  if (!r->checkpoint || is_guest(r) || r->inner || r->stays || r->options->evaluate_only) return REG_OK;
  const double begun = reg_now();
  Heap heap = {0};
  const int code = save(r, &heap);
  reg_heap_free(&heap);
  if (!code) checkpoint_clear(r, true);
  r->changed = false;
  r->checkpointed = reg_now();
  r->checkpoint_cost = r->checkpointed - begun;
  return code;
}

int checkpoint_aside(Run *r, int (*what)(Run *r)) {
  char *own = r->checkpoint;
  if (!own) r->checkpoint = reg_heap_copy(&r->heap, r->options->aside, strlen(r->options->aside));
  const int code = r->checkpoint ? what(r) : reg_no_memory(r->st, 0);
  r->checkpoint = own;
  return code;
}

// Without --checkpoint, large files are written less often. `end`: of an epoch, or of a stage.
static bool is_due(Run *r, bool end) {
  const reg_run_options *o = r->options;
  const double own = r->checkpoint_cost / MOST_SHARE;
  double between = own > SECONDS_BETWEEN ? own : SECONDS_BETWEEN;
  const int asked = o->checkpoint_now ? *o->checkpoint_now : 0;
  if (!r->checkpoint) return false;
  if (asked != r->asked) {
    r->asked = asked;
    return true;
  }
  if (o->has_checkpoint_seconds) between = o->checkpoint_seconds;
  return between <= 0 ? end : reg_now() - r->checkpointed >= between;
}

int checkpoint_step(Training *t) {
  const bool start = t->step == t->began;
  return is_due(t->run, start && t->step > 0) ? checkpoint_write(t->run) : REG_OK;
}

int checkpoint_stage(Run *r) { return r->changed && is_due(r, true) ? checkpoint_write(r) : REG_OK; }
