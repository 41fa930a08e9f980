// The user's own folders, after the XDG base directory specification.
#include "driver.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *user_folder(Arena *a, const char *variable, const char *fallback, unsigned mode) {
  const char *xdg = getenv(variable), *home = getenv("HOME");
  if (!(xdg && *xdg) && !(home && *home)) return NULL;
  const char *path =
      xdg && *xdg ? arena_printf(a, "%s/regc", xdg) : arena_printf(a, "%s/%s/regc", home, fallback);
  if (access(path, W_OK) == 0) return path;
  for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/'))
    mkdir(arena_strndup(a, path, (size_t)(slash - path)), mode);
  return mkdir(path, mode) == 0 ? path : NULL;
}
