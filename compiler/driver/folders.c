// The user's own folders, after the XDG base directory specification.
#include "driver.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// This user's alone: what lies in it is trusted.
static bool is_own(const char *path) {
  struct stat link, folder;
  return lstat(path, &link) == 0 && link.st_uid == geteuid() && stat(path, &folder) == 0 &&
         S_ISDIR(folder.st_mode) && folder.st_uid == geteuid() && !(folder.st_mode & (S_IWGRP | S_IWOTH)) &&
         access(path, W_OK) == 0;
}

const char *user_folder(Arena *a, const char *variable, const char *fallback) {
  const char *xdg = getenv(variable), *home = getenv("HOME");
  if (!(xdg && *xdg) && !(home && *home)) return NULL;
  const char *path =
      xdg && *xdg ? arena_printf(a, "%s/regc", xdg) : arena_printf(a, "%s/%s/regc", home, fallback);
  if (is_own(path)) return path;
  for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/'))
    mkdir(arena_strndup(a, path, (size_t)(slash - path)), 0700);
  return mkdir(path, 0700) == 0 && is_own(path) ? path : NULL;
}
