// The training driver under a program written by hand: least squares by gradient descent, y = 2 x0 - 3 x1
// + 1. Its step is C, but everything around it is what a compiled program gets: slots, shuffled batches, a
// partial last batch, validation, stopping, divergence, the run directory.
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

static void residuals(void *const *slots, int64_t begin, int64_t end) {
  Gradient *g = slots[0];
  for (int64_t i = begin; i < end; i++) {
    float e = g->x[2 * i] * g->w[0] + g->x[2 * i + 1] * g->w[1] + g->w[2] - g->y[i];
    g->loss[i] = e * e / 2;
    g->sum[i][0] = e * g->x[2 * i], g->sum[i][1] = e * g->x[2 * i + 1], g->sum[i][2] = e;
  }
}

// Slots: scratch, w, x, y, objective, loss, penalty, schedule, step, (trace of the penalty's square in
// scratch behind the gradient).
static const float *learning_rate(void) {
  static const float rates[] = {0.1f, 1e20f};
  return getenv("REG_TEST_DIVERGE") ? &rates[1] : &rates[0];
}

static int step_rows_of(reg_ctx *ctx, void *const *slots, int64_t rows) {
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

static int step_full(reg_ctx *c, void *const *s) { return step_rows_of(c, s, BATCH); }
static int step_rest(reg_ctx *c, void *const *s) { return step_rows_of(c, s, REST); }

static int init(reg_ctx *c, void *const *s) {
  (void)c;
  const int32_t *seed = s[2];
  for (int j = 0; j < 3; j++) ((float *)s[1])[j] = 0.01f * (float)(seed[0] + j);
  return 0;
}

// Slots: scratch, w, x, y, loss, predictions.
static int predict(reg_ctx *c, void *const *s) {
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
static int measure(reg_ctx *c, void *const *s) {
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
  int resolved, sent[6], best_epoch_told;
  double last_loss, last_valid, mse;
  char reason[32], folder[64], data_path[64];
  volatile int interrupt;
  int interrupt_after;
} World;

static int resolve(void *user, reg_function *f, reg_status *st) {
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

static reg_function step_function(World *w, int partial, bool traced) {
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

static void make_data(World *w) {
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

static World *make_world(void) {
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

static void sink(void *user, const reg_event *e) {
  World *w = user;
  w->sent[e->kind]++;
  if (e->kind == REG_EVENT_EPOCH) w->last_loss = e->loss, w->last_valid = e->valid_loss;
  if (e->kind == REG_EVENT_EVALUATE) w->mse = reg_float_at(e->values[0], e->program->dtype, 0);
  if (e->kind == REG_EVENT_TRAIN_END)
    snprintf(w->reason, sizeof w->reason, "%s", e->reason), w->best_epoch_told = (int)e->best_epoch;
  if (e->kind == REG_EVENT_STEP && w->interrupt_after && e->step == w->interrupt_after) w->interrupt = 1;
}

static int run(World *w, reg_run_options o, reg_profile *profile, reg_status *st) {
  o.sink = sink, o.sink_user = w, o.interrupt = &w->interrupt, o.step_events = true;
  if (!o.out_dir) o.out_dir = w->folder;
  return reg_run(&w->program, &o, profile, st);
}

static void weights(World *w, float out[3]) {
  char path[128];
  reg_saved saved;
  reg_status st;
  snprintf(path, sizeof path, "%s/weights.safetensors", w->folder);
  cr_assert_eq(reg_safetensors_read(path, &saved, &st), 0, "%s", st.text);
  cr_assert_str_eq(saved.tensors[0].name, "line.weight");
  memcpy(out, saved.tensors[0].values, 12);
  reg_saved_free(&saved);
}

static void free_world(World *w) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf /tmp/reg_run_%ld", (long)getpid());
  cr_assert_eq(system(command), 0);
  reg_data_free(w->data);
  free(w);
}

Test(train, trains_to_the_end_and_writes_its_directory) {
  World *w = make_world();
  reg_status st;
  reg_profile profile;
  char path[128], line[4096];
  cr_assert_eq(run(w, (reg_run_options){.threads = 1, .profile = true, .run_info = "\"note\": \"by hand\""},
                   &profile, &st),
               0, "%s", st.text);
  int steps = 40 * (TRAIN / BATCH + 1);
  cr_assert(w->sent[REG_EVENT_TRAIN_START] == 1 && w->sent[REG_EVENT_EPOCH] == 40 &&
            w->sent[REG_EVENT_TRAIN_END] == 1);
  cr_assert(w->sent[REG_EVENT_STEP] == steps && w->sent[REG_EVENT_EVALUATE] == 1 &&
            w->sent[REG_EVENT_ERROR] == 0);
  cr_assert(profile.steps == steps && profile.median_step_s > 0 && profile.first_step_s > 0);
  cr_assert_str_eq(w->reason, "finished");
  cr_assert(w->last_loss < 0.01 && w->mse < 0.02 && w->resolved == 2);
  float got[3];
  weights(w, got);
  cr_assert(fabsf(got[0] - 2) < 0.1f && fabsf(got[1] + 3) < 0.1f && fabsf(got[2] - 1) < 0.1f);
  snprintf(path, sizeof path, "%s/run.json", w->folder);
  json_t *info = json_load_file(path, 0, NULL);
  cr_assert(info);
  cr_assert_str_eq(json_string_value(json_object_get(info, "outcome")), "finished");
  cr_assert_str_eq(json_string_value(json_object_get(info, "note")), "by hand");
  cr_assert_eq(json_integer_value(json_object_get(json_object_get(info, "seeds"), "line")), 3);
  json_decref(info);
  snprintf(path, sizeof path, "%s/metrics.jsonl", w->folder);
  FILE *f = fopen(path, "r");
  int lines = 0, epochs = 0;
  for (; fgets(line, sizeof line, f); lines++) {
    json_t *o = json_loads(line, 0, NULL);
    cr_assert(o, "%s", line);
    if (lines == 0) cr_assert_str_eq(line, "{\"event\":\"schema\",\"version\":1}\n");
    if (!strcmp(json_string_value(json_object_get(o, "event")), "epoch")) {
      epochs++;
      cr_assert(json_object_get(json_object_get(o, "terms"), "l2") &&
                json_object_get(json_object_get(o, "valid"), "mse"));
    }
    json_decref(o);
  }
  fclose(f);
  cr_assert(lines == 44 && epochs == 40, "%d lines", lines);
  snprintf(path, sizeof path, "%s/predictions.csv", w->folder);
  cr_assert(f = fopen(path, "r"));
  cr_assert(fgets(line, sizeof line, f));
  cr_assert_str_eq(line, "id,y,output_0\n");
  double sum = 0, y, p;
  long id;
  for (lines = 0; fscanf(f, "%ld,%lf,%lf", &id, &y, &p) == 3; lines++) {
    cr_assert_eq(((float *)w->data->fields[1].values)[id], (float)y);
    sum += (y - p) * (y - p);
  }
  fclose(f);
  cr_assert(lines == TEST && fabs(sum / TEST - w->mse) < 1e-5);
  free_world(w);
}

Test(train, same_bits_on_one_thread_and_two) {
  World *w = make_world();
  reg_status st;
  float one[3], two[3], other[3];
  run(w, (reg_run_options){.threads = 1}, NULL, &st), weights(w, one);
  run(w, (reg_run_options){.threads = 2}, NULL, &st), weights(w, two);
  run(w, (reg_run_options){.threads = 2, .has_seed = true, .seed = 4}, NULL, &st), weights(w, other);
  cr_assert_eq(memcmp(one, two, sizeof one), 0);
  cr_assert_neq(memcmp(one, other, sizeof one), 0);
  free_world(w);
}

Test(train, early_stopping_keeps_the_best_weights) {
  World *w = make_world();
  reg_status st;
  w->train.epochs = 2000, w->train.watch = "mse", w->train.sense = REG_WATCH_MIN, w->train.patience = 3,
  w->train.keep_best = true;
  cr_assert_eq(run(w, (reg_run_options){.threads = 1}, NULL, &st), 0, "%s", st.text);
  cr_assert_str_eq(w->reason, "early stopping");
  cr_assert(w->sent[REG_EVENT_EPOCH] < 2000 && w->best_epoch_told == w->sent[REG_EVENT_EPOCH] - 3);
  float kept[3], same[3];
  weights(w, kept);
  w->train.epochs = w->best_epoch_told, w->train.watch = NULL, w->train.keep_best = false;
  cr_assert_eq(run(w, (reg_run_options){.threads = 1}, NULL, &st), 0);
  weights(w, same);
  cr_assert_eq(memcmp(kept, same, sizeof kept), 0,
               "training for exactly the best number of epochs gives the kept weights");
  free_world(w);
}

Test(train, maximum_of_steps) {
  World *w = make_world();
  reg_status st;
  cr_assert_eq(run(w, (reg_run_options){.threads = 1, .max_steps = 7}, NULL, &st), 0);
  cr_assert(w->sent[REG_EVENT_STEP] == 7 && w->sent[REG_EVENT_EPOCH] == 1 &&
            w->sent[REG_EVENT_EVALUATE] == 1);
  cr_assert_str_eq(w->reason, "steps");
  free_world(w);
}

Test(train, interrupt_finishes_the_step_and_writes) {
  World *w = make_world();
  reg_status st;
  float got[3];
  w->interrupt_after = 12;
  cr_assert_eq(run(w, (reg_run_options){.threads = 1}, NULL, &st), REG_INTERRUPTED);
  cr_assert(w->sent[REG_EVENT_STEP] == 12 && w->sent[REG_EVENT_EVALUATE] == 0 &&
            w->sent[REG_EVENT_ERROR] == 1);
  cr_assert_str_eq(w->reason, "interrupted");
  weights(w, got);
  cr_assert(isfinite(got[0]) && got[0] != 0);
  free_world(w);
}

Test(train, divergence_names_step_term_and_tensor_and_keeps_good_weights) {
  World *w = make_world();
  reg_status st;
  float got[3];
  setenv("REG_TEST_DIVERGE", "1", 1);
  int code = run(w, (reg_run_options){.threads = 2}, NULL, &st);
  unsetenv("REG_TEST_DIVERGE");
  cr_assert_eq(code, REG_DIVERGED);
  cr_assert_str_eq(st.name, "diverged");
  cr_assert(strstr(st.text, "step 1 (epoch 1)") && strstr(st.text, "term `loss`") &&
                strstr(st.text, "residual at line.reg:3:9"),
            "%s", st.text);
  cr_assert_eq(w->resolved, 1, "only the traced step that is needed is compiled");
  cr_assert_str_eq(w->reason, "diverged");
  weights(w, got);
  for (int j = 0; j < 3; j++) cr_assert(isfinite(got[j]));
  cr_assert(fabsf(got[2]) > 1e15f, "the weights before the step that failed, not the first ones");
  free_world(w);
}

static int stop_at_third(void *user, int phase, const reg_train *t, const reg_function *f, void *const *slots,
                         int64_t step) {
  int *calls = user;
  cr_assert(t && f && slots[1] && step == *calls / 2);
  cr_assert_eq(phase, *calls % 2);
  return ++*calls == 6 ? REG_INTERNAL : 0;
}

Test(train, inspection_sees_each_step_before_and_after) {
  World *w = make_world();
  reg_status st;
  int calls = 0;
  reg_run_options o = {.threads = 1, .inspect = stop_at_third, .inspect_user = &calls};
  cr_assert_eq(run(w, o, NULL, &st), REG_INTERNAL);
  cr_assert_eq(calls, 6);
  free_world(w);
}

Test(train, run_directories_are_numbered_and_errors_are_told) {
  World *w = make_world();
  reg_status st;
  char command[128], before[256];
  struct stat info;
  snprintf(command, sizeof command, "/tmp/reg_run_%ld", (long)getpid());
  mkdir(command, 0777);
  cr_assert(getcwd(before, sizeof before) && chdir(command) == 0);
  reg_run_options o = {.threads = 1, .max_steps = 1};
  cr_assert_eq(reg_run(&w->program, &o, NULL, &st), 0, "%s", st.text);
  cr_assert_eq(reg_run(&w->program, &o, NULL, &st), 0, "%s", st.text);
  cr_assert(stat("runs/line-1/weights.safetensors", &info) == 0 &&
            stat("runs/line-2/program.reg", &info) == 0);
  cr_assert(stat("runs/line-3", &info) != 0);
  o.out_dir = "";
  cr_assert_eq(reg_run(&w->program, &o, NULL, &st), 0);
  cr_assert(stat("runs/line-3", &info) != 0);
  o.out_dir = "runs/line-1/program.reg/below";
  cr_assert_eq(reg_run(&w->program, &o, NULL, &st), REG_CANNOT_WRITE);
  cr_assert(strstr(st.text, "program.reg"), "%s", st.text);
  cr_assert_eq(chdir(before), 0);
  free_world(w);
}
