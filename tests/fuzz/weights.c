// Damaged weights and checkpoints. In: how many files, a seed. Valid files of both kinds are written by the
// runtime, changed (bytes, lengths, the header's structure and numbers, the end), and given to the reader.
// Out: for each a load or a clear error; anything else ends with 1. Refused weights leave everything as it
// was. A damaged checkpoint must never load: only a change that leaves all values as they were may.
//   fuzz_weights [FILES [SEED]]
#include "damage.h"
#include "reg/train.h"
#include "train/internal.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void read_file(const char *path, File *f) {
  FILE *in = fopen(path, "rb");
  f->size = in ? fread(f->bytes, 1, ROOM, in) : 0;
  if (in) fclose(in);
}

static void write_file(const char *path, const File *f) {
  FILE *out = fopen(path, "wb");
  if (!out || fwrite(f->bytes, 1, f->size, out) != f->size || fclose(out) != 0) {
    perror(path);
    exit(2);
  }
}

// -- changes

static size_t header_end(const File *f) {
  uint64_t size = 0;
  if (f->size < 8) return f->size;
  memcpy(&size, f->bytes, 8);
  return size > f->size - 8 ? f->size : 8 + (size_t)size;
}

static void set_header(File *f, uint64_t size) {
  if (f->size >= 8) memcpy(f->bytes, &size, 8);
}

static bool digit(char c) { return c >= '0' && c <= '9'; }

// One number of the header becomes another.
static void change_number(File *f, size_t end) {
  static const char *const numbers[] = {"0",     "-1",    "1",
                                        "7",     "4",     "4294967296",
                                        "1e3",   "0.5",   "9223372036854775807",
                                        "null",  "[]",    "-9223372036854775808",
                                        "1e400", "\"4\"", "18446744073709551616"};
  const char *to = numbers[below(sizeof numbers / sizeof *numbers)];
  size_t at = 8 + below(end - 8), length = 0;
  while (at < end && !digit(f->bytes[at])) at++;
  while (at + length < end && digit(f->bytes[at + length])) length++;
  splice(f, at, length, to, strlen(to));
}

static void change_structure(File *f, size_t end) {
  static const char *const parts[] = {"{",
                                      "}",
                                      "[",
                                      "]",
                                      ",",
                                      ":",
                                      "\"",
                                      "F64",
                                      "F16",
                                      "I64",
                                      "BF16",
                                      "null",
                                      "\"shape\"",
                                      "dtype",
                                      "\\u0000",
                                      "\xff\xfe",
                                      "\"data_offsets\":[0,0]",
                                      "__metadata__"};
  size_t at = 8 + below(end - 8), length = below(40);
  char part[64];
  const char *text = parts[below(sizeof parts / sizeof *parts)];
  switch (below(4)) {
  case 0: splice(f, at, length, "", 0); break;
  case 1: splice(f, at, below(8), text, strlen(text)); break;
  case 2: // a part of the header once more, elsewhere
    if (length > f->size - at) length = f->size - at;
    memcpy(part, f->bytes + at, length);
    splice(f, 8 + below(end - 8), below(2) ? length : 0, part, length);
    break;
  default:
    text = below(2) ? "[" : "{\"a\":"; // brackets in brackets
    for (size_t i = below(4000); i > 0; i--) splice(f, at, 0, text, strlen(text));
  }
}

static void change(File *f) {
  size_t end = header_end(f), before = end;
  if (f->size <= 9 || end <= 9) return;
  size_t size = f->size;
  size_t at = 8 + below(end - 8), behind = end + below(f->size - end);
  switch (below(12)) {
  case 0: f->size = below(f->size); return;
  case 1: set_header(f, below(2) ? draw() : draw() >> below(64)); return;
  case 2: set_header(f, end - 8 + below(17) - 8); return;
  case 3: f->bytes[at] = (unsigned char)draw(); return;
  case 4:
  case 5: f->bytes[behind < f->size ? behind : at] ^= (unsigned char)(1u << below(8)); return; // a value
  case 6:
    for (size_t i = 1 + below(64); i > 0 && f->size < ROOM; i--) f->bytes[f->size++] = (unsigned char)draw();
    return;
  case 7: // another digit or letter: the header stays a JSON object
  case 8:
    while (at < end && !digit(f->bytes[at]) && (f->bytes[at] < 'a' || f->bytes[at] > 'z')) at++;
    if (at < end)
      f->bytes[at] =
          digit(f->bytes[at]) ? (unsigned char)('0' + below(10)) : (unsigned char)('a' + below(26));
    return;
  case 9:
  case 10: change_number(f, end); break;
  default: change_structure(f, end); break;
  }
  // Mostly with a length that fits again, so that the reader comes to what was changed.
  if (below(4)) set_header(f, before - 8 + f->size - size);
}

// -- the readers

static const reg_tensor params[] = {
    {.name = "net.hidden.weight", .rank = 2, .dim = {5, 7}, .count = 35, .stored = 0},
    {.name = "net.hidden.bias", .rank = 1, .dim = {7}, .count = 7, .dtype = REG_F64, .stored = 1},
    {.name = "net.scale", .count = 1, .stored = 2}};
static const reg_tensor states[] = {
    {.name = "net.norm.running_mean", .rank = 1, .dim = {7}, .count = 7, .layer = true, .stored = 3},
    {.name = "adam.m net.hidden.weight", .rank = 2, .dim = {5, 7}, .count = 35, .stored = -1},
    {.name = "adam.m net.hidden.bias", .rank = 1, .dim = {7}, .count = 7, .dtype = REG_F64, .stored = -1}};

static void fill(const Training *t, const Bank *b, double from) {
  for (int i = 0; i < t->plan->nparams; i++)
    for (int64_t k = 0; k < params[i].count; k++)
      reg_float_put(b->params[i], params[i].dtype, k, from + (double)k);
  for (int i = 0; i < t->plan->nstates; i++)
    for (int64_t k = 0; k < states[i].count; k++)
      reg_float_put(b->states[i], states[i].dtype, k, -from - (double)k);
}

static bool same(const Bank *a, const Bank *b) {
  for (int i = 0; i < 3; i++)
    if (memcmp(a->params[i], b->params[i], reg_tensor_bytes(&params[i])) != 0 ||
        memcmp(a->states[i], b->states[i], reg_tensor_bytes(&states[i])) != 0)
      return false;
  return true;
}

typedef struct Tally {
  long loaded, refused, wrong;
} Tally;

static void judge(Tally *tally, int code, const reg_status *st, bool kept, bool right, long number) {
  bool clear = code == REG_BAD_DATA && st->code == code && st->text[0] && strstr(st->name, "_bad");
  tally->loaded += code == 0;
  tally->refused += code != 0;
  if (code ? clear && kept : right) return;
  tally->wrong++;
  fprintf(stderr, "file %ld: code %d, %s: %s\n", number, code, st->name, st->text);
}

static int nothing(reg_ctx *c, void *const *slots) {
  (void)c, (void)slots;
  return 0;
}

// A run with one training, as it is before a checkpoint is read, or written.
static int run_new(Run *r, const reg_program *p, const reg_run_options *o, reg_status *st, char *checkpoint) {
  *st = (reg_status){0};
  *r = (Run){.program = p, .options = o, .st = st, .checkpoint = checkpoint, .lock = -1, .metrics = -1};
  r->stages = p->stages, r->nstages = p->nstages;
  r->scratch = calloc(1, sizeof *r->scratch);
  return r->scratch ? store_new(r) : 2;
}

static void run_free(Run *r) {
  reg_heap_free(&r->heap);
  free(r->places);
  reg_heap_free(&r->scratch->memory);
  free(r->scratch);
}

// In the middle of an epoch.
static int write_checkpoint(Run *r) {
  if (training_new(r, 0) || places_room(r, 1)) return 2;
  Training *t = &r->trainings[0];
  t->epoch = 7;
  t->began = 70;
  t->step = 73;
  t->best_epoch = 5;
  t->has_best = true;
  t->best_value = 0.25;
  fill(t, &t->now, 1);
  fill(t, &t->best, 50);
  r->under_way = t;
  r->depth = 1;
  r->places[0] = (Place){0};
  return checkpoint_write(r);
}

// Whether a file was read as what the first run wrote, or refused.
static void judge_checkpoint(Tally *tally, const Run *wrote, long number) {
  Run r;
  reg_status st;
  int code = run_new(&r, wrote->program, wrote->options, &st, wrote->checkpoint);
  if (!code) code = checkpoint_read(&r);
  const Training *a = &r.trainings[0], *b = &wrote->trainings[0];
  bool right = !code && same(&a->now, &b->now) && a->step == b->step;
  for (int i = 0; i < 3 && right; i++)
    right = memcmp(a->best.params[i], b->best.params[i], reg_tensor_bytes(&params[i])) == 0;
  judge(tally, code, &st, true, right, number);
  run_free(&r);
}

int main(int argc, char **argv) {
  long files = argc > 1 ? atol(argv[1]) : 1000;
  state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  char folder[] = "/tmp/reg-weights-XXXXXX", weights[64], checkpoint[64];
  if (!mkdtemp(folder)) return 2;
  snprintf(weights, sizeof weights, "%s/weights.safetensors", folder);
  snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.safetensors", folder);
  reg_part part = {.name = "train", .nrows = 640};
  reg_dataset data = {.nparts = 1, .parts = &part};
  reg_dataset *datasets[] = {&data};
  reg_function init = {.name = "init", .fn = nothing}, step = {.name = "step", .fn = nothing, .batch = 64};
  reg_train plan = {.name = "net",
                    .train_part = "train",
                    .epochs = 50,
                    .batch = 64,
                    .keep_best = true,
                    .nparams = 3,
                    .params = params,
                    .nstates = 3,
                    .states = states,
                    .init = &init,
                    .step = &step};
  const reg_stage stage = {.kind = REG_STAGE_TRAIN, .value = -1, .turn = -1};
  reg_tensor store[4] = {params[0], params[1], params[2], states[0]};
  reg_program program = {.source = "a program",
                         .ndatasets = 1,
                         .datasets = datasets,
                         .nstore = 4,
                         .store = store,
                         .ntrains = 1,
                         .trains = &plan,
                         .nstages = 1,
                         .stages = &stage};
  reg_run_options options = {0};
  reg_status st = {0};
  Run run;
  if (run_new(&run, &program, &options, &st, checkpoint) || write_checkpoint(&run)) return 2;
  Training *t = &run.trainings[0];
  Bank good, marked;
  if (bank_new(t, &good) || bank_new(t, &marked)) return 2;
  bank_copy(t, &good, &t->now);
  fill(t, &marked, 1000);
  static File valid[2], file;
  if (reg_weights_write(&plan, good.params, good.states, weights, &st)) return 2;
  read_file(weights, &valid[0]);
  read_file(checkpoint, &valid[1]);
  Tally tally[2] = {0};
  for (long i = 0; i < files; i++) {
    int kind = (int)(i % 2);
    memcpy(&file, &valid[kind], sizeof file);
    for (size_t k = below(3) ? 1 : 1 + below(3); k > 0; k--) change(&file);
    write_file(kind ? checkpoint : weights, &file);
    bank_copy(t, &t->now, kind ? &good : &marked);
    if (kind) {
      judge_checkpoint(&tally[kind], &run, i);
      continue;
    }
    st = (reg_status){0}; // an optimizer's states are not in the weights; they stay
    const int code = reg_weights_read(&plan, t->now.params, t->now.states, weights, &st);
    judge(&tally[kind], code, &st, same(&t->now, &marked), true, i);
  }
  unlink(weights);
  unlink(checkpoint);
  rmdir(folder);
  run_free(&run);
  printf("weights: %ld loaded, %ld refused; checkpoints: %ld loaded, %ld refused\n", tally[0].loaded,
         tally[0].refused, tally[1].loaded, tally[1].refused);
  long wrong = tally[0].wrong + tally[1].wrong;
  bool both = tally[0].loaded && tally[0].refused && tally[1].loaded && tally[1].refused;
  printf("%ld passed, %ld failed\n", files - wrong, wrong + !both);
  return wrong || !both;
}
