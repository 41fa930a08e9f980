// The stages of a program: loops, conditions, functions of the store, what is reported, asserted and saved.
#include "math/special.h"
#include "reg/file.h"
#include "test_runtime_world.h"
#include <sys/wait.h>

// The store: the model's weights, and what the statements of a test name.
enum { WEIGHT, COUNT, TURN, SUM, GO, DRAW, MSE, LOSSES, EPOCHS, LIST, STORE };

static const reg_tensor tensors[STORE] = {
    [WEIGHT] = {.name = "line.weight", .rank = 1, .dim = {3}, .count = 3},
    [COUNT] = {.name = "count", .count = 1, .dtype = REG_F64},
    [TURN] = {.name = "turn", .count = 1, .dtype = REG_F64},
    [SUM] = {.name = "sum", .count = 1},
    [GO] = {.name = "go", .count = 1, .dtype = REG_BOOL},
    [DRAW] = {.name = "draw", .rank = 1, .dim = {2}, .count = 2, .dtype = REG_I32},
    [MSE] = {.name = "mse", .count = 1},
    [LOSSES] = {.name = "losses", .rank = 1, .dim = {40}, .count = 40},
    [EPOCHS] = {.name = "epochs", .count = 1, .dtype = REG_F64},
    [LIST] = {.name = "list", .rank = 2, .dim = {2, 3}, .count = 6}};

static int start(reg_ctx *c, void *const *s) { // -> count, sum, list
  (void)c;
  *(double *)s[1] = 4;
  *(float *)s[2] = 0;
  for (int i = 0; i < 6; i++) ((float *)s[3])[i] = (float)i / 2;
  return 0;
}
static int add(reg_ctx *c, void *const *s) { // turn, sum -> sum
  (void)c;
  *(float *)s[2] += 1 + (float)*(const double *)s[1];
  return 0;
}
static int below(reg_ctx *c, void *const *s) { // sum -> go
  (void)c;
  *(uint8_t *)s[2] = *(const float *)s[1] < 100;
  return 0;
}
static int draw(reg_ctx *c, void *const *s) { // seed -> draw
  (void)c;
  memcpy(s[2], s[1], 8);
  return 0;
}
static int halve(reg_ctx *c, void *const *s) { // weight -> weight
  (void)c;
  for (int i = 0; i < 3; i++) ((float *)s[1])[i] /= 2;
  return 0;
}

enum { START, ADD, BELOW, DRAWN, HALVE, APPLIES };
#define IN(i)     {REG_SLOT_STORE, i, 1, REG_F32, true, false}
#define OUT(i)    {REG_SLOT_STORE, i, 1, REG_F32, false, true}
#define BOTH(i)   {REG_SLOT_STORE, i, 1, REG_F32, true, true}
#define SCRATCHED {REG_SLOT_SCRATCH}
static const reg_slot slots[APPLIES][4] = {[START] = {SCRATCHED, OUT(COUNT), OUT(SUM), OUT(LIST)},
                                           [ADD] = {SCRATCHED, IN(TURN), BOTH(SUM)},
                                           [BELOW] = {SCRATCHED, IN(SUM), OUT(GO)},
                                           [DRAWN] = {SCRATCHED, {REG_SLOT_SEED}, OUT(DRAW)},
                                           [HALVE] = {SCRATCHED, BOTH(WEIGHT)}};
static reg_function functions[APPLIES] = {[START] = {"start", start, 0, 16, 4, slots[START]},
                                          [ADD] = {"add", add, 0, 0, 3, slots[ADD]},
                                          [BELOW] = {"below", below, 0, 64, 3, slots[BELOW]},
                                          [DRAWN] = {"draw", draw, 0, 0, 3, slots[DRAWN]},
                                          [HALVE] = {"halve", halve, 0, 0, 2, slots[HALVE]}};
static reg_apply applies[APPLIES] = {{"p.reg:1", &functions[START]},
                                     {"p.reg:2", &functions[ADD]},
                                     {"p.reg:3", &functions[BELOW]},
                                     {"p.reg:4", &functions[DRAWN]},
                                     {"p.reg:5", &functions[HALVE]}};

static const char *const no_path[] = {""}, *const paths[] = {"a.sum", "a.list"};
static const reg_piece round_pieces[] = {{"round ", TURN}, {"", -1}}, sum_piece[] = {{"sum", -1}},
                       draw_piece[] = {{"draw", -1}}, tree_piece[] = {{"tree", -1}},
                       losses_piece[] = {{"losses", -1}}, epochs_piece[] = {{"epochs", -1}};
static const int mse_value[] = {MSE}, sum_value[] = {SUM}, draw_value[] = {DRAW}, tree_values[] = {SUM, LIST},
                 losses_value[] = {LOSSES}, epochs_value[] = {EPOCHS};
enum { ROUND, SUMMED, DRAWS, TREE, LOSS, PASSES, REPORTS };
static const reg_report reports[REPORTS] = {
    {2, round_pieces, 1, mse_value, no_path},    {1, sum_piece, 1, sum_value, no_path},
    {1, draw_piece, 1, draw_value, no_path},     {1, tree_piece, 2, tree_values, paths},
    {1, losses_piece, 1, losses_value, no_path}, {1, epochs_piece, 1, epochs_value, no_path}};

#define STAGE(k, ...) {.kind = REG_STAGE_##k, __VA_ARGS__}
#define BODY(list)    .body = list, .nbody = sizeof(list) / sizeof *(list)
#define ORELSE(list)  .otherwise = list, .nelse = sizeof(list) / sizeof *(list)

typedef struct Told {
  World *w;
  int reports;
  char name[128][32];
  double first[128];
  int draws[128][2], acts[3];
  char *line;
} Told;

static void tell(void *user, const reg_event *e) {
  Told *t = user;
  sink(t->w, e);
  if (e->kind == REG_EVENT_TRAIN_END) t->acts[0] = (int)e->act;
  if (e->kind == REG_EVENT_EVALUATE) t->acts[1] = (int)e->act;
  if (e->kind != REG_EVENT_REPORT) return;
  free(t->line);
  t->line = reg_event_json(e);
  snprintf(t->name[t->reports], 32, "%s", e->name);
  const int value = e->report->values[0];
  t->first[t->reports] = reg_number_at(e->values[0], tensors[value].dtype, 0);
  if (value == DRAW) memcpy(t->draws[t->reports], e->values[0], 8);
  t->reports++;
}

static World *world_of(const reg_stage *stages, int n) {
  static const reg_result results[] = {{REG_RESULT_LOSS, 0, true, LOSSES},
                                       {REG_RESULT_EPOCHS, 0, false, EPOCHS}};
  World *w = make_world();
  w->program.nstore = STORE, w->program.store = tensors;
  w->program.napplies = APPLIES, w->program.applies = applies;
  w->program.nreports = REPORTS, w->program.reports = reports;
  w->program.nstages = n, w->program.stages = stages;
  w->metric.value = MSE;
  w->train.nresults = 2, w->train.results = results;
  w->train.epochs = 5;
  return w;
}
#define WORLD(stages) world_of(stages, sizeof(stages) / sizeof *(stages))

static int go(World *w, Told *told, reg_run_options o, reg_status *st) {
  *told = (Told){.w = w};
  o.sink = tell, o.sink_user = told, o.threads = 1, o.interrupt = &w->interrupt;
  if (!o.out_dir) o.out_dir = w->folder;
  return reg_run(&w->program, &o, NULL, st);
}

Test(stages, loops_and_conditions_act_on_the_store) {
  static const reg_stage adding[] = {STAGE(APPLY, .index = ADD)}, told[] = {STAGE(REPORT, .index = SUMMED)},
                         starting[] = {STAGE(INIT, .index = START), STAGE(APPLY, .index = ADD)};
  static const reg_stage stages[] = {
      STAGE(INIT, .index = START),
      STAGE(REPEAT, .value = COUNT, .turn = TURN, BODY(adding)), // 1 + 2 + 3 + 4
      STAGE(REPORT, .index = SUMMED),
      STAGE(REPEAT, .value = COUNT, .turn = TURN, BODY(starting)), // what is there stays
      STAGE(REPORT, .index = TREE),
      STAGE(WHILE, .test = BELOW, .value = GO, .turn = TURN, BODY(adding)), // 20 + (1 + ... + 13) = 111
      STAGE(IF, .value = GO, BODY(told)),
      STAGE(IF, .value = COUNT, BODY(told)),
      STAGE(IF, .value = GO, BODY(starting), ORELSE(told))};
  World *w = WORLD(stages);
  Told t;
  reg_status st;
  cr_assert_eq(go(w, &t, (reg_run_options){.out_dir = ""}, &st), 0, "%s", st.text);
  cr_assert_eq(t.reports, 4);
  cr_assert(t.first[0] == 10 && t.first[1] == 20 && t.first[2] == 111 && t.first[3] == 111, "%g %g %g",
            t.first[0], t.first[1], t.first[2]);
  free(t.line);
  static const reg_stage tree[] = {STAGE(INIT, .index = START), STAGE(REPORT, .index = TREE)};
  w->program.stages = tree, w->program.nstages = 2;
  cr_assert_eq(go(w, &t, (reg_run_options){.out_dir = ""}, &st), 0, "%s", st.text);
  cr_assert_str_eq(t.line, "{\"event\":\"report\",\"name\":\"tree\",\"values\":{\"a.sum\":0.0,\"a.list\":[[0."
                           "0,0.5,1.0],[1.5,2.0,2.5]]}}");
  free(t.line);
  free_world(w);
}

Test(stages, draws_of_a_loop_differ_from_turn_to_turn) {
  static const reg_stage drawing[] = {STAGE(APPLY, .index = DRAWN), STAGE(REPORT, .index = DRAWS)};
  static const reg_stage inner[] = {STAGE(REPEAT, .value = COUNT, .turn = -1, BODY(drawing))};
  static const reg_stage stages[] = {
      STAGE(INIT, .index = START), STAGE(APPLY, .index = DRAWN), STAGE(REPORT, .index = DRAWS),
      STAGE(REPEAT, .value = COUNT, .turn = -1, BODY(drawing)), STAGE(IF, .value = COUNT, BODY(inner))};
  World *w = WORLD(stages);
  Told t;
  reg_status st;
  cr_assert_eq(go(w, &t, (reg_run_options){.out_dir = "", .has_seed = true, .seed = 0x700000009}, &st), 0,
               "%s", st.text);
  cr_assert(t.reports == 9 && t.draws[0][0] == 9 && t.draws[0][1] == 7);
  for (int i = 0; i < 5; i++)
    for (int k = 0; k < i; k++) cr_assert(memcmp(t.draws[i], t.draws[k], 8) != 0, "%d and %d", i, k);
  for (int i = 1; i < 5; i++) cr_assert(!memcmp(t.draws[i], t.draws[i + 4], 8), "they are keyed by turns");
  free(t.line);
  free_world(w);
}

static bool exists(const World *w, const char *name) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", w->folder, name);
  return access(path, F_OK) == 0;
}

Test(stages, a_training_in_a_loop_goes_on_with_its_model) {
  static const reg_stage body[] = {STAGE(TRAIN), STAGE(EVALUATE), STAGE(APPLY, .index = HALVE),
                                   STAGE(REPORT, .index = ROUND)};
  static const reg_stage stages[] = {STAGE(INIT, .index = START),
                                     STAGE(REPEAT, .value = COUNT, .turn = TURN, BODY(body)),
                                     STAGE(REPORT, .index = LOSS), STAGE(REPORT, .index = PASSES)};
  World *w = WORLD(stages);
  Told t;
  reg_status st;
  cr_assert_eq(go(w, &t, (reg_run_options){0}, &st), 0, "%s", st.text);
  cr_assert(t.reports == 6 && t.acts[0] == 4 && t.acts[1] == 4);
  cr_assert_str_eq(t.name[0], "round 0");
  cr_assert_str_eq(t.name[3], "round 3");
  cr_assert(t.first[0] == (double)(float)t.first[0] && t.first[3] < t.first[0], "each starts nearer by");
  cr_assert_eq(t.first[5], 5, "epochs of the last training alone");
  cr_assert(exists(w, "weights.safetensors") && exists(w, "weights-2.safetensors") &&
            exists(w, "weights-4.safetensors") && !exists(w, "weights-1.safetensors") &&
            !exists(w, "weights-5.safetensors") && exists(w, "predictions.csv") &&
            exists(w, "predictions-4.csv"));
  free(t.line);
  free_world(w);
}

Test(stages, stages_of_an_epoch_stand_behind_each) {
  static const reg_stage each[] = {STAGE(APPLY, .index = DRAWN), STAGE(REPORT, .index = DRAWS),
                                   STAGE(EVALUATE)};
  static const reg_stage stages[] = {STAGE(TRAIN)};
  World *w = WORLD(stages);
  Told t;
  reg_status st;
  w->train.each_epoch = each, w->train.neach_epoch = 3;
  cr_assert_eq(go(w, &t, (reg_run_options){0}, &st), 0, "%s", st.text);
  cr_assert(t.reports == 5 && w->sent[REG_EVENT_EVALUATE] == 5 && memcmp(t.draws[0], t.draws[1], 8) != 0);
  float with[3], without[3];
  free(t.line);
  weights(w, with);
  w->train.neach_epoch = 0;
  cr_assert_eq(go(w, &t, (reg_run_options){0}, &st), 0, "%s", st.text);
  weights(w, without);
  cr_assert(!memcmp(with, without, sizeof with), "who looks changes nothing");
  free(t.line);
  free_world(w);
}

Test(stages, an_assertion_ends_the_run_with_both_sides) {
  static const reg_assertion assertion = {.text = "sum > 3 * count",
                                          .place = "p.reg:7:8",
                                          .condition = SUM,
                                          .nsides = 2,
                                          .sides = {SUM, COUNT},
                                          .side_texts = {"sum", "3 * count"}};
  static const reg_stage stages[] = {STAGE(INIT, .index = START), STAGE(ASSERT),
                                     STAGE(REPORT, .index = SUMMED)};
  World *w = WORLD(stages);
  Told t;
  reg_status st;
  w->program.assertions = &assertion, w->program.nassertions = 1;
  cr_assert_eq(go(w, &t, (reg_run_options){.out_dir = ""}, &st), REG_ASSERTION);
  cr_assert_str_eq(st.text, "p.reg:7:8: `sum > 3 * count` does not hold: `sum` is 0, `3 * count` is 4");
  cr_assert(t.reports == 0 && w->sent[REG_EVENT_ERROR] == 1);
  free_world(w);
}

Test(stages, a_loop_that_does_not_end_is_ended) {
  static const reg_stage adding[] = {STAGE(APPLY, .index = ADD)};
  static reg_stage stages[] = {
      STAGE(INIT, .index = START),
      STAGE(WHILE, .test = BELOW, .value = GO, .turn = TURN, .most = 3, .place = "p.reg:9:3", BODY(adding)),
      STAGE(REPORT, .index = SUMMED)};
  World *w = WORLD(stages);
  Told t;
  reg_status st;
  cr_assert_eq(go(w, &t, (reg_run_options){.out_dir = ""}, &st), REG_ASSERTION);
  cr_assert(strstr(st.text, "p.reg:9:3: after 3 turns") && strstr(st.text, "still holds"), "%s", st.text);
  stages[1].up_to = true;
  cr_assert_eq(go(w, &t, (reg_run_options){.out_dir = ""}, &st), 0, "%s", st.text);
  cr_assert(t.reports == 1 && t.first[0] == 6);
  free(t.line);
  static const reg_stage none[] = {STAGE(APPLY, .index = HALVE)},
                         odd[] = {STAGE(INIT, .index = START),
                                  STAGE(REPEAT, .value = LIST, .turn = -1, .place = "p.reg:1:1")};
  w->program.stages = none, w->program.nstages = 1;
  cr_assert_neq(go(w, &t, (reg_run_options){.out_dir = ""}, &st), 0, "it reads what has no values");
  cr_assert_str_eq(st.name, "no_value");
  w->program.stages = odd, w->program.nstages = 2;
  cr_assert_eq(go(w, &t, (reg_run_options){.out_dir = ""}, &st), 0, "no turn");
  free_world(w);
}

Test(stages, save_writes_tensors_where_it_says) {
  static const int all[] = {LIST, DRAW, COUNT};
  static const char *const names[] = {"list", "draw", "how many"};
  static reg_save save = {.ntensors = 3, .tensors = all, .names = names};
  static const reg_stage stages[] = {STAGE(INIT, .index = START), STAGE(APPLY, .index = DRAWN),
                                     STAGE(SAVE, .place = "p.reg:3:1")};
  World *w = WORLD(stages);
  Told t;
  reg_status st;
  reg_saved saved;
  char path[128];
  snprintf(path, sizeof path, "/tmp/reg_saved_%ld.safetensors", (long)getpid());
  save.path = path;
  w->program.saves = &save, w->program.nsaves = 1;
  cr_assert_eq(go(w, &t, (reg_run_options){.out_dir = "", .has_seed = true, .seed = 5}, &st), 0, "%s",
               st.text);
  cr_assert_eq(reg_safetensors_read(path, &saved, &st), 0, "%s", st.text);
  const reg_saved_tensor *list = reg_saved_find(&saved, "list"), *drawn = reg_saved_find(&saved, "draw"),
                         *count = reg_saved_find(&saved, "how many");
  cr_assert(list && drawn && count && list->rank == 2 && reg_float_at(list->values, list->dtype, 5) == 2.5);
  cr_assert(reg_float_at(drawn->values, drawn->dtype, 0) == 5 && count->dtype == REG_F64 && count->rank == 0);
  reg_saved_free(&saved);
  unlink(path);
  save.path = "/tmp/reg_no_such_folder/x.safetensors";
  cr_assert_eq(go(w, &t, (reg_run_options){.out_dir = ""}, &st), REG_CANNOT_WRITE);
  cr_assert(strstr(st.text, "reg_no_such_folder"), "%s", st.text);
  free_world(w);
}

// -- killed, and going on

// The lines of metrics.jsonl without times and starts.
static char *lines_of(const World *w) {
  char path[128], line[4096];
  snprintf(path, sizeof path, "%s/metrics.jsonl", w->folder);
  FILE *f = fopen(path, "r");
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  while (f && fgets(line, sizeof line, f)) {
    json_t *o = json_loads(line, 0, NULL);
    cr_assert(o, "%s", line);
    json_object_del(o, "seconds");
    char *kept = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    if (!strstr(kept, "train_start")) fprintf(out, "%s\n", kept);
    free(kept);
    json_decref(o);
  }
  fclose(out);
  if (f) fclose(f);
  return text;
}

static char *bytes_of(const World *w, const char *name, size_t *size) {
  char path[128];
  reg_status st;
  snprintf(path, sizeof path, "%s/%s", w->folder, name);
  char *bytes = reg_file_read(path, size, "missing", &st);
  cr_assert(bytes, "%s", st.text);
  return bytes;
}

static int events_left;
static void kill_behind(void *user, const reg_event *e) {
  (void)user;
  (void)e;
  if (events_left-- == 0) _exit(9);
}

// Runs in a process of its own that ends at once at its `after`-th event. Was it killed?
static bool killed(World *w, int after, reg_run_options o) {
  const pid_t child = fork();
  cr_assert_geq(child, 0);
  if (!child) {
    reg_status st;
    events_left = after;
    o.threads = 1, o.sink = kill_behind, o.out_dir = w->folder, o.resume = true, o.step_events = true;
    _exit(reg_run(&w->program, &o, NULL, &st));
  }
  int status;
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert(WIFEXITED(status) && (WEXITSTATUS(status) == 9 || WEXITSTATUS(status) == 0), "%d", status);
  return WEXITSTATUS(status) == 9;
}

Test(stages, a_killed_run_goes_on_in_the_middle_of_a_loop, .timeout = 300) {
  static const reg_stage adding[] = {STAGE(APPLY, .index = ADD)},
                         training[] = {STAGE(TRAIN), STAGE(APPLY, .index = DRAWN),
                                       STAGE(REPORT, .index = DRAWS)},
                         looking[] = {STAGE(EVALUATE), STAGE(REPORT, .index = ROUND)};
  static const reg_stage body[] = {
      STAGE(APPLY, .index = HALVE),
      STAGE(WHILE, .test = BELOW, .value = GO, .turn = TURN, .most = 2, .up_to = true, BODY(training)),
      STAGE(IF, .value = GO, BODY(looking), ORELSE(adding)),
      STAGE(REPEAT, .value = COUNT, .turn = TURN, BODY(adding)), STAGE(REPORT, .index = SUMMED)};
  static const reg_stage stages[] = {STAGE(INIT, .index = START),
                                     STAGE(TRAIN),
                                     STAGE(EVALUATE),
                                     STAGE(REPEAT, .value = COUNT, .turn = -1, BODY(body)),
                                     STAGE(EVALUATE),
                                     STAGE(REPORT, .index = LOSS),
                                     STAGE(REPORT, .index = TREE)};
  World *w = WORLD(stages);
  Told t;
  reg_status st;
  size_t sizes[3], size;
  static const char *const names[] = {"weights-9.safetensors", "predictions-3.csv", "checkpoint.safetensors"};
  char *whole[3], command[128];
  w->train.each_epoch = training + 1, w->train.neach_epoch = 2;
  w->train.epochs = 2, w->train.watch = "mse", w->train.keep_best = true, w->train.patience = 1;
  const reg_run_options often = {.has_checkpoint_seconds = true};
  cr_assert_eq(go(w, &t, often, &st), 0, "%s", st.text);
  free(t.line);
  char *lines = lines_of(w);
  for (int i = 0; i < 3; i++) whole[i] = bytes_of(w, names[i], &sizes[i]);
  snprintf(command, sizeof command, "rm -rf %s", w->folder);
  int kills = 0;
  for (int after = 0, hit = 1; hit; after += 11) {
    cr_assert_eq(system(command), 0);
    hit = 0;
    // Once from the beginning, then wherever it goes on, a few events further.
    for (int next = after; killed(w, next, often); next = 12 + after % 17) kills++, hit = 1;
    char *found = lines_of(w);
    cr_assert_str_eq(found, lines, "killed behind %d events", after);
    free(found);
    for (int i = 0; i < 3; i++) {
      char *bytes = bytes_of(w, names[i], &size);
      cr_assert(size == sizes[i] && !memcmp(bytes, whole[i], size), "%s differs, killed behind %d events",
                names[i], after);
      free(bytes);
    }
  }
  cr_assert_gt(kills, 50);
  for (int i = 0; i < 3; i++) free(whole[i]);
  free(lines);
  free_world(w);
}

// Values of scipy 1.10 (stats.t.sf, special.betainc); quantiles in closed form, for one and two degrees of
// freedom, and from R's qt.
Test(stages, student) {
  static const double outside[][3] = {{0, 1, 1},
                                      {0.5, 1, 0.7048327646991336},
                                      {-2.5, 3, 0.08770664700806555},
                                      {10, 7.5, 1.3365978149387457e-05},
                                      {1e-3, 200, 0.9992031123011389},
                                      {40, 2, 0.0006244146721847406},
                                      {1.96, 1e6, 0.04999606758526978}},
                      quantiles[][3] = {{0.05, 1, 12.706204736174696},
                                        {0.05, 2, 4.302652729749463},
                                        {0.01, 30, 2.7499956535670305},
                                        {0.5, 1, 1}},
                      beta[][4] = {{0.5, 0.5, 0.3, 0.3690101195655454},
                                   {2, 3, 0.9, 0.9963},
                                   {100, 0.5, 0.999, 0.6550435163244297},
                                   {0.01, 5, 0.2, 0.9978180380770351}};
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
    cr_expect_float_eq(reg_t_outside(outside[i][0], outside[i][1]) / outside[i][2], 1, 1e-9, "%zu", i);
  for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
    cr_expect_float_eq(reg_t_quantile(quantiles[i][0], quantiles[i][1]) / quantiles[i][2], 1, 1e-12, "%zu",
                       i);
  for (size_t i = 0; i < sizeof beta / sizeof *beta; i++)
    cr_expect_float_eq(reg_beta_inc(beta[i][0], beta[i][1], beta[i][2]), beta[i][3], 1e-12, "%zu", i);
  cr_expect(reg_beta_inc(2, 3, 0) == 0 && reg_beta_inc(2, 3, 1) == 1 && isnan(reg_beta_inc(2, 3, NAN)));
  cr_expect(reg_t_outside(INFINITY, 3) == 0);
}
