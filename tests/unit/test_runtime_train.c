// The training driver under a program written by hand: slots, shuffled batches, a partial last batch,
// validation, stopping, divergence, the run directory.
#include "test_runtime_world.h"

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
