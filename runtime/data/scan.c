// Bytes of a CSV file to numbers and texts (RFC 4180, and what people write besides: spaces around fields,
// any line ends, blank lines, comments). In: a piece of a file that begins with a line. Out: its rows, or its
// first mistake. A line has one field more than separators; quotes hold separators, line ends and quotes,
// which are written twice there. Nothing depends on the pieces that a file is cut into.
#include "data/scan.h"
#include "large.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool csv_piece_open(CsvPiece *p, const CsvLayout *l) {
  const size_t width = (size_t)l->width + 1;
  p->layout = l;
  p->own = calloc((size_t)l->nown + 1, sizeof *p->own);
  p->levels = calloc(width, sizeof *p->levels);
  p->missing = calloc(width, sizeof *p->missing);
  p->truths = calloc(width, sizeof *p->truths);
  p->found = calloc(width, sizeof *p->found);
  p->first_missing = calloc(width, sizeof *p->first_missing);
  p->first_truth = calloc(width, sizeof *p->first_truth);
  return p->own && p->found && p->levels && p->missing && p->truths && p->first_missing && p->first_truth;
}

void csv_piece_renew(CsvPiece *p) {
  const size_t width = (size_t)p->layout->width;
  p->lines = p->nrows = p->nbad = 0;
  p->doubt = false;
  for (int i = 0; i < p->layout->nown; i++) p->own[i].size = 0;
  memset(p->missing, 0, width * sizeof *p->missing);
  memset(p->truths, 0, width * sizeof *p->truths);
  memset(p->found, 0, width * sizeof *p->found);
}

void csv_piece_free(CsvPiece *p) {
  for (int i = 0; p->own && i < p->layout->nown; i++) cells_free(&p->own[i]);
  for (int i = 0; p->levels && i < p->layout->width; i++) {
    names_free(&p->levels[i].index);
    free(p->levels[i].place);
  }
  reg_heap_free(&p->names);
  free(p->own);
  free(p->levels);
  free(p->missing);
  free(p->found);
  free(p->truths);
  free(p->first_missing);
  free(p->first_truth);
  free(p->numbers);
  free(p->line);
  free(p->scratch);
  free(p->bad);
}

void csv_cell_text(char to[44], const char *text, size_t length) {
  const size_t n = length < 40 ? length : 40;
  memcpy(to, text, n);
  to[n] = 0;
}

static const char *wrong(CsvPiece *p, CsvWrong what) {
  p->wrong = what;
  p->place.line = p->lines;
  return NULL;
}

// -- fields

static bool is_blank(const CsvPiece *p, char c) {
  return c == ' ' || (c == '\t' && p->layout->separator != '\t');
}

static const char *pass_blanks(const CsvPiece *p, const char *at) {
  while (is_blank(p, *at)) at++;
  return at;
}

static bool reserve(CsvPiece *p, size_t bytes) {
  if (bytes <= p->scratch_room) return true;
  char *grown = realloc(p->scratch, 2 * bytes);
  if (!grown) return false;
  p->scratch = grown;
  p->scratch_room = 2 * bytes;
  return true;
}

// Where a field ends whose text ends at `at`: several spaces separate as one does, and none at a line's end.
static const char *field_end(const CsvPiece *p, const char *at) {
  if (p->layout->separator != ' ' || *at != ' ') return at;
  at = pass_blanks(p, at);
  return csv_is_end(*at) || at == p->end ? at : at - 1;
}

// `at` is behind the quote that opens it. Lines inside are counted.
static const char *quoted(CsvPiece *p, const char *at, CsvField *out) {
  const char *start = at;
  size_t twice = 0;
  int64_t lines = 0;
  for (;; at++) {
    const char *quote = memchr(at, '"', (size_t)(p->end - at));
    if (!quote) return wrong(p, CSV_OPEN);
    for (const char *c = at; (c = memchr(c, '\n', (size_t)(quote - c))); c++) lines++;
    at = quote + 1;
    if (*at != '"' || at == p->end) break;
    twice++;
  }
  *out = (CsvField){start, (size_t)(at - 1 - start)};
  if (out->length > CSV_LONGEST_FIELD) return wrong(p, CSV_LONG);
  if (twice) {
    if (!reserve(p, out->length + 1)) return wrong(p, CSV_MEMORY);
    char *to = p->scratch;
    for (const char *c = start; c < at - 1; c++) {
      *to++ = *c;
      c += *c == '"';
    }
    *out = (CsvField){p->scratch, out->length - twice};
  }
  if (memchr(out->text, 0, out->length)) return wrong(p, CSV_ZERO);
  at = p->layout->separator == ' ' ? field_end(p, at) : pass_blanks(p, at);
  if (*at != p->layout->separator && !csv_is_end(*at) && at != p->end) return wrong(p, CSV_QUOTE);
  p->lines += lines;
  return at;
}

const char *csv_field(CsvPiece *p, const char *at, CsvField *out) {
  const char separator = p->layout->separator;
  at = pass_blanks(p, at);
  if (*at == '"') return quoted(p, at + 1, out);
  const char *start = at;
  while (*at != separator && *at != '\n' && *at != '\r' && *at != '"' && *at) at++;
  if (*at == '"') return wrong(p, CSV_QUOTE);
  if (!*at && at != p->end) return wrong(p, CSV_ZERO);
  const char *end = at;
  while (end > start && is_blank(p, end[-1])) end--;
  *out = (CsvField){start, (size_t)(end - start)};
  return out->length > CSV_LONGEST_FIELD ? wrong(p, CSV_LONG) : field_end(p, at);
}

const char *csv_line_end(CsvPiece *p, const char *at) {
  if (at == p->end) return at;
  p->lines++;
  return at + (at[0] == '\r' && at[1] == '\n' ? 2 : 1);
}

const char *csv_pass(CsvPiece *p, const char *at) {
  while (at < p->end) {
    const char *begin = pass_blanks(p, at);
    const char mark = p->layout->comment;
    const bool comment = mark && *begin == mark && begin != p->end;
    if (comment)
      while (!csv_is_end(*begin) && begin < p->end) begin++;
    if (!csv_is_end(*begin) && begin != p->end) return at;
    at = csv_line_end(p, begin);
  }
  return at;
}

int csv_row_fields(CsvPiece *p, const char **at, bool *empty) {
  CsvField field = {0};
  const char *c = csv_pass(p, *at);
  int n = 1;
  if (c == p->end) return 0;
  for (; (c = csv_field(p, c, &field)) && c != p->end && *c == p->layout->separator; c++) n++;
  if (!c) return 0;
  *empty = field.length == 0;
  *at = csv_line_end(p, c);
  return n;
}

bool csv_is_utf8(const char *text, size_t length) {
  const unsigned char *c = (const unsigned char *)text, *end = c + length;
  while (c < end) {
    const int more = *c < 0x80                 ? 0
                     : *c >= 0xC2 && *c < 0xE0 ? 1
                     : (*c & 0xF0) == 0xE0     ? 2
                     : *c >= 0xF0 && *c < 0xF5 ? 3
                                               : -1;
    if (more < 0 || end - c <= more) return false;
    if ((*c == 0xE0 && c[1] < 0xA0) || (*c == 0xED && c[1] > 0x9F) || (*c == 0xF0 && c[1] < 0x90) ||
        (*c == 0xF4 && c[1] > 0x8F))
      return false;
    for (int i = 1; i <= more; i++)
      if ((c[i] & 0xC0) != 0x80) return false;
    c += more + 1;
  }
  return true;
}

// -- values

static bool grow_rows(CsvPiece *p) {
  if (p->nrows < p->room) return true;
  const CsvLayout *l = p->layout;
  const int64_t room = p->room ? 2 * p->room : 1024;
  size_t bytes;
  double *numbers = NULL;
  if (!__builtin_mul_overflow((size_t)room * sizeof *p->numbers, (size_t)l->width, &bytes))
    numbers = realloc(p->numbers, bytes + 1);
  if (numbers) p->numbers = numbers;
  int64_t *line = numbers ? realloc(p->line, (size_t)room * sizeof *line) : NULL;
  if (!line) return false;
  p->line = line;
  for (int i = 0; i < l->nown; i++) {
    size_t *at = reg_large_resize(p->own[i].at, (size_t)room * sizeof *at);
    if (!at) return false;
    p->own[i].at = at;
  }
  p->room = room;
  return true;
}

static bool listed_missing(const CsvLayout *l, const CsvField *f) {
  for (int i = 0; i < l->nmissing; i++)
    if (strlen(l->missing[i]) == f->length && !memcmp(l->missing[i], f->text, f->length)) return true;
  return false;
}

static CsvPlace place_of(const CsvPiece *p, int column, const CsvField *f) {
  CsvPlace at = {.line = p->lines, .column = column};
  csv_cell_text(at.cell, f->text, f->length);
  return at;
}

static void keep_missing(CsvPiece *p, int x, int column, const CsvField *f) {
  p->numbers[p->nrows * p->layout->width + x] = NAN;
  if (!p->missing[x]++) p->first_missing[x] = place_of(p, column, f);
}

static bool keep_truth(CsvPiece *p, int x, int column, const CsvField *f, const char *text, double *to) {
  if (!number_truth(text, to)) return false;
  if (!p->truths[x]++) p->first_truth[x] = place_of(p, column, f);
  return true;
}

static bool keep_number(CsvPiece *p, int x, int column, const CsvField *f) {
  enum { LONGEST = 512 };
  const CsvLayout *l = p->layout;
  char text[LONGEST];
  double *to = &p->numbers[p->nrows * l->width + x];
  if (!f->length || listed_missing(l, f)) {
    keep_missing(p, x, column, f);
    return true;
  }
  size_t size;
  const bool fits = number_plain(&l->marks, f->text, f->length, text, sizeof text, &size);
  p->number = fits ? number_parse(text, size, l->dtype, to) : NUMBER_NONE;
  if (p->number == NUMBER_OK) return true;
  if (p->number == NUMBER_MISSING) {
    keep_missing(p, x, column, f);
    return true;
  }
  if (p->number == NUMBER_NONE && fits && keep_truth(p, x, column, f, text, to)) return true;
  if (!l->guess) return wrong(p, CSV_NUMBER);
  *(p->number == NUMBER_NONE ? &p->found[x] : &p->doubt) = true;
  return true;
}

// A copy ended by 0; NULL: out of memory, or no UTF-8.
static const char *whole_text(CsvPiece *p, const CsvField *f) {
  if (!csv_is_utf8(f->text, f->length)) return wrong(p, CSV_BYTES);
  if (!reserve(p, f->length + 1)) return wrong(p, CSV_MEMORY);
  if (p->scratch != f->text) memcpy(p->scratch, f->text, f->length);
  p->scratch[f->length] = 0;
  return p->scratch;
}

static bool keep_level(CsvPiece *p, int x, int column, const CsvField *f) {
  NameIndex *levels = &p->levels[x].index;
  if (!f->length || listed_missing(p->layout, f)) {
    keep_missing(p, x, column, f);
    return true;
  }
  const char *text = whole_text(p, f);
  if (!text) return false;
  if (number_missing(text)) {
    keep_missing(p, x, column, f);
    return true;
  }
  int at = names_find(levels, text);
  if (at < 0) {
    char *copy = reg_heap_copy(&p->names, text, f->length);
    if (!copy || !names_add(levels, copy)) return wrong(p, CSV_MEMORY);
    at = levels->count - 1;
  }
  p->numbers[p->nrows * p->layout->width + x] = at;
  return true;
}

static bool keep_own(CsvPiece *p, int k, const CsvField *f) {
  const CsvLayout *l = p->layout;
  char number[64];
  double value;
  const bool is_text = l->own[k].role == REG_OWN_TEXT;
  const bool lacks = !f->length || (l->own[k].role != REG_OWN_ID && listed_missing(l, f));
  if (lacks && !l->holes && !is_text) return wrong(p, CSV_EMPTY);
  const bool marked = l->marks.point != '.' || l->marks.thousands || l->marks.nunits;
  size_t size = f->length;
  const bool as_number = marked && !is_text &&
                         number_plain(&l->marks, f->text, f->length, number, sizeof number, &size) &&
                         number_parse(number, size, l->dtype, &value) == NUMBER_OK;
  const char *text = as_number ? number : whole_text(p, f);
  if (!text) return false;
  p->line[p->nrows] = p->lines;
  return cells_add(&p->own[k], p->nrows, text, as_number ? size : f->length) || wrong(p, CSV_MEMORY);
}

// -- lines

// Most fields: a number between two separators. Where it ends; NULL: it is to be looked at as a text.
static const char *quick(const CsvPiece *p, int x, const char *at) {
  const CsvLayout *l = p->layout;
  double value;
  if (l->nmissing || l->marks.point == l->separator) return NULL;
  const char *end = number_quick(at, l->marks.point, l->dtype, &value);
  if (!end || (*end != l->separator && !csv_is_end(*end))) return NULL;
  p->numbers[p->nrows * l->width + x] = value;
  return field_end(p, end);
}

static const char *scan_field(CsvPiece *p, int column, const char *at) {
  const CsvLayout *l = p->layout;
  const int use = l->use[column], also = l->also[column];
  const bool number = use >= 0 && !l->texts[use];
  CsvField f = {0};
  if (number && also < 0) {
    const char *end = quick(p, use, at);
    if (end) return end;
  }
  const int64_t line = p->lines;
  p->place.column = column + 1;
  at = csv_field(p, at, &f);
  if (!at) return NULL;
  csv_cell_text(p->place.cell, f.text, f.length);
  const int64_t behind = p->lines;
  p->lines = line; // a mistake is where the field begins
  const bool good = use == CSV_IGNORED ? true
                    : use == CSV_BLANK ? !f.length || wrong(p, CSV_NAMELESS)
                    : use <= CSV_OWN   ? keep_own(p, CSV_OWN - use, &f)
                    : number           ? keep_number(p, use, column + 1, &f)
                                       : keep_level(p, use, column + 1, &f);
  const bool both = good && (also < 0 || keep_own(p, also, &f));
  p->lines = behind;
  return both ? at : NULL;
}

static const char *scan_line(CsvPiece *p, const char *at) {
  const CsvLayout *l = p->layout;
  if (!grow_rows(p)) return wrong(p, CSV_MEMORY);
  p->line[p->nrows] = p->lines;
  int column = 0;
  for (;; at++) {
    if (!(at = scan_field(p, column++, at))) return NULL;
    p->place.column = column + 1;
    if (*at != l->separator || at == p->end) break;
    if (column == l->ncolumns) return wrong(p, CSV_TOO_MANY);
  }
  if (column < l->ncolumns) return wrong(p, CSV_TOO_FEW);
  p->nrows++;
  return csv_line_end(p, at);
}

static bool keep_bad(CsvPiece *p) {
  if (p->wrong == CSV_MEMORY) return false;
  if (p->nbad == p->bad_room) {
    const int64_t room = p->bad_room ? 2 * p->bad_room : 64;
    CsvBad *grown = realloc(p->bad, (size_t)room * sizeof *grown);
    if (!grown) return wrong(p, CSV_MEMORY);
    p->bad = grown;
    p->bad_room = room;
  }
  p->bad[p->nbad++] = (CsvBad){p->wrong, p->place, p->number, p->nrows};
  p->wrong = CSV_RIGHT;
  return true;
}

// Behind a line that is left out, whose quotes hold line ends unless they are what is wrong. NULL: it may go
// on behind the piece.
static const char *pass_bad(CsvPiece *p, const char *at, bool first) {
  const CsvWrong what = p->bad[p->nbad - 1].wrong;
  const bool quotes = what != CSV_QUOTE && what != CSV_OPEN;
  const char *line = at;
  bool inside = false;
  for (; at < p->end && (inside || !csv_is_end(*at)); at++) {
    inside ^= quotes && *at == '"';
    p->lines += *at == '\n';
  }
  if ((inside || what == CSV_OPEN) && p->more && !(first && p->whole)) {
    p->stopped = line;
    return NULL;
  }
  return csv_line_end(p, at);
}

void csv_scan(CsvPiece *p) {
  const char *at = p->at;
  p->stopped = NULL;
  for (bool first = true; at && (at = csv_pass(p, at)) < p->end; first = false) {
    const char *line = at;
    const int64_t lines = p->lines;
    at = scan_line(p, at);
    if (at || !p->layout->skips || !keep_bad(p)) continue;
    p->lines = lines;
    at = pass_bad(p, line, first);
    if (at) continue;
    p->lines = lines;
    p->nbad--;
  }
}
