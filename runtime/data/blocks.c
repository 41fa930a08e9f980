// The lines of a CSV file, block by block. In: a reader behind the header. Out: its rows, behind those that
// the table has. A block is whole lines, cut into pieces at line ends outside of quotes, which threads read;
// nothing depends on where it is cut. So a file is never in memory as a whole. Of rows to predict bad ones
// may be left out: a misplaced quote must not tell where lines end then, so a block ends with any line, and
// one that goes on behind it is read with the next.
#include "data/csv.h"
#include "large.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { WIDE = 1 << 15 };
size_t csv_least_piece = 1 << 20;

static int most_pieces(void) {
  const int have = reg_processors();
  return have < CSV_MOST_PIECES ? have : CSV_MOST_PIECES;
}

// -- where lines end

// Behind the first line end outside of quotes and comments that is at `wish` or later; or, where `wish` is
// NULL, behind the last one that `end` does not cut. NULL: there is none. `from` is the beginning of a line.
static const char *line_end(const CsvLayout *l, const char *from, const char *wish, const char *end) {
  const char *found = NULL;
  bool inside = false, fresh = true;
  for (const char *c = from; c < end; c++) {
    if (fresh && l->comment && *c == l->comment)
      while (c < end && !csv_is_end(*c)) c++;
    if (c == end) break;
    fresh = fresh && (*c == ' ' || (*c == '\t' && l->separator != '\t'));
    inside ^= *c == '"';
    if (inside || !csv_is_end(*c) || (*c == '\r' && c + 1 == end)) continue;
    c += c[0] == '\r' && c[1] == '\n';
    if (wish && c >= wish) return c + 1;
    found = c + 1;
    fresh = true;
  }
  return wish ? NULL : found;
}

// The same for lines without quotes: what is before does not matter.
static const char *plain_end(const char *from, const char *wish, const char *end) {
  const char *c = wish ? wish : end - 1;
  if (wish) {
    while (c < end && !csv_is_end(*c)) c++;
    return c == end ? NULL : c + 1 + (c[0] == '\r' && c + 1 < end && c[1] == '\n');
  }
  c -= c >= from && *c == '\r'; // what follows it is not known
  while (c >= from && !csv_is_end(*c)) c--;
  return c < from ? NULL : c + 1;
}

static const char *cut(const CsvReader *r, bool quotes, const char *from, const char *wish, const char *end) {
  return quotes ? line_end(&r->layout, from, wish, end) : plain_end(from, wish, end);
}

static bool has_quotes(const char *at, const char *end) {
  return memchr(at, '"', (size_t)(end - at)) != NULL;
}

// Where the last lines begin that are passed over at the end of the file; NULL: nothing is before them. They
// need not be as rows are, so quotes do not matter.
static const char *before_footer(const CsvReader *r, const char *end) {
  for (int64_t left = r->form->footer; left > 0 && end > r->at;) {
    const char *line = plain_end(r->at, NULL, end - 1);
    if (!line) return NULL;
    bool blank = true;
    for (const char *c = line; c < end; c++) blank &= csv_is_end(*c) || *c == ' ' || *c == '\t';
    left -= !blank;
    end = line;
  }
  return end > r->at ? end : NULL;
}

static bool grow(CsvReader *r) {
  const size_t room = r->room ? 2 * r->room : (size_t)most_pieces() * 2 * csv_least_piece;
  char *bytes = realloc(r->bytes, room + 1);
  if (!bytes) {
    csv_no_memory(r, room);
    return false;
  }
  r->bytes = bytes;
  r->room = room;
  return true;
}

void csv_more(CsvReader *r, const char *from) {
  size_t kept = r->bytes ? r->used - (size_t)(from - r->bytes) : 0;
  if (r->bytes) memmove(r->bytes, from, kept);
  for (;;) {
    size_t got;
    if (kept == r->room && !grow(r)) return;
    if (stream_read(&r->stream, r->bytes + kept, r->room - kept, &got, r->st)) r->failed = true;
    if (r->failed) return;
    r->used = kept += got;
    r->bytes[kept] = 0;
    r->at = r->named ? r->bytes : csv_begin(r, r->bytes, kept);
    if (r->failed) return;
    r->end = r->bytes + kept;
    r->last = kept < r->room;
    const char *end = r->form->footer ? before_footer(r, r->end) : r->end;
    if (r->last) r->end = end ? end : r->at;
    if (r->last) return;
    if (end) end = cut(r, !r->layout.skips && has_quotes(r->at, end), r->at, NULL, end);
    r->cut = !end && kept >= CSV_LONGEST_LINE;
    if (end) r->end = end;
    if (end || r->cut) return;
  }
}

// -- pieces

static int pieces_of(const CsvReader *r) {
  const size_t worth = (size_t)(r->end - r->at) / csv_least_piece + 1;
  const int most = r->layout.skips || r->layout.ncolumns > WIDE ? 1 : most_pieces();
  return worth < (size_t)most ? (int)worth : most;
}

static void *scan_piece(void *piece) {
  const NumberLocale numbers = reg_numbers_enter();
  csv_scan(piece);
  reg_numbers_leave(numbers);
  return NULL;
}

static void scan_block(CsvReader *r) {
  const char *at = r->at, *end = r->end;
  const size_t size = (size_t)(end - at);
  pthread_t thread[CSV_MOST_PIECES];
  bool started[CSV_MOST_PIECES] = {false};
  r->npieces = pieces_of(r);
  const bool quotes = r->npieces > 1 && has_quotes(at, end);
  for (int i = 0; i < r->npieces; i++) {
    CsvPiece *p = &r->pieces[i];
    const char *wish = end - size / (size_t)r->npieces * (size_t)(r->npieces - 1 - i), *behind = end;
    if (!p->layout && !csv_piece_open(p, &r->layout)) csv_no_memory(r, 0);
    if (i + 1 < r->npieces) behind = wish <= at ? at : cut(r, quotes, at, wish, end);
    p->at = at;
    p->end = at = behind ? behind : end;
    p->more = r->layout.skips && !r->last;
    p->whole = r->used >= CSV_LONGEST_LINE;
  }
  for (int i = 1; i < r->npieces && !r->failed; i++)
    started[i] = !pthread_create(&thread[i], NULL, scan_piece, &r->pieces[i]);
  for (int i = 0; i < r->npieces && !r->failed; i++)
    if (!started[i]) csv_scan(&r->pieces[i]);
  for (int i = 1; i < r->npieces; i++)
    if (started[i]) pthread_join(thread[i], NULL);
}

// What a piece tells of columns of x, from its first line on.
static void add_told(CsvReader *r, const CsvPiece *p) {
  CsvPiece *all = &r->all;
  for (int x = 0; x < r->layout.width; x++) {
    if (p->missing[x] && !all->missing[x]) {
      all->first_missing[x] = p->first_missing[x];
      all->first_missing[x].line += all->lines;
    }
    if (p->truths[x] && !all->truths[x]) {
      all->first_truth[x] = p->first_truth[x];
      all->first_truth[x].line += all->lines;
    }
    all->missing[x] += p->missing[x];
    all->truths[x] += p->truths[x];
  }
  all->lines += p->lines;
  all->nrows += p->nrows;
}

// -- rows of the table

static bool add_own(Cells *to, int64_t row, const Cells *from, int64_t rows) {
  if (to->size + from->size > to->room) {
    const size_t wish = to->room + to->room / 2, least = to->size + from->size;
    const size_t room = wish > least ? wish : least;
    char *text = reg_large_resize(to->text, room);
    if (!text) return false;
    to->text = text;
    to->room = room;
  }
  for (int64_t i = 0; i < rows; i++) to->at[row + i] = to->size + from->at[i];
  if (from->size) memcpy(to->text + to->size, from->text, from->size);
  to->size += from->size;
  return true;
}

// Places in the piece's list of texts become places in the table's.
static bool place_levels(Table *t, int x, CsvPiece *p) {
  NameIndex *to = &t->levels[x];
  CsvLevels *from = &p->levels[x];
  const int count = from->index.count;
  if (from->known < count) {
    int *place = realloc(from->place, (size_t)from->index.room * sizeof *place);
    if (!place) return false;
    from->place = place;
  }
  for (; from->known < count; from->known++) {
    const char *name = from->index.names[from->known];
    int at = names_find(to, name);
    if (at < 0) {
      char *copy = reg_heap_copy(t->heap, name, strlen(name));
      if (!copy || !names_add(to, copy)) return false;
      at = to->count - 1;
    }
    from->place[from->known] = at;
  }
  for (int64_t row = 0; row < p->nrows; row++) {
    double *at = &p->numbers[row * t->width + x];
    if (!isnan(*at)) *at = from->place[(int)*at];
  }
  return true;
}

static bool add_rows(CsvReader *r, CsvPiece *p) {
  Table *t = r->table;
  bool good = table_make_room(t, t->nrows + p->nrows);
  for (int x = 0; x < t->width && good; x++)
    if (t->is_text[x]) good = place_levels(t, x, p);
  for (int k = 0; k < t->nown && good; k++) good = add_own(&t->own[k].cells, t->nrows, &p->own[k], p->nrows);
  if (!good) return false;
  const int64_t line = r->line + r->all.lines;
  for (int64_t row = 0; row < p->nrows; row++) t->line[t->nrows + row] = line + p->line[row];
  if (p->nrows)
    memcpy(t->numbers + t->nrows * t->width, p->numbers, (size_t)(p->nrows * t->width) * sizeof *t->numbers);
  t->nrows += p->nrows;
  return true;
}

// -- blocks

// Of the rows of the only piece their places among all lines, where some were left out.
static bool put_places(const CsvReader *r, const CsvPiece *p) {
  Table *t = r->table;
  int64_t *place = reg_large_resize(t->place, (size_t)(t->nrows + p->nrows) * sizeof *place + 1);
  if (!place) return false;
  for (int64_t row = 0; row < t->nrows && !t->place; row++) place[row] = row;
  t->place = place;
  for (int64_t row = 0, bad = 0; row < p->nrows; row++) {
    while (bad < p->nbad && p->bad[bad].row <= row) bad++;
    place[t->nrows + row] = t->nrows + r->nbad + row + bad;
  }
  return true;
}

static void tell_bad(CsvReader *r) {
  CsvPiece *p = &r->pieces[0];
  if (!p->nbad && !r->nbad) return;
  if (!put_places(r, p)) {
    csv_no_memory(r, (size_t)p->nrows * sizeof *r->table->place);
    return;
  }
  const CsvWrong wrong = p->wrong;
  for (int64_t i = 0; i < p->nbad; i++) {
    p->wrong = p->bad[i].wrong;
    p->place = p->bad[i].place;
    p->number = p->bad[i].number;
    csv_report(r, p, r->line + r->all.lines);
    table_skip(r->want->skipping, r->st);
    r->failed = false;
  }
  r->nbad += p->nbad;
  p->wrong = wrong;
}

static bool finds_texts(CsvReader *r, const CsvPiece *p) {
  Table *t = r->table;
  bool any = p->doubt;
  for (int x = 0; x < t->width && r->layout.guess; x++) {
    any |= p->found[x];
    t->is_text[x] |= p->found[x];
  }
  return any;
}

// The block's rows, or its first mistake. Where texts were found all is read again, so only what else there
// is to find counts. Whether more is to be read.
static bool take_block(CsvReader *r) {
  bool good = true;
  for (int i = 0; i < r->npieces; i++) {
    r->found |= finds_texts(r, &r->pieces[i]);
    if (r->pieces[i].wrong) break;
  }
  if (r->want->skipping) tell_bad(r);
  for (int i = 0; i < r->npieces && good && !r->failed; i++) {
    CsvPiece *p = &r->pieces[i];
    const bool too_long = r->cut && i + 1 == r->npieces && !p->wrong;
    if (too_long) p->wrong = CSV_LINE;
    if (r->cut && p->wrong == CSV_OPEN) p->wrong = CSV_LONG;
    good = !p->wrong;
    if (r->found) continue;
    if (!good)
      csv_report(r, p, r->line + r->all.lines);
    else if (!add_rows(r, p))
      csv_no_memory(r, 0);
    add_told(r, p);
    csv_piece_renew(p);
  }
  for (int i = 0; i < r->npieces && r->found; i++) csv_piece_renew(&r->pieces[i]);
  return good && !r->failed;
}

static void free_pieces(CsvReader *r) {
  for (int i = 0; i < CSV_MOST_PIECES; i++) {
    if (r->pieces[i].layout) csv_piece_free(&r->pieces[i]);
    r->pieces[i] = (CsvPiece){0};
  }
}

// Texts are mostly found in the first block, and others in any: then the second pass, or the third one, knows
// all.
static void read_again(CsvReader *r, size_t from, bool guess) {
  Table *t = r->table;
  size_t got;
  free_pieces(r);
  csv_piece_renew(&r->all);
  t->nrows = r->start; // 0: only a first file is read again
  for (int k = 0; k < t->nown; k++) t->own[k].cells.size = 0;
  r->found = false;
  r->layout.guess = guess;
  r->used = 0;
  if (stream_rewind(&r->stream, r->st)) r->failed = true;
  while (from && !r->failed) {
    const size_t step = from < r->room ? from : r->room;
    r->failed = stream_read(&r->stream, r->bytes, step, &got, r->st) || got < step;
    from -= step;
  }
  if (!r->failed) csv_more(r, r->bytes);
}

void csv_read_rows(CsvReader *r) {
  const size_t before = (size_t)(r->at - r->bytes); // r->bytes is the beginning of the text
  if (!csv_piece_open(&r->all, &r->layout)) csv_no_memory(r, 0);
  for (bool first = true; !r->failed; first = false) {
    scan_block(r);
    if (r->failed) break;
    const char *stopped = r->pieces[0].stopped;
    const bool more = take_block(r) && !r->last;
    if (r->found && (first || !more))
      read_again(r, before, first && more);
    else if (more)
      csv_more(r, stopped ? stopped : r->end);
    else
      break;
  }
  free_pieces(r);
}
