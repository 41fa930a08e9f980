// Damaged arrays: IDX files, packed or not, .npy and .npz. In: how many files, a seed. Valid files are
// written by their formats' descriptions, changed and read as data. Out: for each a data set that is whole or
// a clear error; anything else ends with 1.
//   fuzz_arrays [FILES [SEED]]
#include "damage.h"
#include "reg/data.h"
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

enum { ROWS = 6, HEIGHT = 4, WIDTH = 3, HEADERS = 140, KINDS = 8 };

static void big(File *f, uint32_t v) {
  const unsigned char b[] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8),
                             (unsigned char)v};
  add(f, b, 4);
}
static void little(File *f, uint32_t v, size_t bytes) {
  const unsigned char b[] = {(unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16),
                             (unsigned char)(v >> 24)};
  add(f, b, bytes);
}

// -- valid files

static void make_idx(File *f) {
  big(f, 0x00000803);
  big(f, ROWS), big(f, HEIGHT), big(f, WIDTH);
  for (int i = 0; i < ROWS * HEIGHT * WIDTH; i++) f->bytes[f->size++] = (unsigned char)(7 * i);
}

// A gzip file or, without its head and end, what a zip file holds.
static void deflate_all(File *to, const File *from, int bits) {
  z_stream z = {.next_in = (Bytef *)(uintptr_t)from->bytes, .avail_in = (uInt)from->size};
  z.next_out = to->bytes + to->size;
  z.avail_out = (uInt)(ROOM - to->size);
  if (deflateInit2(&z, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY) || deflate(&z, Z_FINISH) != Z_STREAM_END)
    exit(2);
  to->size = (size_t)(z.next_out - to->bytes);
  deflateEnd(&z);
}

static void make_npy(File *f, const char *type, size_t width) {
  char head[118];
  const int n = snprintf(head, sizeof head, "{'descr': '%s', 'fortran_order': %s, 'shape': (%d, %d, %d), }",
                         type, width == 1 ? "True" : "False", ROWS, HEIGHT, WIDTH);
  memset(head + n, ' ', sizeof head - (size_t)n);
  head[sizeof head - 1] = '\n';
  add(f, "\x93NUMPY\1\0\x76\0", 10);
  add(f, head, sizeof head);
  for (int i = 0; i < ROWS * HEIGHT * WIDTH; i++) {
    const double v = i / 4.0;
    const unsigned char byte = (unsigned char)i;
    add(f, width == 1 ? (const void *)&byte : &v, width);
  }
}

// One member, x.npy, which is packed.
static void make_npz(File *f) {
  static File member, packed;
  make_npy(&member, "<f8", 8);
  deflate_all(&packed, &member, -15);
  for (int list = 0; list < 2; list++) {
    const size_t at = f->size;
    add(f, list ? "PK\1\2\x14\0" : "PK\3\4", list ? 6 : 4);
    little(f, 20, 2), little(f, 0, 2), little(f, 8, 2), little(f, 0, 4);
    little(f, (uint32_t)crc32(0, member.bytes, (uInt)member.size), 4);
    little(f, (uint32_t)packed.size, 4), little(f, (uint32_t)member.size, 4);
    little(f, 5, 2), little(f, 0, 2);
    if (list) little(f, 0, 4), little(f, 0, 4), little(f, 0, 2), little(f, 0, 4);
    add(f, "x.npy", 5);
    if (!list) add(f, packed.bytes, packed.size);
    if (!list) continue;
    const size_t length = f->size - at;
    add(f, "PK\5\6\0\0\0\0\1\0\1\0", 12);
    little(f, (uint32_t)length, 4), little(f, (uint32_t)at, 4), little(f, 0, 2);
  }
}

static void make(File *f, int kind) {
  static File plain;
  plain.size = 0;
  make_idx(&plain);
  switch (kind) {
  case 0: make_idx(f); break;
  case 1: deflate_all(f, &plain, 31); break;
  case 2: make_npy(f, "<f8", 8); break;
  case 3: make_npy(f, "|u1", 1); break;
  case 4: make_npy(f, ">f4", 4); break;
  case 5: make_npy(f, "<f2", 2); break;
  case 6: make_npy(f, ">M8[25ms]", 8); break;
  default: make_npz(f);
  }
}

// -- the reader

static bool right(const reg_dataset *d, const reg_status *st) {
  if (!d) return st->code == REG_BAD_DATA && st->text[0] && strstr(st->name, "_bad");
  const reg_field *x = &d->fields[0];
  if (d->nrows < 1 || x->width < 1) return false;
  for (int64_t i = 0; i < d->nrows * x->width; i++)
    if (!isfinite(reg_float_at(x->values, x->dtype, i))) return false;
  return true;
}

int main(int argc, char **argv) {
  const long files = argc > 1 ? atol(argv[1]) : 1000;
  state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  char path[] = "/tmp/reg-arrays-XXXXXX";
  const int made = mkstemp(path);
  if (made < 0) return 2;
  static File valid[KINDS], file;
  long read[KINDS] = {0}, refused = 0, wrong = 0;
  for (int k = 0; k < KINDS; k++) make(&valid[k], k);
  for (long i = 0; i < files; i++) {
    const int kind = (int)(i % KINDS);
    memcpy(&file, &valid[kind], sizeof file);
    if (i >= KINDS) // at first the valid ones
      for (size_t k = 1 + below(3); k > 0; k--) damage(&file, HEADERS);
    if (ftruncate(made, 0) || pwrite(made, file.bytes, file.size, 0) != (ssize_t)file.size) return 2;
    const reg_data_op op = {.kind = kind < 2 ? REG_DATA_IDX : REG_DATA_NPY,
                            .path = path,
                            .array = kind == KINDS - 1 ? "x" : NULL};
    const reg_data_plan plan = {.nops = 1, .ops = &op, .dtype = below(2) ? REG_F32 : REG_F64};
    reg_status st = {0};
    reg_dataset *d = reg_data_load(&plan, &st);
    const bool good = right(d, &st) && (i >= KINDS || d);
    read[kind] += d != NULL;
    refused += !d;
    wrong += !good;
    if (!good) fprintf(stderr, "file %ld: code %d, %s: %s\n", i, st.code, st.name, st.text);
    reg_data_free(d);
  }
  close(made);
  unlink(path);
  bool all = refused > 0;
  for (int k = 0; k < KINDS; k++) all &= read[k] > 0;
  long arrays = 0;
  for (int k = 2; k < KINDS - 1; k++) arrays += read[k];
  printf("read: %ld IDX, %ld packed, %ld .npy, %ld .npz; %ld refused\n", read[0], read[1], arrays,
         read[KINDS - 1], refused);
  printf("%ld passed, %ld failed\n", files - wrong, wrong + !all);
  return wrong || !all;
}
