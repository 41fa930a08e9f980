// A program written by hand for tests of the training driver: least squares by gradient descent, y = 2 x0 -
// 3 x1 + 1. Its step is C, but everything around it is what a compiled program gets.
#ifndef TEST_RUNTIME_WORLD_H
#define TEST_RUNTIME_WORLD_H
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reg/events.h"
#include "reg/safetensors.h"
#include "reg/train.h"

enum { ROWS = 100, TRAIN = 70, VALID = 15, TEST = 15, BATCH = 16, REST = TRAIN % BATCH };

typedef struct Gradient {
  const float *x, *y, *w;
  float sum[TRAIN][3], loss[TRAIN];
} Gradient;

static inline void residuals(void *const *slots, int64_t begin, int64_t end) {
  Gradient *g = slots[0];
  for (int64_t i = begin; i < end; i++) {
    float e = g->x[2 * i] * g->w[0] + g->x[2 * i + 1] * g->w[1] + g->w[2] - g->y[i];
    g->loss[i] = e * e / 2;
    g->sum[i][0] = e * g->x[2 * i], g->sum[i][1] = e * g->x[2 * i + 1], g->sum[i][2] = e;
  }
}

// Slots: scratch, w, x, y, objective, loss, penalty, schedule, step, (trace of the penalty's square in
// scratch behind the gradient).
static inline const float *learning_rate(void) {
  static const float rates[] = {0.1f, 1e20f};
  return getenv("REG_TEST_DIVERGE") ? &rates[1] : &rates[0];
}

static inline int step_rows_of(reg_ctx *ctx, void *const *slots, int64_t rows) {
  Gradient *g = slots[0];
  float *w = slots[1], rate = *learning_rate(), total[3] = {0}, loss = 0, lambda = 1e-6f;
  g->x = slots[2], g->y = slots[3], g->w = w;
  void *inner[1] = {g};
  reg_parallel(ctx, residuals, inner, rows);
  for (int64_t i = 0; i < rows; i++) {
    loss += g->loss[i];
    for (int j = 0; j < 3; j++) total[j] += g->sum[i][j];
  }
  float square = w[0] * w[0] + w[1] * w[1];
  *(float *)((char *)slots[0] + sizeof(Gradient)) = loss;
  *(float *)((char *)slots[0] + sizeof(Gradient) + 4) = square;
  *(float *)slots[5] = loss / (float)rows;
  *(float *)slots[6] = lambda * square;
  *(float *)slots[4] = loss / (float)rows + lambda * square;
  *(float *)slots[7] = rate;
  for (int j = 0; j < 3; j++) w[j] -= rate * (total[j] / (float)rows + (j < 2 ? 2 * lambda * w[j] : 0));
  return 0;
}

static inline int step_full(reg_ctx *c, void *const *s) { return step_rows_of(c, s, BATCH); }
static inline int step_rest(reg_ctx *c, void *const *s) { return step_rows_of(c, s, REST); }

static inline int init(reg_ctx *c, void *const *s) {
  (void)c;
  const int32_t *seed = s[2];
  for (int j = 0; j < 3; j++) ((float *)s[1])[j] = 0.01f * (float)(seed[0] + j);
  return 0;
}

// Slots: scratch, w, x, y, loss, predictions.
static inline int predict(reg_ctx *c, void *const *s) {
  (void)c;
  const float *w = s[1], *x = s[2], *y = s[3];
  float loss = 0;
  for (int i = 0; i < VALID; i++) {
    float p = x[2 * i] * w[0] + x[2 * i + 1] * w[1] + w[2];
    ((float *)s[5])[i] = p;
    loss += (p - y[i]) * (p - y[i]) / 2;
  }
  *(float *)s[4] = loss / VALID;
  return 0;
}

// Slots: scratch, predictions, y, mse.
static inline int measure(reg_ctx *c, void *const *s) {
  (void)c;
  float sum = 0;
  for (int i = 0; i < VALID; i++) sum += powf(((float *)s[1])[i] - ((float *)s[2])[i], 2);
  *(float *)s[3] = sum / VALID;
  return 0;
}

typedef struct World {
  reg_slot step_slots[2][8], init_slots[3], predict_slots[6], measure_slots[4];
  reg_trace traces[2];
  reg_function init, step, step_last, step_trace, step_last_trace, valid, metrics;
  reg_tensor w;
  reg_train train;
  reg_metric metric;
  reg_evaluate evaluate;
  reg_program program;
  reg_dataset *data;
  int resolved, sent[REG_EVENT_ERROR + 1], best_epoch_told;
  double last_loss, last_valid, mse;
  char reason[32], folder[64], data_path[64];
  volatile int interrupt;
  int interrupt_after;
} World;

static inline int resolve(void *user, reg_function *f, reg_status *st) {
  World *w = user;
  (void)st;
  w->resolved++;
  if (f == &w->valid || f == &w->metrics) { // nothing but the name and the number of rows is known before
    f->nslots = f == &w->valid ? 6 : 4;
    f->slots = f == &w->valid ? w->predict_slots : w->measure_slots;
    f->fn = f == &w->valid ? predict : measure;
  } else {
    f->fn = f == &w->step_trace ? step_full : step_rest;
  }
  return 0;
}

static inline reg_function step_function(World *w, int partial, bool traced) {
  int64_t rows = partial ? REST : BATCH;
  reg_slot slots[8] = {{REG_SLOT_SCRATCH, 0, 0, REG_F32},      {REG_SLOT_PARAM, 0, 3, REG_F32},
                       {REG_SLOT_FIELD, 0, 2 * rows, REG_F32}, {REG_SLOT_FIELD, 1, rows, REG_F32},
                       {REG_SLOT_OBJECTIVE, 0, 1, REG_F32},    {REG_SLOT_LOSS, 0, 1, REG_F32},
                       {REG_SLOT_TERM, 0, 1, REG_F32},         {REG_SLOT_SCHEDULE, 0, 1, REG_F32}};
  memcpy(w->step_slots[partial], slots, sizeof slots);
  w->traces[0] = (reg_trace){"square of the residual at line.reg:3:9", 0, REG_F32, sizeof(Gradient), 1};
  w->traces[1] = (reg_trace){"l2 at line.reg:4:20", 0, REG_F32, sizeof(Gradient) + sizeof(float), 1};
  return (reg_function){.name = "step",
                        .fn = traced    ? NULL
                              : partial ? step_rest
                                        : step_full,
                        .batch = rows,
                        .scratch_bytes = sizeof(Gradient) + 8,
                        .nslots = 8,
                        .slots = w->step_slots[partial],
                        .ntrace = traced ? 2 : 0,
                        .trace = w->traces};
}

static inline void make_data(World *w) {
  snprintf(w->data_path, sizeof w->data_path, "/tmp/reg_train_%ld.csv", (long)getpid());
  FILE *f = fopen(w->data_path, "w");
  fprintf(f, "a,b,y\n");
  for (int i = 0; i < ROWS; i++) {
    double a = sin(i * 1.7), b = cos(i * 0.9);
    fprintf(f, "%.6f,%.6f,%.6f\n", a, b, 2 * a - 3 * b + 1 + 0.05 * sin(i * 12.3));
  }
  fclose(f);
  reg_status st;
  reg_data_op ops[2] = {{.kind = REG_DATA_CSV, .path = w->data_path, .target = "y"},
                        {.kind = REG_DATA_SPLIT,
                         .nparts = 3,
                         .part_names = {"train", "valid", "test"},
                         .fractions = {.7, .15, .15}}};
  w->data = reg_data_load(&(reg_data_plan){2, ops}, &st);
  cr_assert(w->data, "%s", st.text);
  unlink(w->data_path);
}

static inline World *make_world(void) {
  static const char *const line[] = {"line"}, *const terms[] = {"l2"}, *const schedules[] = {"lr"},
                           *const metrics[] = {"mse"}, *const names[] = {"points"};
  World *w = calloc(1, sizeof *w);
  make_data(w);
  memcpy(w->init_slots,
         (reg_slot[3]){
             {.kind = REG_SLOT_SCRATCH}, {REG_SLOT_PARAM, 0, 3, REG_F32}, {REG_SLOT_SEED, 0, 2, REG_I32}},
         sizeof w->init_slots);
  w->init = (reg_function){.name = "init", .fn = init, .nslots = 3, .slots = w->init_slots};
  w->step = step_function(w, 0, false), w->step_last = step_function(w, 1, false);
  w->step_trace = step_function(w, 0, true), w->step_last_trace = step_function(w, 1, true);
  memcpy(w->predict_slots,
         (reg_slot[6]){{.kind = REG_SLOT_SCRATCH},
                       {REG_SLOT_PARAM, 0, 3, REG_F32},
                       {REG_SLOT_FIELD, 0, 2 * VALID, REG_F32},
                       {REG_SLOT_FIELD, 1, VALID, REG_F32},
                       {REG_SLOT_LOSS, 0, 1, REG_F32},
                       {REG_SLOT_PRED, 0, VALID, REG_F32}},
         sizeof w->predict_slots);
  w->valid = (reg_function){.name = "valid", .batch = VALID};
  memcpy(w->measure_slots,
         (reg_slot[4]){{.kind = REG_SLOT_SCRATCH},
                       {REG_SLOT_PRED, 0, VALID, REG_F32},
                       {REG_SLOT_FIELD, 1, VALID, REG_F32},
                       {REG_SLOT_METRIC, 0, 1, REG_F32}},
         sizeof w->measure_slots);
  w->metrics = (reg_function){.name = "metrics", .batch = VALID};
  w->w = (reg_tensor){.name = "line.weight", .rank = 1, .dim = {3}, .count = 3, .stored = 0};
  w->train = (reg_train){.name = "line",
                         .model = "line",
                         .nmodels = 1,
                         .models = line,
                         .data_name = "points",
                         .train_part = "train",
                         .valid_part = "valid",
                         .batch = BATCH,
                         .epochs = 40,
                         .seed = 3,
                         .nparams = 1,
                         .params = &w->w,
                         .nterms = 1,
                         .terms = terms,
                         .nschedules = 1,
                         .schedules = schedules,
                         .init = &w->init,
                         .step = &w->step,
                         .step_last = &w->step_last,
                         .step_trace = &w->step_trace,
                         .step_last_trace = &w->step_last_trace,
                         .valid_last = &w->valid,
                         .valid_metrics = &w->metrics,
                         .nmetrics = 1,
                         .metrics = metrics};
  w->metric = (reg_metric){.name = "mse", .count = 1, .value = -1};
  w->evaluate = (reg_evaluate){.model = "line",
                               .data_name = "points.test",
                               .part = "test",
                               .target = 1,
                               .predict_last = &w->valid,
                               .pred_width = 1,
                               .metrics = &w->metrics,
                               .nmetrics = 1,
                               .metric = &w->metric};
  static const reg_stage stages[] = {{.kind = REG_STAGE_TRAIN}, {.kind = REG_STAGE_EVALUATE}};
  w->program = (reg_program){.source_name = "examples/line.reg",
                             .source = "# by hand\n",
                             .ndatasets = 1,
                             .datasets = &w->data,
                             .dataset_names = names,
                             .ntrains = 1,
                             .trains = &w->train,
                             .nevaluates = 1,
                             .evaluates = &w->evaluate,
                             .nstore = 1,
                             .store = &w->w,
                             .nstages = 2,
                             .stages = stages,
                             .resolve = resolve,
                             .user = w};
  snprintf(w->folder, sizeof w->folder, "/tmp/reg_run_%ld/a", (long)getpid());
  return w;
}

static inline void sink(void *user, const reg_event *e) {
  World *w = user;
  w->sent[e->kind]++;
  if (e->kind == REG_EVENT_EPOCH) w->last_loss = e->loss, w->last_valid = e->valid_loss;
  if (e->kind == REG_EVENT_EVALUATE) w->mse = reg_float_at(e->values[0], e->program->dtype, 0);
  if (e->kind == REG_EVENT_TRAIN_END)
    snprintf(w->reason, sizeof w->reason, "%s", e->reason), w->best_epoch_told = (int)e->best_epoch;
  if (e->kind == REG_EVENT_STEP && w->interrupt_after && e->step == w->interrupt_after) w->interrupt = 1;
}

static inline int run(World *w, reg_run_options o, reg_profile *profile, reg_status *st) {
  o.sink = sink, o.sink_user = w, o.interrupt = &w->interrupt, o.step_events = true;
  if (!o.out_dir) o.out_dir = w->folder;
  return reg_run(&w->program, &o, profile, st);
}

static inline void weights(World *w, float out[3]) {
  char path[128];
  reg_saved saved;
  reg_status st;
  snprintf(path, sizeof path, "%s/weights.safetensors", w->folder);
  cr_assert_eq(reg_safetensors_read(path, &saved, &st), 0, "%s", st.text);
  cr_assert_str_eq(saved.tensors[0].name, "line.weight");
  memcpy(out, saved.tensors[0].values, 12);
  reg_saved_free(&saved);
}

static inline void free_world(World *w) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf /tmp/reg_run_%ld", (long)getpid());
  cr_assert_eq(system(command), 0);
  reg_data_free(w->data);
  free(w);
}
#endif
