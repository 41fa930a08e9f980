// Whole files in and out: see reg/file.h. A file that is being written is NAME.RANDOM.tmp beside its place
// and locked; the lock tells it from one that a killed process left.
#include "reg/file.h"
#include "large.h"
#include "support.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_READ = 65536, MOST_LINKS = 40, RANDOM_DIGITS = 16, LONGEST_STEM = 200 };

// -- reading

static char *cannot_read(const char *path, int error, const char *name, reg_status *st) {
  char text[128];
  if (error == ENOMEM)
    reg_no_memory(st, 0);
  else
    reg_fail(st, REG_MISSING_INPUT, name, "cannot read `%s`: %s", path,
             reg_errno_text(error, text, sizeof text));
  return NULL;
}

// A stream without an end must not take all memory.
static bool too_long(size_t room) {
  return room / (size_t)sysconf(_SC_PAGESIZE) > (size_t)sysconf(_SC_PHYS_PAGES) / 2;
}

// How an array gets its memory.
typedef struct Room {
  void *(*resize)(void *at, size_t bytes);
  void (*end)(void *at);
  bool in_memory;
} Room;

// Reads to the end; a pipe has no size to ask for.
static char *read_all(int file, const Room *in, size_t *size, int *error) {
  size_t room = FIRST_READ, used = 0;
  char *bytes = in->resize(NULL, room + 1);
  while (bytes) {
    ssize_t got = read(file, bytes + used, room - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      *error = errno;
      in->end(bytes);
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
    const bool endless = in->in_memory && too_long(room);
    char *grown = endless ? NULL : in->resize(bytes, room + 1);
    *error = endless ? EFBIG : ENOMEM;
    if (!grown) in->end(bytes);
    bytes = grown;
  }
  if (!*error) *error = ENOMEM;
  return NULL;
}

static bool is_device(int file) {
  struct stat info;
  return fstat(file, &info) == 0 && (S_ISBLK(info.st_mode) || (S_ISCHR(info.st_mode) && !isatty(file)));
}

// "data_bad" of "data_missing"
static char *refuse_device(const char *path, const char *name, reg_status *st) {
  char bad[sizeof st->name];
  snprintf(bad, sizeof bad, "%.*s_bad", (int)strcspn(name, "_"), name);
  reg_fail(st, REG_BAD_DATA, bad, "`%s` is a device, not a file", path);
  return NULL;
}

// Standard input may be a socket, which cannot be opened by its name.
static int open_input(const char *path) {
  return strcmp(path, "/dev/stdin") ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
                                    : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
}

static char *read_file(const char *path, const Room *in, size_t *size, const char *name, reg_status *st) {
  int file = open_input(path), error = 0;
  if (file < 0) return cannot_read(path, errno, name, st);
  const bool device = is_device(file);
  char *bytes = device ? NULL : read_all(file, in, size, &error);
  close(file);
  if (device) return refuse_device(path, name, st);
  return bytes ? bytes : cannot_read(path, error, name, st);
}

char *reg_file_read(const char *path, size_t *size, const char *name, reg_status *st) {
  return read_file(path, &(Room){realloc, free, true}, size, name, st);
}

char *reg_file_read_large(const char *path, size_t *size, const char *name, reg_status *st) {
  return read_file(path, &(Room){reg_large_resize, reg_large_free, false}, size, name, st);
}

// -- writing

int reg_cannot_write(reg_status *st, const char *path, int error) {
  char text[128];
  if (error == ENOMEM) return reg_no_memory(st, 0);
  return reg_fail(st, REG_CANNOT_WRITE, "cannot_write", "cannot write `%s`: %s", path,
                  reg_errno_text(error, text, sizeof text));
}

int reg_file_put(int file, const void *data, size_t size) {
  const char *bytes = data;
  while (size > 0) {
    ssize_t done = write(file, bytes, size);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno;
    bytes += done;
    size -= (size_t)done;
  }
  return 0;
}

// Where a path's bytes go.
typedef struct Place {
  char *path; // no link any more; to be freed
  int stream; // standard output or error, where the path means what they are; else -1
  bool as_it_is, exists;
  mode_t mode;
} Place;

// The link's text, seen from the link's folder.
static char *follow(const char *link) {
  char text[PATH_MAX];
  const ssize_t length = readlink(link, text, sizeof text - 1);
  if (length < 0) return NULL;
  text[length] = 0;
  const char *slash = strrchr(link, '/');
  char *path = NULL;
  const int folder = *text != '/' && slash ? (int)(slash - link) + 1 : 0;
  if (asprintf(&path, "%.*s%s", folder, link, text) >= 0) return path;
  errno = ENOMEM;
  return NULL;
}

static int stream_of(const struct stat *file) {
  struct stat info;
  for (int stream = STDOUT_FILENO; stream <= STDERR_FILENO; stream++)
    if (fstat(stream, &info) == 0 && info.st_dev == file->st_dev && info.st_ino == file->st_ino)
      return stream;
  return -1;
}

static int find_place(const char *path, Place *p) {
  struct stat info;
  *p = (Place){.path = strdup(path), .stream = -1};
  if (!p->path) return ENOMEM;
  if (stat(path, &info) == 0) {
    p->stream = stream_of(&info);
    p->as_it_is = p->stream >= 0 || !S_ISREG(info.st_mode);
    p->exists = true;
    p->mode = info.st_mode & 0777;
    if (S_ISDIR(info.st_mode)) return EISDIR;
    if (p->as_it_is) return 0;
  }
  for (int i = 0; lstat(p->path, &info) == 0 && S_ISLNK(info.st_mode); i++) {
    char *to = i < MOST_LINKS ? follow(p->path) : (errno = ELOOP, NULL);
    if (!to) return errno;
    free(p->path);
    p->path = to;
  }
  return 0;
}

static int write_as_it_is(const Place *p, const char *bytes, size_t size) {
  if (p->stream == STDOUT_FILENO && fflush(stdout) != 0) return errno;
  const int file = p->stream >= 0 ? dup(p->stream) : open(p->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (file < 0) return errno;
  int error = reg_file_put(file, bytes, size);
  if (close(file) != 0 && !error) error = errno;
  return error;
}

// A new file beside `path`, which nobody can have foreseen, locked.
static int open_beside(const Place *p, mode_t mode, char **name, int *error) {
  const char *slash = strrchr(p->path, '/');
  const int folder = slash ? (int)(slash - p->path) + 1 : 0;
  for (int tries = 0; tries < 100; tries++) {
    unsigned long long random = (unsigned long long)getpid();
    struct stat info;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0) random += (unsigned long long)(1e9 * reg_now());
    if (asprintf(name, "%.*s%.*s.%0*llx.tmp", folder, p->path, LONGEST_STEM, p->path + folder, RANDOM_DIGITS,
                 random) < 0) {
      *name = NULL;
      *error = ENOMEM;
      return -1;
    }
    const int file = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    *error = errno;
    // Whoever sweeps may have seen it before it was locked. Where there are no locks nobody sweeps.
    const bool swept = file >= 0 && flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (file >= 0 && !swept && fstat(file, &info) == 0 && info.st_nlink > 0) return file;
    if (file >= 0) close(file);
    free(*name);
    *name = NULL;
    if (file < 0 && *error != EEXIST) return -1;
  }
  *error = EEXIST;
  return -1;
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

static int replace(const Place *p, const char *bytes, size_t size, mode_t mode) {
  char *beside = NULL;
  int error = 0;
  const int file = open_beside(p, p->exists ? 0600 : mode, &beside, &error);
  if (file < 0) return error;
  error = reg_file_put(file, bytes, size);
  if (!error && fsync(file) != 0) error = errno;
  if (!error && p->exists && fchmod(file, p->mode) != 0) error = errno;
  if (!error && rename(beside, p->path) != 0) error = errno;
  if (error) unlink(beside);
  if (close(file) != 0 && !error) error = errno;
  if (!error) sync_folder(beside);
  free(beside);
  return error;
}

int reg_file_write_mode(const char *path, const void *bytes, size_t size, unsigned mode, reg_status *st) {
  Place p;
  int error = find_place(path, &p);
  if (!error) error = p.as_it_is ? write_as_it_is(&p, bytes, size) : replace(&p, bytes, size, (mode_t)mode);
  free(p.path);
  return error ? reg_cannot_write(st, path, error) : REG_OK;
}

int reg_file_write(const char *path, const void *bytes, size_t size, reg_status *st) {
  return reg_file_write_mode(path, bytes, size, 0666, st);
}

// -- what was left

static bool is_beside(const char *name) {
  const size_t n = strlen(name), end = RANDOM_DIGITS + 4;
  return n > end + 1 && !strcmp(name + n - 4, ".tmp") && name[n - end - 1] == '.' &&
         strspn(name + n - end, "0123456789abcdef") == RANDOM_DIGITS;
}

void reg_file_sweep(const char *folder) {
  DIR *entries = opendir(folder);
  for (struct dirent *entry; entries && (entry = readdir(entries));) {
    if (!is_beside(entry->d_name)) continue;
    const int file = openat(dirfd(entries), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) continue;
    if (flock(file, LOCK_EX | LOCK_NB) == 0) unlinkat(dirfd(entries), entry->d_name, 0);
    close(file);
  }
  if (entries) closedir(entries);
}
