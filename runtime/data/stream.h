// A file's text, read piece by piece: packed by gzip or zstd or not, in UTF-8 or, behind a byte order mark,
// in UTF-16, which its first bytes tell. It is read as UTF-8, without the mark.
#ifndef REG_STREAM_H
#define REG_STREAM_H
#include "reg/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>
#include <zstd.h>

// A checksum, FNV-1a of 64 bits, in eight lanes where there is much to sum: a byte waits for the one before
// it in its lane.
enum { SUM_LANES = 8, SUM_LARGE = 1 << 20 };
typedef struct Sum {
  uint64_t lane[SUM_LANES], small;
  size_t bytes;
} Sum;

// The first bytes that are added are all there are, or SUM_LARGE at least.
void sum_add(Sum *s, const char *bytes, size_t size);
void sum_text(const Sum *s, char hex[17]);

typedef enum StreamKind { STREAM_PLAIN, STREAM_GZIP, STREAM_ZSTD } StreamKind;

// A text of UTF-16 on its way.
typedef struct Wide {
  unsigned char *raw; // NULL: it is none
  size_t at, used;
  bool big; // the upper byte comes first
} Wide;

typedef struct Stream {
  const char *path;
  int file;    // -1: `whole` holds it, what is no regular file
  char *whole; // NULL
  size_t whole_size;
  int64_t offset; // in the file: behind what was taken of it
  StreamKind kind;
  char *in; // taken, from `at` to `used` not yet unpacked
  size_t at, used;
  bool ended;
  z_stream gzip;
  ZSTD_DCtx *zstd;
  size_t left; // of a frame
  Wide wide;
  char front[4]; // that was made of the text and found no room
  size_t nfront;
  Sum sum; // of the file's bytes as far as they were taken
} Stream;

// On failure st is filled: the file is missing, damaged, or memory is out. stream_close either way.
int stream_open(Stream *s, const char *path, reg_status *st);
// The next bytes of the text, fewer than `room` at its end only.
int stream_read(Stream *s, char *to, size_t room, size_t *got, reg_status *st);
// The text from its beginning on.
int stream_rewind(Stream *s, reg_status *st);
// Of the file's bytes, which are read to their end.
int stream_sum(Stream *s, char hex[17], reg_status *st);
void stream_close(Stream *s);
#endif
