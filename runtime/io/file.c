// Whole files in and out: see file.h.
#include "io/file.h"
#include "support.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_READ = 65536 };

static char *cannot_read(const char *path, int error, const char *name, reg_status *st) {
  char text[128];
  reg_fail(st, REG_MISSING_INPUT, name, "cannot read `%s`: %s", path,
           reg_errno_text(error, text, sizeof text));
  return NULL;
}

// Reads to the end; a pipe has no size to ask for.
static char *read_all(int file, size_t *size, int *error) {
  size_t room = FIRST_READ, used = 0;
  char *bytes = malloc(room + 1);
  while (bytes) {
    ssize_t got = read(file, bytes + used, room - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      *error = errno;
      free(bytes);
      return NULL;
    }
    if (got == 0) {
      bytes[used] = 0;
      *size = used;
      return bytes;
    }
    used += (size_t)got;
    if (used < room) continue;
    room *= 2;
    char *grown = realloc(bytes, room + 1);
    if (!grown) free(bytes);
    bytes = grown;
  }
  *error = ENOMEM;
  return NULL;
}

char *reg_file_read(const char *path, size_t *size, const char *name, reg_status *st) {
  int file = open(path, O_RDONLY | O_CLOEXEC), error = 0;
  if (file < 0) return cannot_read(path, errno, name, st);
  char *bytes = read_all(file, size, &error);
  close(file);
  return bytes ? bytes : cannot_read(path, error, name, st);
}

int reg_cannot_write(reg_status *st, const char *path, int error) {
  char text[128];
  reg_fail(st, REG_CANNOT_WRITE, "cannot_write", "cannot write `%s`: %s", path,
           reg_errno_text(error, text, sizeof text));
  return REG_CANNOT_WRITE;
}

static int write_all(int file, const char *bytes, size_t size) {
  while (size > 0) {
    ssize_t done = write(file, bytes, size);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno;
    bytes += done;
    size -= (size_t)done;
  }
  return fsync(file) == 0 ? 0 : errno;
}

// Makes the rename itself last: the folder is synced where the file system allows it.
static void sync_folder(char *path) {
  char *slash = strrchr(path, '/');
  if (slash) slash[slash == path] = 0;
  int folder = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  (void)fsync(folder);
  close(folder);
}

int reg_file_write(const char *path, const void *bytes, size_t size, reg_status *st) {
  char *beside = NULL;
  if (asprintf(&beside, "%s.%ld.tmp", path, (long)getpid()) < 0) return reg_no_memory(st, strlen(path));
  int file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), error = 0;
  if (file < 0) {
    error = errno;
  } else {
    error = write_all(file, bytes, size);
    if (close(file) != 0 && !error) error = errno;
    if (!error && rename(beside, path) != 0) error = errno;
    if (error)
      unlink(beside);
    else
      sync_folder(beside);
  }
  free(beside);
  return error ? reg_cannot_write(st, path, error) : REG_OK;
}
