// What stands around a table in its file: a title in front of its header, sums and notes behind its rows. In:
// lines in memory. Out: how many of them seem to be none of it, for messages and for `regc data FILE`.
#include "data/csv.h"
#include "text/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKED_AT = 200, MOST_BYTES = 1 << 20, MOST_FIELDS = 1 << 12, MOST_NOTES = 5 };

// A line that is not blank: where it is among all lines, its fields, those up to the last that is not empty,
// and which are numbers.
typedef struct Line {
  int64_t at;
  int fields, filled, numbers;
  bool begins_with_number;
} Line;

static bool is_number(const CsvField *f) {
  char text[64];
  double value;
  if (f->length >= sizeof text) return false;
  memcpy(text, f->text, f->length);
  text[f->length] = 0;
  return number_parse(text, f->length, REG_F64, &value) == NUMBER_OK;
}

static const char *pass_line(CsvPiece *p, const char *at) {
  while (at < p->end && !csv_is_end(*at)) at++;
  return csv_line_end(p, at);
}

// A line with misplaced quotes is a text.
static const char *see_line(CsvPiece *p, const char *at, Line *line) {
  const char *begin = at;
  *line = (Line){.at = p->lines};
  for (;; at++) {
    CsvField field = {0};
    at = csv_field(p, at, &field);
    if (!at || line->fields == MOST_FIELDS) {
      p->lines = line->at;
      line->fields = line->filled = at ? MOST_FIELDS : 1;
      return pass_line(p, begin);
    }
    line->fields++;
    if (field.length) line->filled = line->fields;
    if (is_number(&field)) {
      line->begins_with_number |= line->fields == 1;
      line->numbers++;
    }
    if (at == p->end || *at != p->layout->separator) return csv_line_end(p, at);
  }
}

// Fields of most lines, the larger number of two.
static int usual_fields(const Line *lines, int n) {
  int count[MOST_FIELDS + 1] = {0}, most = 0;
  for (int i = 0; i < n; i++) count[lines[i].fields]++;
  for (int k = 1; k <= MOST_FIELDS; k++)
    if (count[k] && count[k] >= count[most]) most = k;
  return most;
}

// A header that has a field less than rows, as R writes it, is no title in front of a row.
static bool may_be_header(const Line *lines, int first, int usual) {
  const Line *l = &lines[first];
  return !l->begins_with_number && (first > 1 || lines[0].fields < usual - 1 || !l->numbers);
}

// What a separator makes of the file.
typedef struct Title {
  char separator;
  int64_t lines; // that are passed over; 0: none are to be
  int fields;    // of those behind
} Title;

// Lines before the first one that has as many fields as most of them, where all before have fewer; 0: it is
// the first one. All that are behind it, but for notes at the end, have as many where `sure`. A spreadsheet's
// lines all have the same number of separators: then fields up to the last one that is filled count.
static Title lines_before(Line *lines, int n, bool sure) {
  const int fields = usual_fields(lines, n);
  if (n && lines[0].fields == fields)
    for (int i = 0; i < n; i++) lines[i].fields = lines[i].filled;
  const int usual = usual_fields(lines, n);
  int first = 0, more = 0;
  while (first < n && lines[first].fields < usual) first++;
  for (int i = first; i < n; i++) more += lines[i].fields == usual;
  if (usual < 2 || !first || more < 2 || !may_be_header(lines, first, usual)) return (Title){0};
  // Texts of one column may hold something like a separator, too.
  const bool apart = usual > 2 || lines[first].at > lines[first - 1].at + 1;
  if (sure && (!apart || more < 3 || more + MOST_NOTES < n - first)) return (Title){0};
  return (Title){.lines = lines[first].at, .fields = usual};
}

// `at`: where lines begin that are not yet passed over.
static Title title_by(const CsvReader *r, char separator, const char *at) {
  Line lines[LOOKED_AT];
  CsvLayout layout = r->layout;
  layout.separator = separator;
  CsvPiece p = {.layout = &layout, .end = r->end};
  int n = 0;
  const char *most = p.end - at > MOST_BYTES ? at + MOST_BYTES : p.end; // how much is in memory tells nothing
  while (n < LOOKED_AT && (at = csv_pass(&p, at)) < most) at = see_line(&p, at, &lines[n++]);
  free(p.scratch);
  Title title = lines_before(lines, n, separator != r->layout.separator);
  title.separator = separator;
  return title;
}

void csv_find_title(CsvReader *r) {
  static const char others[] = ",;\t|";
  const int64_t line = r->line;
  const char *at = csv_begin(r, r->bytes, r->used);
  const int64_t before = r->line - 1;
  r->line = line;
  Title best = title_by(r, r->layout.separator, at);
  for (int i = 0; others[i]; i++) {
    if (others[i] == r->layout.separator) continue;
    const Title other = title_by(r, others[i], at);
    if (other.fields > best.fields) best = other;
  }
  r->table->title = best.lines ? before + best.lines : 0;
  r->table->title_separator = best.separator;
}

bool csv_suggest_title(CsvReader *r) {
  char other[40] = "";
  const int64_t title = r->table->title;
  const char separator = r->table->title_separator;
  if (!title) return false;
  if (separator != r->layout.separator)
    snprintf(other, sizeof other, "separator: \"%s\", ", separator == '\t' ? "\\t" : (char[]){separator, 0});
  reg_hint(r->st,
           "the lines before line %lld have fewer fields than those below: `%sskip: %lld` passes over them",
           (long long)title + 1, other, (long long)title);
  return true;
}

void csv_suggest_no_skip(CsvReader *r) {
  const long long skip = (long long)r->form->skip;
  if (skip)
    reg_hint(r->st, "`skip: %lld` passes over %lld line%s in front of this file too", skip, skip,
             skip > 1 ? "s" : "");
}

// Lines from this one on to the end, without blank ones.
static int64_t lines_from(const CsvReader *r, int64_t line) {
  CsvPiece p = {.layout = &r->layout, .end = r->end, .lines = r->line};
  int64_t n = 0;
  const char *at = r->at;
  while (at < p.end && p.lines < line) at = pass_line(&p, at);
  while (at < p.end && n <= MOST_NOTES) {
    bool blank = true;
    for (; at < p.end && !csv_is_end(*at); at++) blank &= *at == ' ' || *at == '\t';
    n += !blank;
    at = csv_line_end(&p, at);
  }
  return n;
}

void csv_suggest_footer(CsvReader *r, int64_t line) {
  const int64_t n = r->last ? lines_from(r, line) : 0;
  if (n < 1 || n > MOST_NOTES) return;
  const int64_t footer = r->table->footer = r->form->footer + n;
  if (n == 1)
    reg_hint(r->st, "it is the last line: `skip_footer: %lld` passes over it, if it is no row",
             (long long)footer);
  else
    reg_hint(r->st, "`skip_footer: %lld` passes over this line and those behind it, if they are no rows",
             (long long)footer);
}
