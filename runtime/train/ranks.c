// Processes that were started together by `mpirun` share the runs of sweeps outside of other sweeps. In: what
// OpenMPI says in the environment. Out: one of them, the first, has the run's folder; the others are its
// guests, which do all that stands outside of sweeps likewise, to the same bits, and write nothing but files
// of runs.
//
// A process acts for a run while it holds the lock of its byte in the file `ranks` of the folder: the system
// drops the locks of one that dies, and another takes the run over. What came of a run lies in a file, which
// all read. Where `mpirun` itself is killed, nobody ends its processes: they end as by a signal.
#include "reg/file.h"
#include "train/internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t GUESTS = (int64_t)1 << 60; // the bytes of guests, held as long as they live
static const double PATIENCE = 60;              // seconds that a guest waits for the first
static const double WELCOME = 5;                // and the first for its guests

static int number_in(const char *name) {
  const char *text = getenv(name);
  return text ? atoi(text) : -1;
}

static void job_name(char *out, size_t size) {
  const char *job = getenv("PMIX_NAMESPACE");
  if (!job) job = getenv("OMPI_MCA_ess_base_jobid");
  if (job)
    snprintf(out, size, "%s\n", job);
  else
    snprintf(out, size, "%d\n", (int)getppid());
}

static int act_on(const Run *r, int command, int64_t byte, short kind) {
  struct flock lock = {.l_type = kind, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
  const int code = fcntl(r->ranks_file, command, &lock);
  return command == F_OFD_GETLK && code == 0 ? lock.l_type != F_UNLCK : code == 0;
}

static void wait_a_little(void) { usleep(10000); }

void ranks_find(Run *r) {
  const int rank = number_in("OMPI_COMM_WORLD_RANK"), ranks = number_in("OMPI_COMM_WORLD_SIZE");
  const char *out = r->options->out_dir;
  r->ranks_file = -1;
  if (ranks < 2 || rank < 0 || rank >= ranks || (out && !*out) || !r->program->nsweeps) return;
  if (r->options->evaluate_only) return;
  r->ranks = ranks;
  r->rank = rank;
  r->parent = (int)getppid();
}

bool is_interrupted(const Run *r) {
  return (r->options->interrupt && *r->options->interrupt) || (r->parent && getppid() != r->parent);
}

// -- the first one

int ranks_invite(Run *r, const char *path) {
  char job[128];
  job_name(job, sizeof job);
  int code = reg_file_write(path, job, strlen(job), r->st);
  if (!code && (r->ranks_file = open(path, O_RDWR | O_CLOEXEC)) < 0)
    code = reg_cannot_write(r->st, path, errno);
  const double until = reg_now() + WELCOME;
  for (int i = 1; i < r->ranks && !code; i++)
    while (!act_on(r, F_OFD_GETLK, GUESTS + i, F_WRLCK) && reg_now() < until) wait_a_little();
  return code;
}

void ranks_farewell(Run *r) {
  for (int i = 1; i < r->ranks && r->ranks_file >= 0; i++) act_on(r, F_OFD_SETLKW, GUESTS + i, F_WRLCK);
}

// -- its guests

static bool is_host(Run *r, const char *folder) {
  char job[128], found[128] = "", *path = NULL;
  job_name(job, sizeof job);
  if (asprintf(&path, "%s/ranks", folder) < 0) return false;
  const int file = open(path, O_RDWR | O_CLOEXEC);
  free(path);
  const ssize_t n = file < 0 ? 0 : read(file, found, sizeof found - 1);
  if (n > 0 && !strcmp(found, job)) {
    r->ranks_file = file;
    return true;
  }
  if (file >= 0) close(file);
  return false;
}

static char *find_host(Run *r) {
  const char *out = r->options->out_dir;
  if (out) return is_host(r, out) ? strdup(out) : NULL;
  DIR *runs = opendir("runs");
  char *found = NULL;
  for (struct dirent *entry; runs && !found && (entry = readdir(runs));) {
    char *path = NULL;
    if (entry->d_name[0] == '.' || asprintf(&path, "runs/%s", entry->d_name) < 0) continue;
    if (is_host(r, path))
      found = path;
    else
      free(path);
  }
  if (runs) closedir(runs);
  return found;
}

int ranks_join(Run *r) {
  char *folder = NULL;
  const double until = reg_now() + PATIENCE;
  while (!(folder = find_host(r)) && reg_now() < until) wait_a_little();
  if (!folder)
    return reg_fail(r->st, REG_MISSING_INPUT, "ranks_missing", "the first of %d processes has made no folder",
                    r->ranks);
  const bool made = asprintf(&r->checkpoint, "%s/checkpoint.safetensors", folder) >= 0;
  free(folder);
  if (!made) {
    r->checkpoint = NULL;
    return reg_no_memory(r->st, 0);
  }
  act_on(r, F_OFD_SETLK, GUESTS + r->rank, F_WRLCK);
  return r->options->resume ? checkpoint_read(r) : REG_OK;
}

// -- runs

static int64_t byte_of(const Run *r, int sweep, int64_t run) {
  return ((r->sweep_acts[sweep] * r->program->nsweeps + sweep) << 24) + run;
}

bool ranks_claim(const Run *r, int sweep, int64_t run) {
  return !r->ranks || act_on(r, F_OFD_SETLK, byte_of(r, sweep, run), F_WRLCK);
}

void ranks_release(const Run *r, int sweep, int64_t run) {
  if (r->ranks) act_on(r, F_OFD_SETLK, byte_of(r, sweep, run), F_UNLCK);
}

// -- what came of a run

static int other_file(Run *own, int round, char **path) {
  const int stem = (int)(strlen(own->checkpoint) - strlen(".safetensors"));
  if (asprintf(path, "%.*s-round-%d.safetensors", stem, own->checkpoint, round) >= 0) return REG_OK;
  *path = NULL;
  return reg_no_memory(own->st, 0);
}

int ranks_write(Run *own, int round, int code) {
  char *path, *usual = own->checkpoint;
  int written = other_file(own, round, &path);
  const bool stays = own->stays;
  if (!written && code) written = reason_add(own, -1, code, own->st->text);
  own->ended[0] = 1 + code;
  if (own->under_way && code == REG_DIVERGED) {
    own->ended[1] = own->under_way - own->trainings;
    own->ended[2] = own->under_way->step;
  }
  if (!written) written = places_room(own, 1);
  if (!written) {
    own->places[0] = (Place){.stage = own->nstages};
    own->depth = 1;
    own->under_way = NULL;
    own->stays = false;
    own->checkpoint = path;
    written = checkpoint_write(own);
  }
  own->stays = stays;
  own->checkpoint = usual;
  own->depth = 0;
  free(path);
  return written;
}

int ranks_read(Run *own, int round, bool *over) {
  char *path, *usual = own->checkpoint;
  int code = other_file(own, round, &path);
  *over = !code && access(path, F_OK) == 0;
  if (*over) {
    own->checkpoint = path;
    code = checkpoint_read(own);
    own->checkpoint = usual;
    own->depth = own->returning = 0;
  }
  free(path);
  if (code || !*over || own->ended[0] < 2) return code;
  const int ended = (int)own->ended[0] - 1;
  const char *reason = reason_of(own, -1, ended);
  return reg_fail(own->st, ended, ended == REG_DIVERGED ? "diverged" : "out_of_memory", "%s",
                  reason ? reason : "");
}
