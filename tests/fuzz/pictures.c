// Damaged pictures. In: how many files, a seed. Valid PNG and JPEG files are made by the libraries' own
// encoders, changed (bytes, lengths, numbers with a checksum that fits again, pieces twice, the end) and
// decoded. Out: for each its pixels or a clear error; anything else ends with 1.
//   fuzz_pictures [FILES [SEED]]
#include "damage.h"
#include "data/picture.h"
#include <spng.h>
#include <turbojpeg.h>
#include <zlib.h>

enum { HEIGHT = 21, WIDTH = 34, HEADERS = 200 };

// -- valid files

static void make_png(File *f, int kind) {
  static const unsigned char types[] = {SPNG_COLOR_TYPE_GRAYSCALE, SPNG_COLOR_TYPE_TRUECOLOR,
                                        SPNG_COLOR_TYPE_INDEXED, SPNG_COLOR_TYPE_TRUECOLOR_ALPHA};
  struct spng_ihdr head = {.width = WIDTH,
                           .height = HEIGHT,
                           .bit_depth = kind == 1 ? 16 : 8,
                           .color_type = types[kind],
                           .interlace_method = kind == 3};
  struct spng_plte palette = {.n_entries = 256};
  static unsigned char pixels[HEIGHT * WIDTH * 8];
  size_t size;
  int error;
  for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (unsigned char)(i * i / 7 + (draw() & 3));
  spng_ctx *ctx = spng_ctx_new(SPNG_CTX_ENCODER);
  spng_set_option(ctx, SPNG_ENCODE_TO_BUFFER, 1);
  spng_set_ihdr(ctx, &head);
  if (kind == 2) spng_set_plte(ctx, &palette);
  static const size_t each[] = {1, 6, 1, 4};
  if (spng_encode_image(ctx, pixels, HEIGHT * WIDTH * each[kind], SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE))
    exit(2);
  void *bytes = spng_get_png_buffer(ctx, &size, &error);
  add(f, bytes, size);
  free(bytes);
  spng_ctx_free(ctx);
}

static void make_jpeg(File *f, int kind) {
  static unsigned char pixels[HEIGHT * WIDTH * 4];
  unsigned char *bytes = NULL;
  unsigned long size = 0;
  for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (unsigned char)(i * 3 + (draw() & 31));
  tjhandle jpeg = tjInitCompress();
  if (tjCompress2(jpeg, pixels, WIDTH, 0, HEIGHT, kind == 3 ? TJPF_CMYK : TJPF_RGB, &bytes, &size,
                  kind == 1 ? TJSAMP_GRAY : TJSAMP_420, 80, kind == 2 ? TJFLAG_PROGRESSIVE : 0))
    exit(2);
  add(f, bytes, size);
  tjFree(bytes);
  tjDestroy(jpeg);
}

// Checksums of chunks as they should be, so that the decoder comes to what they hold.
static void mend_png(File *f) {
  for (size_t at = 8; at + 12 <= f->size;) {
    const unsigned char *b = f->bytes + at;
    const size_t length = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
    if (length > f->size - at - 12) return;
    const uLong sum = crc32(0, b + 4, (uInt)length + 4);
    for (size_t k = 0; k < 4; k++) f->bytes[at + 8 + length + k] = (unsigned char)(sum >> (24 - 8 * k));
    at += length + 12;
  }
}

// Pixels that were never written would be found by a sanitizer of memory only, so all are read.
static bool right(const Picture *p, int code, const reg_status *st) {
  static double numbers[16 * 16 * 3];
  if (code)
    return code == REG_BAD_DATA && st->code == code && strstr(st->text, "file.png") &&
           !strcmp(st->name, "data_bad");
  if (p->height < 1 || p->width < 1 || p->height * p->width > PICTURE_MOST_PIXELS) return false;
  const int64_t h = 1 + (int64_t)below(16), w = 1 + (int64_t)below(16);
  const int channels = below(2) ? 1 : 3;
  if (!picture_numbers(p, h, w, channels, numbers)) return false;
  for (int64_t i = 0; i < h * w * channels; i++)
    if (!(numbers[i] >= 0 && numbers[i] <= 255)) return false;
  return true;
}

int main(int argc, char **argv) {
  enum { KINDS = 8 };
  const long files = argc > 1 ? atol(argv[1]) : 1000;
  state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  static File valid[KINDS], file;
  long decoded[2] = {0}, refused[2] = {0}, wrong = 0;
  for (int k = 0; k < KINDS; k++) (k < 4 ? make_png : make_jpeg)(&valid[k], k % 4);
  for (long i = 0; i < files; i++) {
    const int kind = (int)(i % KINDS), jpeg = kind >= 4;
    memcpy(&file, &valid[kind], sizeof file);
    if (i >= KINDS) // at first the valid ones
      for (size_t k = 1 + below(3); k > 0; k--) damage(&file, HEADERS);
    if (!jpeg && below(4)) mend_png(&file);
    // In room of its own, so that no byte behind it is read unseen.
    unsigned char *bytes = malloc(file.size + !file.size);
    memcpy(bytes, file.bytes, file.size);
    Picture p, head;
    reg_status st = {0}, ignored = {0};
    const int seen = picture_decode(&head, "file.png", bytes, file.size, true, &ignored);
    const int code = picture_decode(&p, "file.png", bytes, file.size, false, &st);
    // What is good as a whole has a good header, of the same size.
    const bool same = code || (!seen && !head.pixels && head.height == p.height && head.width == p.width);
    const bool good = same && right(&p, code, &st) && (i >= KINDS || code == (kind == 7 ? REG_BAD_DATA : 0));
    *(code ? &refused[jpeg] : &decoded[jpeg]) += 1;
    wrong += !good;
    if (!good) fprintf(stderr, "file %ld: code %d, %s: %s\n", i, code, st.name, st.text);
    picture_free(&p);
    free(bytes);
  }
  printf("PNG: %ld decoded, %ld refused; JPEG: %ld decoded, %ld refused\n", decoded[0], refused[0],
         decoded[1], refused[1]);
  const bool both = decoded[0] && decoded[1] && refused[0] && refused[1];
  printf("%ld passed, %ld failed\n", files - wrong, wrong + !both);
  return wrong || !both;
}
