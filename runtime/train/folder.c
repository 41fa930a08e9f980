// The run directory: program.reg and run.json at the start, metrics.jsonl as it goes (a line is whole or not
// there: it is the record of a run that may be killed), weights and predictions when they are final. All but
// metrics.jsonl appear whole or not at all.
#include "io/file.h"
#include "reg/events.h"
#include "train/internal.h"
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(const Run *r, const char *name) {
  char *path = NULL;
  return asprintf(&path, "%s/%s", r->folder, name) < 0 ? NULL : path;
}

static int write_named(Run *r, const char *name, const void *bytes, size_t size) {
  char *path = path_of(r, name);
  int code = path ? reg_file_write(path, bytes, size, r->st) : reg_no_memory(r->st, size);
  free(path);
  return code;
}

static int make_folders(const char *path, reg_status *st) {
  char *copy = strdup(path);
  int code = copy ? REG_OK : reg_no_memory(st, strlen(path));
  for (char *at = copy; copy && !code && at;) {
    at = strchr(at + 1, '/');
    if (at) *at = 0;
    struct stat info;
    if (mkdir(copy, 0777) != 0 && (errno != EEXIST || (stat(copy, &info) == 0 && !S_ISDIR(info.st_mode))))
      code = reg_cannot_write(st, copy, errno == EEXIST ? ENOTDIR : errno);
    if (at) *at = '/';
  }
  free(copy);
  return code;
}

// The program's file name without folder and `.reg`.
static void run_name(const Run *r, char *out, size_t size) {
  const char *name = r->program->source_name ? r->program->source_name : "run", *slash = strrchr(name, '/');
  if (slash) name = slash + 1;
  size_t length = strlen(name);
  if (length > 4 && !strcmp(name + length - 4, ".reg")) length -= 4;
  if (length == 0 || !strcmp(name, "-")) name = "run", length = 3;
  snprintf(out, size, "%.*s", (int)length, name);
}

static long last_number(const char *name) {
  DIR *folder = opendir("runs");
  long last = 0;
  size_t length = strlen(name);
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    char *end;
    if (strncmp(entry->d_name, name, length) != 0 || entry->d_name[length] != '-') continue;
    long number = strtol(entry->d_name + length + 1, &end, 10);
    if (!*end && number > last && number < LONG_MAX) last = number;
  }
  if (folder) closedir(folder);
  return last;
}

// The next free runs/NAME-NUMBER; mkdir decides between two runs that start at once.
static int number_folder(Run *r) {
  char name[128];
  run_name(r, name, sizeof name);
  int code = make_folders("runs", r->st);
  for (long number = last_number(name) + 1; !code; number++) {
    if (asprintf(&r->folder, "runs/%s-%ld", name, number) < 0) return reg_no_memory(r->st, sizeof name);
    if (mkdir(r->folder, 0777) == 0) return REG_OK;
    if (errno != EEXIST) code = reg_cannot_write(r->st, r->folder, errno);
    free(r->folder);
    r->folder = NULL;
  }
  return code;
}

static void cpu_model(char *out, size_t size) {
  FILE *file = fopen("/proc/cpuinfo", "re");
  char line[256];
  snprintf(out, size, "unknown");
  while (file && fgets(line, sizeof line, file)) {
    char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || !colon) continue;
    colon[strcspn(colon, "\n")] = 0;
    snprintf(out, size, "%s", colon + 1 + (colon[1] == ' '));
    break;
  }
  if (file) fclose(file);
}

static json_t *describe_data(const Run *r) {
  json_t *list = json_array();
  for (int i = 0; i < r->program->ndatasets; i++) {
    const reg_dataset *d = r->program->datasets[i];
    json_t *o = json_object();
    json_object_set_new(o, "name", json_string(r->program->dataset_names[i]));
    json_object_set_new(o, "checksum", json_string(d->checksum));
    json_object_set_new(o, "rows", json_integer(d->nrows));
    for (int p = 0; p < d->nparts; p++)
      json_object_set_new(o, d->parts[p].name, json_integer(d->parts[p].nrows));
    json_array_append_new(list, o);
  }
  return list;
}

static json_t *seeds(const Run *r) {
  json_t *list = json_object();
  for (int i = 0; i < r->program->ntrains; i++) {
    const reg_train *t = &r->program->trains[i];
    uint64_t seed = r->options->has_seed ? r->options->seed : t->seed;
    json_object_set_new(list, t->name, json_integer((json_int_t)seed));
  }
  return list;
}

int folder_outcome(Run *r, const char *outcome) {
  char cpu[128], hash[17];
  if (!r->folder) return REG_OK;
  const char *source = r->program->source ? r->program->source : "";
  cpu_model(cpu, sizeof cpu);
  reg_checksum(source, strlen(source), hash);
  json_t *o = json_object();
  json_object_set_new(o, "version", json_string(REG_VERSION));
  json_object_set_new(o, "outcome", json_string(outcome));
  json_object_set_new(o, "program", json_string(r->program->source_name ? r->program->source_name : ""));
  json_object_set_new(o, "program_checksum", json_string(hash));
  json_object_set_new(o, "data", describe_data(r));
  json_object_set_new(o, "seeds", seeds(r));
  json_object_set_new(o, "cpu", json_string(cpu));
  json_object_set_new(o, "threads", json_integer(r->ctx->threads));
  if (r->options->max_steps) json_object_set_new(o, "max_steps", json_integer(r->options->max_steps));
  if (r->options->run_info) {
    char *text = NULL;
    json_t *more = asprintf(&text, "{%s}", r->options->run_info) < 0 ? NULL : json_loads(text, 0, NULL);
    if (more) json_object_update(o, more);
    json_decref(more);
    free(text);
  }
  char *text = json_dumps(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
  json_decref(o);
  int code = text ? write_named(r, "run.json", text, strlen(text)) : reg_no_memory(r->st, 0);
  free(text);
  return code;
}

// How far a training's checkpoint is: finished epochs, -1 where there is none.
typedef struct Reached {
  int64_t epoch;
  bool done;
} Reached;

// Does a line of an earlier metrics.jsonl stand for what the checkpoints hold? Epochs after them are trained
// again.
static bool keep_line(const Run *r, const Reached *reached, json_t *line) {
  const char *event = json_string_value(json_object_get(line, "event"));
  const char *train = json_string_value(json_object_get(line, "train"));
  bool keep = event && !strcmp(event, "schema");
  for (int i = 0; event && train && i < r->program->ntrains; i++)
    if (!strcmp(r->program->trains[i].name, train))
      keep = reached[i].done || (strcmp(event, "train_end") != 0 &&
                                 json_integer_value(json_object_get(line, "epoch")) <= reached[i].epoch);
  return keep;
}

// The earlier run's metrics.jsonl, shortened to what is resumed from.
static int continue_metrics(Run *r, const char *path) {
  size_t size = 0;
  reg_status ignored = {0};
  char *text = access(path, F_OK) == 0 ? reg_file_read(path, &size, "metrics", &ignored) : NULL;
  if (!text) return REG_OK;
  char *kept = calloc(size + 2, 1), *end = kept;
  Reached *reached = reg_heap_take(&r->heap, (size_t)r->program->ntrains * sizeof *reached);
  int code = kept && reached ? REG_OK : reg_no_memory(r->st, size);
  for (int i = 0; i < r->program->ntrains && !code; i++)
    code = checkpoint_peek(r, &r->program->trains[i], &reached[i].epoch, &reached[i].done);
  for (char *line = text, *next; !code && *line; line = next) {
    size_t length = strcspn(line, "\n");
    next = line + length + (line[length] == '\n');
    json_t *event =
        line[length] == '\n' ? json_loadb(line, length, 0, NULL) : NULL; // a killed run may leave half a line
    bool keep = event && keep_line(r, reached, event);
    json_decref(event);
    if (!keep) continue;
    memcpy(end, line, length + 1);
    end += length + 1;
  }
  if (!code) code = reg_file_write(path, kept, (size_t)(end - kept), r->st);
  free(kept);
  free(text);
  return code;
}

// Files that a killed run had begun to write: NAME.PROCESS.tmp.
static void remove_unfinished(const Run *r) {
  DIR *folder = opendir(r->folder);
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    size_t length = strlen(entry->d_name), number;
    if (length <= 4 || strcmp(entry->d_name + length - 4, ".tmp") != 0) continue;
    for (number = length - 4; number > 0 && strchr("0123456789", entry->d_name[number - 1]);) number--;
    if (number > 1 && number < length - 4 && entry->d_name[number - 1] == '.')
      unlinkat(dirfd(folder), entry->d_name, 0);
  }
  if (folder) closedir(folder);
}

int folder_open(Run *r) {
  const char *out = r->options->out_dir, *source = r->program->source ? r->program->source : "";
  if (out && !*out) return REG_OK;
  int code = out ? make_folders(out, r->st) : number_folder(r);
  if (code) return code;
  if (out && !(r->folder = strdup(out))) return reg_no_memory(r->st, strlen(out));
  if (r->options->resume) remove_unfinished(r);
  code = write_named(r, "program.reg", source, strlen(source));
  if (!code) code = folder_outcome(r, "running");
  if (code) return code;
  char *path = path_of(r, "metrics.jsonl");
  if (!path) return reg_no_memory(r->st, 0);
  if (r->options->resume) code = continue_metrics(r, path);
  struct stat info; // a run killed at its start leaves the file empty
  bool fresh = !r->options->resume || stat(path, &info) != 0 || info.st_size == 0;
  if (!code && !(r->metrics_file = fopen(path, fresh ? "we" : "ae")))
    code = reg_cannot_write(r->st, path, errno);
  free(path);
  if (!code && fresh && (fprintf(r->metrics_file, "%s\n", reg_event_schema()) < 0 || fflush(r->metrics_file)))
    r->write_error = errno;
  return code;
}

void send_event(Run *r, reg_event *e) {
  e->program = r->program;
  if (r->metrics_file && e->kind != REG_EVENT_STEP) {
    char *line = reg_event_json(e);
    if (line && (fprintf(r->metrics_file, "%s\n", line) < 0 || fflush(r->metrics_file) != 0))
      r->write_error = errno;
    free(line);
  }
  if (r->options->sink) r->options->sink(r->options->sink_user, e);
}

int folder_close(Run *r) {
  if (!r->metrics_file) return REG_OK;
  if (fflush(r->metrics_file) != 0 || fsync(fileno(r->metrics_file)) != 0) r->write_error = errno;
  if (fclose(r->metrics_file) != 0) r->write_error = errno;
  r->metrics_file = NULL;
  if (!r->write_error) return REG_OK;
  char *path = path_of(r, "metrics.jsonl");
  int code = reg_cannot_write(r->st, path ? path : "metrics.jsonl", r->write_error);
  free(path);
  return code;
}

int folder_predictions(Training *t, const reg_evaluate *e, const float *predictions, const reg_part *part) {
  Run *r = t->run;
  char *text = NULL, *name = NULL;
  size_t size = 0;
  if (!r->folder) return REG_OK;
  FILE *out = open_memstream(&text, &size);
  if (!out) return reg_no_memory(r->st, 0);
  predictions_put(out, e->target >= 0 ? &t->data->fields[e->target] : NULL, part->rows, predictions,
                  part->nrows, e->pred_width);
  int code = ferror(out) | fclose(out) ? reg_no_memory(r->st, size) : REG_OK;
  long number = e - r->program->evaluates;
  int length = r->program->nevaluates == 1
                   ? asprintf(&name, "predictions.csv")
                   : asprintf(&name, "predictions-%ld-%s.csv", number + 1, e->data_name);
  if (!code && length >= 0) code = write_named(r, name, text, size);
  if (length >= 0) free(name);
  free(text);
  return code;
}
