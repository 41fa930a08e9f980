// See link.h. `CC` in the environment names another compiler driver.
#include "link.h"
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef REG_LINK_FLAGS // of the build that made the runtime: its sanitizers
#define REG_LINK_FLAGS ""
#endif

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

int link_begin(Link *l, Arena *a) {
  const char *tmp = getenv("TMPDIR");
  *l = (Link){.arena = a};
  char *folder = arena_printf(a, "%s/regc-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  if (!mkdtemp(folder)) {
    reg_shown_line(stderr, "regc: cannot make a temporary folder `%s`: %s", folder, strerror(errno));
    return REG_CANNOT_WRITE;
  }
  l->folder = folder;
  return EXIT_OK;
}

const char *link_object(Link *l) {
  const char *path = arena_printf(l->arena, "%s/%d.o", l->folder, l->objects.len);
  vec_push(l->arena, l->objects, path);
  return path;
}

void link_end(Link *l) {
  for (int i = 0; i < l->objects.len; i++) unlink(l->objects.data[i]);
  if (l->folder) rmdir(l->folder);
}

// Runs the command to its end; what it prints goes to standard error.
static int run(Arena *a, Command *c) {
  vec_push(a, *c, NULL);
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
    return REG_INTERNAL;
  }
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return EXIT_OK;
  reg_shown_line(stderr, "regc: `%s` failed; its messages stand above", c->data[0]);
  return REG_INTERNAL;
}

static void add_words(Arena *a, Command *c, const char *words) {
  for (const char *w = words; *w; w += strcspn(w, " "), w += strspn(w, " "))
    vec_push(a, *c, arena_strndup(a, w, strcspn(w, " ")));
}

static Command compiler(Link *l, const char *out) {
  const char *cc = getenv("CC");
  Command c = {0};
  add_words(l->arena, &c, cc && *cc ? cc : "cc");
  add_words(l->arena, &c, REG_LINK_FLAGS);
  vec_push(l->arena, c, "-o");
  vec_push(l->arena, c, out);
  return c;
}

// The result of a successful command takes its place.
static int finish(int code, const char *made, const char *path) {
  if (!code && rename(made, path) == 0) return EXIT_OK;
  if (!code) reg_shown_line(stderr, "regc: cannot write `%s`: %s", path, strerror(errno));
  unlink(made);
  return code ? code : REG_CANNOT_WRITE;
}

static const char *beside(Link *l, const char *path) {
  return arena_printf(l->arena, "%s.%ld.tmp", path, (long)getpid());
}

int link_executable(Link *l, const char *path, bool is_static) {
  const char *libraries = link_libraries(l->arena), *made = beside(l, path);
  if (!libraries) {
    fputs("regc: the runtime's libraries (libregrt.a) are neither beside regc nor in ../lib/reg\n", stderr);
    return REG_MISSING_INPUT;
  }
  Command c = compiler(l, made);
  for (int i = 0; i < l->objects.len; i++) vec_push(l->arena, c, l->objects.data[i]);
  vec_push(l->arena, c, arena_printf(l->arena, "%s/libregmain.a", libraries));
  vec_push(l->arena, c, arena_printf(l->arena, "%s/libregrt.a", libraries));
  // Small libraries always become part of the binary; OpenBLAS, of 36 MB, only where it is asked for.
  add_words(l->arena, &c,
            is_static ? "-static -lcsv -ljansson -lopenblas"
                      : "-Wl,-Bstatic -lcsv -ljansson -Wl,-Bdynamic -lopenblas");
  add_words(l->arena, &c, *REG_LINK_FLAGS ? "-lm -lpthread" : "-lm -lpthread -s");
  return finish(run(l->arena, &c), made, path);
}

int link_relocatable(Link *l, const char *path, const char *const *local, int nlocal) {
  const char *made = beside(l, path);
  Command c = compiler(l, made), hide = {0};
  add_words(l->arena, &c, "-r -nostdlib");
  for (int i = 0; i < l->objects.len; i++) vec_push(l->arena, c, l->objects.data[i]);
  int code = run(l->arena, &c);
  vec_push(l->arena, hide, "objcopy");
  for (int i = 0; i < nlocal; i++)
    vec_push(l->arena, hide, arena_printf(l->arena, "--localize-symbol=%s", local[i]));
  vec_push(l->arena, hide, made);
  if (!code && nlocal) code = run(l->arena, &hide);
  return finish(code, made, path);
}
