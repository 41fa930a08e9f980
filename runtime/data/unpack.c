// A file's bytes as its text: packed by gzip or zstd or not, which its first bytes tell. In: bytes of a file.
// Out: those of the text, ended by 0.
#include "data/table.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

typedef struct Growing {
  char *bytes;
  size_t used, room;
} Growing;

// Room for more behind what is used; a text that fills memory is refused.
static bool grow(Growing *g) {
  if (g->room - g->used > 1) return true;
  const size_t room = g->room ? 2 * g->room : 1 << 16;
  char *grown = realloc(g->bytes, room + 1);
  if (!grown) return false;
  g->bytes = grown;
  g->room = room;
  return true;
}

static int damaged(const char *path, reg_status *st) {
  reg_fail(st, REG_BAD_DATA, "data_bad", "`%s` is packed and damaged: it cannot be unpacked whole", path);
  reg_hint(st, "copy it again; `gzip -t` or `zstd -t` tests such files");
  return st->code;
}

// Members of a gzip file follow each other.
static int gunzip(const char *path, const char *bytes, size_t size, Growing *out, reg_status *st) {
  z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes};
  int state = inflateInit2(&z, 16 + MAX_WBITS);
  size_t left = size;
  if (state != Z_OK) return reg_no_memory(st, 0);
  while (state == Z_OK) {
    if (!grow(out)) {
      inflateEnd(&z);
      return reg_no_memory(st, out->room);
    }
    if (!z.avail_in) {
      z.avail_in = left > INT_MAX ? INT_MAX : (unsigned)left;
      left -= z.avail_in;
    }
    const size_t room = out->room - out->used;
    const unsigned step = room > INT_MAX ? INT_MAX : (unsigned)room;
    z.next_out = (Bytef *)out->bytes + out->used;
    z.avail_out = step;
    state = inflate(&z, Z_NO_FLUSH);
    out->used += step - z.avail_out;
    const bool more = z.avail_in > 1 && z.next_in[0] == 0x1F && z.next_in[1] == 0x8B;
    if (state == Z_STREAM_END && more) state = inflateReset(&z);
  }
  inflateEnd(&z);
  return state == Z_STREAM_END ? REG_OK : damaged(path, st);
}

static int unzstd(const char *path, const char *bytes, size_t size, Growing *out, reg_status *st) {
  ZSTD_DCtx *context = ZSTD_createDCtx();
  ZSTD_inBuffer in = {bytes, size, 0};
  size_t left = 1; // of a frame
  int code = context ? REG_OK : reg_no_memory(st, 0);
  while (!code && (in.pos < size || left)) {
    if (!grow(out)) {
      code = reg_no_memory(st, out->room);
      break;
    }
    ZSTD_outBuffer to = {out->bytes + out->used, out->room - out->used, 0};
    const size_t before = in.pos;
    left = ZSTD_decompressStream(context, &to, &in);
    out->used += to.pos;
    if (ZSTD_isError(left) || (left && in.pos == before && !to.pos)) code = damaged(path, st);
  }
  ZSTD_freeDCtx(context);
  return code;
}

int table_unpack(const char *path, char **bytes, size_t *size, reg_status *st) {
  const unsigned char *b = (const unsigned char *)*bytes;
  const bool gzip = *size >= 2 && b[0] == 0x1F && b[1] == 0x8B,
             zstd = *size >= 4 && b[0] == 0x28 && b[1] == 0xB5 && b[2] == 0x2F && b[3] == 0xFD;
  if (!gzip && !zstd) return REG_OK;
  Growing out = {0};
  const int code = (gzip ? gunzip : unzstd)(path, *bytes, *size, &out, st);
  free(*bytes);
  *bytes = out.bytes;
  *size = out.used;
  if (!code) out.bytes[out.used] = 0;
  return code;
}
