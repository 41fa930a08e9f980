// See link.h. `CC` in the environment names another compiler driver.
#include "link.h"
#include "reg/file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
typedef VEC(const char *) Command;

// regc's own folder, also where /proc is not mounted.
static bool own_folder(char self[PATH_MAX]) {
  const char *started = (const char *)getauxval(AT_EXECFN);
  if (!realpath("/proc/self/exe", self) && !(started && realpath(started, self))) return false;
  *strrchr(self, '/') = 0;
  return true;
}

const char *link_libraries(Arena *a) {
  static const char *const places[] = {"", "/../lib/reg"};
  char self[PATH_MAX];
  if (!own_folder(self)) return NULL;
  for (int i = 0; i < 2; i++) {
    const char *folder = arena_printf(a, "%s%s", self, places[i]);
    if (access(arena_printf(a, "%s/libregrt.a", folder), R_OK) == 0) return folder;
  }
  return NULL;
}

static int cannot_write(const Link *l, const char *path, int error) {
  reg_status st = {0};
  reg_cannot_write(&st, path, error);
  tell_status(l->options, &st);
  return st.code;
}

int link_begin(Link *l, Arena *a, const Options *o, const volatile int *stop) {
  const char *tmp = getenv("TMPDIR");
  *l = (Link){.options = o, .arena = a, .stop = stop};
  char *folder = arena_printf(a, "%s/regc-XXXXXX", tmp && *tmp ? tmp : "/tmp"), whole[PATH_MAX];
  if (!mkdtemp(folder)) return cannot_write(l, folder, errno);
  l->folder =
      realpath(folder, whole) ? arena_strdup(a, whole) : folder; // no word of a command looks like an option
  return EXIT_OK;
}

int link_object(Link *l, const char *bytes, size_t size) {
  const char *path = arena_printf(l->arena, "%s/%d.o", l->folder, l->objects.len);
  reg_status st = {0};
  vec_push(l->arena, l->objects, path);
  l->bytes += size;
  reg_file_write(path, bytes, size, &st);
  tell_status(l->options, &st);
  return st.code;
}

// What the linker makes, before it is written to its place.
static const char *made_in(const Link *l) { return arena_printf(l->arena, "%s/made", l->folder); }

void link_end(Link *l) {
  if (!l->folder) return;
  for (int i = 0; i < l->objects.len; i++) unlink(l->objects.data[i]);
  unlink(made_in(l));
  rmdir(l->folder);
}

// Linkers tell a full disk in words only: is there no room for what they make?
static int room_for(const Link *l, size_t bytes) {
  const char *path = made_in(l);
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return errno;
  const int error = posix_fallocate(file, 0, (off_t)bytes);
  close(file);
  unlink(path);
  return error == EOPNOTSUPP || error == EINVAL ? 0 : error;
}

// Runs the command to its end; what it prints goes to standard error.
static int run(Link *l, Command *c, size_t makes) {
  vec_push(l->arena, *c, NULL);
  pid_t child;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  int error = posix_spawnp(&child, c->data[0], &actions, NULL, (char *const *)(uintptr_t)c->data, environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (error) {
    reg_shown_line(stderr, "regc: cannot start `%s`: %s", c->data[0], strerror(error));
    if (error == ENOENT)
      fputs("  hint: linking needs a C compiler and binutils: apt-get install gcc libc6-dev\n", stderr);
    return REG_MISSING_INPUT;
  }
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return EXIT_OK;
  if (*l->stop) return REG_INTERRUPTED;
  reg_shown_line(stderr, "regc: `%s` failed; its messages stand above", c->data[0]);
  error = room_for(l, l->bytes + makes);
  return error ? cannot_write(l, l->folder, error) : REG_INTERNAL;
}

static void add_words(Arena *a, Command *c, const char *words) {
  for (const char *w = words; *w; w += strcspn(w, " "), w += strspn(w, " "))
    vec_push(a, *c, arena_strndup(a, w, strcspn(w, " ")));
}

static Command compiler(Link *l, const char *flags) {
  const char *cc = getenv("CC");
  Command c = {0};
  add_words(l->arena, &c, cc && *cc ? cc : REG_LINK_CC);
  add_words(l->arena, &c, flags);
  vec_push(l->arena, c, "-o");
  vec_push(l->arena, c, made_in(l));
  return c;
}

// What a successful command made, in its place.
static int finish(Link *l, int code, const char *path, unsigned mode) {
  reg_status st = {0};
  size_t size = 0;
  char *bytes = code ? NULL : reg_file_read(made_in(l), &size, "object_missing", &st);
  if (bytes) reg_file_write_mode(path, bytes, size, mode, &st);
  free(bytes);
  tell_status(l->options, &st);
  return code ? code : st.code;
}

// Bytes that linking makes beside the objects' own.
enum { SHARED_MAKES = 2 << 20, STATIC_MAKES = 64 << 20 };

int link_executable(Link *l, const char *path, bool is_static, bool images) {
  const char *libraries = link_libraries(l->arena);
  if (!libraries) {
    fputs("regc: the runtime's libraries (libregrt.a) are neither beside regc nor in ../lib/reg\n", stderr);
    return REG_MISSING_INPUT;
  }
  Command c = compiler(l, REG_LINK_FLAGS); // of the build that made the runtime: its sanitizers
  for (int i = 0; i < l->objects.len; i++) vec_push(l->arena, c, l->objects.data[i]);
  vec_push(l->arena, c, arena_printf(l->arena, "%s/libregmain.a", libraries));
  vec_push(l->arena, c, arena_printf(l->arena, "%s/libregrt.a", libraries));
  // Small libraries always become part of the binary; OpenBLAS, of 36 MB, only where it is asked for.
  if (images) add_words(l->arena, &c, "-Wl,-Bstatic -lturbojpeg -Wl,-Bdynamic -lspng");
  add_words(l->arena, &c,
            is_static ? "-static -lz -lzstd -lopenblas" : "-Wl,-Bstatic -lz -lzstd -Wl,-Bdynamic -lopenblas");
  add_words(l->arena, &c, *REG_LINK_FLAGS ? "-lm -lpthread" : "-lm -lpthread -s");
  return finish(l, run(l, &c, is_static ? STATIC_MAKES : SHARED_MAKES), path, 0777);
}

int link_relocatable(Link *l, const char *path, const char *const *local, int nlocal) {
  Command c = compiler(l, "-r -nostdlib"), hide = {0};
  for (int i = 0; i < l->objects.len; i++) vec_push(l->arena, c, l->objects.data[i]);
  int code = run(l, &c, 0);
  vec_push(l->arena, hide, "objcopy");
  for (int i = 0; i < nlocal; i++)
    vec_push(l->arena, hide, arena_printf(l->arena, "--localize-symbol=%s", local[i]));
  vec_push(l->arena, hide, made_in(l));
  if (!code && nlocal) code = run(l, &hide, l->bytes);
  return finish(l, code, path, 0666);
}
