// Diagnostics as text and as JSON. In: the collected list. Out: nothing but what is written to `out`.
// Whatever bytes the sources hold, the output is valid UTF-8 without control characters.
#include "diag.h"
#include <stdlib.h>
#include <string.h>

enum { TAB = 4, WIDEST = 100, BEFORE_CARET = 60 };

// One source line as it is shown: tabs as blanks, unprintable bytes as `?`, cut around the caret where it is
// long.
typedef struct Shown {
  FILE *out;
  int from, to; // cells that are written
  int cell;     // cells passed
} Shown;

static void show_cell(Shown *s, const char *bytes, int n) {
  if (s->cell >= s->from && s->cell < s->to) fwrite(bytes, 1, (size_t)n, s->out);
  s->cell++;
}

// Passes `n` bytes; written are those whose cells are in range. Continuation bytes and cells are counted as
// source_position counts columns, except that a tab takes TAB cells.
static void show(Shown *s, const char *text, int n) {
  for (int i = 0; i < n;) {
    ShownChar c = reg_shown_char(text + i, (size_t)(n - i));
    if (text[i] == '\t')
      for (int k = 0; k < TAB; k++) show_cell(s, " ", 1);
    else
      show_cell(s, c.bytes, (int)c.count);
    i += (int)c.taken;
  }
}

static int count_cells(const char *text, int n) {
  Shown s = {.out = NULL, .from = 0, .to = 0};
  show(&s, text, n);
  return s.cell;
}

static void repeat(FILE *out, char c, int n) {
  for (int i = 0; i < n; i++) fputc(c, out);
}

// The line a span starts on, and carets under the part of the span that lies on it.
static void print_excerpt(FILE *out, const Source *source, Span span, const char *paint, const char *plain) {
  int line, column;
  source_position(source, span.start, &line, &column);
  int start = source->line_start[line - 1];
  int end = line < source->nlines ? source->line_start[line] - 1 : source->len;
  if (end > start && source->text[end - 1] == '\r') end--;
  int first = span.start < end ? span.start : end;
  int last = span.end < end ? span.end : end;
  if (last < first) last = first;
  int caret = count_cells(source->text + start, first - start);
  int carets = count_cells(source->text + first, last - first);
  int width = caret + carets + count_cells(source->text + last, end - last);
  if (carets < 1) carets = 1;
  int from = width > WIDEST && caret > BEFORE_CARET ? caret - BEFORE_CARET : 0;
  Shown shown = {.out = out, .from = from, .to = from + WIDEST};
  if (carets > shown.to - caret) carets = shown.to - caret;
  int indent = fprintf(out, "%5d | ", line) - 2;
  if (from) fputs("...", out);
  show(&shown, source->text + start, end - start);
  if (width > shown.to) fputs("...", out);
  fputc('\n', out);
  repeat(out, ' ', indent);
  fprintf(out, "| ");
  repeat(out, ' ', caret - from + (from ? 3 : 0));
  fputs(paint, out);
  repeat(out, '^', carets);
  fprintf(out, "%s\n", plain);
}

static const char *severity_name(Severity s) {
  return s == SEV_ERROR ? "error" : s == SEV_WARNING ? "warning" : "note";
}

static void print_place(FILE *out, const Source *source, Span span) {
  if (!source) return;
  int line, column;
  source_position(source, span.start, &line, &column);
  reg_shown(out, source->name);
  fprintf(out, ":%d:%d: ", line, column);
}

static void print_note(const Diags *ds, FILE *out, const DiagNote *note, bool color) {
  const char *cyan = color ? "\033[1;36m" : "", *plain = color ? "\033[0m" : "";
  const Source *source = source_get(ds->sources, note->span.source);
  print_place(out, source, note->span);
  fprintf(out, "%s%s:%s ", cyan, note->is_hint ? "hint" : "note", plain);
  reg_shown(out, note->text);
  fputc('\n', out);
  if (source) print_excerpt(out, source, note->span, cyan, plain);
}

static void print_text(const Diags *ds, FILE *out, bool color) {
  for (int i = 0; i < ds->list.len; i++) {
    const Diag *d = ds->list.data[i];
    const char *paint = !color ? "" : d->severity == SEV_ERROR ? "\033[1;31m" : "\033[1;33m";
    const char *plain = color ? "\033[0m" : "";
    const Source *source = source_get(ds->sources, d->span.source);
    if (source)
      print_place(out, source, d->span);
    else
      fputs("regc: ", out);
    fprintf(out, "%s%s:%s ", paint, severity_name(d->severity), plain);
    reg_shown(out, d->text);
    fprintf(out, " [%s]\n", diag_name(d->id));
    if (source) print_excerpt(out, source, d->span, paint, plain);
    for (int k = 0; k < d->notes.len; k++) print_note(ds, out, &d->notes.data[k], color);
  }
}

static void json_string(const Diags *ds, FILE *out, const char *s) {
  Text t = {0};
  reg_text_json(&t, s);
  fputs(arena_text(ds->arena, &t), out);
}

static void json_place(const Diags *ds, FILE *out, Span span) {
  const Source *source = source_get(ds->sources, span.source);
  if (!source) {
    fputs("\"file\":null,", out);
    return;
  }
  int line, column, end_line, end_column;
  source_position(source, span.start, &line, &column);
  source_position(source, span.end, &end_line, &end_column);
  fputs("\"file\":", out);
  json_string(ds, out, source->name);
  fprintf(out, ",\"line\":%d,\"column\":%d,\"end_line\":%d,\"end_column\":%d,", line, column, end_line,
          end_column);
}

static void print_json(const Diags *ds, FILE *out, bool color) {
  (void)color;
  for (int i = 0; i < ds->list.len; i++) {
    const Diag *d = ds->list.data[i];
    fputc('{', out);
    json_place(ds, out, d->span);
    fprintf(out, "\"severity\":\"%s\",\"name\":\"%s\",\"message\":", severity_name(d->severity),
            diag_name(d->id));
    json_string(ds, out, d->text);
    fputs(",\"notes\":[", out);
    for (int k = 0; k < d->notes.len; k++) {
      const DiagNote *note = &d->notes.data[k];
      fputs(k ? ",{" : "{", out);
      json_place(ds, out, note->span);
      fprintf(out, "\"severity\":\"%s\",\"message\":", note->is_hint ? "hint" : "note");
      json_string(ds, out, note->text);
      fputc('}', out);
    }
    fputs("]}\n", out);
  }
}

// All at once, also where `out` has no buffer.
static void print_whole(const Diags *ds, FILE *out, bool color, void (*print)(const Diags *, FILE *, bool)) {
  char *text = NULL;
  size_t size = 0;
  FILE *buffer = open_memstream(&text, &size);
  print(ds, buffer ? buffer : out, color);
  if (buffer && fclose(buffer) == 0) fwrite(text, 1, size, out);
  free(text);
}

void diags_print(const Diags *ds, FILE *out, bool color) { print_whole(ds, out, color, print_text); }
void diags_print_json(const Diags *ds, FILE *out) { print_whole(ds, out, false, print_json); }
