// NumPy's archives: a zip file whose members are arrays, NAME.npy. In: its bytes. Out: one member's. The list
// of members is at the end of the file; sizes are those of this list. PKWARE, .ZIP File Format Specification
// 6.3.10. Every size is checked before it is used.
#include "large.h"
#include "reg/npy.h"
#include "support.h"
#include "text/text.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { END_SIZE = 22, ENTRY_SIZE = 46, LOCAL_SIZE = 30, LONGEST_COMMENT = 65535, STORED = 0, DEFLATED = 8 };

typedef struct Zip {
  const char *path;
  const unsigned char *bytes;
  size_t size;
} Zip;

typedef struct Entry {
  const char *name; // not ended by 0
  size_t length;    // of the name
  uint64_t packed, unpacked, at;
  uint32_t crc;
  int method;
} Entry;

static int refuse(const Zip *z, reg_status *st, const char *what) {
  reg_fail(st, REG_BAD_DATA, "array_bad", "%s: %s", z->path, what);
  reg_hint(st, "archives are written by numpy.savez or numpy.savez_compressed");
  return st->code;
}

static uint64_t little(const unsigned char *b, int bytes) {
  uint64_t v = 0;
  for (int i = bytes; i-- > 0;) v = v << 8 | b[i];
  return v;
}

static bool is_mark(const unsigned char *b, const char *mark) { return !memcmp(b, mark, 4); }

// Where the list of members begins, and how many there are; SIZE_MAX: it is no archive.
static size_t find_list(const Zip *z, int *count) {
  for (size_t back = END_SIZE; back <= z->size && back <= END_SIZE + LONGEST_COMMENT; back++) {
    const unsigned char *end = z->bytes + z->size - back;
    if (!is_mark(end, "PK\5\6")) continue;
    const size_t at = (size_t)little(end + 16, 4);
    *count = (int)little(end + 10, 2);
    return at <= z->size - back ? at : SIZE_MAX;
  }
  return SIZE_MAX;
}

// Sizes and place that do not fit 32 bits stand behind the name, in this order, each where it is needed.
static void wide_sizes(const unsigned char *extra, size_t length, Entry *e) {
  uint64_t *const to[] = {&e->unpacked, &e->packed, &e->at};
  while (length >= 4) {
    const size_t size = (size_t)little(extra + 2, 2);
    if (size + 4 > length) return;
    const unsigned char *from = extra + 4, *end = from + size;
    for (int i = 0; i < 3 && little(extra, 2) == 1; i++)
      if (*to[i] == UINT32_MAX && end - from >= 8) {
        *to[i] = little(from, 8);
        from += 8;
      }
    extra += size + 4;
    length -= size + 4;
  }
}

// The entry of the list at `at`, and where the next one is; 0: the list is damaged.
static size_t read_entry(const Zip *z, size_t at, Entry *e) {
  if (z->size - at < ENTRY_SIZE || !is_mark(z->bytes + at, "PK\1\2")) return 0;
  const unsigned char *b = z->bytes + at;
  const size_t extra = (size_t)little(b + 30, 2), comment = (size_t)little(b + 32, 2);
  *e = (Entry){.name = (const char *)b + ENTRY_SIZE,
               .length = (size_t)little(b + 28, 2),
               .method = (int)little(b + 10, 2),
               .crc = (uint32_t)little(b + 16, 4),
               .packed = little(b + 20, 4),
               .unpacked = little(b + 24, 4),
               .at = little(b + 42, 4)};
  const size_t whole = ENTRY_SIZE + e->length + extra + comment;
  if (z->size - at < whole) return 0;
  wide_sizes(b + ENTRY_SIZE + e->length, extra, e);
  return at + whole;
}

static bool is_called(const Entry *e, const char *name) {
  const size_t n = strlen(name);
  return (e->length == n || (e->length == n + 4 && !memcmp(e->name + n, ".npy", 4))) &&
         !memcmp(e->name, name, n);
}

static int no_member(const Zip *z, const char *name, size_t list, int count, reg_status *st) {
  char names[200];
  Text text = reg_text_in(names, sizeof names);
  for (Entry e; count > 0 && (list = read_entry(z, list, &e)); count--) {
    const bool npy = e.length > 4 && !memcmp(e.name + e.length - 4, ".npy", 4);
    const int n = (int)(npy ? e.length - 4 : e.length);
    if (n < 40 && text.used < sizeof names - 50)
      reg_text_format(&text, "%s%.*s", text.used ? ", " : "", n, e.name);
  }
  reg_fail(st, REG_BAD_DATA, "array_bad", "%s has no array `%.60s`", z->path, name);
  reg_hint(st, "its arrays are %s", names);
  return st->code;
}

static bool inflate_all(const unsigned char *from, size_t packed, char *to, size_t size) {
  z_stream s = {.next_in = (Bytef *)(uintptr_t)from, .next_out = (Bytef *)to};
  int state = inflateInit2(&s, -MAX_WBITS);
  if (state != Z_OK) return false;
  while (state == Z_OK && (packed || size)) {
    const unsigned in = packed > INT_MAX ? INT_MAX : (unsigned)packed,
                   out = size > INT_MAX ? INT_MAX : (unsigned)size;
    s.avail_in = in;
    s.avail_out = out;
    state = inflate(&s, Z_NO_FLUSH);
    packed -= in - s.avail_in;
    size -= out - s.avail_out;
    if (in == s.avail_in && out == s.avail_out) break;
  }
  inflateEnd(&s);
  return (state == Z_STREAM_END || state == Z_OK) && size == 0;
}

static bool crc_fits(const char *bytes, size_t size, uint32_t crc) {
  uLong sum = crc32(0, NULL, 0);
  for (size_t at = 0; at < size;) {
    const unsigned step = size - at > INT_MAX ? INT_MAX : (unsigned)(size - at);
    sum = crc32(sum, (const Bytef *)bytes + at, step);
    at += step;
  }
  return sum == crc;
}

static int unpack(const Zip *z, const Entry *e, char **member, size_t *length, reg_status *st) {
  if (e->method != STORED && e->method != DEFLATED)
    return refuse(z, st, "an array is packed in a way that NumPy does not write");
  if (z->size < LOCAL_SIZE || e->at > z->size - LOCAL_SIZE || !is_mark(z->bytes + e->at, "PK\3\4"))
    return refuse(z, st, "the archive is damaged");
  const unsigned char *local = z->bytes + e->at;
  const size_t head = LOCAL_SIZE + (size_t)little(local + 26, 2) + (size_t)little(local + 28, 2);
  const size_t left = z->size - (size_t)e->at;
  // Deflate packs 1032 to 1 at the best: a size beyond that is none.
  if (head > left || e->packed > left - head || (e->method == STORED && e->packed != e->unpacked) ||
      e->unpacked / 1040 > e->packed)
    return refuse(z, st, "the archive is damaged");
  char *bytes = reg_large_resize(NULL, (size_t)e->unpacked + 1);
  if (!bytes) return reg_no_memory(st, (size_t)e->unpacked);
  bool good = true;
  if (e->method == STORED)
    memcpy(bytes, local + head, (size_t)e->unpacked);
  else
    good = inflate_all(local + head, (size_t)e->packed, bytes, (size_t)e->unpacked);
  if (good && crc_fits(bytes, (size_t)e->unpacked, e->crc)) {
    *member = bytes;
    *length = (size_t)e->unpacked;
    return REG_OK;
  }
  reg_large_free(bytes);
  return refuse(z, st, "the archive is damaged");
}

int reg_npz_member(const char *path, const char *bytes, size_t size, const char *name, char **member,
                   size_t *length, reg_status *st) {
  const Zip z = {path, (const unsigned char *)bytes, size};
  int count = 0;
  const size_t list = find_list(&z, &count);
  if (list == SIZE_MAX) return refuse(&z, st, "it is no .npz archive, or is cut off");
  size_t at = list;
  for (int i = 0; i < count; i++) {
    Entry e;
    if (!(at = read_entry(&z, at, &e))) return refuse(&z, st, "the archive is damaged");
    if (is_called(&e, name)) return unpack(&z, &e, member, length, st);
  }
  return no_member(&z, name, list, count, st);
}
