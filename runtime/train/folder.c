// The run directory: program.reg and run.json at the start, metrics.jsonl as it goes (a line is whole or not
// there: it is the record of a run that may be killed), weights and predictions when they are final. All but
// metrics.jsonl appear whole or not at all.
#include "large.h"
#include "reg/events.h"
#include "reg/file.h"
#include "train/internal.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(const Run *r, const char *name) {
  char *path = NULL;
  return asprintf(&path, "%s/%s", r->folder, name) < 0 ? NULL : path;
}

int folder_write(Run *r, const char *name, const void *bytes, size_t size) {
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

// The first processor of /proc/cpuinfo, read without allocating.
static void cpu_model(char *out, size_t size) {
  char text[2048];
  const int file = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
  const ssize_t n = file < 0 ? 0 : read(file, text, sizeof text - 1);
  if (file >= 0) close(file);
  text[n > 0 ? n : 0] = 0;
  const char *line = strstr(text, "model name"), *colon = line ? strchr(line, ':') : NULL;
  const char *name = colon ? colon + 1 + (colon[1] == ' ') : "unknown";
  snprintf(out, size, "%.*s", (int)strcspn(name, "\n"), name);
}

static void put_text(Text *o, const char *key, const char *text) {
  reg_text_key(o, key);
  reg_text_json(o, text);
}

static void put_integer(Text *o, const char *key, int64_t value) {
  reg_text_key(o, key);
  reg_text_format(o, "%lld", (long long)value);
}

static void put_data(Text *o, const Run *r) {
  reg_text_key(o, "data");
  reg_text_add(o, "[");
  for (int i = 0; i < r->program->ndatasets; i++) {
    const reg_dataset *d = r->program->datasets[i];
    reg_text_item(o);
    reg_text_add(o, "{");
    put_text(o, "name", r->program->dataset_names[i]);
    put_text(o, "checksum", d->checksum);
    put_integer(o, "rows", d->nrows);
    for (int p = 0; p < d->nparts; p++) put_integer(o, d->parts[p].name, d->parts[p].nrows);
    reg_text_add(o, "}");
  }
  reg_text_add(o, "]");
}

static void put_seeds(Text *o, const Run *r) {
  reg_text_key(o, "seeds");
  reg_text_add(o, "{");
  for (int i = 0; i < r->program->ntrains; i++) {
    const reg_train *t = &r->program->trains[i];
    int first = 0; // those of a sweep's variants have one name
    while (strcmp(r->program->trains[first].name, t->name) != 0) first++;
    if (first < i) continue;
    reg_text_key(o, t->name);
    reg_text_format(o, "%llu", (unsigned long long)(r->options->has_seed ? r->options->seed : t->seed));
  }
  reg_text_add(o, "}");
}

static void put_known(Text *o, const Run *r) {
  reg_text_key(o, "known");
  reg_text_add(o, "{");
  for (int i = 0; i < r->program->nknowns; i++)
    if (r->known[i] != 0) put_integer(o, r->program->knowns[i].name, (int64_t)r->known[i]);
  reg_text_add(o, "}");
}

static int write_outcome(Run *r, const char *outcome) {
  char cpu[128], hash[17];
  const char *source = r->program->source ? r->program->source : "";
  cpu_model(cpu, sizeof cpu);
  reg_checksum(source, strlen(source), hash);
  Text o = {0}, indented = {0};
  reg_text_add(&o, "{");
  put_text(&o, "version", REG_VERSION);
  put_text(&o, "outcome", outcome);
  put_text(&o, "program", r->program->source_name ? r->program->source_name : "");
  put_text(&o, "program_checksum", hash);
  put_data(&o, r);
  put_seeds(&o, r);
  put_text(&o, "cpu", cpu);
  put_integer(&o, "threads", r->ctx->threads);
  if (r->program->nknowns) put_known(&o, r);
  if (r->options->max_steps) put_integer(&o, "max_steps", r->options->max_steps);
  if (r->options->run_info) reg_text_format(&o, ",%s", r->options->run_info);
  reg_text_add(&o, "}");
  if (!o.failed) reg_text_indented(&indented, o.data);
  int code = o.failed || indented.failed ? reg_no_memory(r->st, o.used)
                                         : folder_write(r, "run.json", indented.data, indented.used);
  reg_text_free(&o);
  reg_text_free(&indented);
  return code;
}

// Each start of a training has one of these: how often a run was started tells nothing of how far it is.
static bool is_start(const char *line) {
  static const char start[] = "{\"event\":\"train_start\"";
  return !strncmp(line, start, sizeof start - 1);
}

// Of the earlier run's metrics.jsonl: up to the lines that are gone on from. A run that had begun to write
// more was killed.
static int continue_metrics(Run *r, const char *path) {
  size_t size = 0, kept = 0;
  if (access(path, F_OK) != 0) return REG_OK;
  char *text = reg_file_read(path, &size, "metrics_missing", r->st);
  if (!text) return r->st->code;
  for (size_t at = 0, n; r->told < r->lines && text[at + (n = strcspn(text + at, "\n"))]; at += n + 1) {
    if (is_start(text + at)) continue;
    r->told++;
    kept = at + n + 1;
  }
  free(text);
  return kept < size && truncate(path, (off_t)kept) != 0 ? reg_cannot_write(r->st, path, errno) : REG_OK;
}

// A line is there as a whole or not at all; behind one that could not be written there is none.
static void put_line(Run *r, const char *line) {
  Text whole = {0};
  if (line) {
    reg_text_add(&whole, line);
    reg_text_add(&whole, "\n");
  }
  if (!line || whole.failed) r->write_error = ENOMEM;
  if (r->write_error) {
    reg_text_free(&whole);
    return;
  }
  r->write_error = reg_file_put(r->metrics, whole.data, whole.used);
  if (!r->write_error) {
    r->metrics_size += (int64_t)whole.used;
    r->told += !is_start(line);
  } else if (ftruncate(r->metrics, r->metrics_size) != 0) {
    r->metrics_size = 0; // half a line stays; who resumes drops it
  }
  reg_text_free(&whole);
}

static int open_metrics(Run *r) {
  char *path = path_of(r, "metrics.jsonl");
  if (!path) return reg_no_memory(r->st, 0);
  int code = r->options->resume ? continue_metrics(r, path) : REG_OK;
  struct stat info = {0};
  if (!code) {
    r->metrics =
        open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (r->options->resume ? 0 : O_TRUNC), 0666);
    if (r->metrics < 0 || fstat(r->metrics, &info) != 0) code = reg_cannot_write(r->st, path, errno);
  }
  free(path);
  r->metrics_size = info.st_size;
  if (!code && info.st_size == 0)
    put_line(r, reg_event_schema()); // a run killed at its start leaves it empty
  return code;
}

// Two runs in one folder would mix their files. Where a file system has no locks nothing is refused.
static int lock_folder(Run *r) {
  r->lock = open(r->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (r->lock < 0) return reg_cannot_write(r->st, r->folder, errno);
  if (flock(r->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return REG_OK;
  reg_fail(r->st, REG_CANNOT_WRITE, "folder_in_use", "another run is writing to `%s`", r->folder);
  reg_hint(r->st, "wait for its end, or name another folder with --out");
  return r->st->code;
}

// Nothing in the folder changes before it is clear that the run goes on from what it holds.
static int accept_folder(Run *r) {
  int code = lock_folder(r);
  return code || !r->options->resume ? code : checkpoint_read(r);
}

static int remove_checkpoints(Run *r, const char *stem) {
  static const char end[] = ".safetensors";
  int code = REG_OK;
  DIR *folder = opendir(r->folder);
  for (struct dirent *entry; folder && !code && (entry = readdir(folder));) {
    const char *name = entry->d_name, *dot = strchr(name, '.');
    if (strncmp(name, stem, strlen(stem)) != 0 || !dot || strcmp(dot, end) != 0) continue;
    if (unlinkat(dirfd(folder), name, 0) != 0 && errno != ENOENT) code = reg_cannot_write(r->st, name, errno);
  }
  if (folder) closedir(folder);
  return code;
}

static void leave_folder(Run *r) {
  if (r->lock >= 0) close(r->lock);
  free(r->folder);
  free(r->checkpoint);
  r->folder = r->checkpoint = NULL;
  r->lock = -1;
}

int folder_open(Run *r) {
  const char *out = r->options->out_dir, *source = r->program->source ? r->program->source : "";
  r->lock = r->metrics = r->board = -1;
  if (out && !*out) return r->options->resume ? checkpoint_aside(r, checkpoint_read) : REG_OK;
  int code = out ? make_folders(out, r->st) : number_folder(r);
  if (code) return code;
  if (out && !(r->folder = strdup(out))) return reg_no_memory(r->st, strlen(out));
  if (!(r->checkpoint = path_of(r, "checkpoint.safetensors"))) return reg_no_memory(r->st, 0);
  code = accept_folder(r);
  if (code) {
    leave_folder(r);
    return code;
  }
  reg_file_sweep(r->folder);
  // What a new run starts is not gone on with from where an old one was.
  if (!r->options->resume && !r->options->evaluate_only) code = remove_checkpoints(r, "checkpoint");
  if (!code) code = folder_write(r, "program.reg", source, strlen(source));
  if (!code) code = write_outcome(r, "running");
  if (!code) code = open_metrics(r);
  if (!code) code = board_open(r);
  char *path = code || !r->ranks ? NULL : path_of(r, "ranks");
  if (path) code = ranks_invite(r, path);
  free(path);
  return code;
}

void send_event(Run *r, reg_event *e) {
  e->program = r->program;
  if (r->folder && r->metrics >= 0 && e->kind != REG_EVENT_STEP && e->kind != REG_EVENT_FLIGHT) {
    char *line = reg_event_json(e);
    put_line(r, line);
    free(line);
    board_put(r, e);
  }
  if (r->options->sink && !is_guest(r)) r->options->sink(r->options->sink_user, e);
}

static const char *outcome(int code) {
  switch (code) {
  case REG_OK: return "finished";
  case REG_AGAIN: return "running";
  case REG_DIVERGED: return "diverged";
  case REG_INTERRUPTED: return "interrupted";
  default: return "failed";
  }
}

static void leave_ranks(const Run *r) {
  unlinkat(r->lock, "ranks", 0);
  reg_file_sweep(r->folder); // of those that were killed
}

int folder_close(Run *r, int code) {
  if (!r->folder) return REG_OK;
  int written = REG_OK;
  board_close(r);
  if (r->metrics >= 0) {
    if (fsync(r->metrics) != 0 && errno != EINVAL && !r->write_error) r->write_error = errno;
    if (close(r->metrics) != 0 && !r->write_error) r->write_error = errno;
    if (r->write_error) written = reg_cannot_write(r->st, "metrics.jsonl", r->write_error);
  }
  ranks_farewell(r);
  if (r->ranks && (!code || code == REG_DIVERGED)) leave_ranks(r);
  if (!code || code == REG_DIVERGED) remove_checkpoints(r, "checkpoint-");
  const int told = write_outcome(r, outcome(code ? code : written));
  leave_folder(r);
  return written ? written : told;
}

// Data that are computed in place are called by their text, of which a file's name keeps letters and digits.
static void put_number_and_data(Text *o, long number, const char *data) {
  reg_text_format(o, "-%ld-", number);
  for (bool gap = false; *data; data++) {
    const bool kept = isalnum((unsigned char)*data) || *data == '_' || *data == '.';
    if (kept && gap) reg_text_add(o, "-");
    if (kept) reg_text_add(o, (char[]){*data, 0});
    gap = !kept && (gap || (o->used && o->data[o->used - 1] != '-'));
  }
}

int folder_predictions(Training *t, const reg_evaluate *e, const void *predictions, const reg_part *part) {
  Run *r = t->run;
  const reg_field *target = e->target >= 0 ? &t->data->fields[e->target] : NULL;
  if (!r->folder || (target && target->width > 1)) return REG_OK; // one target a row is what a line has
  Text o = {.memory = &reg_large_text}, name = {0};
  const long number = e - r->program->evaluates;
  const int64_t act = r->evaluations[number].acts;
  reg_text_add(&name, "predictions");
  if (r->program->nevaluates > 1) put_number_and_data(&name, number + 1, e->data_name);
  if (act > 1) reg_text_format(&name, "-%lld", (long long)act);
  reg_text_add(&name, ".csv");
  const int called = t->data->named >= 0 ? t->data->named : reg_data_field(t->data, "id");
  predictions_put(&o, target, &t->data->fields[called], part->rows, predictions, r->program->dtype,
                  part->nrows, e->pred_width);
  int code =
      o.failed || name.failed ? reg_no_memory(r->st, o.used) : folder_write(r, name.data, o.data, o.used);
  reg_text_free(&o);
  reg_text_free(&name);
  return code;
}
