// Sources and places. In: texts of any bytes. Out: copies, NUL-terminated, with the offsets of their lines;
// spans turned into lines and columns. A byte order mark at the start is left out of the copy: offsets and
// columns count behind it.
#include "source.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST = 64 << 20 };

static const char *read_all(int file, StrBuf *b) {
  char chunk[1 << 16];
  for (ssize_t n; (n = read(file, chunk, sizeof chunk)) != 0;) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return strerror(errno);
    if (b->len > LONGEST - (int)n) return "it is longer than 64 MB";
    strbuf_addn(b, chunk, (size_t)n);
  }
  return NULL;
}

char *source_read(Arena *a, const char *path, int *len, const char **why) {
  const bool standard = !strcmp(path, "-");
  const int file = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  struct stat info;
  StrBuf b = {.arena = a};
  strbuf_add(&b, "");
  *why = file < 0 ? strerror(errno) : NULL;
  const bool device = !standard && file >= 0 && fstat(file, &info) == 0 &&
                      (S_ISBLK(info.st_mode) || (S_ISCHR(info.st_mode) && !isatty(file)));
  if (device) *why = "it is a device, not a file";
  if (!*why) *why = read_all(file, &b);
  if (!standard && file >= 0) close(file);
  *len = b.len;
  return *why ? NULL : b.data;
}

void sources_init(Sources *s, Arena *a) {
  *s = (Sources){.arena = a};
  vec_push(a, s->list, NULL);
}

static void find_lines(Arena *a, Source *source) {
  int n = 1;
  for (int i = 0; i < source->len; i++) n += source->text[i] == '\n';
  source->line_start = ARENA_ARRAY(a, int, n);
  source->nlines = n;
  int line = 1;
  for (int i = 0; i < source->len; i++)
    if (source->text[i] == '\n') source->line_start[line++] = i + 1;
}

int source_add(Sources *s, const char *name, const char *text, int len) {
  if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
    text += 3;
    len -= 3;
  }
  Source *source = ARENA_NEW(s->arena, Source);
  source->name = arena_strdup(s->arena, name);
  source->text = arena_strndup(s->arena, text, (size_t)len);
  source->len = len;
  find_lines(s->arena, source);
  vec_push(s->arena, s->list, source);
  return s->list.len - 1;
}

const Source *source_get(const Sources *s, int index) {
  return index > 0 && index < s->list.len ? s->list.data[index] : NULL;
}

void source_position(const Source *s, int offset, int *line, int *column) {
  if (offset < 0) offset = 0;
  if (offset > s->len) offset = s->len;
  int low = 0, high = s->nlines; // line_start[low] <= offset < line_start[high]
  while (high - low > 1) {
    int mid = low + (high - low) / 2;
    if (s->line_start[mid] <= offset)
      low = mid;
    else
      high = mid;
  }
  *line = low + 1;
  *column = 1;
  for (int i = s->line_start[low]; i < offset; i++)
    *column += ((unsigned char)s->text[i] & 0xC0) != 0x80; // continuation bytes of UTF-8 start no character
}

const char *source_place(Arena *a, const Source *s, Span at) {
  int line, column;
  source_position(s, at.start, &line, &column);
  return arena_printf(a, "%s:%d:%d", s->name, line, column);
}

Span span_join(Span a, Span b) {
  if (!a.source) return b;
  if (!b.source || a.source != b.source) return a;
  return (Span){a.source, a.start < b.start ? a.start : b.start, a.end > b.end ? a.end : b.end};
}

bool source_is_library(const Source *s) { return !strncmp(s->name, "stdlib/", 7); }
