// A file's text, read piece by piece: see stream.h. What is no regular file, a pipe, is read whole, for it
// cannot be read again; what of it is more than memory lies in a file.
#include "data/stream.h"
#include "large.h"
#include "reg/file.h"
#include "support.h"
#include "text/text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOM = SUM_LARGE, WIDE_ROOM = 1 << 16 };

// -- checksums: FNV-1a of 64 bits, of a small file, or in lanes

void sum_add(Sum *s, const char *bytes, size_t size) {
  if (!s->bytes) {
    for (int k = 0; k < SUM_LANES; k++) s->lane[k] = REG_FNV_START;
    s->small = size < SUM_LARGE ? reg_fnv1a(bytes, size) : 0;
  }
  size_t i = 0, lane = s->bytes % SUM_LANES;
  s->bytes += size;
  for (; i < size && lane; i++, lane = (lane + 1) % SUM_LANES)
    s->lane[lane] = (s->lane[lane] ^ (unsigned char)bytes[i]) * REG_FNV_PRIME;
  uint64_t sum[SUM_LANES];
  memcpy(sum, s->lane, sizeof sum);
  for (; i + SUM_LANES <= size; i += SUM_LANES)
    for (size_t k = 0; k < SUM_LANES; k++) sum[k] = (sum[k] ^ (unsigned char)bytes[i + k]) * REG_FNV_PRIME;
  memcpy(s->lane, sum, sizeof sum);
  for (lane = 0; i < size; i++, lane++)
    s->lane[lane] = (s->lane[lane] ^ (unsigned char)bytes[i]) * REG_FNV_PRIME;
}

void sum_text(const Sum *s, char hex[17]) {
  const uint64_t small = s->bytes ? s->small : REG_FNV_START;
  if (s->bytes >= SUM_LARGE)
    reg_checksum(s->lane, sizeof s->lane, hex);
  else
    snprintf(hex, 17, "%016llx", (unsigned long long)small);
}

// -- the file's bytes

static int cannot_read(const Stream *s, int error, reg_status *st) {
  char text[128];
  return reg_fail(st, REG_MISSING_INPUT, "data_missing", "cannot read `%s`: %s", s->path,
                  reg_errno_text(error, text, sizeof text));
}

static int take(Stream *s, char *to, size_t room, size_t *got, reg_status *st) {
  *got = 0;
  if (s->whole) {
    const size_t left = s->whole_size - (size_t)s->offset;
    *got = room < left ? room : left;
    memcpy(to, s->whole + s->offset, *got);
  }
  while (!s->whole && *got < room) {
    const ssize_t n = pread(s->file, to + *got, room - *got, s->offset + (int64_t)*got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cannot_read(s, errno, st);
    if (n == 0) break;
    *got += (size_t)n;
  }
  const size_t known = s->sum.bytes - (size_t)s->offset; // read before
  if (*got > known) sum_add(&s->sum, to + known, *got - known);
  s->offset += (int64_t)*got;
  return REG_OK;
}

// More of them behind what is not yet unpacked.
static int fill(Stream *s, reg_status *st) {
  size_t got;
  memmove(s->in, s->in + s->at, s->used - s->at);
  s->used -= s->at;
  s->at = 0;
  const int code = take(s, s->in + s->used, ROOM - s->used, &got, st);
  s->used += got;
  return code;
}

static bool begins(const Stream *s, const char *mark, size_t size) {
  return s->used - s->at >= size && !memcmp(s->in + s->at, mark, size);
}

static int start(Stream *s, reg_status *st) {
  s->offset = 0;
  s->at = s->used = 0;
  s->ended = false;
  s->left = 1;
  return fill(s, st);
}

static int open_packed(Stream *s, reg_status *st) {
  s->kind = begins(s, "\x1F\x8B", 2)           ? STREAM_GZIP
            : begins(s, "\x28\xB5\x2F\xFD", 4) ? STREAM_ZSTD
                                               : STREAM_PLAIN;
  const bool good = s->kind == STREAM_GZIP   ? inflateInit2(&s->gzip, 16 + MAX_WBITS) == Z_OK
                    : s->kind == STREAM_ZSTD ? (s->zstd = ZSTD_createDCtx()) != NULL
                                             : true;
  if (!good) s->kind = STREAM_PLAIN;
  return good ? REG_OK : reg_no_memory(st, 0);
}

int stream_sum(Stream *s, char hex[17], reg_status *st) {
  int code = REG_OK;
  for (size_t got = 1; got && !code;) code = take(s, s->in, ROOM, &got, st);
  sum_text(&s->sum, hex);
  return code;
}

void stream_close(Stream *s) {
  if (s->kind == STREAM_GZIP) inflateEnd(&s->gzip);
  ZSTD_freeDCtx(s->zstd);
  if (s->file >= 0) close(s->file);
  reg_large_free(s->whole);
  free(s->in);
  free(s->wide.raw);
}

// -- the text

static int damaged(const Stream *s, reg_status *st) {
  reg_fail(st, REG_BAD_DATA, "data_bad", "`%s` is packed and damaged: it cannot be unpacked whole", s->path);
  reg_hint(st, "copy it again; `gzip -t` or `zstd -t` tests such files");
  return st->code;
}

// Members of a gzip file follow each other.
static int gunzip(Stream *s, char *to, size_t room, size_t *got, reg_status *st) {
  z_stream *z = &s->gzip;
  const unsigned step = room > INT_MAX ? INT_MAX : (unsigned)room;
  z->next_in = (Bytef *)s->in + s->at;
  z->avail_in = (unsigned)(s->used - s->at);
  z->next_out = (Bytef *)to;
  z->avail_out = step;
  const int state = inflate(z, Z_NO_FLUSH);
  s->at = s->used - z->avail_in;
  *got = step - z->avail_out;
  if (state == Z_OK) return REG_OK;
  if (state != Z_STREAM_END) return damaged(s, st);
  const int code = fill(s, st);
  s->ended = !begins(s, "\x1F\x8B", 2) || inflateReset(z) != Z_OK;
  return code;
}

static int unzstd(Stream *s, char *to, size_t room, size_t *got, reg_status *st) {
  ZSTD_inBuffer in = {s->in + s->at, s->used - s->at, 0};
  ZSTD_outBuffer out = {to, room, 0};
  s->left = ZSTD_decompressStream(s->zstd, &out, &in);
  s->at += in.pos;
  *got = out.pos;
  return ZSTD_isError(s->left) || (!in.pos && !out.pos) ? damaged(s, st) : REG_OK;
}

static int plain(Stream *s, char *to, size_t room, size_t *got, reg_status *st) {
  if (s->at == s->used) return take(s, to, room, got, st);
  *got = s->used - s->at < room ? s->used - s->at : room;
  memcpy(to, s->in + s->at, *got);
  s->at += *got;
  return REG_OK;
}

static int unpack(Stream *s, char *to, size_t room, size_t *got, reg_status *st) {
  int code = REG_OK;
  *got = 0;
  while (*got < room && !code && !s->ended) {
    size_t more = 0;
    if (s->kind != STREAM_PLAIN && s->at == s->used) code = fill(s, st);
    if (s->kind == STREAM_ZSTD && !s->left && s->at == s->used) s->ended = true;
    if (code || s->ended) break;
    code = (s->kind == STREAM_GZIP   ? gunzip
            : s->kind == STREAM_ZSTD ? unzstd
                                     : plain)(s, to + *got, room - *got, &more, st);
    *got += more;
    if (s->kind == STREAM_PLAIN && !more) s->ended = true;
  }
  return code;
}

// -- UTF-16 to UTF-8

// The next 16 bits; false: there are none more, or st is filled.
static bool take_unit(Stream *s, unsigned *unit, reg_status *st) {
  Wide *w = &s->wide;
  if (w->used - w->at < 2) {
    size_t got = 0;
    const size_t kept = w->used - w->at;
    memmove(w->raw, w->raw + w->at, kept);
    w->at = 0;
    if (unpack(s, (char *)w->raw + kept, WIDE_ROOM - kept, &got, st)) return false;
    w->used = kept + got;
    if (w->used == 1) {
      reg_fail(st, REG_BAD_DATA, "data_bad", "`%s` is UTF-16 and damaged: it ends within a character",
               s->path);
      reg_hint(st, "copy it again, or save it as UTF-8");
    }
    if (w->used < 2) return false;
  }
  const unsigned char *at = w->raw + w->at;
  *unit = w->big ? (unsigned)at[0] << 8 | at[1] : (unsigned)at[1] << 8 | at[0];
  w->at += 2;
  return true;
}

static bool is_low(unsigned unit) { return unit >= 0xDC00 && unit < 0xE000; }

// The next character, in s->front. Half of one becomes a byte that is no UTF-8: whoever reads the field says
// where.
static int take_character(Stream *s, reg_status *st) {
  unsigned unit, low;
  if (!take_unit(s, &unit, st)) return st->code;
  if (unit >= 0xD800 && unit < 0xDC00 && take_unit(s, &low, st)) {
    if (is_low(low))
      unit = 0x10000 + ((unit & 0x3FF) << 10) + (low & 0x3FF);
    else
      s->wide.at -= 2;
  }
  if (st->code) return st->code;
  s->nfront = (size_t)reg_utf8_put(unit, s->front);
  if (!s->nfront) s->front[s->nfront++] = (char)0xFF;
  return REG_OK;
}

int stream_read(Stream *s, char *to, size_t room, size_t *got, reg_status *st) {
  size_t more = 0;
  int code = REG_OK;
  for (*got = 0; *got < room;) {
    if (s->wide.raw && !s->nfront && take_character(s, st)) return st->code;
    if (!s->nfront) break;
    const size_t n = s->nfront < room - *got ? s->nfront : room - *got;
    memcpy(to + *got, s->front, n);
    memmove(s->front, s->front + n, s->nfront - n);
    *got += n;
    s->nfront -= n;
  }
  if (!s->wide.raw) code = unpack(s, to + *got, room - *got, &more, st);
  *got += more;
  return code;
}

// -- its beginning

// Two bytes tell whether it is UTF-16.
static int begin_text(Stream *s, reg_status *st) {
  s->wide.at = s->wide.used = 0;
  const int code = unpack(s, s->front, 2, &s->nfront, st);
  if (code || s->nfront < 2) return code;
  const unsigned mark = (unsigned)(unsigned char)s->front[0] << 8 | (unsigned char)s->front[1];
  if (mark != 0xFEFF && mark != 0xFFFE) return REG_OK;
  s->nfront = 0;
  s->wide.big = mark == 0xFEFF;
  if (!s->wide.raw && !(s->wide.raw = malloc(WIDE_ROOM))) return reg_no_memory(st, WIDE_ROOM);
  return REG_OK;
}

int stream_open(Stream *s, const char *path, reg_status *st) {
  struct stat info;
  *s = (Stream){.path = path, .file = -1};
  const bool regular = strcmp(path, "/dev/stdin") != 0 && !stat(path, &info) && S_ISREG(info.st_mode);
  if (regular) s->file = open(path, O_RDONLY | O_CLOEXEC);
  if (s->file < 0 && !(s->whole = reg_file_read_large(path, &s->whole_size, "data_missing", st)))
    return st->code;
  if (!(s->in = malloc(ROOM))) return reg_no_memory(st, ROOM);
  const int code = start(s, st);
  if (code || open_packed(s, st)) return st->code;
  return begin_text(s, st);
}

int stream_rewind(Stream *s, reg_status *st) {
  if (s->kind == STREAM_GZIP) inflateReset(&s->gzip);
  if (s->kind == STREAM_ZSTD) ZSTD_DCtx_reset(s->zstd, ZSTD_reset_session_only);
  const int code = start(s, st);
  return code ? code : begin_text(s, st);
}
