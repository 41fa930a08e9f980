// One PNG or JPEG file to its pixels, through libspng and libjpeg-turbo. In: its bytes, which may be
// anything. Out: red, green and blue of each pixel. What it is, its first bytes tell, not its name.
#include "data/picture.h"
#include <spng.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

enum { MOST_CHUNK = 1 << 20, MOST_CHUNKS = 1 << 23 }; // bytes of what else stands in a PNG file

static int bad(const char *path, reg_status *st, const char *what) {
  return reg_fail(st, REG_BAD_DATA, "data_bad", "`%.300s` %s", path, what);
}

static int damaged(const char *path, reg_status *st, const char *why) {
  reg_fail(st, REG_BAD_DATA, "data_bad", "`%.300s` is damaged or cut short: %.150s", path, why);
  reg_hint(st, "copy it again, or take it out of the folder");
  return st->code;
}

// Room for the pixels of a header's size, but where only this is asked for.
static int room_for(Picture *p, const char *path, int64_t height, int64_t width, bool look, reg_status *st) {
  if (height < 1 || width < 1) return bad(path, st, "has no pixels");
  if (height > PICTURE_LONGEST_SIDE || width > PICTURE_LONGEST_SIDE || height * width > PICTURE_MOST_PIXELS)
    return reg_fail(
        st, REG_BAD_DATA, "data_bad",
        "`%.300s` says that it has %lld x %lld pixels, more than a picture may have (%d, %d along "
        "a side)",
        path, (long long)height, (long long)width, PICTURE_MOST_PIXELS, PICTURE_LONGEST_SIDE);
  const size_t bytes = (size_t)(height * width) * PICTURE_CHANNELS;
  *p = (Picture){.pixels = look ? NULL : malloc(bytes), .height = height, .width = width};
  return look || p->pixels ? REG_OK : reg_no_memory(st, bytes);
}

static int decode_png(Picture *p, const char *path, const unsigned char *bytes, size_t size, bool look,
                      reg_status *st) {
  spng_ctx *ctx = spng_ctx_new(0);
  struct spng_ihdr head;
  if (!ctx) return reg_no_memory(st, 0);
  spng_set_chunk_limits(ctx, MOST_CHUNK, MOST_CHUNKS);
  int wrong = spng_set_png_buffer(ctx, bytes, size), code = REG_OK;
  if (!wrong) wrong = spng_get_ihdr(ctx, &head);
  if (!wrong) code = room_for(p, path, head.height, head.width, look, st);
  if (!wrong && !code && !look)
    wrong = spng_decode_image(ctx, p->pixels, (size_t)(p->height * p->width) * PICTURE_CHANNELS,
                              SPNG_FMT_RGB8, 0);
  if (!wrong && !code && !look) wrong = spng_decode_chunks(ctx); // to its end
  if (!code && wrong == SPNG_EMEM) code = reg_no_memory(st, 0);
  if (!code && wrong) code = damaged(path, st, spng_strerror(wrong));
  spng_ctx_free(ctx);
  return code;
}

static int decode_jpeg(Picture *p, const char *path, const unsigned char *bytes, size_t size, bool look,
                       reg_status *st) {
  // Without limits a small file may ask for hours of scans; warnings are of what the file lacks.
  const int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS | TJFLAG_STOPONWARNING;
  tjhandle jpeg = tjInitDecompress();
  int width = 0, height = 0, sampling = 0, colours = 0;
  if (!jpeg) return reg_no_memory(st, 0);
  int code = tjDecompressHeader3(jpeg, bytes, size, &width, &height, &sampling, &colours)
                 ? damaged(path, st, tjGetErrorStr2(jpeg))
                 : REG_OK;
  if (!code && (colours == TJCS_CMYK || colours == TJCS_YCCK)) {
    code = bad(path, st, "has the colours of print, CMYK");
    reg_hint(st, "convert it to red, green and blue, with Pillow: Image.open(path).convert(\"RGB\")");
  }
  if (!code) code = room_for(p, path, height, width, look, st);
  if (!code && !look && tjDecompress2(jpeg, bytes, size, p->pixels, width, 0, height, TJPF_RGB, flags))
    code = damaged(path, st, tjGetErrorStr2(jpeg));
  tjDestroy(jpeg);
  return code;
}

// What else it is.
static const char *kind_of(const unsigned char *b, size_t size) {
  if (size == 0) return "is empty";
  if (size >= 4 && !memcmp(b, "GIF8", 4)) return "is a GIF: PNG and JPEG are read";
  if (size >= 12 && !memcmp(b, "RIFF", 4) && !memcmp(b + 8, "WEBP", 4))
    return "is a WebP: PNG and JPEG are read";
  if (size >= 4 && (!memcmp(b, "II*", 4) || !memcmp(b, "MM\0*", 4)))
    return "is a TIFF: PNG and JPEG are read";
  if (size >= 2 && !memcmp(b, "BM", 2)) return "is a BMP: PNG and JPEG are read";
  return "is neither PNG nor JPEG";
}

int picture_decode(Picture *p, const char *path, const unsigned char *bytes, size_t size, bool look,
                   reg_status *st) {
  static const unsigned char png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'},
                             jpeg[] = {0xFF, 0xD8, 0xFF};
  *p = (Picture){0};
  if (size >= sizeof png && !memcmp(bytes, png, sizeof png))
    return decode_png(p, path, bytes, size, look, st);
  if (size >= sizeof jpeg && !memcmp(bytes, jpeg, sizeof jpeg))
    return decode_jpeg(p, path, bytes, size, look, st);
  bad(path, st, kind_of(bytes, size));
  reg_hint(st, "files whose names begin with a dot are passed over; take others out of the folder");
  return st->code;
}

void picture_free(Picture *p) {
  free(p->pixels);
  *p = (Picture){0};
}

// -- numbers

static int brightness(const unsigned char *p) {
  return (19595 * p[0] + 38470 * p[1] + 7471 * p[2] + 0x8000) >> 16;
}

// Which of `from` places a place of the result is the mean of, and their weights.
typedef struct Span {
  int64_t first, count;
  double *weight;
} Span;

static void spread(Span *s, int64_t from, int64_t to, int64_t at) {
  const double ratio = (double)from / (double)to, half = ratio > 1 ? ratio : 1,
               middle = ((double)at + 0.5) * ratio;
  const int64_t low = (int64_t)(middle - half), high = (int64_t)(middle + half) + 1;
  s->first = low > 0 ? low : 0;
  s->count = (high < from ? high : from) - s->first;
  double sum = 0;
  for (int64_t k = 0; k < s->count; k++) {
    const double off = ((double)(s->first + k) + 0.5 - middle) / half;
    s->weight[k] = off > -1 && off < 1 ? 1 - (off < 0 ? -off : off) : 0;
    sum += s->weight[k];
  }
  for (int64_t k = 0; k < s->count; k++) s->weight[k] /= sum;
}

static int64_t widest(int64_t from, int64_t to) { return 2 * (from / to + 1) + 3; }

static double channel_of(const Picture *p, int64_t at, int channel, int channels) {
  const unsigned char *pixel = p->pixels + at * PICTURE_CHANNELS;
  return channels == 1 ? brightness(pixel) : pixel[channel];
}

// One row of the result: rows of the picture to a row, whose places then are.
static void resized_row(const Picture *p, const Span *down, const Span *across, int64_t width, int channels,
                        double *row, double *to) {
  for (int64_t i = 0; i < p->width * channels; i++) row[i] = 0;
  for (int64_t k = 0; k < down->count; k++)
    for (int64_t x = 0, at = (down->first + k) * p->width; x < p->width; x++)
      for (int c = 0; c < channels; c++)
        row[x * channels + c] += down->weight[k] * channel_of(p, at + x, c, channels);
  for (int64_t x = 0; x < width; x++)
    for (int c = 0; c < channels; c++) {
      double sum = 0;
      for (int64_t k = 0; k < across[x].count; k++)
        sum += across[x].weight[k] * row[(across[x].first + k) * channels + c];
      to[x * channels + c] = (double)(int)(sum + 0.5);
    }
}

static bool resized(const Picture *p, int64_t height, int64_t width, int channels, double *to) {
  const int64_t wide = widest(p->width, width);
  Span down, *across = malloc((size_t)width * sizeof *across);
  double *weights = malloc((size_t)(width * wide + widest(p->height, height)) * sizeof *weights),
         *row = malloc((size_t)(p->width * channels) * sizeof *row);
  const bool good = across && weights && row;
  for (int64_t x = 0; x < width && good; x++) {
    across[x].weight = weights + x * wide;
    spread(&across[x], p->width, width, x);
  }
  for (int64_t y = 0; y < height && good; y++) {
    down.weight = weights + width * wide;
    spread(&down, p->height, height, y);
    resized_row(p, &down, across, width, channels, row, to + y * width * channels);
  }
  free(across);
  free(weights);
  free(row);
  return good;
}

bool picture_numbers(const Picture *p, int64_t height, int64_t width, int channels, double *to) {
  if (p->height != height || p->width != width) return resized(p, height, width, channels, to);
  for (int64_t i = 0; i < height * width; i++)
    for (int c = 0; c < channels; c++) to[i * channels + c] = channel_of(p, i, c, channels);
  return true;
}
