// Bytes of a CSV file to cells: see scan.c.
#ifndef REG_SCAN_H
#define REG_SCAN_H
#include "data/table.h"

// What becomes of a field: its place in x, CSV_IGNORED, CSV_BLANK: it has no name and must be empty, or
// CSV_OWN - k: the own column k.
enum { CSV_IGNORED = -1, CSV_BLANK = -2, CSV_OWN = -3 };
enum { CSV_LONGEST_FIELD = 1 << 20, CSV_LONGEST_LINE = 1 << 26 };

// How numbers are written.
typedef struct NumberMarks {
  char point, thousands; // 0: none between thousands
  int nunits;
  const char *const *units; // that are passed over
} NumberMarks;

// A field as number_parse wants it, of *size bytes; false: no number is so long.
bool number_plain(const NumberMarks *m, const char *text, size_t length, char *to, size_t room, size_t *size);

// Of the lines behind the header, the same for all threads.
typedef struct CsvLayout {
  char separator, comment; // comment 0: there are none
  NumberMarks marks;
  int ncolumns;      // fields of a line
  const int *use;    // of each
  const int *also;   // of each of x the own column that it is besides, or CSV_IGNORED
  const bool *texts; // of each place in x: its values are texts, and its numbers places in their list
  int width, nown;
  const OwnColumn *own;
  int nmissing;
  const char *const *missing; // texts that stand for nothing
  reg_dtype dtype;
  bool guess; // a column of numbers that has texts is told in `found`, and no number is a mistake
  bool holes; // so is an own column that lacks a value
  bool skips; // lines with a mistake are left out, and told in `bad`
} CsvLayout;

typedef enum CsvWrong {
  CSV_RIGHT,
  CSV_TOO_FEW,
  CSV_TOO_MANY,
  CSV_QUOTE,    // misplaced
  CSV_OPEN,     // a quote is not closed
  CSV_ZERO,     // a zero byte
  CSV_BYTES,    // no UTF-8
  CSV_LONG,     // a field
  CSV_LINE,     // a line
  CSV_EMPTY,    // of an own column
  CSV_NUMBER,   // none: `number` says why
  CSV_NAMELESS, // a value in a column without a name
  CSV_MEMORY
} CsvWrong;

// A field of a line with a place for messages.
typedef struct CsvPlace {
  int64_t line; // from the piece's first one, 0
  int column;   // from 1
  char cell[44];
} CsvPlace;

// A line that is left out.
typedef struct CsvBad {
  CsvWrong wrong;
  CsvPlace place;
  NumberText number;
  int64_t row; // rows before it that are not
} CsvBad;

// The texts of a column in a piece, and the place of each in the table's list, as far as they are known
// there.
typedef struct CsvLevels {
  NameIndex index;
  int *place;
  int known;
} CsvLevels;

// Lines that one thread reads.
typedef struct CsvPiece {
  const CsvLayout *layout;
  const char *at, *end; // behind a line, or *end is 0
  int64_t lines;        // that ended so far
  int64_t nrows, room;
  double *numbers; // nrows x width; NaN: missing
  int64_t *line;   // of each row, or of its first own column
  Cells *own;
  CsvLevels *levels; // width: of the columns of texts
  Heap names;        // of these
  // By place in x.
  int64_t *missing, *truths;
  bool *found; // texts
  bool doubt;  // a number that is a mistake unless its column has texts
  CsvPlace *first_missing, *first_truth;
  CsvWrong wrong; // the first mistake, which ends the piece
  CsvPlace place;
  NumberText number;
  // Where bad lines are left out nothing tells before which line ends are between quotes: what may end behind
  // the piece is read once more, with what follows.
  bool more;           // something follows
  bool whole;          // the first line is what it is, for it is too long
  const char *stopped; // the line that may go on; NULL: none
  CsvBad *bad;
  int64_t nbad, bad_room;
  char *scratch;
  size_t scratch_room;
} CsvPiece;

// Reads the piece to its end or its first mistake.
void csv_scan(CsvPiece *p);
bool csv_piece_open(CsvPiece *p, const CsvLayout *l); // false: out of memory
// The same for other lines; what it knows of texts stays.
void csv_piece_renew(CsvPiece *p);
void csv_piece_free(CsvPiece *p);

typedef struct CsvField {
  const char *text; // not ended by 0
  size_t length;
} CsvField;

// The field at `at`; where it ends, at its separator, the line's end or p->end. NULL: p->wrong.
const char *csv_field(CsvPiece *p, const char *at, CsvField *out);
// Behind the end of a line, which is counted.
const char *csv_line_end(CsvPiece *p, const char *at);
// Behind blank lines and comments.
const char *csv_pass(CsvPiece *p, const char *at);
// Fields of the row at *at, which moves behind it; 0: there is none, or a mistake in it. *empty: whether the
// last one is.
int csv_row_fields(CsvPiece *p, const char **at, bool *empty);
static inline bool csv_is_end(char c) { return c == '\n' || c == '\r'; } // of a line
bool csv_is_utf8(const char *text, size_t length);
// A text for messages.
void csv_cell_text(char to[44], const char *text, size_t length);
#endif
