// Pictures that are decoded when a step needs their rows, by the step itself and by threads that go ahead of
// it. In: files, whose headers were looked at. Out: rows as floats. What holds: a row is decoded by one
// thread, once, and is the same whoever does; the first row of a call that is wrong is the one that is told.
#include "data/picture.h"
#include "large.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 64, AHEAD_ROWS = 1024, BYTES = 256 };

// A row not there is made by whoever claims it; one that is wrong is made again where it is to be told.
enum { NOT_THERE, CLAIMED, THERE, WRONG };

typedef struct List {
  PictureFiles files;
  uint64_t (*sums)[2];
} List;

typedef struct Pictures {
  reg_supply supply; // must be first
  PictureForm form;
  List *lists; // their rows follow each other
  int nlists;
  int64_t nrows, width;
  reg_dtype type;
  float f32[BYTES]; // what numbers become
  double f64[BYTES];
  unsigned char *bytes; // nrows x width
  _Atomic(unsigned char) *state;
  atomic_llong missing; // rows that are not there
  pthread_mutex_t lock;
  pthread_cond_t made, wanted;
  int64_t ahead[AHEAD_ROWS]; // rows that will be needed; the next one is ahead[at]
  int64_t at, count;
  bool ends, started;
  int nthreads;
  pthread_t threads[MOST_THREADS];
} Pictures;

static Pictures *of(reg_supply *s) {
  void *pictures = s;
  return pictures;
}

static const PictureFile *file_of(const Pictures *p, int64_t row, const uint64_t **sums) {
  const List *l = p->lists;
  while (row >= l->files.count) row -= l++->files.count;
  *sums = l->sums[row];
  return &l->files.files[row];
}

static int decode(Pictures *p, int64_t row, double *room, reg_status *st) {
  const uint64_t *before;
  uint64_t sums[2];
  Picture picture;
  const PictureFile *f = file_of(p, row, &before);
  int code = picture_read(&picture, f, false, sums, st);
  if (!code && sums[1] != before[1]) {
    code =
        reg_fail(st, REG_BAD_DATA, "data_bad", "`%.350s` is another file than when the run began", f->path);
    reg_hint(st, "images stay as they are while a program reads them");
  }
  if (!code) code = picture_fits(&picture, f, &p->form, st);
  if (!code && !picture_numbers(&picture, p->form.height, p->form.width, p->form.channels, room))
    code = reg_no_memory(st, 0);
  unsigned char *to = p->bytes + row * p->width;
  for (int64_t i = 0; i < p->width && !code; i++) to[i] = (unsigned char)room[i];
  picture_free(&picture);
  return code;
}

// -- who makes a row

static bool claim(Pictures *p, int64_t row, unsigned char old) {
  return atomic_compare_exchange_strong(&p->state[row], &old, CLAIMED);
}

// Of a row that this thread has claimed. What memory lacked another one may have.
static int make(Pictures *p, int64_t row, double *room, reg_status *st) {
  const int code = decode(p, row, room, st);
  if (!code) atomic_fetch_sub(&p->missing, 1);
  pthread_mutex_lock(&p->lock);
  atomic_store(&p->state[row], code == REG_OK ? THERE : code == REG_BAD_DATA ? WRONG : NOT_THERE);
  pthread_cond_broadcast(&p->made);
  pthread_mutex_unlock(&p->lock);
  return code;
}

// A row that another thread may be making.
static int wait_for(Pictures *p, int64_t row, double *room, reg_status *st) {
  pthread_mutex_lock(&p->lock);
  while (atomic_load(&p->state[row]) == CLAIMED) pthread_cond_wait(&p->made, &p->lock);
  pthread_mutex_unlock(&p->lock);
  if (atomic_load(&p->state[row]) == THERE) return REG_OK;
  if (claim(p, row, NOT_THERE) || claim(p, row, WRONG)) return make(p, row, room, st);
  return wait_for(p, row, room, st);
}

// -- threads

static void *go_ahead(void *pictures) {
  Pictures *p = pictures;
  double *room = malloc((size_t)p->width * sizeof *room + 1);
  pthread_mutex_lock(&p->lock);
  while (!p->ends && room) {
    if (p->at == p->count) {
      pthread_cond_wait(&p->wanted, &p->lock);
      continue;
    }
    const int64_t row = p->ahead[p->at++];
    reg_status ignored = {0};
    pthread_mutex_unlock(&p->lock);
    if (claim(p, row, NOT_THERE)) make(p, row, room, &ignored);
    pthread_mutex_lock(&p->lock);
  }
  pthread_mutex_unlock(&p->lock);
  free(room);
  return NULL;
}

// Where there can be none, steps decode what they need. Signals are for the threads that there were.
static void start(Pictures *p) {
  sigset_t all, before;
  const int n = reg_processors();
  p->started = true;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (p->nthreads < n && p->nthreads < MOST_THREADS &&
         !pthread_create(&p->threads[p->nthreads], NULL, go_ahead, p))
    p->nthreads++;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void next(reg_supply *s, const int64_t *rows, int64_t count) {
  Pictures *p = of(s);
  if (!atomic_load(&p->missing)) return;
  pthread_mutex_lock(&p->lock);
  if (!p->started) start(p);
  p->at = 0;
  p->count = count < AHEAD_ROWS ? count : AHEAD_ROWS;
  memcpy(p->ahead, rows, (size_t)p->count * sizeof *rows);
  pthread_cond_broadcast(&p->wanted);
  pthread_mutex_unlock(&p->lock);
}

// -- rows

static void put(const Pictures *p, int64_t row, void *to, int64_t at) {
  const unsigned char *from = p->bytes + row * p->width;
  if (p->type == REG_F64)
    for (int64_t i = 0; i < p->width; i++) ((double *)to)[at * p->width + i] = p->f64[from[i]];
  else
    for (int64_t i = 0; i < p->width; i++) ((float *)to)[at * p->width + i] = p->f32[from[i]];
}

static int make_rows(Pictures *p, const int64_t *rows, int64_t count, reg_status *st) {
  double *room = malloc((size_t)p->width * sizeof *room + 1);
  int code = room ? REG_OK : reg_no_memory(st, (size_t)p->width * sizeof *room);
  next(&p->supply, rows, count);
  for (int64_t i = 0; i < count && !code; i++) {
    reg_status ignored = {0};
    if (claim(p, rows[i], NOT_THERE)) make(p, rows[i], room, &ignored);
  }
  for (int64_t i = 0; i < count && !code; i++) code = wait_for(p, rows[i], room, st);
  free(room);
  return code;
}

static int take(reg_supply *s, const int64_t *rows, int64_t count, void *to, reg_status *st) {
  Pictures *p = of(s);
  bool there = true;
  for (int64_t i = 0; i < count && there; i++) there = atomic_load(&p->state[rows[i]]) == THERE;
  const int code = there ? REG_OK : make_rows(p, rows, count, st);
  for (int64_t i = 0; i < count && !code; i++) put(p, rows[i], to, i);
  return code;
}

// -- its beginning and its end

static int begin(reg_supply *s, const reg_dataset *d, reg_status *st) {
  Pictures *p = of(s);
  size_t bytes;
  p->type = d->fields[0].dtype;
  for (int b = 0; b < BYTES; b++) {
    p->f64[b] = (b - d->shift[0]) * d->factor[0];
    p->f32[b] = (float)p->f64[b];
    if (!isfinite(p->type == REG_F64 ? p->f64[b] : (double)p->f32[b]))
      return reg_fail(
          st, REG_BAD_DATA, "data_bad",
          "%s: numbers of images, up to 255, are too large for a %d-bit float when they are scaled",
          p->lists->files.files->path, p->type == REG_F64 ? 64 : 32);
  }
  if (__builtin_mul_overflow((size_t)p->nrows, (size_t)p->width, &bytes)) return reg_no_memory(st, SIZE_MAX);
  p->bytes = reg_large_resize(NULL, bytes);
  p->state = calloc((size_t)p->nrows, sizeof *p->state);
  atomic_store(&p->missing, p->nrows);
  return p->bytes && p->state ? REG_OK : reg_no_memory(st, bytes);
}

static void end(reg_supply *s) {
  Pictures *p = of(s);
  pthread_mutex_lock(&p->lock);
  p->ends = true;
  pthread_cond_broadcast(&p->wanted);
  pthread_mutex_unlock(&p->lock);
  for (int i = 0; i < p->nthreads; i++) pthread_join(p->threads[i], NULL);
  for (int i = 0; i < p->nlists; i++) {
    picture_list_free(&p->lists[i].files);
    free(p->lists[i].sums);
  }
  pthread_cond_destroy(&p->made);
  pthread_cond_destroy(&p->wanted);
  pthread_mutex_destroy(&p->lock);
  reg_large_free(p->bytes);
  free(p->state);
  free(p->lists);
  free(p);
}

reg_supply *pictures_later(const PictureForm *form) {
  Pictures *p = calloc(1, sizeof *p);
  if (!p) return NULL;
  p->supply = (reg_supply){.begin = begin, .take = take, .next = next, .end = end};
  p->form = *form;
  p->width = form->height * form->width * form->channels;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->made, NULL);
  pthread_cond_init(&p->wanted, NULL);
  return &p->supply;
}

bool pictures_add(reg_supply *s, PictureFiles *files, uint64_t (**sums)[2]) {
  Pictures *p = of(s);
  List *grown = realloc(p->lists, (size_t)(p->nlists + 1) * sizeof *grown);
  if (!grown) return false;
  p->lists = grown;
  p->lists[p->nlists++] = (List){*files, *sums};
  p->nrows += files->count;
  *files = (PictureFiles){0};
  *sums = NULL;
  return true;
}
