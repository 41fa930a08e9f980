// A folder of pictures, one folder in it for each class: which files these are. In: its path. Out: a list in
// the order of the bytes of their names, whatever the file system's is; see picture.h.
#include "data/picture.h"
#include "data/scan.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEEPEST = 40 };

// A folder that is being listed, and those that it lies in.
typedef struct Walk {
  PictureFiles *out;
  const char *root;
  bool flat;
  int depth;
  struct {
    dev_t device;
    ino_t number;
  } above[DEEPEST];
  reg_status *st;
} Walk;

static int bad(Walk *w, const char *path, const char *what, const char *hint) {
  reg_fail(w->st, REG_BAD_DATA, "data_bad", "`%.350s` %s", path, what);
  if (hint) reg_hint(w->st, "%s", hint);
  return w->st->code;
}

static int cannot_read(Walk *w, const char *path, int error) {
  char why[128];
  if (error == ENOMEM) return reg_no_memory(w->st, 0);
  return reg_fail(w->st, REG_MISSING_INPUT, "data_missing", "cannot read `%.350s`: %s", path,
                  reg_errno_text(error, why, sizeof why));
}

typedef struct Names {
  char **list;
  size_t count, room;
} Names;

static void free_names(Names *n) {
  for (size_t i = 0; i < n->count; i++) free(n->list[i]);
  free(n->list);
}

static bool add_name(Names *n, const char *name) {
  if (n->count == n->room) {
    const size_t room = 2 * n->room + 64;
    char **grown = realloc(n->list, room * sizeof *grown);
    if (!grown) return false;
    n->list = grown;
    n->room = room;
  }
  n->list[n->count] = strdup(name);
  return n->list[n->count] && ++n->count;
}

// Without those that begin with a dot, sorted.
static int names_in(Walk *w, const char *path, Names *n) {
  DIR *folder = opendir(path);
  if (!folder) return cannot_read(w, path, errno);
  int code = REG_OK;
  errno = 0;
  for (const struct dirent *e; !code && (e = readdir(folder)); errno = 0)
    if (e->d_name[0] != '.' && !add_name(n, e->d_name)) code = reg_no_memory(w->st, 0);
  if (!code && errno) code = cannot_read(w, path, errno);
  closedir(folder);
  if (!code && n->count) qsort(n->list, n->count, sizeof *n->list, reg_by_bytes);
  return code;
}

static char *joined(Walk *w, const char *folder, const char *name) {
  const size_t n = strlen(folder), m = strlen(name), slash = n && folder[n - 1] != '/';
  char *path = reg_heap_take(&w->out->heap, n + slash + m + 1);
  if (!path) return NULL;
  memcpy(path, folder, n);
  if (slash) path[n] = '/';
  memcpy(path + n + slash, name, m + 1);
  return path;
}

static int add_file(Walk *w, char *path, int64_t group) {
  PictureFiles *f = w->out;
  if (f->count == f->room) {
    const int64_t room = 2 * f->room + 256;
    PictureFile *grown = realloc(f->files, (size_t)room * sizeof *grown);
    if (!grown) return reg_no_memory(w->st, (size_t)room * sizeof *grown);
    f->files = grown;
    f->room = room;
  }
  char *name = path + strlen(w->root);
  f->files[f->count++] = (PictureFile){path, name + strspn(name, "/"), group};
  return REG_OK;
}

static int add_group(Walk *w, char *name) {
  PictureFiles *f = w->out;
  char **grown = realloc(f->groups, (size_t)(f->ngroups + 1) * sizeof *grown);
  if (!grown) return reg_no_memory(w->st, 0);
  f->groups = grown;
  f->groups[f->ngroups++] = name;
  return REG_OK;
}

static int list(Walk *w, const char *path, int64_t group);

// A folder in another one; of a class where it is the first on the way.
static int list_inner(Walk *w, char *path, const char *name, int64_t group, const struct stat *info) {
  for (int i = 0; i < w->depth; i++)
    if (w->above[i].device == info->st_dev && w->above[i].number == info->st_ino)
      return bad(w, path, "is a link to a folder that it lies in", "take the link out of the folder");
  if (w->depth == DEEPEST) return bad(w, path, "lies too deep: 40 folders within each other are read", NULL);
  const bool class = w->depth == 1 && !w->flat;
  const int64_t before = w->out->count;
  int code = class ? add_group(w, path + strlen(path) - strlen(name)) : REG_OK;
  if (!code) code = list(w, path, class ? w->out->ngroups - 1 : group);
  if (!code && class && w->out->count == before)
    code = bad(w, path, "holds no picture: each folder is a class", "take it out, or put pictures there");
  return code;
}

static int list_entry(Walk *w, const char *folder, const char *name, int64_t group) {
  char *path = joined(w, folder, name);
  struct stat info;
  if (!path) return reg_no_memory(w->st, 0);
  if (!csv_is_utf8(name, strlen(name)))
    return bad(w, path, "has a name that is no UTF-8",
               "rename it: names are what rows and classes are called");
  if (stat(path, &info)) return cannot_read(w, path, errno);
  if (S_ISDIR(info.st_mode)) return list_inner(w, path, name, group, &info);
  if (!S_ISREG(info.st_mode)) return bad(w, path, "is neither a file nor a folder", NULL);
  return add_file(w, path, group);
}

static int list(Walk *w, const char *path, int64_t group) {
  Names names = {0};
  struct stat info;
  int code = stat(path, &info) ? cannot_read(w, path, errno) : names_in(w, path, &names);
  if (!code) {
    w->above[w->depth].device = info.st_dev;
    w->above[w->depth++].number = info.st_ino;
    for (size_t i = 0; i < names.count && !code; i++) code = list_entry(w, path, names.list[i], group);
    w->depth--;
  }
  free_names(&names);
  return code;
}

// Pictures lie in folders of classes or in the folder itself.
static int check_groups(Walk *w) {
  const PictureFiles *f = w->out;
  if (!f->count && !f->ngroups)
    return bad(w, w->root, "holds no picture", "images lie in it, or in a folder for each class");
  for (int64_t i = 0; f->ngroups && i < f->count; i++)
    if (!strchr(f->files[i].name, '/'))
      return bad(w, f->files[i].path, "lies beside folders: which class is it of?",
                 "where there are folders, each is a class, and all files lie in these");
  return REG_OK;
}

int picture_list(PictureFiles *f, const char *path, bool flat, reg_status *st) {
  *f = (PictureFiles){0};
  Walk w = {.out = f, .root = path, .flat = flat, .st = st};
  struct stat info;
  if (stat(path, &info)) return cannot_read(&w, path, errno);
  if (S_ISDIR(info.st_mode)) {
    const int code = list(&w, path, 0);
    return code ? code : check_groups(&w);
  }
  if (!flat || !S_ISREG(info.st_mode)) return bad(&w, path, "is no folder: images(…) reads one", NULL);
  char *file = reg_heap_copy(&f->heap, path, strlen(path));
  int code = file ? add_file(&w, file, 0) : reg_no_memory(st, 0);
  const char *slash = code ? NULL : strrchr(file, '/');
  if (!code) f->files[0].name = slash ? file + (slash - file) + 1 : file;
  return code;
}

void picture_list_free(PictureFiles *f) {
  free(f->files);
  free(f->groups);
  reg_heap_free(&f->heap);
  *f = (PictureFiles){0};
}
