// See summary.h. In: a file. Out: of each column what it holds. How the file is written is found by reading
// it as is usual, and again where what came of that tells better.
#include "reg/summary.h"
#include "data/csv.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_COUNTED = 4096, FORMS = 3 };

static int read_as(const char *path, const reg_csv_form *form, Heap *heap, Table *t, reg_status *st) {
  const TableRequest want = {
      .path = path, .form = form, .holes = true, .drops = true, .any_names = true, .any_text = true};
  *t = (Table){.heap = heap, .dtype = REG_F64};
  return table_read_csv(t, &want, st);
}

static bool is_number(const char *text) {
  double value;
  return number_parse(text, strlen(text), REG_F64, &value) == NUMBER_OK;
}

// What the usual reading took for names is the line of sizes that scikit-learn's files begin with: rows, and
// columns of x.
static bool are_sizes(const char *const *names, int n, const Table *t) {
  return n > 1 && atof(names[0]) == (double)t->nrows && atof(names[1]) == t->width - 1;
}

static bool has_numbers(const Table *t) {
  for (int x = 0; x < t->width; x++)
    if (!t->is_text[x]) return true;
  return false;
}

// What is around the table is passed over. `footer`: with the lines at its end.
static bool take_around(const Table *t, reg_csv_form *f, bool footer) {
  const bool title = t->title > f->skip, notes = footer && t->footer > f->footer;
  if (title) {
    f->skip = t->title;
    if (t->title_separator != t->separator) f->separator = (unsigned char)t->title_separator;
  }
  if (notes) f->footer = t->footer;
  return title || notes;
}

// As is usual, without what is around the table.
static int read_usual(const char *path, reg_csv_form *form, Heap *heap, Table *t, reg_status *st) {
  int code = read_as(path, form, heap, t, st);
  while (code == REG_BAD_DATA && take_around(t, form, true)) {
    table_free(t);
    *st = (reg_status){0};
    code = read_as(path, form, heap, t, st);
  }
  return code;
}

// Else with another separator or without names.
static int read_any(const char *path, reg_csv_form *form, Heap *heap, Table *t, reg_status *st) {
  static const char separators[] = ",;\t|";
  reg_csv_form usual = *form;
  const int code = read_usual(path, &usual, heap, t, st), n = t->width;
  const char *const *names = t->columns;
  if (!code) *form = usual;
  for (int i = 0; code == REG_BAD_DATA && i < FORMS * (int)strlen(separators); i++) {
    reg_csv_form other = {.separator = separators[i / FORMS], .bare = i % FORMS > 0, .skip = i % FORMS > 1};
    reg_status ignored = {0};
    if (form->separator && other.separator != form->separator) continue;
    table_free(t);
    const int failed =
        other.bare ? read_as(path, &other, heap, t, &ignored) : read_usual(path, &other, heap, t, &ignored);
    if (failed || t->width < 2) continue;
    if ((other.bare && !has_numbers(t)) || (other.bare && other.skip && !are_sizes(names, n, t))) continue;
    *form = other;
    *st = (reg_status){0};
    return REG_OK;
  }
  return code;
}

// The only column's name holds another separator.
static bool other_separator(const Table *t, reg_csv_form *f) {
  const char *at = t->width == 1 && !f->separator ? strpbrk(t->columns[0], ";\t|") : NULL;
  if (at) f->separator = (unsigned char)*at;
  return at != NULL;
}

static bool is_nameless(const Table *t, int x) {
  char nameless[32];
  csv_nameless(x, nameless);
  return !strcmp(t->columns[x], nameless);
}

// pandas writes 0, 1, ... where a table's columns have no names, behind the numbers of rows.
static bool are_places(const Table *t) {
  for (int x = 1; x < t->width; x++)
    if (!is_number(t->columns[x]) || atof(t->columns[x]) != x - 1) return false;
  return is_nameless(t, 0);
}

static bool lacks_names(const Table *t, reg_csv_form *f) {
  int numbers = 0;
  for (int x = 0; x < t->width && !are_places(t); x++) numbers += is_number(t->columns[x]);
  if (f->bare || 2 * numbers < t->width) return false;
  return f->bare = true;
}

// Currencies and the like that numbers are written with.
static const char *const units[REG_SUMMARY_UNITS] = {"%",      "$",   "\u20ac", "\u00a3", "\u00a5",
                                                     "\u20b9", "USD", "EUR",    "GBP",    "CHF"};
enum { UNITS = REG_SUMMARY_UNITS };

// The texts of a column are numbers where these are the marks; *used: which units these have.
static bool are_numbers(const NameIndex *texts, const NumberMarks *marks, unsigned *used) {
  char plain[512];
  size_t size;
  double value;
  *used = 0;
  for (int k = 0; k < texts->count; k++) {
    const char *text = texts->names[k];
    if (!number_plain(marks, text, strlen(text), plain, sizeof plain, &size) ||
        number_parse(plain, size, REG_F64, &value) != NUMBER_OK)
      return false;
    for (int u = 0; u < UNITS; u++) *used |= (unsigned)(strstr(text, units[u]) != NULL) << u;
  }
  return texts->count > 0;
}

static bool take_marks(reg_csv_form *f, const NumberMarks *marks, unsigned used, const char **list) {
  const reg_csv_form before = *f;
  if (marks->point != '.') f->decimal = (unsigned char)marks->point;
  if (marks->thousands) f->thousands = (unsigned char)marks->thousands;
  f->units = list;
  for (int u = 0; u < UNITS; u++) {
    int k = 0;
    while (k < f->nunits && strcmp(list[k], units[u]) != 0) k++;
    if (used >> u & 1 && k == f->nunits) list[f->nunits++] = units[u];
  }
  return f->decimal != before.decimal || f->thousands != before.thousands || f->nunits != before.nunits;
}

// Numbers with a decimal point.
static bool has_fractions(const Table *t) {
  for (int64_t row = 0; row < t->nrows; row++)
    for (int x = 0; x < t->width; x++) {
      const double v = t->numbers[row * t->width + x];
      if (!t->is_text[x] && !isnan(v) && v != rint(v)) return true;
    }
  return false;
}

// A column's texts are numbers, but for marks and units in them. `list` has room for all units.
static bool has_marks(const Table *t, reg_csv_form *f, const char **list) {
  static const char marks[][2] = {{'.', 0},    {'.', ','}, {',', 0},   {',', '.'}, {',', ' '},
                                  {',', '\''}, {'.', ','}, {'.', ' '}, {'.', '\''}};
  const bool between_commas = t->separator == ',', no_comma = between_commas && has_fractions(t);
  for (int x = 0; x < t->width; x++) {
    if (!t->is_text[x] || !t->levels[x].count) continue;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
      const NumberMarks m = {marks[i][0], marks[i][1], UNITS, units};
      unsigned used;
      if (f->decimal ? m.point != f->decimal : m.point == ',' && no_comma) continue;
      if (i == 1 && !between_commas) continue; // there 1,234 is above one thousand, elsewhere above one
      if (f->thousands && m.thousands != f->thousands) continue;
      if (are_numbers(&t->levels[x], &m, &used) && take_marks(f, &m, used, list)) return true;
    }
  }
  return false;
}

// -- rows that are none

// Texts of columns of numbers, in the last rows alone: how many rows these are. 0: there are none, or it is
// no column of numbers.
static int64_t notes_of(const Table *t, int x) {
  enum { MOST = 5 };
  const NameIndex *texts = &t->levels[x];
  int64_t row = t->nrows;
  for (; row > 0 && t->nrows - row <= MOST; row--) {
    const double at = t->numbers[(row - 1) * t->width + x];
    if (isnan(at) || is_number(texts->names[(int)at])) break;
  }
  const int64_t notes = t->nrows - row;
  if (notes > MOST || row < 4 * notes) return 0;
  for (int64_t i = 0; i < row; i++) {
    const double at = t->numbers[i * t->width + x];
    if (!isnan(at) && !is_number(texts->names[(int)at])) return 0;
  }
  return notes;
}

static bool has_notes(const Table *t, reg_csv_form *f) {
  int64_t most = 0;
  for (int x = 0; x < t->width; x++)
    if (t->is_text[x] && t->levels[x].count) most = notes_of(t, x) > most ? notes_of(t, x) : most;
  f->footer += most;
  return most > 0 && f->footer <= REG_MOST_FOOTER;
}

// The last row's numbers are the sums of those above it: of all columns that have any there.
static bool are_sums(const Table *t) {
  enum { LEAST = 4 };
  const double *last = t->numbers + (t->nrows - 1) * t->width;
  int sums = 0;
  bool texts = false;
  for (int x = 0; x < t->width && t->nrows >= LEAST; x++) {
    double sum = 0, size = 0;
    texts |= t->is_text[x];
    if (t->is_text[x] || isnan(last[x])) continue;
    for (int64_t row = 0; row + 1 < t->nrows; row++) {
      const double v = t->numbers[row * t->width + x];
      sum += isnan(v) ? 0 : v;
      size += isnan(v) ? 0 : fabs(v);
    }
    if (size == 0 || fabs(sum - last[x]) > 1e-9 * size) return false;
    sums++;
  }
  return sums > 0 && texts;
}

// -- columns

// What is known of a column while the rows are passed: these may be larger than memory, so all columns of a
// group are looked at in one pass, and in a second one for what their ranges tell.
typedef struct Seen {
  reg_column_summary *to;
  const NameIndex *texts; // NULL: numbers
  int64_t n;              // of values
  int64_t *count;         // of each text, or of each integer from the lowest one on
  double step;            // of a bin
  bool whole, days;       // all are integers; of the form 20240301, a day of the calendar
} Seen;

static void count_distinct(const int64_t *count, int n, reg_column_summary *c) {
  for (int i = 0; i < n; i++) {
    if (!count[i]) continue;
    c->rarest = c->distinct++ && c->rarest < count[i] ? c->rarest : count[i];
  }
}

// As people write days of these times without marks; not any number of eight digits.
static bool is_day(double v) {
  char text[16];
  double parts[REG_DATE_PARTS];
  if (!(v >= 19000101 && v <= 21001231) || v != rint(v)) return false;
  snprintf(text, sizeof text, "%.0f", v);
  return !date_parse(text, REG_ORDER_NONE, parts);
}

static void see(Seen *s, double v) {
  reg_column_summary *c = s->to;
  if (isnan(v)) {
    c->missing++;
  } else if (s->texts) {
    s->count[(int)v]++;
  } else {
    c->low = fmin(c->low, v);
    c->high = fmax(c->high, v);
    c->mean += (v - c->mean) / (double)++s->n;
    s->whole = s->whole && v == rint(v);
    s->days = s->days && is_day(v);
  }
}

static void see_again(Seen *s, double v) {
  reg_column_summary *c = s->to;
  if (isnan(v) || s->texts) return;
  c->bins[s->step > 0 ? (int)fmin((v - c->low) / s->step, REG_SUMMARY_BINS - 1) : 0]++;
  if (s->count) s->count[(int)(v - c->low)]++;
}

static bool open_column(const Table *t, int x, reg_column_summary *c, Seen *s) {
  *s = (Seen){.to = c, .whole = true, .days = true};
  c->name = t->columns[x];
  c->nameless = is_nameless(t, x);
  for (int row = 0; row < REG_SUMMARY_ROWS; row++)
    c->number[row] = row < t->nrows ? t->numbers[row * t->width + x] : NAN;
  if (t->is_text[x] && t->levels[x].count) s->texts = &t->levels[x];
  if (s->texts) return (s->count = calloc((size_t)s->texts->count + 1, sizeof *s->count)) != NULL;
  c->low = INFINITY;
  c->high = -INFINITY;
  return true;
}

// Its range is known.
static bool sum_up_numbers(Seen *s) {
  reg_column_summary *c = s->to;
  if (s->texts) return true;
  if (!s->n) c->low = c->mean = c->high = NAN;
  c->kind = !s->n || !s->whole ? REG_COLUMN_NUMBERS : s->days ? REG_COLUMN_DATES : REG_COLUMN_INTEGERS;
  s->step = (c->high - c->low) / REG_SUMMARY_BINS;
  if (c->kind == REG_COLUMN_NUMBERS || c->high - c->low >= MOST_COUNTED) return true;
  return (s->count = calloc(MOST_COUNTED, sizeof *s->count)) != NULL;
}

// *order: what has to be said of it, because the texts do not tell.
static bool all_dates(const NameIndex *levels, reg_date_order *order) {
  double parts[REG_DATE_PARTS];
  const DateOrder found = dates_order((const char *const *)levels->names, levels->count);
  *order = found.order || found.text < 0 ? REG_ORDER_NONE : REG_ORDER_MDY;
  for (int k = 0; k < levels->count && !found.clash; k++)
    if (date_parse(levels->names[k], *order ? *order : found.order, parts)) return false;
  return levels->count > 0 && !found.clash;
}

static int words_of(const char *text) {
  int n = 0;
  for (bool inside = false; *text; text++) {
    n += !inside && *text != ' ';
    inside = *text != ' ';
  }
  return n;
}

// How often each text is there has been counted.
static bool sum_up_texts(const Table *t, int x, Heap *heap, Seen *s) {
  const NameIndex *levels = s->texts;
  reg_column_summary *c = s->to;
  c->kind = all_dates(levels, &c->order) ? REG_COLUMN_DATES : REG_COLUMN_TEXTS;
  c->low = INFINITY;
  for (int k = 0; k < levels->count; k++) {
    const int words = words_of(levels->names[k]);
    c->low = fmin(c->low, words);
    c->mean += words * (double)s->count[k] / (double)(t->nrows - c->missing);
    c->high = fmax(c->high, words);
  }
  count_distinct(s->count, levels->count, c);
  bool good = true;
  for (; c->ntop < REG_SUMMARY_TOP && c->ntop < c->distinct && good; c->ntop++) {
    int most = 0;
    for (int k = 1; k < levels->count; k++) most = s->count[k] > s->count[most] ? k : most;
    c->top_count[c->ntop] = s->count[most];
    c->top[c->ntop] = reg_heap_copy(heap, levels->names[most], strlen(levels->names[most]));
    good = c->top[c->ntop] != NULL;
    s->count[most] = 0;
  }
  for (int row = 0; row < REG_SUMMARY_ROWS && row < t->nrows && good; row++) {
    const double v = t->numbers[row * t->width + x];
    const char *text = isnan(v) ? NULL : levels->names[(int)v];
    if (text) good = (c->text[row] = reg_heap_copy(heap, text, strlen(text))) != NULL;
  }
  return good;
}

static void pass(const Table *t, int first, Seen *group, int n, void (*look)(Seen *, double)) {
  for (int64_t row = 0; row < t->nrows; row++)
    for (int k = 0; k < n; k++) look(&group[k], t->numbers[row * t->width + first + k]);
}

// Columns from `first` on.
static bool sum_up_group(const Table *t, int first, Heap *heap, reg_column_summary *columns, Seen *group,
                         int n) {
  bool good = true;
  for (int k = 0; k < n; k++) good = open_column(t, first + k, &columns[k], &group[k]) && good;
  if (good) pass(t, first, group, n, see);
  for (int k = 0; k < n && good; k++) good = sum_up_numbers(&group[k]);
  if (good) pass(t, first, group, n, see_again);
  for (int k = 0; k < n; k++) {
    if (good && group[k].texts) good = sum_up_texts(t, first + k, heap, &group[k]);
    if (good && !group[k].texts && group[k].count) count_distinct(group[k].count, MOST_COUNTED, &columns[k]);
    free(group[k].count);
  }
  return good;
}

// Separators at the ends of lines make columns that have neither name nor values.
static void leave_blank_out(reg_summary *out) {
  const int64_t n = out->ncolumns;
  out->ncolumns = 0;
  for (int64_t k = 0; k < n; k++) {
    const reg_column_summary *c = &out->columns[k];
    const bool blank = c->nameless && c->missing == out->nrows;
    out->nblank += blank;
    if (!blank) out->columns[out->ncolumns++] = *c;
  }
}

static int sum_up(const Table *t, Heap *heap, reg_summary *out, reg_status *st) {
  enum { GROUP = 64 };
  Seen group[GROUP];
  const size_t size = (size_t)t->width * sizeof *out->columns;
  out->nrows = t->nrows;
  out->ncolumns = t->width;
  out->sums = are_sums(t);
  out->columns = reg_heap_take(heap, size);
  bool good = out->columns != NULL;
  for (int x = 0; x < t->width && good; x += GROUP)
    good = sum_up_group(t, x, heap, &out->columns[x], group, t->width - x < GROUP ? t->width - x : GROUP);
  if (good) leave_blank_out(out);
  return good ? REG_OK : reg_no_memory(st, size);
}

int reg_summary_read(const char *path, reg_summary *out, reg_status *st) {
  *out = (reg_summary){0};
  Heap *heap = out->memory = calloc(1, sizeof *heap);
  if (!heap) return reg_no_memory(st, sizeof *heap);
  reg_csv_form form = {.separator = strstr(path, ".tsv") ? '\t' : 0};
  const NumberLocale numbers = reg_numbers_enter();
  Table t;
  int code = read_any(path, &form, heap, &t, st);
  while (!code && (take_around(&t, &form, false) || other_separator(&t, &form) || lacks_names(&t, &form) ||
                   has_notes(&t, &form) || has_marks(&t, &form, out->units))) {
    table_free(&t);
    code = read_as(path, &form, heap, &t, st);
  }
  if (!code) code = sum_up(&t, heap, out, st);
  table_free(&t);
  reg_numbers_leave(numbers);
  out->separator = form.separator ? (char)form.separator : ',';
  out->thousands = (char)form.thousands;
  out->nunits = form.nunits;
  out->decimal = form.decimal ? (char)form.decimal : '.';
  out->bare = form.bare;
  out->skip = form.skip;
  out->skip_footer = form.footer;
  return code;
}

void reg_summary_free(reg_summary *p) {
  if (p->memory) reg_heap_free(p->memory);
  free(p->memory);
  *p = (reg_summary){0};
}
