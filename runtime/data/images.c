// Folders of pictures as tables: a row for each picture, x [h, w, channels] of numbers 0..255; label, the
// folder that it lies in; file, its name. Pictures are decoded once, by as many threads as there are
// processors; what is read does not depend on them. Binaries of programs that read none are linked without
// this file and the libraries behind it: see reg_binary.
#include "data/picture.h"
#include "large.h"
#include "reg/file.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_THREADS = 64, LARGEST_FILE = 1 << 30 };

// Pictures that threads take one after the other.
typedef struct Reading {
  const PictureFiles *files;
  PictureForm form;
  bool look;           // headers alone
  double *to;          // rows behind each other
  uint64_t (*sums)[2]; // of each: its name's and its bytes'
  atomic_llong next;
  // The first that cannot be read: those before it are read to the end. With `told` such are left out: what
  // is wrong with each of them.
  char **told;
  pthread_mutex_t lock;
  _Atomic(int64_t) wrong;
  reg_status *st;
} Reading;

int picture_read(Picture *p, const PictureFile *f, bool look, uint64_t sums[2], reg_status *st) {
  struct stat info;
  size_t size = 0;
  *p = (Picture){0};
  if (!stat(f->path, &info) && info.st_size > LARGEST_FILE)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "`%.350s` is larger than 1 GB, more than a picture may be",
                    f->path);
  char *bytes = reg_file_read(f->path, &size, "data_missing", st);
  if (!bytes) return st->code;
  const int code = picture_decode(p, f->path, (const unsigned char *)bytes, size, look, st);
  sums[0] = reg_fnv1a(f->name, strlen(f->name));
  sums[1] = reg_fnv1a(bytes, size);
  free(bytes);
  return code;
}

int picture_fits(const Picture *p, const PictureFile *f, const PictureForm *form, reg_status *st) {
  if (form->resize || (p->height == form->height && p->width == form->width)) return REG_OK;
  reg_fail(st, REG_BAD_DATA, "data_bad", "`%.300s` has %lld x %lld pixels, not %lld x %lld", f->path,
           (long long)p->height, (long long)p->width, (long long)form->height, (long long)form->width);
  reg_hint(st, "`size: [%lld, %lld]` makes all of them that large", (long long)form->height,
           (long long)form->width);
  return st->code;
}

static int read_row(Reading *r, int64_t i, reg_status *st) {
  const PictureFile *f = &r->files->files[i];
  const PictureForm *form = &r->form;
  Picture p;
  int code = picture_read(&p, f, r->look, r->sums[i], st);
  if (!code) code = picture_fits(&p, f, form, st);
  if (!code && !r->look &&
      !picture_numbers(&p, form->height, form->width, form->channels,
                       r->to + i * form->height * form->width * form->channels))
    code = reg_no_memory(st, 0);
  picture_free(&p);
  return code;
}

static void *read_some(void *reading) {
  Reading *r = reading;
  for (int64_t i; (i = atomic_fetch_add(&r->next, 1)) < atomic_load(&r->wrong);) {
    reg_status st = {0};
    if (!read_row(r, i, &st)) continue;
    if (r->told && st.code == REG_BAD_DATA && (r->told[i] = strdup(st.text))) continue;
    pthread_mutex_lock(&r->lock);
    if (i < atomic_load(&r->wrong)) {
      atomic_store(&r->wrong, i);
      *r->st = st;
    }
    pthread_mutex_unlock(&r->lock);
  }
  return NULL;
}

static int read_all(Reading *r, reg_status *st) {
  pthread_t thread[MOST_THREADS];
  bool started[MOST_THREADS] = {false};
  int n = reg_processors();
  if (n > MOST_THREADS) n = MOST_THREADS;
  if (n > r->files->count) n = (int)r->files->count;
  r->st = st;
  atomic_store(&r->wrong, r->files->count);
  for (int i = 1; i < n; i++) started[i] = !pthread_create(&thread[i], NULL, read_some, r);
  read_some(r);
  for (int i = 1; i < n; i++)
    if (started[i]) pthread_join(thread[i], NULL);
  return atomic_load(&r->wrong) < r->files->count ? st->code : REG_OK;
}

// -- sizes

// Height and width of rows: what is asked for, that of the rows before, or that of the first picture.
static int choose_size(Reading *r, const Table *t, const reg_image_form *form, reg_status *st) {
  uint64_t sums[2];
  Picture first;
  PictureForm *own = &r->form;
  own->channels = form->grey ? 1 : PICTURE_CHANNELS;
  own->resize = form->height > 0;
  own->height = own->resize ? form->height : t->rank ? t->dim[0] : 0;
  own->width = own->resize ? form->width : t->rank ? t->dim[1] : 0;
  if (own->height) return REG_OK;
  const int code = picture_read(&first, &r->files->files[0], true, sums, st);
  own->height = first.height;
  own->width = first.width;
  picture_free(&first);
  return code;
}

static int room_for(Reading *r, Table *t, reg_status *st) {
  const int64_t rows = t->nrows + r->files->count;
  r->sums = calloc((size_t)r->files->count, sizeof *r->sums);
  if (!r->sums) return reg_no_memory(st, (size_t)r->files->count * sizeof *r->sums);
  if (!table_make_room(t, rows)) return reg_no_memory(st, (size_t)(rows * t->width) * sizeof *t->numbers);
  for (int64_t i = t->nrows; i < rows; i++) t->line[i] = i - t->nrows + 1;
  if (!t->supply) r->to = t->numbers + t->nrows * t->width;
  return REG_OK;
}

static int set_shape(const Reading *r, Table *t, reg_status *st) {
  const PictureForm *own = &r->form;
  const int64_t width = own->height * own->width * own->channels;
  if (t->rank) return REG_OK;
  if (width > INT32_MAX || !table_columns_fit(width)) {
    reg_fail(st, REG_BAD_DATA, "data_bad",
             "an image of %lld x %lld pixels has more numbers than memory can hold", (long long)own->height,
             (long long)own->width);
    reg_hint(st, "`size: [32, 32]` makes images smaller");
    return st->code;
  }
  t->rank = 3;
  t->dim[0] = own->height;
  t->dim[1] = own->width;
  t->dim[2] = own->channels;
  t->width = (int)width;
  t->columns = data_numbers(t->heap, t->width);
  return t->columns ? REG_OK : reg_no_memory(st, (size_t)t->width * sizeof *t->columns);
}

// Where the table has a supply only headers are looked at. *sums: of the files; or NULL.
static int read_numbers(Table *t, const PictureFiles *files, const reg_image_form *form, bool later,
                        char **told, uint64_t (**sums)[2], reg_status *st) {
  Reading r = {.files = files, .look = later, .told = told, .lock = PTHREAD_MUTEX_INITIALIZER};
  int code = choose_size(&r, t, form, st);
  if (!code) code = set_shape(&r, t, st);
  if (!code && later && !t->supply && !(t->supply = pictures_later(&r.form))) code = reg_no_memory(st, 0);
  if (!code) code = room_for(&r, t, st);
  if (!code) code = read_all(&r, st);
  if (!code) table_checksum(t, (const char *)r.sums, (size_t)files->count * sizeof *r.sums);
  if (code || !sums)
    free(r.sums);
  else
    *sums = r.sums;
  return code;
}

// -- what they are called

// Names that are all whole numbers as they are usually written stay numbers: classes in their order.
static bool are_integers(const PictureFiles *f) {
  for (int64_t g = 0; g < f->ngroups; g++) {
    const char *c = f->groups[g] + (f->groups[g][0] == '-');
    const size_t digits = strspn(c, "0123456789");
    if (!digits || digits > 18 || c[digits] || (c[0] == '0' && (digits > 1 || c != f->groups[g])))
      return false;
  }
  return true;
}

static int open_own(Table *t, const PictureFiles *f, reg_status *st) {
  free(t->own);
  t->own = calloc(2, sizeof *t->own);
  if (!t->own) return reg_no_memory(st, 2 * sizeof *t->own);
  if (f->ngroups)
    t->own[t->nown++] =
        (OwnColumn){.column = "label", .field = "label", .role = REG_OWN_TARGET, .texts = !are_integers(f)};
  t->own[t->nown++] = (OwnColumn){.column = "file", .field = "file", .role = REG_OWN_ID, .texts = true};
  return REG_OK;
}

// Whether rows of the first file are of this class: theirs lie behind each other.
static bool has_class(const Table *t, const char *name) {
  const char *before = NULL;
  for (int64_t i = 0; i < t->files[0].nrows; i++) {
    const char *of = table_text(t, 0, i);
    if (before && !strcmp(before, of)) continue;
    if (!strcmp(of, name)) return true;
    before = of;
  }
  return false;
}

static int check_classes(const Table *t, const PictureFiles *f, const char *path, reg_status *st) {
  const bool first = t->nfiles == 0;
  if (first && f->ngroups == 1) {
    reg_fail(st, REG_BAD_DATA, "data_bad",
             "`%.200s` has one class, the folder `%.100s`: there is nothing to "
             "tell it from",
             path, f->groups[0]);
    reg_hint(st, "images without classes lie in the folder that is named: `images(\"%.100s/%.60s\")`", path,
             f->groups[0]);
    return st->code;
  }
  if (first) return REG_OK;
  if ((t->nown == 2) != (f->ngroups > 0))
    return reg_fail(st, REG_BAD_DATA, "data_bad", "`%.200s` has %s, and `%.200s` %s", path,
                    f->ngroups ? "folders of classes" : "no folders", t->files[0].path,
                    f->ngroups ? "none" : "has folders, which are classes");
  for (int64_t g = 0; g < f->ngroups; g++)
    if (!has_class(t, f->groups[g]))
      return reg_fail(st, REG_BAD_DATA, "data_bad",
                      "`%.200s` has a folder `%.60s`, which is no class of `%.150s`", path, f->groups[g],
                      t->files[0].path);
  return REG_OK;
}

static bool add_text(Table *t, int own, int64_t row, const char *text) {
  return cells_add(&t->own[own].cells, row, text, strlen(text));
}

static int name_rows(Table *t, const PictureFiles *f, reg_status *st) {
  bool good = true;
  for (int64_t i = 0; i < f->count && good; i++) {
    good = add_text(t, t->nown - 1, t->nrows + i, f->files[i].name);
    if (good && t->nown == 2) good = add_text(t, 0, t->nrows + i, f->groups[f->files[i].group]);
  }
  return good ? REG_OK : reg_no_memory(st, (size_t)f->count);
}

int table_read_images(Table *t, const TableRequest *want, reg_status *st) {
  PictureFiles files;
  uint64_t(*sums)[2] = NULL;
  int code = picture_list(&files, want->path, false, st);
  if (!code) code = check_classes(t, &files, want->path, st);
  if (!code && !t->nfiles) code = open_own(t, &files, st);
  if (!code) {
    t->files[t->nfiles].path = want->path;
    code = read_numbers(t, &files, want->images, want->later, NULL, &sums, st);
  }
  if (!code) code = name_rows(t, &files, st);
  if (!code) table_close_array(t, want->path, files.count);
  if (!code && t->supply && !pictures_add(t->supply, &files, &sums)) code = reg_no_memory(st, sizeof files);
  picture_list_free(&files);
  free(sums);
  return code;
}

// -- to predict

// Rows that can be read stay, and what they are called: names behind each other.
static int give_rows(reg_rows *out, Table *t, const PictureFiles *f, char *const *told, reg_status *st) {
  size_t bytes = 1;
  for (int64_t i = 0; i < f->count; i++) bytes += strlen(f->files[i].name) + 1;
  out->place = reg_large_resize(NULL, (size_t)f->count * sizeof *out->place);
  out->names = reg_large_resize(NULL, (size_t)f->count * sizeof *out->names);
  char *to = out->text = reg_large_resize(NULL, bytes);
  if (!out->place || !out->names || !to) return reg_no_memory(st, bytes);
  for (int64_t i = 0; i < f->count; i++) {
    if (told && told[i]) continue;
    const int64_t row = out->nrows++;
    const size_t size = strlen(f->files[i].name) + 1;
    if (row != i)
      memmove(t->numbers + row * t->width, t->numbers + i * t->width, (size_t)t->width * sizeof *t->numbers);
    out->place[row] = i;
    out->names[row] = memcpy(to, f->files[i].name, size);
    to += size;
  }
  out->called = "file";
  out->values = t->numbers;
  t->numbers = NULL;
  return out->nrows ? REG_OK
                    : reg_fail(st, REG_BAD_DATA, "data_bad", "%s: no image can be read", t->files[0].path);
}

static void tell(reg_skipping *skipping, const PictureFiles *f, char **told, reg_status *st) {
  for (int64_t i = 0; i < f->count; i++) {
    if (!told[i]) continue;
    reg_fail(st, REG_BAD_DATA, "data_bad", "%s", told[i]);
    table_skip(skipping, st);
  }
}

int data_read_images(const reg_dataset *d, const char *path, reg_dtype type, reg_skipping *skipping,
                     reg_rows *out, reg_status *st) {
  const reg_field *x = &d->fields[0];
  const reg_image_form form = {
      .height = d->images->height, .width = d->images->width, .grey = x->dim[2] == 1};
  Table t = {.dtype = type, .rank = 3, .dim = {x->dim[0], x->dim[1], x->dim[2]}, .width = (int)x->width};
  PictureFiles files;
  t.files[0].path = path;
  int code = picture_list(&files, path, true, st);
  char **told = skipping ? calloc((size_t)files.count + 1, sizeof *told) : NULL;
  if (!code && skipping && !told) code = reg_no_memory(st, (size_t)files.count * sizeof *told);
  if (!code) code = read_numbers(&t, &files, &form, false, told, NULL, st);
  if (!code && told) tell(skipping, &files, told, st);
  if (!code) code = give_rows(out, &t, &files, told, st);
  for (int64_t i = 0; told && i < files.count; i++) free(told[i]);
  free(told);
  picture_list_free(&files);
  table_free(&t);
  return code;
}
