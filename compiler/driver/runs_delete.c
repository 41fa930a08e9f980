// Removal of runs. In: names of folders. Holds: nothing is removed but files that a run leaves, of folders
// that hold nothing else, and of no run unless of all that are named.
#include "reg/file.h"
#include "runs_store.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static bool is_left_by_runs(const char *name) {
  static const char *const all[] = {"run.json",
                                    "program.reg",
                                    "metrics.jsonl",
                                    "weights*.safetensors",
                                    "checkpoint*.safetensors",
                                    "predictions*.csv",
                                    "sweep-*.csv",
                                    "events.out.tfevents.regc",
                                    "ranks"};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (fnmatch(all[i], name, 0) == 0) return true;
  return false;
}

static bool is_entry(const struct dirent *entry) {
  return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int cannot_remove(const char *path, const char *why) {
  reg_shown_line(stderr, "regc: `%s` cannot be removed: %s", path, why);
  return REG_CANNOT_WRITE;
}

// The folder, locked as a run locks it; -1, which was told, where it is to stay.
static int take_folder(Arena *a, const char *path) {
  const int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  const char *why = folder < 0 ? strerror(errno) : NULL;
  if (!why && flock(folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) why = "a run is writing to it";
  if (!why) reg_file_sweep(path);
  DIR *d = why ? NULL : opendir(path);
  for (struct dirent *entry; d && !why && (entry = readdir(d));)
    if (is_entry(entry) && !is_left_by_runs(entry->d_name))
      why = arena_printf(a, "it holds `%s`, which no run has left there", entry->d_name);
  if (d) closedir(d);
  if (!why) return folder;
  cannot_remove(path, why);
  if (folder >= 0) close(folder);
  return -1;
}

static int remove_folder(const char *path, int folder) {
  DIR *d = opendir(path);
  for (struct dirent *entry; d && (entry = readdir(d));)
    if (is_entry(entry)) unlinkat(folder, entry->d_name, 0);
  if (d) closedir(d);
  return rmdir(path) == 0 ? EXIT_OK : cannot_remove(path, strerror(errno));
}

int runs_delete(Arena *a, const char *folder, const char *const *names, int n) {
  int *taken = ARENA_ARRAY(a, int, n), count = 0, code = EXIT_OK;
  const char **paths = ARENA_ARRAY(a, const char *, n);
  for (int i = 0; i < n && !code; i++) {
    paths[i] = arena_printf(a, "%s/%s", folder, names[i]);
    taken[i] = take_folder(a, paths[i]);
    if (taken[i] < 0)
      code = REG_CANNOT_WRITE;
    else
      count++;
  }
  for (int i = 0; i < count; i++) {
    if (!code) code = remove_folder(paths[i], taken[i]);
    close(taken[i]);
  }
  return code;
}
